/** Keeps what runs out by itself, for as long as it can. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** A moment by the wall's clock and by one that nobody sets. */
export interface Moment {
  readonly wall: number
  readonly steady: number
}

export const moment: Effect.Effect<Moment> = Effect.map(Clock.Clock, (clock) => ({
  wall: clock.currentTimeMillisUnsafe(),
  steady: Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
}))

// The wall's clock may be set back, and the other one stands still while the machine sleeps: a lease is as old as either says.
export const elapsed = (since: Moment, now: Moment): number =>
  Math.max(now.wall - since.wall, now.steady - since.steady)

/** Renews three times in each `ttl`, from `since` on; fails with `lost` when it was not renewed in time, or is not there. */
export const renewing = <E, E2, R>(options: {
  readonly what: string
  readonly ttl: number
  readonly since: Moment
  readonly renew: Effect.Effect<boolean, E, R>
  readonly lost: E2
}): Effect.Effect<never, E2, R> =>
  Effect.gen(function* () {
    const { lost, renew, ttl, what } = options
    let { since } = options
    let pause = ttl / 3
    while (true) {
      yield* Effect.sleep(Math.max(0, Math.min(pause, ttl - elapsed(since, yield* moment))))
      const asked = yield* moment
      const left = ttl - elapsed(since, asked)
      if (left <= 0) return yield* Effect.fail(lost)
      const renewed = yield* Effect.catch(renew, (error) =>
        Effect.as(Effect.logWarning(`${what} could not be renewed; trying again`, error), undefined)
      ).pipe(Effect.timeoutOrElse({ duration: left, orElse: () => Effect.fail(lost) }))
      if (renewed === false) return yield* Effect.fail(lost)
      if (renewed === true) since = asked
      pause = renewed === true ? ttl / 3 : ttl / 20
    }
  })
