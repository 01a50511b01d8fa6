import { expect, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import * as Aggregate from "../../../src/domain/Aggregate.ts"
import * as Event from "../../../src/domain/Event.ts"
import * as SnapshotPolicy from "../../../src/domain/SnapshotPolicy.ts"
import * as Repository from "../../../src/application/Repository.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as SnapshotStore from "../../../src/ports/SnapshotStore.ts"
import * as UnitOfWork from "../../../src/ports/UnitOfWork.ts"
import { freshStore, quiet } from "./support.ts"

class Added extends Event.Class<Added>()("Added", { n: Schema.Int }) {}
class Doubled extends Event.Class<Doubled>()("Doubled", {}) {}

const initial: number = 0
const Counter = Aggregate.make("Counter", {
  events: [Added, Doubled],
  initial,
  snapshots: { state: Schema.Int, policy: SnapshotPolicy.every(2) },
  commutes: { Added: ["Added"] }
}).evolve({ Added: (sum, { n }) => sum + n, Doubled: (sum) => 2 * sum })

const add = (id: string, n: number, options?: Repository.Options) =>
  Repository.execute(Counter, id, n, (n) => Result.succeed([new Added({ n })]), options)

const versionOf = (id: string) =>
  Effect.flatMap(SnapshotStore.SnapshotStore, (store) =>
    Effect.map(store.load(Counter.stream(id)), (found) => Option.getOrUndefined(found)?.version)
  )

const times = (count: number) => Array.from({ length: count }, (_, n) => n)
const all = { concurrency: "unbounded" } as const

layer(freshStore, { excludeTestServices: true })("snapshots on PostgreSQL", (it) => {
  it.effect("come and go with the transaction that took them", () =>
    Effect.gen(function* () {
      const unit = yield* UnitOfWork.UnitOfWork
      const three = Effect.forEach([1, 2, 3], (n) => add("unit", n))
      const failed = unit.transaction(Effect.andThen(three, Effect.flatMap(versionOf("unit"), Effect.fail)))
      expect(yield* Effect.flip(failed)).toBe(2)
      expect(yield* versionOf("unit")).toBeUndefined()
      yield* unit.transaction(three)
      expect(yield* versionOf("unit")).toBe(2)
      expect(yield* Repository.verify(Counter, "unit")).toEqual({ _tag: "Same", version: 2 })
    })
  )

  it.effect("under writers at once agree with all events, whoever took them", () =>
    Effect.gen(function* () {
      yield* Effect.forEach(
        times(8),
        (writer) => Effect.forEach(times(12), (n) => add(`race-${n % 3}`, writer + n, { retries: 1000 })),
        all
      )
      for (const id of ["race-0", "race-1", "race-2"]) {
        expect((yield* Repository.load(Counter, id)).version).toBe(32)
        expect(yield* versionOf(id)).toBeGreaterThan(20)
        expect((yield* Repository.verify(Counter, id))._tag).toBe("Same")
      }
    })
  )

  it.effect("keep nobody from merging: each writer decides once, and all of it is there", () =>
    Effect.gen(function* () {
      const asked = new Map<number, number>()
      const decide = (n: number) => {
        asked.set(n, (asked.get(n) ?? 0) + 1)
        return Result.succeed([new Added({ n })])
      }
      const merge = { onConflict: "merge", retries: 1000 } as const
      const committed = yield* Effect.forEach(
        times(24),
        (n) => Repository.execute(Counter, "merge", n, decide, merge),
        all
      )
      expect([...asked.values()]).toEqual(times(24).map(() => 1))
      expect(committed.map(({ version }) => version).sort((a, b) => a - b)).toEqual(times(24).map((n) => n + 1))
      // Each has answered with the state that its own version has.
      const stored = yield* (yield* EventStore.EventStore).readStream(Counter.stream("merge"))
      const numbers = stored.map(({ data }) => Schema.decodeUnknownSync(Schema.Struct({ n: Schema.Int }))(data).n)
      for (const { state, version } of committed) {
        expect(state).toBe(numbers.slice(0, version).reduce((sum, n) => sum + n, 0))
      }
    })
  )

  it.effect("decide again among writers whose events do not commute", () =>
    Effect.gen(function* () {
      const even = (_: unknown, sum: number) => Result.succeed([sum % 3 === 0 ? new Added({ n: 1 }) : new Doubled()])
      const merge = { onConflict: "merge", retries: 1000 } as const
      yield* Effect.forEach(times(16), () => Repository.execute(Counter, "mixed", undefined, even, merge), all)
      const loaded = yield* Repository.load(Counter, "mixed")
      expect(loaded.version).toBe(16)
      // Who merges has not read enough for a snapshot to be due.
      expect(yield* Repository.snapshot(Counter, "mixed")).toBe(16)
      expect(yield* Repository.verify(Counter, "mixed")).toMatchObject({ _tag: "Same" })
    })
  )
})

layer(Layer.merge(freshStore, quiet), { excludeTestServices: true })("a table of snapshots that refuses", (it) => {
  const lines: Array<string> = []
  const logger = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])

  it.effect("fails no command, also within a transaction, which is committed", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const unit = yield* UnitOfWork.UnitOfWork
      yield* sql`alter table es.snapshot add constraint refuses check (version < 0)`
      for (const n of [1, 2, 3]) yield* add("outside", n)
      yield* unit.transaction(Effect.forEach([1, 2, 3, 4], (n) => add("inside", n)))
      expect((yield* Repository.load(Counter, "outside")).state).toBe(6)
      expect((yield* Repository.load(Counter, "inside")).state).toBe(10)
      expect(lines.filter((line) => line.includes("could be taken"))).toHaveLength(3)
      const refused = yield* Effect.flip(Repository.snapshot(Counter, "inside"))
      expect(refused).toMatchObject({ _tag: "SnapshotError", reason: { _tag: "StorageFailure", retryable: false } })
      yield* sql`alter table es.snapshot drop constraint refuses`
      yield* add("inside", 5)
      expect(yield* versionOf("inside")).toBe(4)
    }).pipe(Effect.provide(logger))
  )

  it.effect(
    "holds up no command for long when somebody has its row, also within a transaction, which is committed",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const unit = yield* UnitOfWork.UnitOfWork
        for (const n of [1, 2, 3]) yield* add("held", n)
        expect(yield* versionOf("held")).toBe(2)
        const release = yield* Deferred.make<void>()
        const held = yield* Deferred.make<void>()
        const holder = yield* sql`select from es.snapshot where stream = ${Counter.stream("held")} for update`.pipe(
          Effect.andThen(Deferred.succeed(held, undefined)),
          Effect.andThen(Deferred.await(release)),
          sql.withTransaction,
          Effect.forkChild
        )
        yield* Deferred.await(held)
        yield* add("held", 4)
        yield* unit.transaction(Effect.forEach([5, 6], (n) => add("held", n)))
        expect(yield* Repository.load(Counter, "held")).toMatchObject({ state: 21, version: 6 })
        expect(yield* versionOf("held")).toBe(2)
        yield* Deferred.succeed(release, undefined)
        yield* Fiber.join(holder)
        yield* add("held", 7)
        expect(yield* versionOf("held")).toBe(6)
      }).pipe(Effect.provide(logger))
  )

  it.effect("fails no load: all events are folded", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      for (const n of [1, 2, 3]) yield* add("gone", n)
      yield* sql`alter table es.snapshot rename to elsewhere`
      expect((yield* add("gone", 4)).state).toBe(10)
      yield* sql`alter table es.elsewhere rename to snapshot`
      expect((yield* Repository.load(Counter, "gone")).state).toBe(10)
    }).pipe(Effect.provide(logger))
  )
})
