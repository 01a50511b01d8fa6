/**
 * The steps of flows in PostgreSQL.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import type * as Flow from "../../domain/Flow.ts"
import { FlowStore, make } from "../../ports/FlowStore.ts"
import type { Entry } from "../../ports/FlowStoreDriver.ts"
import { FlowStoreError } from "../../ports/FlowStoreError.ts"
import * as failure from "./internal/failure.ts"
import { whole } from "./internal/number.ts"
import { joined } from "./internal/transaction.ts"

/**
 * Steps in the table `es.flow_step`, in parts of one day each, which are dropped as a whole.
 *
 * **Details**
 *
 * One index, which is the key, keeps a step from being there twice and finds the steps of a flow. Recording is one statement,
 * however many steps there are.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<FlowStore, never, SqlClient.SqlClient> = Layer.effect(
  FlowStore,
  Effect.map(SqlClient.SqlClient, (sql) => {
    const rowsOf = <A extends object>(operation: string, text: string, params: ReadonlyArray<unknown>) => {
      const toFailure = failure.fromSqlError(`FlowStore.${operation}`)
      return Effect.mapError(
        joined(sql, sql.unsafe<A>(text, params).withoutTransform),
        (error) => new FlowStoreError({ reason: toFailure(error) })
      )
    }

    return make({
      record: (entries) =>
        Effect.asVoid(rowsOf("record", recordText, [JSON.stringify(entries.map(toRow).sort(inKeyOrder))])),
      read: (tenant, correlationId, { after, limit }) =>
        Effect.map(rowsOf<StepRow>("read", readText, [tenant, correlationId, after, whole(limit, 0)]), (rows) =>
          rows.map(toStep)
        ),
      purge: (olderThan) =>
        Effect.andThen(
          rowsOf("purge", "select es.make_days('flow_step', 2)", []),
          Effect.asVoid(rowsOf("purge", dropText, [String(Duration.toMillis(olderThan))]))
        )
    })
  })
)

interface StepRow {
  readonly id: string
  readonly kind: Flow.Kind
  readonly name: string
  readonly causation_id: string | null
  readonly at: number
  readonly place: string | null
  readonly outcome: Flow.Outcome["_tag"] | null
  readonly error: string | null
  readonly millis: number | null
  readonly attempts: number
}

const recordText = `insert into es.flow_step as f
  (tenant, correlation_id, id, kind, name, causation_id, at, place, outcome, error, millis, attempts)
select s.* from jsonb_to_recordset($1::text::jsonb) s(tenant text, correlation_id text, id text, kind text, name text,
  causation_id text, at float8, place text, outcome text, error text, millis float8, attempts int)
on conflict (tenant, correlation_id, id, day) do update set kind = excluded.kind, name = excluded.name,
  causation_id = excluded.causation_id, at = excluded.at, place = excluded.place, outcome = excluded.outcome,
  error = excluded.error, millis = excluded.millis, attempts = excluded.attempts
  where (excluded.attempts, excluded.outcome is not distinct from 'Succeeded')
    > (f.attempts, f.outcome is not distinct from 'Succeeded')`

const readText = `select distinct on (s.id) s.id, s.kind, s.name, s.causation_id, s.at, s.place, s.outcome, s.error, s.millis,
  s.attempts
from es.flow_step s
where s.tenant = $1::text and s.correlation_id = $2::text and s.id > $3::text
order by s.id, s.attempts desc, s.outcome is not distinct from 'Succeeded' desc, s.day
limit $4::int8`

const dropText = `select es.drop_days('flow_step',
  ((clock_timestamp() - $1::float8 * interval '1 millisecond') at time zone 'UTC')::date)`

const toRow = ({ correlationId, step, tenant }: Entry): Row => ({
  tenant,
  correlation_id: correlationId,
  id: step.id,
  kind: step.kind,
  name: step.name,
  causation_id: step.causationId ?? null,
  at: step.at,
  place: step.place ?? null,
  outcome: step.outcome?._tag ?? null,
  error: step.outcome?.error ?? null,
  millis: step.outcome?.millis ?? null,
  attempts: step.outcome?.attempts ?? 0
})

interface Row extends StepRow {
  readonly tenant: string
  readonly correlation_id: string
}

// Two statements that have the same rows take them in the same order, and wait for each other rather than both for ever.
const inKeyOrder = (a: Row, b: Row): number =>
  compare(a.tenant, b.tenant) || compare(a.correlation_id, b.correlation_id) || compare(a.id, b.id)

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const toStep = (row: StepRow): Flow.Step => ({
  id: row.id,
  kind: row.kind,
  name: row.name,
  at: row.at,
  ...(row.causation_id !== null && { causationId: row.causation_id }),
  ...(row.place !== null && { place: row.place }),
  ...(row.outcome !== null && { outcome: toOutcome(row, row.outcome) })
})

const toOutcome = ({ attempts, error, millis }: StepRow, tag: Flow.Outcome["_tag"]): Flow.Outcome => ({
  _tag: tag,
  millis: millis ?? 0,
  attempts,
  ...(error !== null && { error })
})
