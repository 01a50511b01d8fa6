/**
 * What the workers project, in versions without end: how often each stream was written to, in a table and in a collection.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import * as Projection from "../../../src/application/Projection.ts"
import * as Event from "../../../src/domain/Event.ts"
import * as ReadModelStore from "../../../src/ports/ReadModelStore.ts"

export class Written extends Event.Class<Written>()("Written", { n: Schema.Int }) {}

const Tally = Schema.Struct({ count: Schema.Int, sum: Schema.Int })
const Tallies = ReadModelStore.collection("tallies", Tally)

interface Row {
  readonly stream: string
  readonly count: number
  readonly sum: number
}

/** All events of one stream in a batch as one row. */
const rowsOf = (batch: ReadonlyArray<{ readonly stream: string; readonly event: Written }>): ReadonlyArray<Row> => {
  const rows = new Map<string, Row>()
  for (const { event, stream } of batch) {
    const { count, sum } = rows.get(stream) ?? { count: 0, sum: 0 }
    rows.set(stream, { stream, count: count + 1, sum: sum + event.n })
  }
  return Array.from(rows.values())
}

export const tally = (version: number) =>
  Projection.batched("tally", {
    version,
    events: [Written],
    batchSize: 200,
    collections: [Tallies],
    tables: ["tally"],
    retries: 1_000_000,
    setup: Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const table = sql(yield* Projection.table("tally"))
      yield* sql`create table if not exists ${table}
        (stream text primary key, count int not null, sum int not null, version int not null)`
    }),
    handle: (batch) =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const rows = rowsOf(batch)
        yield* sql`insert into ${sql(yield* Projection.table("tally"))} as t (stream, count, sum, version)
          select stream, count, sum, ${version}::int from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
            as r (stream text, count int, sum int)
          on conflict (stream) do update set count = t.count + excluded.count, sum = t.sum + excluded.sum,
            version = excluded.version`
        for (const { count, stream, sum } of rows) {
          yield* Tallies.update(stream, (before) =>
            before._tag === "None" ? { count, sum } : { count: before.value.count + count, sum: before.value.sum + sum }
          )
        }
      })
  })
