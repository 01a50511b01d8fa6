import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import * as PgMaterializedView from "../../../src/adapters/postgres/PgMaterializedView.ts"
import * as Pglite from "../../../src/adapters/postgres/pglite.ts"
import * as Projection from "../../../src/application/Projection.ts"
import * as Rebuild from "../../../src/application/Rebuild.ts"
import * as Event from "../../../src/domain/Event.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as SystemContext from "../../../src/ports/SystemContext.ts"
import * as TenantContext from "../../../src/ports/TenantContext.ts"
import { freshStore, type Provided, settled } from "./support.ts"

class Sold extends Event.Class<Sold>()("Sold", { amount: Schema.Int }) {}

/** Sales in a table, and a materialized view over it that belongs to the same version. */
const sales = (version: number, factor: number) =>
  Projection.make("sales", {
    version,
    events: [Sold],
    tables: ["sales", "sales_total", "sales_total_one"],
    setup: Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const table = sql(yield* Projection.table("sales"))
      const total = sql(yield* Projection.table("sales_total"))
      const index = sql(yield* Projection.table("sales_total_one"))
      yield* sql`create table if not exists ${table} (id uuid primary key, amount int not null)`
      yield* sql`create materialized view if not exists ${total} as
        select 1 as one, coalesce(sum(amount), 0)::int as total from ${table}`
      yield* sql`create unique index if not exists ${index} on ${total} (one)`
    }),
    on: {
      Sold: ({ amount }, { id }) =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          yield* sql`insert into ${sql(yield* Projection.table("sales"))} values (${id}, ${amount * factor})`
        })
    }
  })

const view: PgMaterializedView.View = { name: "sales_total", over: { name: "sales" } }

const append = (...amounts: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const events = amounts.map((amount) => new Sold({ amount }))
    const receipt = yield* store.append({ stream: StreamName.make("Shop", "1"), expected: "any", events })
    yield* settled(store, receipt.position)
    return receipt
  })

const total = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.map(sql<{ readonly total: number }>`select total from sales_total`, ([row]) => row?.total)
)

const backends: ReadonlyArray<readonly [name: string, layer: Layer.Layer<Provided, unknown>]> = [
  ["Postgres", freshStore],
  ["PGlite", Layer.merge(Pglite.layer(), TenantContext.layerSingle)]
]

describe.each(backends)("a materialized view on %s", (_, layer) => {
  const run = <A, E>(program: Effect.Effect<A, E, Provided | SystemContext.SystemContext | Scope.Scope>) =>
    program.pipe(Effect.scoped, Effect.provide(Layer.merge(layer, SystemContext.layer("test")), { local: true }))

  it.live("is refreshed when there is something new, and says up to which position it holds all", () =>
    run(
      Effect.gen(function* () {
        const first = sales(1, 1)
        const receipt = yield* append(1, 2, 3)
        yield* Effect.raceFirst(Projection.waitFor(first, receipt), Projection.run(first))
        expect(yield* total).toBe(0)
        const reached = yield* PgMaterializedView.refresh(view)
        expect(reached).toBeGreaterThanOrEqual(receipt.position)
        yield* Projection.waitFor(view, receipt)
        expect(yield* total).toBe(6)
        expect(yield* PgMaterializedView.refresh(view)).toBe(reached)
        const late = yield* Effect.flip(Projection.waitFor(view, yield* append(4), { timeout: "20 millis" }))
        expect(late).toMatchObject({ reason: { _tag: "Behind", projection: "sales_total", reached } })
      })
    )
  )

  it.live("that belongs to a projection holds all of the new version when it is swapped in", () =>
    run(
      Effect.gen(function* () {
        const [first, second] = [sales(1, 1), sales(2, 10)]
        const receipt = yield* append(1, 2, 3)
        yield* Effect.raceFirst(Projection.waitFor(first, receipt), Projection.run(first))
        yield* Rebuild.run(second, { dropAfter: 0 })
        expect(yield* total).toBe(60)
        yield* PgMaterializedView.refresh(view)
        expect(yield* total).toBe(60)
      })
    )
  )

  it.live("is refreshed in the background, at most once in so long", () =>
    run(
      Effect.gen(function* () {
        const first = sales(1, 1)
        yield* Effect.forkChild(Projection.run(first))
        yield* Projection.waitFor(first, yield* append(1), { timeout: "10 seconds" })
        yield* Layer.build(PgMaterializedView.layer(view, { every: "300 millis" }))
        yield* Projection.waitFor(view, yield* append(2), { timeout: "10 seconds" })
        expect(yield* total).toBe(3)
        const soon = yield* append(3)
        yield* Projection.waitFor(first, soon)
        expect(yield* Effect.flip(Projection.waitFor(view, soon, { timeout: "50 millis" }))).toMatchObject({
          reason: { _tag: "Behind" }
        })
        yield* Projection.waitFor(view, soon, { timeout: "10 seconds" })
        expect(yield* total).toBe(6)
      })
    )
  )
})
