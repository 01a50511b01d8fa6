/**
 * What every parked store promises, as laws.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Position from "../domain/Position.ts"
import * as Segment from "../domain/Segment.ts"
import * as StreamName from "../domain/StreamName.ts"
import * as TenantId from "../domain/TenantId.ts"
import { ParkedStore } from "../ports/ParkedStore.ts"
import type { Category, Entry, Failure, Ref, Status } from "../ports/ParkedStoreDriver.ts"
import { UnitOfWork } from "../ports/UnitOfWork.ts"
import * as Assert from "./Assert.ts"
import { count } from "./internal/samples.ts"
import { unique } from "./internal/world.ts"
import * as Law from "./Law.ts"

type Store = ParkedStore["Service"]

const at = Position.make
const all = { id: 0, mask: 0 }
const roomy = { perKey: 1000, perConsumer: 1000 }

/** A law about a consumer of its own. */
const law = <A, E, R>(
  name: string,
  body: (store: Store, consumer: string) => Effect.Effect<A, E, R>
): Law.Law<R | ParkedStore> =>
  Law.make(name, () =>
    Effect.gen(function* () {
      return yield* body(yield* ParkedStore, `law-${yield* unique}`)
    })
  )

const failure = (retryInMillis?: number, category: Category = "HandlerFailed", error = "no"): Failure => ({
  category,
  error,
  attempts: 1,
  retryInMillis
})

const entry = (consumer: string, key: string, position: number, failed?: Failure, tenant = "acme"): Entry => ({
  consumer,
  key,
  position: at(position),
  hash: Segment.hash(key),
  failure: failed,
  stored: {
    position: at(position),
    tenant: TenantId.make(tenant),
    stream: StreamName.make("Law", key),
    version: position,
    id: `event ${position}`,
    type: "LawNoted",
    schemaVersion: 1,
    tags: ["a"],
    metadata: { correlationId: "c", occurredAt: 1, attributes: { is: "é\u{1F600}" } },
    recordedAt: 1_700_000_000_123,
    data: { n: position }
  }
})

const positions = (of: Effect.Effect<ReadonlyArray<Ref>, unknown>) =>
  Effect.map(Effect.orDie(of), (found) => found.map(({ position }) => Number(position)))

const keeps = law("an event is kept as it was read, with how it stands", (store, consumer) =>
  Effect.gen(function* () {
    const before = yield* Clock.currentTimeMillis
    const failed = entry(consumer, "a", 1, failure(60_000, "UpcastFailed", "why"))
    const entries = [entry(consumer, "a", 2), failed, entry(consumer, "b", 3, failure())]
    yield* store.add(entries, roomy)
    const [first, second, third] = yield* store.list(consumer)
    const { at: kept, due, ...rest } = Assert.defined(first, "the first is not listed")
    const { failure: _, ...ref } = failed
    Assert.equal(rest, {
      ...ref,
      tenant: TenantId.make("acme"),
      status: "retrying",
      edited: false,
      category: "UpcastFailed",
      error: "why",
      attempts: 1,
      reason: undefined
    })
    Assert.isTrue(Math.abs(kept - before) < 60_000 && Math.abs(Number(due) - kept - 60_000) < 1000, "when it is due")
    Assert.equal([second?.status, second?.category, second?.attempts], ["waiting", undefined, 0])
    Assert.equal([third?.status, third?.due, third?.error], ["parked", undefined, "no"])
    Assert.equal(yield* store.get(failed), first)
    Assert.equal(yield* store.count(consumer), 3)
  })
)

const stays = law("an event that is kept already stays as it is", (store, consumer) =>
  Effect.gen(function* () {
    yield* store.add([entry(consumer, "a", 1, failure())], roomy)
    const before = yield* store.list(consumer)
    yield* store.add([entry(consumer, "a", 1)], { perKey: 0, perConsumer: 0 })
    Assert.equal(yield* store.list(consumer), before)
  })
)

const limits = law("what passes a limit is ParkingFull, and nothing of it is kept", (store, consumer) =>
  Effect.gen(function* () {
    const tight = { perKey: 2, perConsumer: 4 }
    yield* store.add([entry(consumer, "a", 1, failure()), entry(consumer, "a", 2), entry(consumer, "b", 3)], tight)
    const more = [entry(consumer, "c", 4), entry(consumer, "a", 5)]
    const { key, limit } = yield* Assert.fails(store.add(more, tight), "ParkingFull")
    Assert.equal([key, limit], ["a", 2])
    const many = [entry(consumer, "c", 4), entry(consumer, "d", 5)]
    const full = yield* Assert.fails(store.add(many, tight), "ParkingFull")
    Assert.equal([full.key, full.limit], [undefined, 4])
    Assert.equal(yield* positions(store.list(consumer)), [1, 2, 3])
    yield* store.add([entry(consumer, "c", 4)], tight)
    yield* store.add([entry(`${consumer}2`, "c", 4)], tight)
    yield* store.skip(entry(consumer, "a", 1), "enough")
    yield* store.add([entry(consumer, "a", 6)], tight)
  })
)

const heads = law("of each key the first is due, in its time, and the others wait for it", (store, consumer) =>
  Effect.gen(function* () {
    yield* store.add([entry(consumer, "a", 5, failure(300)), entry(consumer, "a", 6), entry(consumer, "a", 7)], roomy)
    yield* store.add([entry(consumer, "b", 3, failure(0)), entry(consumer, "b", 4)], roomy)
    yield* store.add([entry(consumer, "c", 1, failure()), entry(consumer, "c", 2)], roomy)
    Assert.equal(yield* positions(store.due(consumer, all, 9)), [3])
    Assert.equal((yield* store.keys(consumer, all)).toSorted(), ["a", "b", "c"])
    yield* Effect.sleep("350 millis")
    Assert.equal(yield* positions(store.due(consumer, all, 9)), [3, 5])
    Assert.equal(yield* positions(store.due(consumer, all, 1)), [3])
    yield* store.settle(entry(consumer, "a", 5))
    Assert.equal(yield* positions(store.due(consumer, all, 9)), [3, 6])
    yield* store.settle(entry(consumer, "a", 6))
    yield* store.settle(entry(consumer, "a", 7))
    Assert.equal((yield* store.keys(consumer, all)).toSorted(), ["b", "c"])
    yield* Assert.fails(store.settle(entry(consumer, "a", 7)), "NotParked")
    yield* Assert.fails(store.get(entry(consumer, "a", 7)), "NotParked")
  })
)

const segments = law("a segment has the keys whose hash is its own", (store, consumer) =>
  Effect.gen(function* () {
    const keys = count(40).map((n) => `key ${n}`)
    yield* store.add(
      keys.map((key, index) => entry(consumer, key, index + 1, failure(0))),
      roomy
    )
    for (const segment of Segment.initial(4)) {
      const own = keys.filter((key) => Segment.has(segment, Segment.hash(key))).toSorted()
      Assert.equal((yield* store.keys(consumer, segment)).toSorted(), own)
      Assert.equal((yield* store.due(consumer, segment, 99)).map(({ key }) => key).toSorted(), own)
    }
  })
)

const fails = law("another failure is kept, with its time or without", (store, consumer) =>
  Effect.gen(function* () {
    const ref = entry(consumer, "a", 1, failure(0))
    yield* store.add([ref], roomy)
    yield* store.failed(ref, { category: "Other", error: "again \0", attempts: 2, retryInMillis: 0 })
    const [due] = yield* store.due(consumer, all, 9)
    Assert.equal([due?.category, due?.attempts, due?.status], ["Other", 2, "retrying"])
    yield* store.failed(ref, { category: "HandlerFailed", error: "for good", attempts: 3, retryInMillis: undefined })
    Assert.equal(yield* store.due(consumer, all, 9), [])
    const { error, status } = yield* store.get(ref)
    Assert.equal([error, status], ["for good", "parked"])
    yield* Assert.fails(store.failed(entry(consumer, "a", 2), failure()), "NotParked")
  })
)

const replays = law("a replay makes the fitting heads due, with their attempts forgotten", (store, consumer) =>
  Effect.gen(function* () {
    yield* store.add([entry(consumer, "a", 1, failure()), entry(consumer, "a", 2)], roomy)
    yield* store.add([entry(consumer, "b", 3, failure(undefined, "Undecodable", "100% of it"), "globex")], roomy)
    yield* store.add([entry(consumer, "c", 4, failure(60_000, "Other"))], roomy)
    const none = [{ key: "x" }, { tenant: "x" }, { error: "%of%" }, { key: "a", category: "Other" as const }]
    for (const filter of none) Assert.equal(yield* store.replay(consumer, filter), 0, JSON.stringify(filter))
    Assert.equal(yield* store.due(consumer, all, 9), [])
    Assert.equal(yield* store.replay(consumer, { key: "a" }), 1)
    Assert.equal(yield* positions(store.due(consumer, all, 9)), [1])
    Assert.equal((yield* store.get(entry(consumer, "a", 1))).attempts, 0)
    Assert.equal(yield* store.replay(consumer, { tenant: "globex", error: "0% o", category: "Undecodable" }), 1)
    Assert.equal(yield* positions(store.due(consumer, all, 9)), [1, 3])
    Assert.equal(yield* store.replay(consumer), 3)
    Assert.equal(yield* positions(store.due(consumer, all, 9)), [1, 3, 4])
    Assert.equal(yield* store.replay(`${consumer}2`), 0)
  })
)

const edits = law("an edited event has other contents, and is due when it is the head", (store, consumer) =>
  Effect.gen(function* () {
    const [head, next] = [entry(consumer, "a", 1, failure()), entry(consumer, "a", 2)]
    yield* store.add([head, next], roomy)
    yield* store.edit(next, { n: "two" })
    Assert.equal(yield* store.due(consumer, all, 9), [])
    yield* store.edit(head, { n: [null, "é"] })
    const [due] = yield* store.due(consumer, all, 9)
    Assert.equal([due?.stored.data, due?.edited, due?.attempts], [{ n: [null, "é"] }, true, 0])
    Assert.equal({ ...due?.stored, data: undefined }, { ...head.stored, data: undefined })
    const second = yield* store.get(next)
    Assert.equal([second.stored.data, second.status], [{ n: "two" }, "waiting"])
    yield* Assert.fails(store.edit(entry(consumer, "b", 1), {}), "NotParked")
  })
)

const skips = law(
  "a skipped event is left out for a reason that is kept, and the next of its key is due",
  (store, consumer) =>
    Effect.gen(function* () {
      const [head, next] = [entry(consumer, "a", 1, failure()), entry(consumer, "a", 2)]
      yield* store.add([head, next], roomy)
      yield* store.skip(head, "a duplicate")
      Assert.equal(yield* positions(store.due(consumer, all, 9)), [2])
      const { reason, status } = yield* store.get(head)
      Assert.equal([reason, status], ["a duplicate", "skipped"])
      Assert.equal(yield* store.count(consumer), 1)
      yield* Assert.fails(store.skip(head, "again"), "NotParked")
      yield* Assert.fails(store.settle(head), "NotParked")
      yield* Assert.fails(store.edit(head, {}), "NotParked")
      yield* Assert.fails(store.failed(head, failure()), "NotParked")
      yield* store.settle(next)
      Assert.equal(yield* store.keys(consumer, all), [])
      Assert.equal(yield* positions(store.list(consumer)), [1])
    })
)

const lists = law("a list is in the order of the log, and has what fits", (store, consumer) =>
  Effect.gen(function* () {
    yield* store.add([entry(consumer, "b", 700, failure()), entry(consumer, "a", 80, failure(60_000))], roomy)
    yield* store.add([entry(consumer, "a", 90), entry(consumer, "c", 9, failure(0, "Other", "x"), "globex")], roomy)
    const listed = (options?: Parameters<Store["list"]>[1]) => positions(store.list(consumer, options))
    Assert.equal(yield* listed(), [9, 80, 90, 700])
    Assert.equal(yield* listed({ after: at(9), limit: 2 }), [80, 90])
    Assert.equal(yield* listed({ key: "a" }), [80, 90])
    Assert.equal(yield* listed({ tenant: "globex" }), [9])
    Assert.equal(yield* listed({ category: "Other", error: "x" }), [9])
    const statuses: ReadonlyArray<readonly [Status, ReadonlyArray<number>]> = [
      ["waiting", [90]],
      ["retrying", [9, 80]],
      ["parked", [700]],
      ["skipped", []]
    ]
    for (const [status, expected] of statuses) Assert.equal(yield* listed({ status }), expected, status)
    Assert.equal(yield* store.list(`${consumer}2`), [])
  })
)

const together = law("what a unit of work has parked is kept or undone with the rest", (store, consumer) =>
  Effect.gen(function* () {
    const unit = yield* UnitOfWork
    const [one, two] = [entry(consumer, "a", 1, failure(0)), entry(consumer, "a", 2)]
    yield* unit.transaction(store.add([one], roomy))
    const undone = Effect.andThen(store.settle(one), Effect.andThen(store.add([two], roomy), Effect.fail("undo")))
    yield* Effect.ignore(unit.transaction(undone))
    Assert.equal(yield* positions(store.list(consumer)), [1])
    const full = store.add([two], { perKey: 1, perConsumer: 9 })
    yield* unit.transaction(
      Effect.andThen(Assert.fails(full, "ParkingFull"), store.add([entry(consumer, "b", 3)], roomy))
    )
    Assert.equal(yield* positions(store.list(consumer)), [1, 3])
  })
)

/**
 * The laws of `ParkedStore`, with units of work of the same storage.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<ParkedStore | UnitOfWork>> = [
  keeps,
  stays,
  limits,
  heads,
  segments,
  fails,
  replays,
  edits,
  skips,
  lists,
  together
]
