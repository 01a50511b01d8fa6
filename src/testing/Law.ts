/**
 * Laws: what must be true of every implementation of a port, as data that any test runner can check.
 *
 * @since 0.1.0
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Assert from "./Assert.ts"
import * as Diff from "./internal/diff.ts"

/**
 * What not every implementation has, and without which some laws would prove nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Capabilities {
  /** How many callers the storage serves at the same time; with 1, whoever comes second waits for the first. */
  readonly sessions: number
}

/**
 * A law: a sentence, and the effect that fails when the sentence is not true.
 *
 * **Details**
 *
 * `needs` is the least of each capability with which the law says something. A law brings its own data under names that
 * nothing else uses: laws run side by side, over storage that holds other data, and leave theirs behind.
 *
 * @category models
 * @since 0.1.0
 */
export interface Law<out R> {
  readonly name: string
  readonly needs: Partial<Capabilities>
  readonly timeout: Duration.Duration
  readonly run: Effect.Effect<unknown, unknown, R>
}

/**
 * A law was broken; the message says how.
 *
 * @category errors
 * @since 0.1.0
 */
export class LawBroken extends Data.TaggedError("LawBroken")<{
  readonly law: string
  readonly how: string
  readonly cause: unknown
}> {
  override get message(): string {
    return `"${this.law}" is not true: ${this.how}`
  }
}

/**
 * What became of many laws.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  /** What the random choices started from. */
  readonly seed: number
  readonly held: ReadonlyArray<string>
  readonly broken: ReadonlyArray<LawBroken>
  readonly skipped: ReadonlyArray<{ readonly law: string; readonly why: string }>
}

/**
 * What the random choices of laws start from; one that is not given is chosen and told by the failure.
 *
 * @category services
 * @since 0.1.0
 */
export const Seed: Context.Reference<number | undefined> = Context.Reference<number | undefined>(
  "effect-cqrs/testing/Law/Seed",
  { defaultValue: () => undefined }
)

/**
 * Declares a law. Its effect runs in real time and must end within `timeout` (30 seconds when absent).
 *
 * **Example** (A law about stacks)
 *
 * ```ts
 * import { Assert, Law } from "effect-cqrs/testing"
 * import * as Context from "effect/Context"
 * import * as Effect from "effect/Effect"
 *
 * class Stack extends Context.Service<Stack, { readonly push: (n: number) => void; readonly pop: () => number | undefined }>()(
 *   "Stack"
 * ) {}
 *
 * const lastFirst = Law.make("what was pushed last is popped first", () =>
 *   Effect.map(Stack, (stack) => {
 *     stack.push(1)
 *     stack.push(2)
 *     Assert.equal(stack.pop(), 2)
 *   })
 * )
 *
 * const queue: Array<number> = []
 * const wrong = { push: (n: number) => void queue.push(n), pop: () => queue.shift() }
 * const report = await Effect.runPromise(Law.checkAll([lastFirst]).pipe(Effect.provideService(Stack, wrong)))
 * report.broken[0]?.how // => "The values differ\n  expected 2, got 1"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <A, E, R>(
  name: string,
  law: () => Effect.Effect<A, E, R>,
  options?: {
    readonly needs?: Partial<Capabilities> | undefined
    readonly timeout?: Duration.Input | undefined
  }
): Law<R> => ({
  name,
  needs: options?.needs ?? {},
  timeout: Duration.fromInputUnsafe(options?.timeout ?? "30 seconds"),
  run: Effect.suspend(law)
})

/**
 * Why a law would prove nothing about an implementation with these capabilities, if it would not.
 *
 * **Example** (One session has no races)
 *
 * ```ts
 * import { Law } from "effect-cqrs/testing"
 * import * as Effect from "effect/Effect"
 *
 * const race = Law.make("one of many wins", () => Effect.void, { needs: { sessions: 2 } })
 * Law.skipReason(race, { sessions: 1 }) // => "needs sessions of at least 2, there are 1"
 * Law.skipReason(race, { sessions: 10 }) // => undefined
 * ```
 *
 * @category checking
 * @since 0.1.0
 */
export const skipReason = <R>(law: Law<R>, capabilities: Capabilities): string | undefined => {
  const needed = law.needs.sessions ?? 0
  return capabilities.sessions >= needed
    ? undefined
    : `needs sessions of at least ${needed}, there are ${capabilities.sessions}`
}

/**
 * Checks one law.
 *
 * @category checking
 * @since 0.1.0
 */
export const check = <R>(
  law: Law<R>,
  options?: { readonly seed?: number | undefined; readonly timeout?: Duration.Input | undefined }
): Effect.Effect<void, LawBroken, R> => {
  const timeout = Duration.fromInputUnsafe(options?.timeout ?? law.timeout)
  const seeded = options?.seed === undefined ? law.run : Effect.provideService(law.run, Seed, options.seed)
  return seeded.pipe(
    Effect.asVoid,
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => Effect.die(new Assert.AssertionFailed(`it did not end within ${Duration.format(timeout)}`))
    }),
    Effect.provideService(Clock.Clock, clock),
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Effect.fail(broken(law.name, cause))
    )
  )
}

/**
 * Checks many laws and reports on all of them; a broken one stops no other.
 *
 * @category checking
 * @since 0.1.0
 */
export const checkAll = <R>(
  laws: ReadonlyArray<Law<R>>,
  options?: {
    /** Everything when absent: no law is skipped. */
    readonly capabilities?: Capabilities | undefined
    readonly seed?: number | undefined
    readonly timeout?: Duration.Input | undefined
    /** How many laws run at the same time; 1 when absent. */
    readonly concurrency?: number | undefined
  }
): Effect.Effect<Report, never, R> =>
  Effect.gen(function* () {
    const seed = options?.seed ?? (yield* Random.nextIntBetween(0, 2 ** 31))
    const capabilities = options?.capabilities ?? unlimited
    const skipped = laws.flatMap((law) => {
      const why = skipReason(law, capabilities)
      return why === undefined ? [] : [{ law: law.name, why }]
    })
    const checked = yield* Effect.forEach(
      laws.filter((law) => skipReason(law, capabilities) === undefined),
      (law) =>
        Effect.map(Effect.result(check(law, { seed, timeout: options?.timeout })), (result) => ({ law, result })),
      { concurrency: options?.concurrency ?? 1 }
    )
    return {
      seed,
      held: checked.flatMap(({ law, result }) => (Result.isSuccess(result) ? [law.name] : [])),
      broken: checked.flatMap(({ result }) => (Result.isFailure(result) ? [result.failure] : [])),
      skipped
    }
  })

/**
 * A report as text: what was broken and how, what was skipped and why, and the seed that repeats it.
 *
 * @category checking
 * @since 0.1.0
 */
export const format = (report: Report): string =>
  [
    ...report.broken.map((error) => `broken: ${error.law}\n  ${error.how.replaceAll("\n", "\n  ")}`),
    ...report.skipped.map(({ law, why }) => `skipped: ${law} (${why})`),
    `${report.held.length} held, ${report.broken.length} broken, ${report.skipped.length} skipped, seed ${report.seed}`
  ].join("\n")

/**
 * A property within a law: true of every generated value. The one that breaks it is made smaller before it is told, together
 * with the seed that finds it again.
 *
 * **Gotchas**
 *
 * The property runs for many values, so each run makes its own names.
 *
 * @category properties
 * @since 0.1.0
 */
export const forAll = <A, B, E, R>(
  values: Arbitrary.Arbitrary<A>,
  property: (value: A) => Effect.Effect<B, E, R>,
  options?: { readonly runs?: number | undefined; readonly size?: number | undefined }
): Effect.Effect<void, never, R> =>
  Effect.gen(function* () {
    const seed = (yield* Seed) ?? (yield* Random.nextIntBetween(0, 2 ** 31))
    const holds = (value: A) =>
      Effect.catchCause(Effect.as(property(value), true), (cause) =>
        Cause.hasInterrupts(cause) ? Effect.interrupt : Effect.fail(describe(cause))
      )
    const result = yield* Arbitrary.checkEffect(values, holds, { seed, runs: options?.runs, size: options?.size })
    if (result._tag === "Passed") return
    if (result._tag !== "Falsified") {
      return yield* Effect.die(new Assert.AssertionFailed(`no values were found to check it with (seed ${seed})`))
    }
    const how = result.failure._tag === "PropertyError" ? result.failure.error : "it is false"
    const input = Diff.show(result.shrunkInput)
    return yield* Effect.die(
      new Assert.AssertionFailed(`${how}\nfor ${input}\nfound from seed ${seed}, run ${result.runs}`)
    )
  })

const unlimited: Capabilities = { sessions: Number.POSITIVE_INFINITY }

// Laws wait for the world outside, whatever time it is in the test around them.
const clock = Clock.Clock.defaultValue()

const broken = (law: string, cause: Cause.Cause<unknown>) =>
  new LawBroken({ law, how: describe(cause), cause: Cause.squash(cause) })

const describe = (cause: Cause.Cause<unknown>): string => {
  const errors = cause.reasons.flatMap((reason) =>
    Cause.isFailReason(reason) ? [reason.error] : Cause.isDieReason(reason) ? [reason.defect] : []
  )
  return errors.map(say).join("\n")
}

const say = (error: unknown): string => {
  if (error instanceof Assert.AssertionFailed) return error.message
  if (!(error instanceof Error)) return `it failed with ${Diff.show(error)}`
  return `it failed with ${nameOf(error)}: ${error.message}${because(error)}`
}

// The name of a tagged error is its identifier; its tag is what code calls it.
const nameOf = (error: Error): string => ("_tag" in error ? String(error._tag) : error.name)

// The database's own words are in the cause of a reason, or of the error itself.
const because = (error: Error): string => {
  const inner = "reason" in error && error.reason instanceof Error ? error.reason.cause : error.cause
  return inner instanceof Error ? `\n  because of ${nameOf(inner)}: ${inner.message}${because(inner)}` : ""
}
