/**
 * Laws about claims: who has a message, and what becomes of one whose holder is gone.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Position from "../../../domain/Position.ts"
import * as Inbox from "../../../ports/Inbox.ts"
import type { ClaimingDriver, Place } from "../../../ports/InboxDriver.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count } from "../samples.ts"
import { race, racing } from "../world.ts"
import { common, type Kind, laws as lawsOf } from "./handling.ts"

const kind: Kind<Inbox.ClaimingInbox> = {
  once: (consumer, handler) => Inbox.onceClaimed(consumer, (key: Inbox.Key) => key)(handler),
  position: (consumer, source, segment) =>
    Effect.flatMap(Inbox.ClaimingInbox, (inbox) => inbox.position(consumer, source, segment))
}

const law = lawsOf(kind)

/** The driver, and the places of a consumer of one's own: a message with an id, and one of a segment. */
const desk = (consumer: string) =>
  Effect.gen(function* () {
    const { id: tenant } = yield* TenantContext.TenantContext
    const place = (position: number, segment = 0): Place => ({
      consumer,
      source: "log",
      segment,
      position: Position.make(position)
    })
    const places: ReadonlyArray<Place> = [{ tenant, consumer, id: "a" }, place(5)]
    return { driver: yield* Inbox.ClaimingInbox, place, places }
  })

const alone = law(
  "who comes while a message is handled waits, and fails with MessageClaimed when it waited in vain",
  ({ consumer, handle, handled }) =>
    Effect.gen(function* () {
      const [begun, open] = [Latch.makeUnsafe(false), Latch.makeUnsafe(false)]
      const working = yield* Effect.forkChild(handle({ id: "a" }, Effect.andThen(begun.open, open.await)))
      yield* begun.await
      const hurried = Inbox.onceClaimed(consumer, (key: Inbox.Key) => key, { wait: 0 })(() => Effect.succeed("twice"))
      const claimed = yield* Assert.fails(hurried({ id: "a" }), "MessageClaimed")
      Assert.equal([claimed.consumer, claimed.key], [consumer, "a"])
      const { remainingMillis } = claimed
      Assert.isTrue(remainingMillis > 20_000 && remainingMillis <= 30_000, `${remainingMillis} ms remain`)
      const waiting = yield* Effect.forkChild(handle({ id: "a" }))
      yield* Effect.sleep("20 millis")
      yield* open.open
      Assert.equal(yield* Fiber.join(waiting), Option.none(), "who waits")
      Assert.equal(yield* Fiber.join(working), Option.some("a"))
      Assert.equal(yield* hurried({ id: "a" }), Option.none(), "who comes later")
      Assert.equal(handled, ["a"])
    })
)

const renewed = law("a claim is kept for as long as its handler runs", ({ consumer }) =>
  Effect.gen(function* () {
    const brief = Inbox.onceClaimed(consumer, (key: Inbox.Key) => key, { ttl: "750 millis", wait: 0 })
    const working = yield* Effect.forkChild(brief(() => Effect.sleep("1800 millis"))({ id: "a" }))
    yield* Effect.sleep("1500 millis")
    yield* Assert.fails(brief(() => Effect.void)({ id: "a" }), "MessageClaimed")
    Assert.equal(yield* Fiber.join(working), Option.some(undefined))
  })
)

const takenOver = law("a message whose holder is gone is taken over", ({ consumer, handle, handled }) =>
  Effect.gen(function* () {
    const { driver, places } = yield* desk(consumer)
    for (const place of places) Assert.equal((yield* driver.claim(place, "gone", 100))._tag, "Claimed")
    yield* handle({ id: "a" })
    yield* handle({ source: "log", segment: 0, position: Position.make(5) })
    Assert.equal(handled, ["a", "log/0/5"])
  })
)

const stale = law("who was taken over neither renews, nor confirms, nor frees what another has", ({ consumer }) =>
  Effect.gen(function* () {
    const { driver, places } = yield* desk(consumer)
    for (const place of places) {
      yield* driver.claim(place, "slow", 20)
      yield* Effect.sleep("50 millis")
      Assert.equal((yield* driver.claim(place, "next", 30_000))._tag, "Claimed")
      Assert.equal(yield* driver.renew(place, "slow", 30_000), false, "renewed")
      Assert.equal(yield* driver.confirm(place, "slow"), false, "confirmed")
      yield* driver.release(place, "slow")
      Assert.equal((yield* driver.claim(place, "third", 30_000))._tag, "Held")
      Assert.equal(yield* driver.confirm(place, "next"), true)
      Assert.equal(yield* driver.confirm(place, "next"), true, "asked again, since the answer may have been lost")
      Assert.equal(yield* driver.confirm(place, "slow"), false, "confirmed what another has handled")
      Assert.equal(yield* driver.renew(place, "next", 30_000), false, "renewed what was handled")
      Assert.equal((yield* driver.claim(place, "third", 30_000))._tag, "Handled")
    }
  })
)

const late = law("a claim that ran out may be renewed and confirmed as long as nobody else came", ({ consumer }) =>
  Effect.gen(function* () {
    const { driver, places } = yield* desk(consumer)
    for (const place of places) {
      yield* driver.claim(place, "slow", 20)
      yield* Effect.sleep("50 millis")
      Assert.equal(yield* driver.renew(place, "slow", 20), true)
      yield* Effect.sleep("50 millis")
      Assert.equal(yield* driver.confirm(place, "slow"), true)
      Assert.equal((yield* driver.claim(place, "next", 1000))._tag, "Handled")
    }
  })
)

const segments = law("a segment is claimed as a whole, and what is behind is not confirmed", ({ consumer }) =>
  Effect.gen(function* () {
    const { driver, place } = yield* desk(consumer)
    yield* driver.claim(place(5), "a", 30_000)
    Assert.equal((yield* driver.claim(place(6), "b", 30_000))._tag, "Held")
    Assert.equal((yield* driver.claim(place(6, 1), "b", 30_000))._tag, "Claimed")
    Assert.equal(yield* driver.confirm(place(5), "a"), true)
    Assert.equal((yield* driver.claim(place(7), "b", 20))._tag, "Claimed")
    Assert.equal(yield* driver.confirm(place(7), "b"), true)
    Assert.equal(yield* driver.confirm(place(5), "a"), false)
    Assert.equal(yield* driver.position(consumer, "log", 0), Position.make(7))
  })
)

const oneClaims = law(
  "of many that claim a message at the same time one has it",
  ({ consumer }) =>
    Effect.gen(function* () {
      const { driver, place } = yield* desk(consumer)
      const { id: tenant } = yield* TenantContext.TenantContext
      for (const round of count(10)) {
        for (const one of [place(round, round), { tenant, consumer, id: String(round) }]) {
          const all = yield* race(count(8).map((n) => driver.claim(one, `t${n}`, 30_000)))
          Assert.equal(all.filter(({ _tag }) => _tag === "Claimed").length, 1)
        }
      }
    }),
  racing
)

const interrupted = law("a handler whose claim is lost is interrupted, and fails with ClaimLost", ({ consumer }) =>
  Effect.gen(function* () {
    const { driver } = yield* desk(consumer)
    const forgetful = { ...driver, renew: () => Effect.succeed(false) }
    let ended = false
    const run = Inbox.onceClaimed(consumer, (key: Inbox.Key) => key, { ttl: "100 millis" })(() =>
      Effect.onInterrupt(Effect.never, () => Effect.sync(() => (ended = true)))
    )
    const error = run({ id: "a" }).pipe(Effect.provideService(Inbox.ClaimingInbox, forgetful))
    const { handled, key } = yield* Assert.fails(error, "ClaimLost")
    Assert.equal([handled, key, ended], [false, "a", true])
  })
)

const twice = law("a handler that ends after another has its message fails with ClaimLost", ({ consumer }) =>
  Effect.gen(function* () {
    const { driver, places } = yield* desk(consumer)
    for (const place of places) {
      const key: Inbox.Key = "id" in place ? { id: place.id } : place
      let mine = ""
      const watched: ClaimingDriver = {
        ...driver,
        claim: (one, token, millis) => {
          mine = token
          return driver.claim(one, token, millis)
        }
      }
      // As if it had run out: a process that was paused does not know of it.
      const run = Inbox.onceClaimed(
        consumer,
        (one: Inbox.Key) => one
      )(() =>
        Effect.gen(function* () {
          yield* driver.release(place, mine)
          Assert.equal((yield* driver.claim(place, "next", 30_000))._tag, "Claimed")
        })
      )
      const error = run(key).pipe(Effect.provideService(Inbox.ClaimingInbox, watched))
      Assert.equal((yield* Assert.fails(error, "ClaimLost")).handled, true)
      Assert.equal(yield* driver.confirm(place, "next"), true)
    }
  })
)

export const laws: ReadonlyArray<Law.Law<Inbox.ClaimingInbox>> = [
  ...common(kind),
  alone,
  renewed,
  takenOver,
  stale,
  late,
  segments,
  oneClaims,
  interrupted,
  twice
]
