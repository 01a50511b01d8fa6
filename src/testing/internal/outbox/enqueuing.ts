/** Laws about what an outbox keeps, and when. */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Event from "../../../domain/Event.ts"
import * as MessageContext from "../../../ports/MessageContext.ts"
import * as Outbox from "../../../ports/Outbox.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import { UnitOfWork } from "../../../ports/UnitOfWork.ts"
import * as Assert from "../../Assert.ts"
import { count, Noted, unkeepable } from "../samples.ts"
import { race, racing } from "../world.ts"
import { claimedLate, delay, ids, law, numbers, Sent, sorted } from "./office.ts"

const keeps = law("a message is kept with all that belongs to it", (office) =>
  Effect.gen(function* () {
    const before = yield* Clock.currentTimeMillis
    const id = yield* office
      .send(1, "é\u{1F600}", { headers: { a: "1", "": "é" } })
      .pipe(MessageContext.provide({ messageId: "m-1", correlationId: "c-1", attributes: { is: "so" } }))
    const { at, due, metadata, sequence, ...info } = yield* office.outbox.get(office.ref(id))
    Assert.equal(info, {
      tenant: office.tenant,
      id,
      queue: office.queue,
      key: "é\u{1F600}",
      type: "LawSent",
      version: 1,
      data: { n: 1, key: "é\u{1F600}" },
      headers: { a: "1", "": "é" },
      attempts: 0,
      status: "pending",
      owner: undefined,
      category: undefined,
      error: undefined,
      edited: false,
      reason: undefined
    })
    Assert.equal([metadata.causationId, metadata.correlationId, metadata.attributes], ["m-1", "c-1", { is: "so" }])
    Assert.isTrue(sequence > 0 && Math.abs(at - before) < 60_000 && Math.abs(Number(due) - at) < 1000, "its times")
    const [claimed] = yield* office.claim()
    const { token, ...message } = Assert.defined(claimed, "it is not claimed")
    const { category: _c, edited: _e, error: _x, owner: _o, reason: _r, status: _s, ...kept } = info
    Assert.equal(message, { ...kept, metadata, sequence })
    Assert.isTrue(token > 0, "the token")
  })
)

const events = law("an event is a message as well", (office) =>
  Effect.gen(function* () {
    const id = yield* Outbox.enqueue(new Noted({ n: 7 }), {
      queue: office.queue,
      key: "k",
      id: `event-${office.queue}`
    })
    const { data, key, type, version } = yield* office.outbox.get(office.ref(id))
    Assert.equal({ data, key, type, version }, { data: { n: 7 }, key: "k", type: Noted.tag, version: Noted.version })
    Assert.equal(Event.types([Noted]), [type])
  })
)

const together = law("messages commit with the transaction that enqueues them, or are never there", (office) =>
  Effect.gen(function* () {
    const unit = yield* UnitOfWork
    yield* Effect.flip(unit.transaction(Effect.andThen(office.send(1, "a"), Effect.fail("no"))))
    yield* unit.transaction(
      Effect.gen(function* () {
        yield* office.send(2, "a")
        yield* Effect.flip(unit.transaction(Effect.andThen(office.send(3, "a"), Effect.fail("no"))))
        yield* office.send(4, "a")
        Assert.equal(numbers(yield* office.outbox.list(office.queue)), [2, 4], "what the transaction sees")
      })
    )
    Assert.equal(numbers(yield* office.claim()), [2, 4])
  })
)

const hidden = law(
  "nobody claims what is not committed yet",
  (office) =>
    Effect.gen(function* () {
      const unit = yield* UnitOfWork
      const claimed: Array<number> = []
      const claiming = Effect.forever(
        Effect.andThen(
          Effect.tap(office.claim(), (all) => Effect.sync(() => claimed.push(...numbers(all)))),
          Effect.sleep("1 millis")
        )
      )
      yield* unit.transaction(
        Effect.gen(function* () {
          yield* office.send(1, "a")
          yield* office.send(2)
          // A fiber that has a transaction of its own is not this one's.
          const fiber = yield* Effect.forkDetach(Effect.sleep("1 millis"))
          yield* Fiber.join(fiber)
          Assert.equal(claimed, [])
        })
      )
      const fiber = yield* Effect.forkChild(claiming)
      while (claimed.length < 2) yield* Effect.sleep("2 millis")
      yield* Fiber.interrupt(fiber)
      Assert.equal(new Set(claimed), new Set([1, 2]))
    }),
  racing
)

const repeated = law("a message whose id waits already is left as it is", (office) =>
  Effect.gen(function* () {
    const id = `mine é ${office.queue}`
    Assert.equal(yield* office.send(1, "a", { id }), id)
    yield* office.send(2, "b", { id, headers: { other: "yes" } })
    yield* Outbox.enqueueAll(
      count(3).map((n) => ({ message: new Sent({ n }), queue: office.queue, id: `${id} again` }))
    )
    Assert.equal(numbers(yield* office.outbox.list(office.queue)), [1, 1])
    yield* TenantContext.provide(office.otherTenant)(office.send(3, "a", { id }))
    Assert.equal(numbers(yield* office.outbox.list(office.queue)), [1, 1, 3], "another tenant has ids of its own")
    Assert.equal(numbers([yield* office.outbox.get(office.ref(id))]), [1])
  })
)

const atOnce = law(
  "of many that enqueue one id at the same time one message is kept",
  (office) =>
    Effect.gen(function* () {
      for (const round of count(5)) {
        const id = `${office.queue}-${round}`
        yield* race(count(8).map((n) => office.send(n, undefined, { id })))
      }
      Assert.equal((yield* office.outbox.list(office.queue)).length, 5)
    }),
  racing
)

const scheduled = law("a message is not claimed before its time, and neither is what follows it in its key", (office) =>
  Effect.gen(function* () {
    const now = yield* DateTime.now
    yield* office.send(1, "a", { due: "1 hour" })
    yield* office.send(2, "a")
    yield* office.send(3, undefined, { due: DateTime.add(now, { hours: 1 }) })
    yield* office.send(4, "b", { due: DateTime.subtract(now, { hours: 1 }) })
    yield* office.send(5, undefined, { due: 0 })
    Assert.equal(sorted(yield* office.claim()), [4, 5])
    const later = yield* claimedLate(office, office.send(6, undefined, { due: Duration.millis(delay) }))
    Assert.equal(numbers(later.claimed), [6])
  })
)

const order = law("messages are listed in the order of enqueuing, all of one call in theirs", (office) =>
  Effect.gen(function* () {
    const sent = yield* Outbox.enqueueAll(
      count(30).map((n) => ({ message: new Sent({ n }), queue: office.queue, key: `k${n % 3}` }))
    )
    yield* office.send(31)
    const listed = yield* office.outbox.list(office.queue)
    Assert.equal(numbers(listed), count(31))
    Assert.equal(ids(listed).slice(0, 30), sent)
    const [tenth] = listed.slice(9)
    const after = Assert.defined(tenth, "there is no tenth").sequence
    Assert.equal(numbers(yield* office.outbox.list(office.queue, { after, limit: 3 })), [11, 12, 13])
    Assert.equal(numbers(yield* office.outbox.list(office.queue, { key: "k1", limit: 2 })), [1, 4])
  })
)

const refused = law("what no storage can keep is InvalidMessage, and nothing of the call is kept", (office) =>
  Effect.gen(function* () {
    const long = "x".repeat(513)
    const bad = [
      ...unkeepable.map(([, text]) => ({ key: text })),
      ...unkeepable.map(([, text]) => ({ id: text })),
      ...unkeepable.map(([, text]) => ({ headers: { [text]: "a" } })),
      { key: "" },
      { id: "" },
      { key: long },
      { id: long },
      { queue: long }
    ]
    for (const options of bad) {
      const message = new Sent({ n: 2 })
      const all = [
        { message: new Sent({ n: 1 }), queue: office.queue },
        { queue: office.queue, ...options, message }
      ]
      const { issues } = yield* Assert.fails(Outbox.enqueueAll(all), "InvalidMessage")
      Assert.isTrue(issues.length === 1 && issues[0]?.path.startsWith("messages[1].") === true, JSON.stringify(issues))
    }
    const unnamed = TenantContext.provide("a\0b")(office.send(1))
    yield* Assert.fails(unnamed, "InvalidMessage")
    Assert.equal(yield* office.outbox.list(office.queue), [])
  })
)

const wakes = law("who waits for a message is woken when one is committed, and misses none", (office) =>
  Effect.gen(function* () {
    const unit = yield* UnitOfWork
    for (const n of count(10)) {
      const changed = yield* office.outbox.changes
      const waiting = yield* Effect.forkChild(changed)
      yield* unit.transaction(office.send(n))
      yield* Fiber.join(waiting)
      yield* changed
    }
  })
)

export const laws = [keeps, events, together, hidden, repeated, atOnce, scheduled, order, refused, wakes]
