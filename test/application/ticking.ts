import { Effect } from "effect"
import { TestClock } from "effect/testing"

/** Runs an effect while the test's clock goes on and on: whatever it sleeps, it does not wait. */
export const ticking = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.raceFirst(self, Effect.forever(Effect.andThen(TestClock.adjust("50 millis"), Effect.yieldNow)))
