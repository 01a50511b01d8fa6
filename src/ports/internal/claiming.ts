/** Runs a handler while its message is claimed. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import * as Random from "effect/Random"
import type { ClaimingDriver, Place } from "../InboxDriver.ts"
import { ClaimLost, InboxError, MessageClaimed } from "../InboxError.ts"
import * as IdGenerator from "../IdGenerator.ts"
import { elapsed, type Moment, moment, renewing } from "./renewing.ts"

interface Times {
  readonly ttl: number
  readonly wait: number
}

export const claimed = <A, E, R>(
  driver: ClaimingDriver,
  place: Place,
  times: Times,
  handler: Effect.Effect<A, E, R>
): Effect.Effect<Option.Option<A>, E | InboxError, R> =>
  Effect.acquireUseRelease(
    claim(driver, place, times),
    (mine): Effect.Effect<Option.Option<A>, E | InboxError, R> =>
      mine === undefined
        ? Effect.succeedNone
        : Effect.asSome(Effect.raceFirst(handler, kept(driver, place, mine, times.ttl))),
    (mine, exit) =>
      mine === undefined
        ? Effect.void
        : Exit.isSuccess(exit)
          ? confirmed(driver, place, mine, times.ttl)
          : Effect.catch(driver.release(place, mine.token), (error) =>
              Effect.logDebug(`The claim of ${nameOf(place)} was not given back; it runs out by itself`, error)
            )
  )

/** A claim, and when it was asked for: it runs out from then on, not from when the answer came. */
interface Mine {
  readonly token: string
  readonly since: Moment
}

/** Nothing when the message was handled before. */
const claim = (
  driver: ClaimingDriver,
  place: Place,
  { ttl, wait }: Times
): Effect.Effect<Mine | undefined, InboxError> =>
  Effect.gen(function* () {
    const token = yield* IdGenerator.next
    const began = yield* moment
    let pause = 5
    while (true) {
      const since = yield* moment
      const asked = yield* driver.claim(place, token, ttl)
      if (asked._tag === "Claimed") return { token, since }
      if (asked._tag === "Handled") return undefined
      const left = wait - elapsed(began, yield* moment)
      if (left <= 0) {
        const { remaining } = asked
        const reason = new MessageClaimed({
          consumer: place.consumer,
          key: nameOf(place),
          remainingMillis: Math.max(0, remaining)
        })
        return yield* new InboxError({ reason })
      }
      const jitter = 0.5 + (yield* Random.next) / 2
      yield* Effect.interruptible(Effect.sleep(Math.min(left, asked.remaining + 1, pause) * jitter))
      pause = Math.min(2 * pause, 250)
    }
  })

const kept = (driver: ClaimingDriver, place: Place, { since, token }: Mine, ttl: number) =>
  renewing({
    what: `The claim of ${nameOf(place)}`,
    ttl,
    since,
    renew: driver.renew(place, token, ttl),
    lost: lost(place, false)
  })

const confirmed = (driver: ClaimingDriver, place: Place, { token }: Mine, ttl: number) =>
  Effect.gen(function* () {
    const began = yield* moment
    let pause = 10
    while (true) {
      const noted = yield* Effect.result(driver.confirm(place, token))
      if (noted._tag === "Success") {
        if (noted.success) return
        const error = lost(place, true)
        yield* Effect.logError("A message may have been handled twice", error)
        return yield* error
      }
      const { reason } = noted.failure
      const isPassing = reason._tag === "StorageFailure" && reason.retryable
      if (!isPassing || elapsed(began, yield* moment) + pause >= ttl) return yield* noted.failure
      yield* Effect.sleep(pause)
      pause = Math.min(2 * pause, 1000)
    }
  })

const lost = (place: Place, handled: boolean) =>
  new InboxError({ reason: new ClaimLost({ consumer: place.consumer, key: nameOf(place), handled }) })

const nameOf = (place: Place): string =>
  "id" in place ? place.id : `${place.source}/${place.segment}/${place.position}`
