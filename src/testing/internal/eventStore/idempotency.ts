/**
 * Laws about appends that name themselves.
 */
import * as Effect from "effect/Effect"
import type * as EventStore from "../../../ports/EventStore.ts"
import type { Append } from "../../../ports/EventStoreDriver.ts"
import {
  type ExpectedVersion,
  InvalidInput,
  StreamTombstoned,
  VersionConflict
} from "../../../ports/EventStoreError.ts"
import type { AppendReceipt } from "../../../ports/Receipt.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count, noted } from "../samples.ts"
import { law, race, racing, type World } from "../world.ts"

/** What an append is answered when it is asked again. */
const repeated = (receipt: AppendReceipt | undefined) => ({ ...receipt, repeated: true })

/** Appends under an id. */
const named = (world: World, id: string, expected: ExpectedVersion, ...numbers: ReadonlyArray<number>): Append => ({
  stream: world.stream(),
  expected,
  events: noted(...numbers),
  id
})

const once = law("an append that is asked again under its id answers as the first time, and writes nothing", (world) =>
  Effect.gen(function* () {
    const { store } = world
    yield* world.append(world.stream(), "none", noted(1))
    const first = yield* store.append(named(world, "a", 1, 2, 3))
    Assert.equal(yield* store.append(named(world, "a", 1, 2, 3)), repeated(first), "asked again")
    Assert.equal(yield* store.append(named(world, "a", "any", 9)), repeated(first), "asked for something else")
    Assert.equal(yield* world.data(world.stream()), [{ n: 1 }, { n: 2 }, { n: 3 }])
    Assert.equal(yield* store.streamState(world.stream()), { version: 3, tombstoned: false })
    Assert.equal((yield* world.append(world.stream(), 3, noted(4))).version, 4)
  })
)

const later = law("an append is answered under its id whatever became of the stream", (world) =>
  Effect.gen(function* () {
    const { store } = world
    const first = yield* store.append(named(world, "a", "none", 1, 2))
    yield* world.append(world.stream(), 2, noted(3))
    for (const expected of ["none", "any", "exists", 2, 3, 7] as const) {
      Assert.equal(yield* store.append(named(world, "a", expected, 1, 2)), repeated(first), `expecting ${expected}`)
    }
    yield* store.tombstone(world.stream(), 3)
    Assert.equal(yield* store.append(named(world, "a", "none", 1, 2)), repeated(first), "tombstoned")
    const refused = yield* Effect.flip(store.append(named(world, "b", "any", 1)))
    Assert.equal(refused.reason, new StreamTombstoned({ stream: world.stream() }))
  })
)

const apart = law("an id is of one stream and one tenant", (world) =>
  Effect.gen(function* () {
    const { store } = world
    yield* store.append(named(world, "a", "none", 1))
    const other = { ...named(world, "a", "none", 2), stream: world.stream("2") }
    Assert.equal((yield* store.append(other)).version, 1, "another stream")
    Assert.equal(yield* world.data(world.stream("2")), [{ n: 2 }])
    const elsewhere = TenantContext.provide(world.otherTenant)
    Assert.equal((yield* elsewhere(store.append(named(world, "a", "none", 3)))).version, 1, "another tenant")
    Assert.equal(yield* elsewhere(world.data(world.stream())), [{ n: 3 }])
    Assert.equal(yield* store.appended(world.stream("3"), "a"), undefined)
  })
)

const free = law("an append that was refused leaves its id free", (world) =>
  Effect.gen(function* () {
    const { store } = world
    const { reason } = yield* Effect.flip(store.append(named(world, "a", 5, 1)))
    Assert.equal(reason, new VersionConflict({ stream: world.stream(), expected: 5, actual: 0 }))
    Assert.equal(yield* store.appended(world.stream(), "a"), undefined)
    Assert.equal((yield* store.append(named(world, "a", "none", 1))).version, 1)
  })
)

const told = law("what became of an append can be asked by its id", (world) =>
  Effect.gen(function* () {
    const { store } = world
    yield* world.append(world.stream(), "none", noted(1))
    const receipt = yield* store.append(named(world, "a", "any", 2, 3))
    yield* world.append(world.stream(), "any", noted(4))
    Assert.equal(yield* store.appended(world.stream(), "a"), { ...receipt, count: 2 })
    for (const id of ["b", "", "a\0", "a".repeat(10_000)]) {
      Assert.equal(yield* store.appended(world.stream(), id), undefined, JSON.stringify(id.slice(0, 10)))
    }
  })
)

const several = law(
  "of several appends in one, those that were asked before are answered, and the others written",
  (world) =>
    Effect.gen(function* () {
      const { store } = world
      const of = (name: string, n: number): Append => ({
        stream: world.stream(name),
        expected: "none",
        events: noted(n),
        id: "a"
      })
      const [first, second] = yield* store.appendAll([of("b", 1), of("a", 2)])
      Assert.equal(yield* store.appendAll([of("b", 1), of("a", 2)]), [repeated(first), repeated(second)], "asked again")
      const receipts = yield* store.appendAll([of("c", 3), of("a", 2)])
      Assert.equal(receipts[1], repeated(second))
      Assert.equal(receipts[0]?.version, 1)
      for (const [name, n] of [
        ["a", 2],
        ["b", 1],
        ["c", 3]
      ] as const) {
        Assert.equal(yield* world.data(world.stream(name)), [{ n }], name)
      }
      const other: Append = { stream: world.stream("d"), expected: 3, events: noted(4), id: "d" }
      yield* Effect.flip(store.appendAll([of("e", 5), other]))
      Assert.equal(yield* store.appended(world.stream("e"), "a"), undefined, "what was undone has no name")
      Assert.equal((yield* store.append(of("e", 5))).version, 1)
    })
)

const unfit = law("an id that no store can keep is refused, and the field named", (world) =>
  Effect.gen(function* () {
    for (const id of ["", "a\0b", "\ud800", "é".repeat(129)]) {
      for (const events of [noted(1), []]) {
        const { reason } = yield* Effect.flip(world.store.append({ ...named(world, id, "any"), events }))
        Assert.isTrue(reason instanceof InvalidInput, reason._tag)
        if (reason instanceof InvalidInput) {
          Assert.equal(
            reason.issues.map(({ path }) => path),
            ["id"]
          )
        }
      }
    }
    Assert.equal((yield* world.store.append(named(world, "é".repeat(128), "none", 1))).version, 1)
  })
)

const racingOnce = law(
  "of many racing appends under one id one is written, and all get its receipt",
  (world) =>
    Effect.gen(function* () {
      for (const round of count(10)) {
        const stream = world.stream(round)
        const start = round % 2
        if (start === 1) yield* world.append(stream, "none", noted(0))
        const expectations: ReadonlyArray<ExpectedVersion> = ["any", start, start === 0 ? "none" : "exists"]
        const receipts = yield* race(
          count(12, 0).map((racer) =>
            world.store.append({
              stream,
              expected: expectations[racer % 3] ?? "any",
              events: noted(racer, racer),
              id: `id-${round}`
            })
          )
        )
        const firsts = receipts.filter((receipt) => receipt.repeated !== true)
        Assert.equal(firsts.length, 1, `round ${round}: how many were written`)
        for (const receipt of receipts) Assert.equal(repeated(receipt), repeated(firsts[0]), `round ${round}`)
        Assert.equal(receipts[0]?.version, start + 2)
        Assert.equal(yield* world.store.streamState(stream), { version: start + 2, tombstoned: false })
        const data = yield* world.data(stream)
        Assert.equal(data.length, start + 2)
        Assert.equal(data.at(-1), data.at(-2))
      }
    }),
  racing
)

export const laws: ReadonlyArray<Law.Law<EventStore.EventStore>> = [
  once,
  later,
  apart,
  free,
  told,
  several,
  unfit,
  racingOnce
]
