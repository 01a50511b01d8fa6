import { describe, expect, it } from "@effect/vitest"
import { Clock, Effect, Layer, Logger, Metric, Option, Result, Schema } from "effect"
import { TestClock } from "effect/testing"
import {
  Aggregate,
  Event,
  EventStore,
  Join,
  Memory,
  Repository,
  SnapshotPolicy,
  SnapshotStore,
  StorageFailure,
  TenantContext,
  UnitOfWork,
  Upcaster
} from "../../src/index.ts"
import { Fault, Faults } from "../../src/testing/index.ts"

class Added extends Event.Class<Added>()("Added", { n: Schema.Int }) {}
class Cleared extends Event.Class<Cleared>()("Cleared", {}) {}

const Sum = Schema.Struct({ sum: Schema.Int, all: Schema.Array(Schema.Int) })
const initial: typeof Sum.Type = { sum: 0, all: [] }
const events = [Added, Cleared] as const
const evolve = {
  Added: ({ all, sum }: typeof Sum.Type, { n }: Added) => ({ sum: sum + n, all: [...all, n] }),
  Cleared: () => initial
}

const counter = (policy?: SnapshotPolicy.SnapshotPolicy, version?: number) =>
  Aggregate.make("Counter", { events, initial, snapshots: { state: Sum, policy, version } }).evolve(evolve)
const Counter = counter(SnapshotPolicy.every(3))
const stream = Counter.stream("1")

const add =
  (...numbers: ReadonlyArray<number>) =>
  () =>
    Result.succeed(numbers.map((n) => new Added({ n })))
const execute = (n: number, aggregate = Counter) => Repository.execute(aggregate, "1", undefined, add(n))
const state = (...all: ReadonlyArray<number>) => ({ sum: all.reduce((a, b) => a + b, 0), all })

const saved = Effect.flatMap(SnapshotStore.SnapshotStore, (store) =>
  Effect.map(store.load(stream), Option.getOrUndefined)
)
const version = Effect.map(saved, (snapshot) => snapshot?.version)

/** A store that notes from which version on it was read. */
const noting = (reads: Array<number>) =>
  Layer.effect(
    EventStore.EventStore,
    Effect.map(EventStore.EventStore, (store): EventStore.EventStore["Service"] => ({
      ...store,
      readStream: (name, options) =>
        Effect.suspend(() => {
          reads.push(options?.fromVersion ?? 1)
          return store.readStream(name, options)
        })
    }))
  )

const Stores = Memory.layer.pipe(Layer.merge(TenantContext.layerSingle))

/** Runs with a store of its own, and answers with what was read and logged as well. */
const run = <A, E>(
  program: Effect.Effect<
    A,
    E,
    EventStore.EventStore | SnapshotStore.SnapshotStore | UnitOfWork.UnitOfWork | TenantContext.TenantContext
  >
) =>
  Effect.suspend(() => {
    const reads: Array<number> = []
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
    return program.pipe(
      Effect.provide([Layer.provideMerge(noting(reads), Stores), Logger.layer([logger])]),
      Effect.map((value) => ({ value, reads, lines: lines.filter((line) => !line.startsWith("Debug")) }))
    )
  })

const outcomes = Effect.map(Metric.snapshot, (all) =>
  Object.fromEntries(
    all.flatMap((one) =>
      one.id === "effect_cqrs_snapshots" && one.type === "Counter"
        ? [[one.attributes?.["outcome"], Number(one.state.count)]]
        : []
    )
  )
)

const metered = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => Effect.provideService(self, Metric.MetricRegistry, new Map()))

describe("a snapshot", () => {
  it.effect("is taken of what a command was decided on, as often as the policy says", () =>
    Effect.gen(function* () {
      const seen: Array<number | undefined> = []
      const { value } = yield* run(
        Effect.gen(function* () {
          for (let n = 1; n <= 9; n++) {
            yield* execute(n)
            seen.push(yield* version)
          }
          return yield* saved
        })
      )
      expect(seen).toEqual([undefined, undefined, undefined, 3, 3, 3, 6, 6, 6])
      expect(value).toMatchObject({ stream, version: 6, state: state(1, 2, 3, 4, 5, 6) })
    })
  )

  it.effect("is where a load begins: only what came since is read", () =>
    Effect.gen(function* () {
      const { reads, value } = yield* run(
        Effect.gen(function* () {
          for (let n = 1; n <= 4; n++) yield* execute(n)
          return [yield* Repository.load(Counter, "1"), yield* execute(5)]
        })
      )
      expect(value).toMatchObject([
        { stream, state: state(1, 2, 3, 4), version: 4 },
        { stream, state: state(1, 2, 3, 4, 5), version: 5 }
      ])
      expect(reads).toEqual([1, 1, 1, 1, 3, 3])
    })
  )

  it.effect("is the tenant's own", () =>
    Effect.gen(function* () {
      const { value } = yield* run(
        Effect.gen(function* () {
          for (let n = 1; n <= 4; n++) yield* execute(n)
          yield* execute(7).pipe(TenantContext.provide("other"))
          return yield* Repository.load(Counter, "1").pipe(TenantContext.provide("other"))
        })
      )
      expect(value.state).toEqual(state(7))
    })
  )

  it.effect("is taken by hand, and answers with its version", () =>
    Effect.gen(function* () {
      const Manual = counter(SnapshotPolicy.manual)
      const { reads, value } = yield* run(
        Effect.gen(function* () {
          const none = yield* Repository.snapshot(Manual, "1")
          yield* Repository.execute(Manual, "1", undefined, add(...Array.from({ length: 500 }, () => 1)))
          yield* execute(1, Manual)
          const before = yield* version
          const first = yield* Repository.snapshot(Manual, "1")
          const again = yield* Repository.snapshot(Manual, "1")
          return [none, before, first, again, (yield* Repository.load(Manual, "1")).version]
        })
      )
      expect(value).toEqual([0, undefined, 501, 501, 501])
      expect(reads).toEqual([1, 1, 1, 1, 501, 501])
    })
  )

  it.effect("is nothing an aggregate without them looks for", () =>
    Effect.gen(function* () {
      const Plain = Aggregate.make("Counter", { events, initial }).evolve(evolve)
      const program = Repository.execute(Plain, "1", undefined, add(1))
      const Alone = Layer.merge(EventStore.layerMemory, TenantContext.layerSingle)
      expect((yield* program.pipe(Effect.provide(Alone))).version).toBe(1)
    })
  )
})

describe("a snapshot is ignored, and all events are folded,", () => {
  const four = Effect.gen(function* () {
    for (let n = 1; n <= 4; n++) yield* execute(n)
  })

  it.effect("when another version of the state's schema wrote it, until it is replaced", () =>
    Effect.gen(function* () {
      const Second = counter(SnapshotPolicy.every(3), 2)
      const { lines, reads, value } = yield* run(
        Effect.gen(function* () {
          yield* four
          const loaded = yield* Repository.load(Second, "1")
          yield* execute(5, Second)
          const snapshot = yield* saved
          return [loaded.state, snapshot?.version, snapshot?.schema, (yield* Repository.load(Second, "1")).state]
        })
      )
      expect(value).toEqual([state(1, 2, 3, 4), 4, Second.snapshots.schema, state(1, 2, 3, 4, 5)])
      expect(reads.slice(4)).toEqual([1, 1, 4])
      expect(lines).toEqual([])
    })
  )

  it.effect("when the state has another shape, though it would decode", () =>
    Effect.gen(function* () {
      const Wider = Schema.Struct({ sum: Schema.Int, all: Schema.optionalKey(Schema.Array(Schema.Int)) })
      const start: typeof Wider.Type = { sum: 0 }
      const Later = Aggregate.make("Counter", { events, initial: start, snapshots: { state: Wider } }).evolve({
        Added: ({ sum }, { n }) => ({ sum: sum + 2 * n }),
        Cleared: () => start
      })
      const { value } = yield* run(Effect.andThen(four, Repository.load(Later, "1")))
      expect(value.state).toEqual({ sum: 20 })
    })
  )

  it.effect("when it is corrupt, which is told", () =>
    Effect.gen(function* () {
      const { lines, value } = yield* run(
        Effect.gen(function* () {
          yield* four
          const store = yield* SnapshotStore.SnapshotStore
          const snapshot = yield* saved
          if (snapshot !== undefined) yield* store.save({ ...snapshot, state: { sum: "six", all: [1, 2, 3] } })
          return [yield* Repository.load(Counter, "1"), yield* outcomes]
        }).pipe(metered)
      )
      expect(value).toMatchObject([
        { state: state(1, 2, 3, 4), version: 4 },
        { corrupt: 1, taken: 1 }
      ])
      expect(lines).toHaveLength(1)
      expect(lines[0]).toContain("Warn")
      expect(lines[0]).toContain(
        "The snapshot of Counter-1 at version 3 is ignored: its state does not fit its schema: sum"
      )
    })
  )

  it.effect("when the stream has another event there, and the next one takes its place", () =>
    Effect.gen(function* () {
      const { value } = yield* run(
        Effect.gen(function* () {
          yield* four
          const store = yield* SnapshotStore.SnapshotStore
          const snapshot = yield* saved
          if (snapshot === undefined) return []
          // A log that was restored ends before it, or went on elsewhere.
          yield* store.save({ ...snapshot, version: 40, state: state(99) })
          const beyond = yield* Repository.load(Counter, "1")
          yield* execute(5)
          const replaced = yield* version
          yield* store.save({ ...snapshot, version: 4, state: state(98) })
          const elsewhere = yield* Repository.load(Counter, "1")
          return [beyond.state, replaced, elsewhere.state]
        })
      )
      expect(value).toEqual([state(1, 2, 3, 4), 4, state(1, 2, 3, 4, 5)])
    })
  )

  it.effect("when the stream was tombstoned: what ended does not come back", () =>
    Effect.gen(function* () {
      const { lines, value } = yield* run(
        Effect.gen(function* () {
          yield* four
          yield* (yield* EventStore.EventStore).tombstone(stream, "any")
          return yield* Repository.load(Counter, "1")
        })
      )
      expect(value).toEqual({ stream, state: initial, version: 0 })
      expect(lines).toEqual([])
    })
  )
})

const quiet = Logger.layer([])

describe("a store of snapshots that fails", () => {
  const failure = new SnapshotStore.SnapshotError({
    reason: StorageFailure.make({ operation: "a test", retryable: true, cause: "a test" })
  })
  const failing = (rules: Faults.Rules<SnapshotStore.SnapshotStore["Service"]>) =>
    Faults.layer(SnapshotStore.SnapshotStore, rules).pipe(Layer.provideMerge(Stores))

  const commands = Effect.gen(function* () {
    for (let n = 1; n <= 5; n++) yield* execute(n)
    return [yield* Repository.load(Counter, "1"), yield* outcomes]
  }).pipe(metered)

  for (const [what, fault] of [
    ["fails", Fault.fail(failure)],
    ["dies", Fault.die("a test")]
  ] as const) {
    it.effect(`fails no command when saving ${what}, and is counted`, () =>
      Effect.gen(function* () {
        const layer = failing({ save: Fault.every(1, fault) })
        expect(yield* commands.pipe(Effect.provide([layer, quiet]))).toMatchObject([
          { state: state(1, 2, 3, 4, 5), version: 5 },
          { unsaved: 2 }
        ])
      })
    )

    it.effect(`fails no command and no load when loading ${what}, and is counted`, () =>
      Effect.gen(function* () {
        const layer = failing({ load: Fault.every(1, fault) })
        expect(yield* commands.pipe(Effect.provide([layer, quiet]))).toMatchObject([
          { state: state(1, 2, 3, 4, 5), version: 5 },
          { unread: 6, taken: 2 }
        ])
      })
    )
  }

  it.effect("holds up no command for more than two seconds", () =>
    Effect.gen(function* () {
      const layer = failing({ save: Fault.every(1, Fault.delay("1 hour")) })
      const timed = Effect.gen(function* () {
        for (let n = 1; n <= 4; n++) yield* execute(n)
        return yield* Clock.currentTimeMillis
      }).pipe(Effect.provide([layer, quiet]))
      const fiber = yield* Effect.forkChild(timed)
      yield* TestClock.adjust("1999 millis")
      expect(fiber.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust("1 millis")
      for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
      expect(fiber.pollUnsafe()).toBeDefined()
    })
  )

  it.effect("fails who takes a snapshot by hand or verifies one", () =>
    Effect.gen(function* () {
      const layer = failing({ load: Fault.nth(2, Fault.fail(failure)), save: Fault.every(1, Fault.fail(failure)) })
      const program = Effect.gen(function* () {
        yield* Faults.without(execute(1))
        return [
          yield* Effect.flip(Repository.snapshot(Counter, "1")),
          yield* Effect.flip(Repository.verify(Counter, "1"))
        ]
      })
      expect(yield* program.pipe(Effect.provide(layer))).toEqual([failure, failure])
    })
  )
})

describe("a state that its schema refuses", () => {
  it.effect("fails no command, and who asks for a snapshot is told the field", () =>
    Effect.gen(function* () {
      const Small = Aggregate.make("Counter", {
        events,
        initial: 0,
        snapshots: { state: Schema.Int.check(Schema.isLessThan(5)), policy: SnapshotPolicy.every(1) }
      }).evolve({ Added: (sum, { n }) => sum + n, Cleared: () => 0 })
      const program = Effect.gen(function* () {
        for (const n of [1, 2, 3, 4]) yield* Repository.execute(Small, "1", undefined, add(n))
        const kept = yield* saved
        return [
          kept?.version,
          yield* Effect.flip(Repository.snapshot(Small, "1")),
          yield* Repository.verify(Small, "1")
        ]
      })
      const { lines, value } = yield* run(program)
      expect(value[0]).toBe(2)
      expect(value[1]).toMatchObject({ reason: { _tag: "InvalidSnapshot", stream, issues: [{ path: "" }] } })
      expect(value[2]).toMatchObject({ _tag: "Unfit", version: 4 })
      expect(lines).toHaveLength(1)
    })
  )
})

describe("in a unit of work", () => {
  it.effect("a snapshot is there with the events, and goes with them", () =>
    Effect.gen(function* () {
      const { value } = yield* run(
        Effect.gen(function* () {
          const unit = yield* UnitOfWork.UnitOfWork
          const four = Effect.forEach([1, 2, 3, 4], (n) => execute(n))
          const within = Effect.andThen(four, Effect.flatMap(version, Effect.fail))
          const failed = yield* Effect.flip(unit.transaction(within))
          const after = yield* version
          yield* unit.transaction(four)
          return [failed, after, yield* version]
        })
      )
      expect(value).toEqual([3, undefined, 3])
    })
  )
})

describe("events that are joined", () => {
  class Moved extends Event.Class<Moved>()("Moved", { to: Schema.String }) {}
  class Street extends Event.Class<Street>()("Street", { street: Schema.String }) {}
  class City extends Event.Class<City>()("City", { city: Schema.String }) {}
  const moved = Join.make(
    Moved,
    [Upcaster.formerly("Street", { street: Schema.String }), Upcaster.formerly("City", { city: Schema.String })],
    ([{ street }, { city }]) => ({ to: `${street}, ${city}` })
  )
  const none: ReadonlyArray<string> = []
  const option = { state: Schema.Array(Schema.String), policy: SnapshotPolicy.every(1) }
  const declared = { events: [Moved, Added], initial: none, snapshots: option } as const
  const each = {
    Moved: (all: ReadonlyArray<string>, { to }: Moved) => [...all, to],
    Added: (all: ReadonlyArray<string>, { n }: Added) => [...all, String(n)]
  }
  const Address = Aggregate.make("Counter", { ...declared, joins: [moved] }).evolve(each)
  const append = (...all: ReadonlyArray<Event.Any>) =>
    Effect.flatMap(EventStore.EventStore, (store) => store.append({ stream, expected: "any", events: all }))

  it.effect("are never cut: a snapshot is taken before them, or after what ends them", () =>
    Effect.gen(function* () {
      const { value } = yield* run(
        Effect.gen(function* () {
          yield* append(new Added({ n: 1 }), new Street({ street: "Elm" }), new City({ city: "Ulm" }))
          const before = yield* Repository.snapshot(Address, "1")
          const first = yield* saved
          yield* append(new Street({ street: "Oak" }))
          const still = yield* Repository.snapshot(Address, "1").pipe(Effect.flip)
          yield* append(new City({ city: "Bonn" }), new Added({ n: 2 }))
          const after = yield* Repository.snapshot(Address, "1")
          const last = yield* saved
          return [before, first?.state, still._tag, after, last?.state, (yield* Repository.verify(Address, "1"))._tag]
        })
      )
      // A street without its city is no event of today: the stream as it then is cannot be loaded at all.
      expect(value).toEqual([1, ["1"], "EventStoreError", 6, ["1", "Elm, Ulm", "Oak, Bonn", "2"], "Same"])
    })
  )

  it.effect("make a snapshot useless that was taken between them when they were not joined yet", () =>
    Effect.gen(function* () {
      const Before = Aggregate.make("Counter", { ...declared, events: [Moved, Added, Street, City] }).evolve({
        ...each,
        Street: (all, { street }) => [...all, street],
        City: (all, { city }) => [...all, city]
      })
      const { value } = yield* run(
        Effect.gen(function* () {
          yield* append(new Added({ n: 1 }), new Street({ street: "Elm" }))
          const cut = yield* Repository.snapshot(Before, "1")
          yield* append(new City({ city: "Ulm" }))
          return [cut, (yield* Repository.load(Address, "1")).state, yield* Repository.verify(Address, "1")]
        })
      )
      expect(value).toEqual([2, ["1", "Elm, Ulm"], { _tag: "Ignored", version: 2, because: "joined", issues: [] }])
    })
  )
})

describe("verify", () => {
  const verified = (change: Partial<SnapshotStore.Snapshot>) =>
    Effect.map(
      run(
        Effect.gen(function* () {
          for (let n = 1; n <= 5; n++) yield* execute(n)
          const snapshot = yield* saved
          if (snapshot !== undefined) yield* (yield* SnapshotStore.SnapshotStore).save({ ...snapshot, ...change })
          return yield* Repository.verify(Counter, "1")
        })
      ),
      ({ value }) => value
    )

  it.effect("says that both are the same", () =>
    Effect.gen(function* () {
      expect(yield* verified({})).toEqual({ _tag: "Same", version: 3 })
    })
  )

  it.effect("names the first field that is not, and the version", () =>
    Effect.gen(function* () {
      expect(yield* verified({ state: { ...state(1, 2, 3), all: [1, 7, 3] } })).toEqual({
        _tag: "Different",
        version: 3,
        path: "all[1]",
        snapshot: 7,
        full: 2
      })
      expect(yield* verified({ state: { ...state(1, 2, 3), all: [1, 2] } })).toMatchObject({
        path: "all[2]",
        snapshot: undefined,
        full: 3
      })
    })
  )

  it.effect("says why a snapshot is not used, and that there is none", () =>
    Effect.gen(function* () {
      expect(yield* verified({ schema: "0:x" })).toMatchObject({ _tag: "Ignored", version: 3, because: "schema" })
      expect(yield* verified({ version: 9 })).toMatchObject({ _tag: "Ignored", version: 9, because: "history" })
      expect(yield* verified({ state: 1 })).toMatchObject({ because: "corrupt", issues: [{ path: "" }] })
      expect((yield* run(Repository.verify(Counter, "1"))).value).toEqual({ _tag: "Absent" })
    })
  )
})

describe("a policy", () => {
  const at = (standing: Partial<Parameters<SnapshotPolicy.SnapshotPolicy["isDue"]>[0]>) => ({
    version: 1,
    events: 1,
    size: 1,
    age: 1,
    ...standing
  })

  it("counts events, characters and time, alone and together", () => {
    const { all, any, every, larger, manual, older } = SnapshotPolicy
    expect([99, 100].map((events) => every(100).isDue(at({ events })))).toEqual([false, true])
    expect([99, 100].map((size) => larger(100).isDue(at({ size })))).toEqual([false, true])
    expect([999, 1000].map((age) => older("1 second").isDue(at({ age })))).toEqual([false, true])
    const [yes, no] = [every(1), manual]
    expect([any(), any(no, no), any(no, yes)].map(({ isDue }) => isDue(at({})))).toEqual([false, false, true])
    expect([all(), all(yes, no), all(yes, yes)].map(({ isDue }) => isDue(at({})))).toEqual([false, false, true])
    expect(all(every(10), any(older("1 day"), larger(5000))).name).toBe(
      "every 10 events and after 1d or at 5000 characters"
    )
    expect(() => every(0)).toThrow("1 or more")
  })

  it.effect("is asked with what was folded since the last snapshot", () =>
    Effect.gen(function* () {
      const asked: Array<unknown> = []
      const Asking = counter(
        SnapshotPolicy.make("asks", ({ age, events, size, version }) => {
          asked.push({ age, events, size, version })
          return version === 2
        })
      )
      yield* run(
        Effect.gen(function* () {
          for (let n = 1; n <= 5; n++) {
            yield* execute(n, Asking)
            yield* TestClock.adjust("1 second")
          }
        })
      )
      expect(asked).toEqual([
        { version: 1, events: 1, size: 7, age: 1000 },
        { version: 2, events: 2, size: 14, age: 2000 },
        { version: 3, events: 1, size: 7, age: 1000 },
        { version: 4, events: 2, size: 14, age: 2000 }
      ])
    })
  )
})
