/**
 * Laws about who is given what, and in which order.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as EventGroups from "../../../ports/EventGroups.ts"
import type { ForwardTarget } from "../../../ports/ForwardTarget.ts"
import * as MessageContext from "../../../ports/MessageContext.ts"
import { TenantContext } from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { aWhile, until } from "../eventBus/listening.ts"
import { count } from "../samples.ts"
import { type Delivery, law, numbers, Sent } from "./post.ts"

const everyGroup = law("every group handles every event, in the order of its key", (post) =>
  Effect.gen(function* () {
    const keys = post.keys(3)
    yield* post.open("first", "second")
    for (const n of count(5)) for (const key of keys) yield* post.send(key, 2 * n - 1, 2 * n)
    const all = [yield* post.noting({ group: "first" }), yield* post.noting({ group: "second" })]
    yield* until(() => all.every((seen) => seen.length >= 30))
    for (const key of keys) yield* post.send(key, 11)
    yield* until(() => all.every((seen) => seen.length >= 33))
    yield* aWhile
    for (const seen of all) for (const key of keys) Assert.equal(numbers(seen, key), count(11), key)
  })
)

const shared = law("an event is handled by one of the members of a group, and all of them work", (post) =>
  Effect.gen(function* () {
    const keys = post.keys(16)
    const all = [yield* post.noting(), yield* post.noting()]
    const sum = () => all.reduce((total, seen) => total + seen.length, 0)
    for (let round = 1; round <= 400 && all.some((seen) => seen.length === 0); round++) {
      for (const key of keys) yield* post.send(key, round)
      yield* until(() => sum() >= round * keys.length)
      yield* Effect.sleep("20 millis")
    }
    yield* aWhile
    for (const seen of all) Assert.isTrue(seen.length > 0, "a member has nothing to do")
    const ids = all.flatMap((seen) => seen.map(({ id }) => id))
    Assert.equal(new Set(ids).size, ids.length, "different events")
  })
)

const contents = law("an event arrives as it was sent, and is handled as its tenant, with the event as cause", (post) =>
  Effect.gen(function* () {
    const arrived = yield* Deferred.make<Record<string, unknown>>()
    yield* post.member((delivery) =>
      Effect.gen(function* () {
        const { causationId, correlationId, messageId } = yield* MessageContext.MessageContext
        const { id: tenant } = yield* TenantContext
        yield* Deferred.succeed(arrived, { ...delivery, running: { tenant, messageId, correlationId, causationId } })
      })
    )
    yield* post.send("a/1", 7)
    const id = `${post.log}/1`
    const { token, ...delivery } = yield* Deferred.await(arrived)
    Assert.isTrue(typeof token === "number" && token > 0, `${String(token)} is no token`)
    Assert.equal(delivery, {
      id,
      tenant: post.tenant,
      event: new Sent({ n: 7 }),
      metadata: { correlationId: "c-1", causationId: "m-1", occurredAt: 1000 },
      group: "group",
      key: "a/1",
      position: 1,
      segment: post.segment("a/1"),
      attempt: 1,
      idempotencyKey: `${post.tenant}/group/${id}`,
      running: { tenant: post.tenant, messageId: id, correlationId: "c-1", causationId: "m-1" }
    })
  })
)

const starting = law("a new group begins with the oldest event that is kept, or with the next one", (post) =>
  Effect.gen(function* () {
    yield* post.open("kept")
    yield* post.send("a", 1, 2)
    const late = yield* post.noting({ group: "late", startAt: "now" })
    const early = yield* post.noting({ group: "early" })
    yield* post.send("a", 3)
    yield* until(() => late.length >= 1 && early.length >= 3)
    yield* aWhile
    Assert.equal(numbers(late), [3])
    Assert.equal(numbers(early), [1, 2, 3])
  })
)

const again = law("a group goes on where it was when its members come back", (post) =>
  Effect.gen(function* () {
    const seen: Array<number> = []
    const member = post.ending(({ event }) => Effect.sync(() => seen.push(event.n)), { startAt: "now" })
    const end = yield* member
    yield* post.send("a", 1, 2)
    yield* until(() => seen.length >= 2)
    yield* end
    yield* post.send("a", 3)
    const endAgain = yield* member
    yield* until(() => seen.length >= 3)
    yield* aWhile
    yield* endAgain
    Assert.equal(seen, [1, 2, 3])
  })
)

const unfinished = law("an event whose handler was cut off is handled again, by whoever has its segment then", (post) =>
  Effect.gen(function* () {
    const started = yield* Deferred.make<void>()
    const end = yield* post.ending(({ event }) =>
      event.n === 2 ? Effect.andThen(Deferred.succeed(started, undefined), Effect.never) : Effect.void
    )
    yield* post.send("a", 1, 2, 3)
    yield* Deferred.await(started)
    yield* end
    const seen = yield* post.noting()
    yield* until(() => seen.length >= 2)
    yield* aWhile
    Assert.equal(numbers(seen), [2, 3])
    Assert.isTrue((seen[0]?.attempt ?? 0) > 1, "it is not counted that the event was given before")
  })
)

const tokens = law("the token of a segment grows with its owners", (post) =>
  Effect.gen(function* () {
    const seen: Array<Delivery> = []
    for (const n of count(3)) {
      const end = yield* post.ending((delivery) => Effect.sync(() => seen.push(delivery)))
      yield* post.send("a", n)
      yield* until(() => seen.length >= n)
      yield* end
    }
    const [first = 0, second = 0, third = 0] = seen.map(({ token }) => token)
    Assert.isTrue(first < second && second < third, `${first}, ${second} and ${third} do not grow`)
  })
)

const serial = law("a member handles the events of a segment one after the other", (post) =>
  Effect.gen(function* () {
    let running = 0
    const seen: Array<number> = []
    yield* post.member(({ event }) =>
      Effect.gen(function* () {
        Assert.equal(++running, 1, "how many handlers run at once")
        yield* Effect.sleep(event.n % 2 === 0 ? "1 millis" : "4 millis")
        running--
        seen.push(event.n)
      })
    )
    for (const n of count(6)) yield* post.send("a", n)
    yield* until(() => seen.length >= 6)
    Assert.equal(seen, count(6))
  })
)

const narrowed = law("a group handles the events that it wants, and passes over the others", (post) =>
  Effect.gen(function* () {
    const odd = yield* post.noting({ group: "odd", where: ({ event }) => event.n % 2 === 1 })
    yield* post.send("a", 1, 2)
    yield* post.add(post.entry("a", 3, { type: "law.other" }), post.entry("a", 4), post.entry("a", 5))
    yield* until(() => odd.length >= 2)
    yield* aWhile
    Assert.equal(numbers(odd), [1, 5])
    const standing = yield* post.groups.inspect(post.name("odd"))
    Assert.equal(
      standing.reduce((sum, { lag, parked }) => sum + lag + parked, 0),
      0
    )
  })
)

const together = law(
  "a handler for many gets what is there of a segment, in order, and at most so many at once",
  (post) =>
    Effect.gen(function* () {
      const [key = "", other = ""] = post.keys(2)
      yield* post.open("group")
      for (const n of count(7)) yield* post.send(key, n)
      yield* post.send(other, 1)
      const batches: Array<ReadonlyArray<Delivery>> = []
      yield* post.gathering((batch) => Effect.sync(() => batches.push(batch)), { batchSize: 3 })
      yield* until(() => batches.flat().length >= 8)
      yield* aWhile
      Assert.equal(numbers(batches.flat(), key), count(7))
      Assert.equal(
        batches.filter(([first]) => first?.key === key).map(({ length }) => length),
        [3, 3, 1]
      )
      Assert.equal(numbers(batches.flat(), other), [1])
    })
)

const ofOne = law("a handler for many gets events of one tenant at a time, and runs as that", (post) =>
  Effect.gen(function* () {
    yield* post.open("group")
    const tenants = ["one", "two", "one"]
    yield* post.add(...tenants.map((tenant, n) => post.entry("a", n, { tenant })))
    const batches: Array<readonly [running: string, of: ReadonlyArray<string>]> = []
    yield* post.gathering((batch) =>
      Effect.gen(function* () {
        const { id } = yield* TenantContext
        batches.push([id, batch.map(({ tenant }) => tenant)])
      })
    )
    yield* until(() => batches.length >= 2)
    yield* aWhile
    Assert.equal(
      batches.toSorted(([a], [b]) => (a < b ? -1 : 1)),
      [
        ["one", ["one", "one"]],
        ["two", ["two"]]
      ]
    )
  })
)

export const laws: ReadonlyArray<Law.Law<EventGroups.EventGroups | ForwardTarget>> = [
  everyGroup,
  shared,
  contents,
  starting,
  again,
  unfinished,
  tokens,
  serial,
  narrowed,
  together,
  ofOne
]
