/** Laws about messages that could not be delivered, and about those that are done. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Assert from "../../Assert.ts"
import { count } from "../samples.ts"
import { claimedLate, delay, failure, ids, law, numbers, type Office, sorted } from "./office.ts"

/** Sends numbers of one key, and fails the first. */
const failing = (office: Office, key: string, numbers: ReadonlyArray<number>, retryInMillis?: number, error = "no") =>
  Effect.gen(function* () {
    const sent = yield* Effect.forEach(numbers, (n) => office.send(n, key))
    const claimed = (yield* office.claim()).filter((message) => message.key === key)
    const [first, ...rest] = claimed
    const head = Assert.defined(first, "nothing was claimed")
    Assert.equal(yield* office.outbox.failed(head, failure(retryInMillis, 1, error)), true)
    yield* office.outbox.release(rest)
    return sent
  })

const retried = law("what failed is claimed again when it is due, and knows how often it was tried", (office) =>
  Effect.gen(function* () {
    const failed = Effect.flatMap(failing(office, "a", [1, 2], delay), ([id = ""]) => office.outbox.get(office.ref(id)))
    const { claimed: again, value } = yield* claimedLate(office, failed)
    const { attempts, category, error, owner, status } = value
    Assert.equal([attempts, category, error, owner, status], [1, "DeliveryFailed", "no", undefined, "retrying"])
    Assert.equal(
      [numbers(again), again.map(({ attempts }) => attempts)],
      [
        [1, 2],
        [1, 0]
      ]
    )
  })
)

const parked = law("what is parked stays, with those of its key behind it, and knows why", (office) =>
  Effect.gen(function* () {
    const text = "why: é\0\ud800"
    const [id = ""] = yield* failing(office, "a", [1, 2, 3], undefined, text)
    const { attempts, due, error = "", status } = yield* office.outbox.get(office.ref(id))
    Assert.equal([attempts, due, status], [1, undefined, "parked"])
    Assert.isTrue(error.startsWith("why: é"), error)
    yield* office.send(4, "a")
    Assert.equal(yield* office.claim(), [])
    Assert.equal(numbers(yield* office.outbox.list(office.queue, { status: "parked" })), [1])
    Assert.equal(numbers(yield* office.outbox.list(office.queue, { status: "pending" })), [2, 3, 4])
  })
)

const replayed = law(
  "a replay makes the fitting ones due, with their attempts forgotten, and the rest follows",
  (office) =>
    Effect.gen(function* () {
      yield* failing(office, "a", [1, 2], undefined, "timeout of the receiver")
      yield* failing(office, "b", [3], undefined, "refused")
      yield* failing(office, "c", [4], 3_600_000, "timeout, too")
      Assert.equal(yield* office.outbox.replay(office.queue, { error: "nothing like it" }), 0)
      Assert.equal(yield* office.outbox.replay(`${office.queue}2`), 0)
      Assert.equal(yield* office.outbox.replay(office.queue, { error: "timeout" }), 2)
      const claimed = yield* office.claim()
      Assert.equal(
        [sorted(claimed), claimed.map(({ attempts }) => attempts)],
        [
          [1, 2, 4],
          [0, 0, 0]
        ]
      )
      Assert.equal(yield* office.outbox.replay(office.queue, { key: "b", tenant: office.tenant, type: "LawSent" }), 1)
      Assert.equal(numbers(yield* office.claim()), [3])
      Assert.equal(yield* office.outbox.replay(office.queue), 0, "what is in flight is not replayed")
    })
)

const edited = law("an edit gives a message other contents; one that had failed is due", (office) =>
  Effect.gen(function* () {
    const [id = "", second = ""] = yield* failing(office, "a", [1, 2])
    yield* office.outbox.edit(office.ref(id), { n: 10 })
    yield* office.outbox.edit(office.ref(second), { n: 20 })
    const { attempts, edited } = yield* office.outbox.get(office.ref(id))
    Assert.equal([attempts, edited], [0, true])
    Assert.equal(numbers(yield* office.claim()), [10, 20])
  })
)

const skipped = law("what is skipped is left out, for a reason that is kept, and the rest goes on", (office) =>
  Effect.gen(function* () {
    const [id = ""] = yield* failing(office, "a", [1, 2])
    yield* office.outbox.skip(office.ref(id), "the receiver is gone: é\0")
    const { reason = "", status } = yield* office.outbox.get(office.ref(id))
    Assert.equal([status, reason.startsWith("the receiver is gone: é")], ["skipped", true])
    Assert.equal(numbers(yield* office.claim()), [2])
    Assert.equal(ids(yield* office.outbox.list(office.queue, { status: "skipped" })), [id])
    yield* Assert.fails(office.outbox.skip(office.ref(id), "again"), "NotInOutbox")
    yield* Assert.fails(office.outbox.edit(office.ref(id), {}), "NotInOutbox")
    Assert.equal(yield* office.outbox.replay(office.queue), 0)
  })
)

const inFlight = law(
  "what is in flight is neither edited nor skipped, and what is not there is NotInOutbox",
  (office) =>
    Effect.gen(function* () {
      const id = yield* office.send(1)
      const held = yield* office.claim()
      const busy = yield* Assert.fails(office.outbox.skip(office.ref(id), "no"), "MessageInFlight")
      Assert.equal([busy.tenant, busy.id], [office.tenant, id])
      yield* Assert.fails(office.outbox.edit(office.ref(id), {}), "MessageInFlight")
      yield* office.outbox.renew(held, Duration.millis(1))
      yield* Effect.sleep("10 millis")
      yield* office.outbox.skip(office.ref(id), "its worker is gone")
      for (const ref of [office.ref("no such"), { tenant: office.otherTenant, id }]) {
        yield* Assert.fails(office.outbox.get(ref), "NotInOutbox")
        yield* Assert.fails(office.outbox.skip(ref, "no"), "NotInOutbox")
      }
    })
)

const kept = law("what is delivered can be looked at when that is asked for, until it is purged", (office) =>
  Effect.gen(function* () {
    const id = yield* office.send(1, "a")
    yield* office.send(2, "a")
    const [first] = yield* office.claim()
    yield* office.outbox.complete([Assert.defined(first, "nothing was claimed")], { keep: true })
    const { data, due, status } = yield* office.outbox.get(office.ref(id))
    Assert.equal([data, due, status], [{ n: 1, key: "a" }, undefined, "delivered"])
    Assert.equal(ids(yield* office.outbox.list(office.queue, { status: "delivered" })), [id])
    yield* office.outbox.purge(Duration.days(1))
    Assert.equal(numbers(yield* office.outbox.list(office.queue)), [1, 2], "it is not that old")
    Assert.equal((yield* office.outbox.counts(office.queue)).inFlight, 1)
  })
)

const counted = law("messages are counted by how they stand", (office) =>
  Effect.gen(function* () {
    const empty = { pending: 0, inFlight: 0, retrying: 0, parked: 0, lagMillis: 0 }
    Assert.equal(yield* office.outbox.counts(office.queue), empty)
    yield* failing(office, "a", [1, 2])
    yield* failing(office, "b", [3], 3_600_000)
    yield* office.send(4)
    yield* office.claim()
    yield* office.send(5, undefined, { due: "1 hour" })
    yield* office.send(6)
    yield* Effect.sleep("10 millis")
    const { lagMillis, ...counts } = yield* office.outbox.counts(office.queue)
    Assert.equal(counts, { pending: 3, inFlight: 1, retrying: 1, parked: 1 })
    Assert.isTrue(lagMillis >= 10 && lagMillis < 60_000, `a lag of ${lagMillis} ms`)
  })
)

const woken = law("who waits for a message is woken when one is made due", (office) =>
  Effect.gen(function* () {
    const [id = ""] = yield* failing(office, "a", count(2))
    for (const change of [office.outbox.replay(office.queue), office.outbox.edit(office.ref(id), { n: 2 })]) {
      const waiting = yield* Effect.forkChild(yield* office.outbox.changes)
      yield* change
      yield* Fiber.join(waiting)
    }
  })
)

export const laws = [retried, parked, replayed, edited, skipped, inFlight, kept, counted, woken]
