/**
 * One fault, and the calls it is for: the nth call fails, is late, happens twice, or succeeds and says that it did not.
 *
 * `Faults` puts them on ports and handlers.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/**
 * One fault that was injected: where, in which call of it counted from 1, and what kind.
 *
 * @category models
 * @since 0.1.0
 */
export interface Injected {
  readonly at: string
  readonly call: number
  readonly fault: Kind
}

/**
 * What can happen to a call.
 *
 * @category models
 * @since 0.1.0
 */
export type Kind = "fail" | "die" | "delay" | "duplicate" | "loseAnswer"

/**
 * A fault, and for which calls. `Args` are what it has to know of a call; `E` is what it makes the call fail with.
 *
 * **Details**
 *
 * A rule is a plain value without state: each place that uses it counts for itself, from 1, each time it is built.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rule<in Args extends ReadonlyArray<unknown> = ReadonlyArray<unknown>, out E = never> {
  /** How it acts at one place; `arm` begins to count there. */
  readonly arm: (site: Site) => Armed<Args, E>
}

/**
 * A rule at one place: what it makes of a call.
 *
 * @category models
 * @since 0.1.0
 */
export type Armed<in Args extends ReadonlyArray<unknown>, out E> = <A, E1, R>(
  self: Effect.Effect<A, E1, R>,
  call: Call<Args>
) => Effect.Effect<A, E1 | E, R>

/**
 * One call: its arguments, and how many there were at this place, itself included.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call<out Args extends ReadonlyArray<unknown>> {
  readonly args: Args
  readonly number: number
}

/**
 * A place where faults are injected.
 *
 * @category models
 * @since 0.1.0
 */
export interface Site {
  readonly name: string
  readonly note: (call: number, fault: Kind) => void
  /** A new sequence of numbers from 0 to 1, the same for the same seed. */
  readonly sequence: () => Effect.Effect<number>
}

/**
 * One, or several.
 *
 * @category models
 * @since 0.1.0
 */
export type OneOrMore<A> = A | ReadonlyArray<A>

/**
 * The call fails with this error and does nothing.
 *
 * @category faults
 * @since 0.1.0
 */
export const fail = <E>(error: E): Rule<ReadonlyArray<unknown>, E> => simple("fail", () => Effect.fail(error))

/**
 * The call dies of this defect and does nothing.
 *
 * @category faults
 * @since 0.1.0
 */
export const die = (defect: unknown): Rule => simple("die", () => Effect.die(defect))

/**
 * The call begins so much later, by the `Clock`.
 *
 * @category faults
 * @since 0.1.0
 */
export const delay = (duration: Duration.Input): Rule => simple("delay", (self) => Effect.delay(self, duration))

/**
 * The call happens twice, as when a message is delivered again: once it has succeeded, it runs again, and the caller gets
 * what came of the second time.
 *
 * @category faults
 * @since 0.1.0
 */
export const duplicate: Rule = simple("duplicate", (self) => Effect.andThen(self, self))

/**
 * The call succeeds, and the caller is told this error: the answer was lost on the way. A call that fails by itself tells its
 * own error.
 *
 * @category faults
 * @since 0.1.0
 */
export const loseAnswer = <E>(error: E): Rule<ReadonlyArray<unknown>, E> =>
  simple("loseAnswer", (self) => Effect.andThen(self, Effect.fail(error)))

/**
 * Only in the nth call, or in several, counted from 1 over the calls that come to this rule.
 *
 * **Example** (The second look at the mark fails)
 *
 * ```ts
 * import { EventStore, EventStoreError, Memory, StorageFailure } from "effect-cqrs"
 * import { Fault, Faults } from "effect-cqrs/testing"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * const lost = new EventStoreError.EventStoreError({
 *   reason: StorageFailure.make({ operation: "append", retryable: true, cause: "a test" })
 * })
 * const layer = Faults.layer(EventStore.EventStore, { mark: Fault.nth(2, Fault.fail(lost)) }).pipe(
 *   Layer.provideMerge(Memory.layer)
 * )
 *
 * const program = Effect.gen(function* () {
 *   const store = yield* EventStore.EventStore
 *   const outcomes = yield* Effect.forEach([1, 2, 3], () => Effect.result(store.mark))
 *   return outcomes.map((outcome) => outcome._tag)
 * })
 *
 * await Effect.runPromise(Effect.provide(program, layer)) // => ["Success", "Failure", "Success"]
 * ```
 *
 * @category selecting
 * @since 0.1.0
 */
export const nth = <Args extends ReadonlyArray<unknown>, E>(
  n: OneOrMore<number>,
  rule: Rule<Args, E>
): Rule<Args, E> => {
  const wanted = new Set(typeof n === "number" ? [n] : n)
  return counted(rule, (number) => wanted.has(number))
}

/**
 * In the first `n` calls.
 *
 * @category selecting
 * @since 0.1.0
 */
export const first = <Args extends ReadonlyArray<unknown>, E>(n: number, rule: Rule<Args, E>): Rule<Args, E> =>
  counted(rule, (number) => number <= n)

/**
 * In every nth call.
 *
 * @category selecting
 * @since 0.1.0
 */
export const every = <Args extends ReadonlyArray<unknown>, E>(n: number, rule: Rule<Args, E>): Rule<Args, E> =>
  counted(rule, (number) => number % n === 0)

/**
 * Only in calls whose arguments a predicate accepts. Around `nth` it makes it count only those: `where(p, nth(2, …))`.
 *
 * @category selecting
 * @since 0.1.0
 */
export const where = <Args extends ReadonlyArray<unknown>, E>(
  predicate: (...args: Args) => boolean,
  rule: Rule<NoInfer<Args>, E>
): Rule<Args, E> => ({
  arm: (site) => {
    const armed = rule.arm(site)
    return (self, call) => (predicate(...call.args) ? armed(self, call) : self)
  }
})

/**
 * With this probability, from 0 to 1. Each use draws from a sequence of its own, so that the faults of one place do not
 * depend on what happens at another.
 *
 * @category selecting
 * @since 0.1.0
 */
export const chance = <Args extends ReadonlyArray<unknown>, E>(
  probability: number,
  rule: Rule<Args, E>
): Rule<Args, E> => ({
  arm: (site) => {
    const armed = rule.arm(site)
    const draw = site.sequence()
    return (self, call) => Effect.flatMap(draw, (drawn) => (drawn < probability ? armed(self, call) : self))
  }
})

// A function, so that the constants above can use it.
function simple<E = never>(
  kind: Kind,
  act: <A, E1, R>(self: Effect.Effect<A, E1, R>) => Effect.Effect<A, E1 | E, R>
): Rule<ReadonlyArray<unknown>, E> {
  return {
    arm: (site) => (self, call) =>
      Effect.suspend(() => {
        site.note(call.number, kind)
        return act(self)
      })
  }
}

const counted = <Args extends ReadonlyArray<unknown>, E>(
  rule: Rule<Args, E>,
  selects: (number: number) => boolean
): Rule<Args, E> => ({
  arm: (site) => {
    const armed = rule.arm(site)
    let count = 0
    return (self, call) => Effect.suspend(() => (selects(++count) ? armed(self, call) : self))
  }
})
