/** Keeps what runs out by itself, for as long as it can. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Renews three times in each `ttl`, from `since` on; fails with `lost` when it was not renewed in time, or is not there. */
export const renewing = <E, E2, R>(options: {
  readonly what: string
  readonly ttl: number
  readonly since: number
  readonly renew: Effect.Effect<boolean, E, R>
  readonly lost: E2
}): Effect.Effect<never, E2, R> =>
  Effect.gen(function* () {
    const { lost, renew, since, ttl, what } = options
    let until = since + ttl
    let pause = ttl / 3
    while (true) {
      const left = until - (yield* Clock.currentTimeMillis)
      yield* Effect.sleep(Math.max(0, Math.min(pause, left)))
      const asked = yield* Clock.currentTimeMillis
      if (asked >= until) return yield* Effect.fail(lost)
      const renewed = yield* Effect.catch(renew, (error) =>
        Effect.as(Effect.logWarning(`${what} could not be renewed; trying again`, error), undefined)
      ).pipe(Effect.timeoutOrElse({ duration: until - asked, orElse: () => Effect.fail(lost) }))
      if (renewed === false) return yield* Effect.fail(lost)
      if (renewed === true) until = asked + ttl
      pause = renewed === true ? ttl / 3 : ttl / 20
    }
  })
