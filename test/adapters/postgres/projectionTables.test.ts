import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import * as Pglite from "../../../src/adapters/postgres/pglite.ts"
import * as Projection from "../../../src/application/Projection.ts"
import * as Rebuild from "../../../src/application/Rebuild.ts"
import * as Event from "../../../src/domain/Event.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as SystemContext from "../../../src/ports/SystemContext.ts"
import * as TenantContext from "../../../src/ports/TenantContext.ts"
import { freshStore, type Provided, settled } from "./support.ts"

class Sold extends Event.Class<Sold>()("Sold", { sku: Schema.String, amount: Schema.Int }) {}

/** Revenue by sku in a table with an index, and a view over it, all of one version. */
const revenue = (version: number, factor = 1) =>
  Projection.batched("revenue", {
    version,
    events: [Sold],
    batchSize: 7,
    tables: ["revenue", "revenue_by_sum", "revenue_total"],
    setup: Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const [table, index, total] = [
        sql(yield* Projection.table("revenue")),
        sql(yield* Projection.table("revenue_by_sum")),
        sql(yield* Projection.table("revenue_total"))
      ]
      yield* sql`create table if not exists ${table} (sku text primary key, sum int not null, version int not null)`
      yield* sql`create index if not exists ${index} on ${table} (sum)`
      yield* sql`create or replace view ${total} as select coalesce(sum(sum), 0)::int as total, min(version) as oldest, max(version) as newest from ${table}`
    }),
    handle: (batch) =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const table = sql(yield* Projection.table("revenue"))
        const sums = new Map<string, number>()
        for (const { event } of batch) sums.set(event.sku, (sums.get(event.sku) ?? 0) + event.amount * factor)
        const rows = JSON.stringify(Array.from(sums, ([sku, sum]) => ({ sku, sum, version })))
        yield* sql`insert into ${table} as t select * from jsonb_to_recordset(${rows}::jsonb) as r (sku text, sum int, version int)
          on conflict (sku) do update set sum = t.sum + excluded.sum`
      })
  })

const append = (...amounts: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const events = amounts.map((amount) => new Sold({ sku: `sku-${amount % 3}`, amount }))
    return yield* store.append({ stream: StreamName.make("Shop", "1"), expected: "any", events })
  })

const settle = (receipt: Effect.Success<ReturnType<typeof append>>) =>
  Effect.flatMap(EventStore.EventStore, (store) => settled(store, receipt.position))

interface Total {
  readonly total: number
  readonly oldest: number | null
  readonly newest: number | null
}

/** As users read: by the view's own name, which knows of no versions. */
const total = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.map(sql<Total>`select total, oldest, newest from revenue_total`, ([row]) => row)
)

const relations = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.map(
    sql<{
      readonly name: string
    }>`select relname as name from pg_class where relname like 'revenue%' and relname not like '%pkey' order by 1`,
    (rows) => rows.map(({ name }) => name)
  )
)

const numbers = (to: number, from = 1) => Array.from({ length: to - from + 1 }, (_, index) => from + index)
const sumOf = (all: ReadonlyArray<number>) => all.reduce((a, b) => a + b, 0)

const backends: ReadonlyArray<readonly [name: string, layer: Layer.Layer<Provided, unknown>]> = [
  ["Postgres", freshStore],
  ["PGlite", Layer.merge(Pglite.layer(), TenantContext.layerSingle)]
]

describe.each(backends)("a projection into tables on %s", (name, layer) => {
  const ports = Layer.merge(layer, SystemContext.layer("test"))
  const run = <A, E>(program: Effect.Effect<A, E, Layer.Success<typeof ports>>) =>
    program.pipe(Effect.scoped, Effect.provide(ports, { local: true }))

  it.live("is set up, written to with its checkpoint, rebuilt, swapped with its index and view, and dropped", () =>
    run(
      Effect.gen(function* () {
        const [old, next] = [revenue(1), revenue(2, 10)]
        const receipt = yield* append(...numbers(20))
        yield* Effect.raceFirst(Projection.waitFor(old, receipt), Projection.run(old))
        expect(yield* total).toEqual({ total: sumOf(numbers(20)), oldest: 1, newest: 1 })

        yield* Rebuild.run(next, { dropAfter: "when asked" })
        expect(yield* total).toEqual({ total: 10 * sumOf(numbers(20)), oldest: 2, newest: 2 })
        expect(yield* relations).toEqual([
          "revenue",
          "revenue__2",
          "revenue_by_sum",
          "revenue_by_sum__2",
          "revenue_total",
          "revenue_total__2"
        ])
        expect(yield* Rebuild.drop(next)).toEqual([2])
        expect(yield* relations).toEqual(["revenue", "revenue_by_sum", "revenue_total"])

        const more = yield* append(21)
        yield* Effect.raceFirst(Projection.waitFor(next, more), Projection.run(next))
        yield* Rebuild.run(next, { dropAfter: 0 })
        expect(yield* total).toEqual({ total: 10 * sumOf(numbers(21)), oldest: 2, newest: 2 })
        expect(yield* relations).toEqual(["revenue", "revenue_by_sum", "revenue_total"])
      })
    )
  )

  it.live(
    "is read as one whole version at every moment, while it is written to and rebuilt",
    () =>
      run(
        Effect.gen(function* () {
          const [old, next] = [revenue(1), revenue(2)]
          const all = numbers(name === "PGlite" ? 120 : 300)
          const first = yield* append(...all.slice(0, 60))
          const runners = yield* Effect.forkChild(
            Effect.raceAllFirst([old, old, next, next].map((one) => Projection.run(one, { onNewVersion: "wait" })))
          )
          yield* Projection.waitFor(old, first)
          const isDone = yield* Ref.make(false)
          const watching = yield* Effect.forkChild(
            Effect.gen(function* () {
              let last: Total = { total: 0, oldest: 1, newest: 1 }
              while (!(yield* Ref.get(isDone))) {
                const seen = yield* total
                expect(seen?.oldest).toBe(seen?.newest)
                expect(seen?.total).toBeGreaterThanOrEqual(last.total)
                expect(seen?.newest).toBeGreaterThanOrEqual(last.newest ?? 0)
                last = seen ?? last
                yield* Effect.sleep("1 millis")
              }
              return last
            })
          )
          const writing = yield* Effect.forkChild(
            Effect.forEach(all.slice(60), (n) => Effect.tap(append(n), Effect.sleep("1 millis")))
          )
          yield* Rebuild.run(next)
          yield* Rebuild.run(next, { dropAfter: 0 })
          const receipts = yield* Fiber.join(writing)
          const last = receipts.at(-1) ?? first
          yield* settle(last)
          yield* Projection.waitFor(next, last, { timeout: "20 seconds" })
          yield* Ref.set(isDone, true)
          expect((yield* Fiber.join(watching)).newest).toBe(2)
          expect(yield* total).toEqual({ total: sumOf(all), oldest: 2, newest: 2 })
          yield* Fiber.interrupt(runners)
        })
      ),
    60_000
  )
})

describe("a swap of tables", () => {
  it.live("waits for who reads, not longer than they must be kept waiting, and tries again", () =>
    Effect.gen(function* () {
      const next = revenue(2)
      const sql = yield* SqlClient.SqlClient
      const receipt = yield* append(...numbers(10))
      yield* settle(receipt)
      yield* Effect.raceFirst(Projection.waitFor(revenue(1), receipt), Projection.run(revenue(1)))
      // Who reads in a transaction of its own keeps the old version until it ends.
      const reading = yield* Effect.forkChild(
        sql.withTransaction(
          Effect.gen(function* () {
            const before = yield* total
            yield* Effect.sleep("700 millis")
            return [before, yield* total]
          })
        )
      )
      yield* Effect.sleep("50 millis")
      const rebuilding = yield* Effect.forkChild(Rebuild.run(next))
      // Others are kept waiting while it tries, and no longer.
      yield* Effect.sleep("300 millis")
      expect((yield* Effect.timeout(total, "500 millis"))?.newest).toBe(1)
      const [before, after] = yield* Fiber.join(reading)
      expect(after).toEqual(before)
      yield* Fiber.join(rebuilding)
      expect((yield* total)?.newest).toBe(2)
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(freshStore, SystemContext.layer("test")), { local: true }))
  )
})
