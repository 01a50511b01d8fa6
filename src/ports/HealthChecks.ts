/**
 * Whether what a program needs can be reached: checks by name, each with a time limit.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

/**
 * How it is with something: it works, it works worse than it should, or it does not work.
 *
 * @category models
 * @since 0.1.0
 */
export const Status = Schema.Literals(["up", "degraded", "down"])

/**
 * @category models
 * @since 0.1.0
 */
export type Status = typeof Status.Type

/**
 * What a check may answer. One that answers with anything else is up, and one that fails is down.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answer {
  readonly status: Status
  /** What is wrong, for logs. */
  readonly reason?: string | undefined
}

/**
 * What was found of one dependency, and how long it took to find out.
 *
 * @category models
 * @since 0.1.0
 */
export interface Finding extends Answer {
  readonly name: string
  readonly millis: number
}

/**
 * What was found of all: down when one of them is, degraded when one is no better.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly status: Status
  readonly checks: ReadonlyArray<Finding>
}

/**
 * The checks of a program.
 *
 * **Details**
 *
 * - `add` adds one until its scope closes; a second one of the same name counts beside the first.
 * - `run` runs all at the same time. Who asks while they run, or within a second after, gets the same report, so that nobody
 *   can wear out a database by asking. What changes is logged with its reason.
 *
 * @category services
 * @since 0.1.0
 */
export class HealthChecks extends Context.Service<
  HealthChecks,
  {
    readonly add: (check: Check) => Effect.Effect<void>
    readonly remove: (check: Check) => Effect.Effect<void>
    readonly run: Effect.Effect<Report>
  }
>()("effect-cqrs/ports/HealthChecks") {}

/**
 * One check, which takes no longer than its limit.
 *
 * @category models
 * @since 0.1.0
 */
export interface Check {
  readonly name: string
  readonly run: Effect.Effect<Answer>
}

/**
 * The checks of this process: none, until {@link register} adds some.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<HealthChecks> = Layer.effect(
  HealthChecks,
  Effect.gen(function* () {
    const checks = new Set<Check>()
    const last = new Map<Check, Status>()
    const look = Effect.gen(function* () {
      const found = yield* Effect.forEach(checks, (check) => Effect.tap(measure(check), logChange(check)), {
        concurrency: "unbounded"
      })
      return { status: worst(found), checks: found }
    })
    const logChange = (check: Check) => (found: Finding) =>
      Effect.suspend(() => {
        const before = last.get(check) ?? "up"
        last.set(check, found.status)
        if (before === found.status) return Effect.void
        const message = `${found.name} is ${found.status}${found.reason === undefined ? "" : `: ${found.reason}`}`
        return found.status === "up" ? Effect.logInfo(message) : Effect.logWarning(message)
      })
    return {
      add: (check) => Effect.sync(() => void checks.add(check)),
      remove: (check) => Effect.sync(() => void (checks.delete(check) && last.delete(check))),
      run: yield* Effect.cachedWithTTL(look, "1 second")
    }
  })
)

/**
 * Adds a check to {@link HealthChecks} as long as the layer is there.
 *
 * **Details**
 *
 * It is down when it fails, when it dies, and when it takes longer than its `timeout`, 2 seconds when absent. A check that
 * answers with a `status`, as `PgHealth.check()` does, is what it answers.
 *
 * **Example** (A dependency that does not answer)
 *
 * ```ts
 * import { HealthChecks } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * const Checks = Layer.mergeAll(
 *   HealthChecks.register("mail", Effect.never, { timeout: "10 millis" }),
 *   HealthChecks.register("search", Effect.succeed({ status: "degraded", reason: "two of three nodes" }))
 * ).pipe(Layer.provideMerge(HealthChecks.layer))
 *
 * const program = Effect.flatMap(HealthChecks.HealthChecks, ({ run }) => run)
 * const { checks, status } = await Effect.runPromise(Effect.provide(program, Checks))
 * const found = [status, ...checks.map((one) => `${one.name} ${one.status}`)] // => ["down", "mail down", "search degraded"]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const register = <A, E, R>(
  name: string,
  run: Effect.Effect<A, E, R>,
  options?: { readonly timeout?: Duration.Input | undefined }
): Layer.Layer<never, never, HealthChecks | R> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { add, remove } = yield* HealthChecks
      const context = yield* Effect.context<R>()
      const limit = Duration.fromInputUnsafe(options?.timeout ?? "2 seconds")
      const check = { name, run: Effect.provideContext(answered(run, limit), context) }
      yield* Effect.acquireRelease(add(check), () => remove(check))
    })
  )

const answered = <A, E, R>(run: Effect.Effect<A, E, R>, limit: Duration.Duration): Effect.Effect<Answer, never, R> =>
  run.pipe(
    Effect.map((answer): Answer => (isAnswer(answer) ? answer : { status: "up" })),
    Effect.timeoutOrElse({
      duration: limit,
      orElse: () => Effect.succeed<Answer>({ status: "down", reason: `No answer in ${Duration.format(limit)}` })
    }),
    Effect.catchCause((cause) => Effect.succeed<Answer>({ status: "down", reason: Cause.pretty(cause) }))
  )

const isAnswer = (answer: unknown): answer is Answer =>
  typeof answer === "object" && answer !== null && "status" in answer && Schema.is(Status)(answer.status)

const measure = ({ name, run }: Check): Effect.Effect<Finding> =>
  Effect.gen(function* () {
    const before = yield* Clock.currentTimeMillis
    const { reason, status } = yield* run
    return { name, status, reason, millis: (yield* Clock.currentTimeMillis) - before }
  })

const worst = (found: ReadonlyArray<Finding>): Status =>
  found.some(({ status }) => status === "down")
    ? "down"
    : found.some(({ status }) => status === "degraded")
      ? "degraded"
      : "up"
