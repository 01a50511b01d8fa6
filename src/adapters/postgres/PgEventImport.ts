/**
 * Bulk import into PostgreSQL.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import type { Statement } from "effect/sql/Statement"
import { EventImport } from "../../ports/EventImport.ts"
import { ImportConflict, ImportError, ImportOvertaken, type PreparedImport } from "../../ports/EventImportDriver.ts"
import { arrayLiteral } from "./internal/criteria.ts"
import * as failure from "./internal/failure.ts"
import { joined } from "./internal/transaction.ts"

interface Row {
  readonly stream: string | null
  readonly row: number | null
  readonly actual: number
  readonly closed: boolean
}

/**
 * Imports into the log of `PgEventStore`, a batch in one statement; how far each has come is in the table `es.import`.
 *
 * **Details**
 *
 * Imports and appends go on side by side: the order of the log is that of their positions for both.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<EventImport, never, SqlClient.SqlClient> = Layer.effect(
  EventImport,
  Effect.map(SqlClient.SqlClient, (sql) => {
    const rowsOf = <A>(operation: string, statement: Statement<A>) => {
      const toFailure = failure.fromSqlError(`EventImport.${operation}`)
      return Effect.mapError(
        joined(sql, statement.withoutTransform),
        (error) => new ImportError({ reason: toFailure(error) })
      )
    }

    return {
      imported: (scope, name) =>
        Effect.map(
          rowsOf(
            "imported",
            sql<{
              readonly imported: number
            }>`select imported::float8 as imported from es.import where scope = ${scope} and name = ${name}`
          ),
          ([row]) => row?.imported ?? 0
        ),
      write: (scope, name, from, batch) =>
        Effect.flatMap(
          rowsOf("write", sql.unsafe<Row>(text, [scope, name, String(from), ...columnsOf(batch)])),
          (rows) => {
            const first = rows.reduce<Row | undefined>(
              (first, row) => (first === undefined || (row.row ?? 0) < (first.row ?? 0) ? row : first),
              undefined
            )
            return first === undefined ? Effect.void : Effect.fail(refusal(name, from, batch, first))
          }
        )
    }
  })
)

const text = `select stream, "row", actual::float8 as actual, closed from es.import_batch($1::text, $2::text, $3::int8,
  $4::text[], $5::text[], $6::int8[], $7::int8[], $8::int4[], $9::text[], $10::text[], $11::int8[], $12::text[],
  $13::text[], $14::int4[], $15::text[], $16::text[], $17::text[], $18::int8[])`

const refusal = (
  name: string,
  from: number,
  batch: ReadonlyArray<PreparedImport>,
  { actual, closed, row, stream }: Row
): ImportError => {
  if (stream === null || row === null) {
    return new ImportError({ reason: new ImportOvertaken({ name, expected: from, actual }) })
  }
  const version = batch[row - 1]?.event.version ?? 0
  const reason = new ImportConflict({ row: from + row, stream, version, actual, closed })
  return new ImportError({ reason })
}

interface Span {
  readonly tenant: string
  readonly stream: string
  readonly first: number
  readonly row: number
  last: number
}

/** The streams of a batch, and then its events, column by column. */
const columnsOf = (batch: ReadonlyArray<PreparedImport>): ReadonlyArray<ReadonlyArray<unknown>> => {
  const spans = new Map<string, Span>()
  const tenants: Array<string> = []
  const streams: Array<string> = []
  const versions: Array<bigint> = []
  const ids: Array<string> = []
  const types: Array<string> = []
  const schemaVersions: Array<number> = []
  const data: Array<string> = []
  const metadata: Array<string> = []
  const tags: Array<string> = []
  const times: Array<bigint> = []
  for (let index = 0; index < batch.length; index++) {
    const prepared = batch[index]
    if (prepared === undefined) continue
    const { event, tenant } = prepared
    const { stream, version } = event
    const key = `${tenant}\0${stream}`
    const span = spans.get(key)
    if (span === undefined) spans.set(key, { tenant, stream, first: version, row: index + 1, last: version })
    else span.last = version
    tenants.push(tenant)
    streams.push(stream)
    versions.push(BigInt(version))
    ids.push(event.id)
    types.push(event.type)
    schemaVersions.push(event.schemaVersion)
    data.push(prepared.data)
    metadata.push(prepared.metadata)
    tags.push(event.tags.length === 0 ? "{}" : arrayLiteral(event.tags))
    times.push(BigInt(event.recordedAt))
  }
  const all = [...spans.values()]
  return [
    all.map((span) => span.tenant),
    all.map((span) => span.stream),
    all.map((span) => BigInt(span.first)),
    all.map((span) => BigInt(span.last)),
    all.map((span) => span.row),
    tenants,
    streams,
    versions,
    ids,
    types,
    schemaVersions,
    data,
    metadata,
    tags,
    times
  ]
}
