/**
 * Circuit breakers whose circuits processes share.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import type * as Scope from "effect/Scope"
import * as DispatchError from "../domain/DispatchError.ts"
import * as Breaker from "./Breaker.ts"

/**
 * What a shared breaker is called, and when it opens. All processes must say the same of one name.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** What the calls go to: breakers of one name share one circuit. */
  readonly name: string
  /** What opens it, {@link Breaker.consecutive} or {@link Breaker.rate}; 5 failures in a row when absent. */
  readonly trip?: Breaker.Consecutive | Breaker.Rate | undefined
  /** How long it stays open before one call is let through to see; 30 seconds when absent. */
  readonly openFor?: Duration.Input | undefined
  /** Which errors count as failures, as for {@link Breaker.make}. */
  readonly isFailure?: ((error: unknown) => boolean) | undefined
}

/**
 * A breaker over the store of `effect/persistence/CircuitBreaker`: in memory for tests, in Redis for all processes together. It goes where
 * any breaker goes.
 *
 * **Details**
 *
 * A store that does not answer lets calls through. One call at a time is let through to see.
 *
 * **Gotchas**
 *
 * Each call asks the store: a round trip to Redis for each, before and after. A breaker of each process's own, {@link Breaker.make}, costs next to
 * nothing and opens a few failures later.
 *
 * **Example** (What one has seen, another knows)
 *
 * ```ts
 * import { Breaker, SharedBreaker } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
 *
 * const program = Effect.gen(function* () {
 *   const [here, there] = [
 *     yield* SharedBreaker.make({ name: "bank", trip: Breaker.consecutive(1) }),
 *     yield* SharedBreaker.make({ name: "bank", trip: Breaker.consecutive(1) })
 *   ]
 *   yield* Effect.exit(here.protect(Effect.fail("no answer")))
 *   return (yield* Effect.flip(there.protect(Effect.void)))._tag
 * })
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(CircuitBreaker.layerStoreMemory()))) // => "CircuitOpen"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = ({
  isFailure,
  name,
  openFor = "30 seconds",
  trip = { _tag: "Consecutive", failures: 5 }
}: Options): Effect.Effect<Breaker.Guard, never, CircuitBreaker.CircuitBreakerStore | Scope.Scope> =>
  Effect.map(
    CircuitBreaker.make({ tripPolicy: policyOf(trip), openDuration: openFor, onStoreError: "allow" }),
    (breaker): Breaker.Guard => {
      const protectOr = <A, E, R, A2, E2, R2>(
        self: Effect.Effect<A, E, R>,
        orElse: (refused: DispatchError.CircuitOpen) => Effect.Effect<A2, E2, R2>,
        counts: (error: unknown) => boolean = () => true
      ): Effect.Effect<A | A2, E | E2, R | R2> =>
        breaker
          .execute(Effect.exit(self), {
            key: name,
            // A call that is interrupted has no exit of its own.
            classify: (ended) => outcomeOf(Exit.isSuccess(ended) ? ended.value : ended, isFailure ?? counts)
          })
          .pipe(
            Effect.matchEffect({
              onSuccess: (exit): Effect.Effect<A | A2, E | E2, R | R2> => exit,
              onFailure: ({ reason }) => {
                const retryAfterMillis = reason._tag === "CircuitOpen" ? Duration.toMillis(reason.retryAfter) : 0
                return orElse(new DispatchError.CircuitOpen({ breaker: name, retryAfterMillis }))
              }
            })
          )
      return {
        name,
        policy: { breaker: name, trip, openFor: Duration.format(Duration.fromInputUnsafe(openFor)), shared: true },
        protect: (self) => protectOr(self, Effect.fail),
        protectOr
      }
    }
  )

const policyOf = (trip: NonNullable<Options["trip"]>): CircuitBreaker.TripPolicy =>
  trip._tag === "Consecutive"
    ? CircuitBreaker.consecutive(trip.failures)
    : CircuitBreaker.rate({ threshold: trip.threshold, size: trip.calls, minimumCalls: trip.minimum })

const outcomeOf = (exit: Exit.Exit<unknown, unknown>, counts: (error: unknown) => boolean): CircuitBreaker.Outcome => {
  if (Exit.isSuccess(exit)) return CircuitBreaker.success
  if (Cause.hasInterruptsOnly(exit.cause)) return CircuitBreaker.ignored
  return Breaker.isCounted(exit.cause, counts) ? CircuitBreaker.failure() : CircuitBreaker.success
}
