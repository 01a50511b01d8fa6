/**
 * Whether a database is as it should be, check by check, and what of it can be put right.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as PgHealth from "./PgHealth.ts"
import * as PgMigrations from "./PgMigrations.ts"
import { type PostgresError, unavailable } from "./PostgresError.ts"

/**
 * What a check found. A problem that can be put right without a decision is `fixable`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Finding {
  readonly check: string
  readonly status: "ok" | "warning" | "problem"
  readonly detail: string
  readonly fixable: boolean
  readonly fixed: boolean
}

/**
 * Checks the database of the client.
 *
 * **Details**
 *
 * - `schema`: the migrations that this code knows have run, and no others.
 * - `sequence`: the sequence of positions is not behind the log, as it is after a restore or a logical replication that
 *   leaves sequences out: it would give positions a second time. `fix` puts it after the last event.
 * - `mark`: it is not after the last position that was drawn, and nobody holds it back; who does is named.
 * - `agent`: somebody moves the mark; none does while no program runs.
 * - `clock`: this machine and the server tell the same time, within 5 seconds.
 * - `consumers`, `outbox`: how many are stopped, and what is parked.
 *
 * @category checking
 * @since 0.1.0
 */
export const check = (options?: {
  readonly fix?: boolean | undefined
}): Effect.Effect<ReadonlyArray<Finding>, PostgresError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const schema = yield* schemaFinding
    // Nothing else can be asked of a schema that is not the one of this code.
    if (schema.status !== "ok") return [schema]
    const rows = sql<Row>`select
      pg_sequence_last_value('es.position'::regclass)::float8 as drawn,
      coalesce((select max(e.position) from es.event e), 0)::float8 as last,
      (select h.position::float8 from es.high_water h where h.id = 1) as mark,
      (select h.owner from es.high_water h where h.id = 1 and h.lease_until > clock_timestamp()) as owner,
      (extract(epoch from clock_timestamp()) * 1000)::float8 as now,
      (select count(*)::float8 from es.consumer c where c.state ->> 'status' <> 'running') as stopped,
      (select count(*)::float8 from es.parked p where p.status = 'parked') as parked,
      (select count(*)::float8 from es.outbox m where m.status = 'parked') as undelivered`.withoutTransform
    const before = yield* Clock.currentTimeMillis
    const [row] = yield* Effect.mapError(rows, unavailable)
    if (row === undefined) return [schema]
    const local = (before + (yield* Clock.currentTimeMillis)) / 2
    const sequence = yield* sequenceFinding(sql, row, options?.fix === true)
    const health = yield* PgHealth.check()
    const skew = Math.abs(local - row.now)
    return [
      schema,
      sequence,
      markFinding(row, health),
      finding(
        "agent",
        row.owner === null ? "warning" : "ok",
        row.owner === null
          ? "no program moves the mark now: readers get nothing new until one runs"
          : `${row.owner} leads`
      ),
      finding(
        "clock",
        skew > 5000 ? "warning" : "ok",
        `this machine and the server are ${Duration.format(Duration.millis(Math.round(skew)))} apart`
      ),
      finding(
        "consumers",
        row.stopped > 0 || row.parked > 0 ? "warning" : "ok",
        `${row.stopped} stopped, ${row.parked} parked events`
      ),
      finding("outbox", row.undelivered > 0 ? "warning" : "ok", `${row.undelivered} parked messages`)
    ]
  })

interface Row {
  readonly drawn: number | null
  readonly last: number
  readonly mark: number
  readonly owner: string | null
  readonly now: number
  readonly stopped: number
  readonly parked: number
  readonly undelivered: number
}

const finding = (check: string, status: Finding["status"], detail: string): Finding => ({
  check,
  status,
  detail,
  fixable: false,
  fixed: false
})

const schemaFinding: Effect.Effect<Finding, PostgresError, SqlClient.SqlClient> = Effect.map(
  PgMigrations.status,
  ({ applied, newer, pending }) => {
    if (newer.length > 0) {
      return finding("schema", "problem", `migrations ${newer.join(", ")} are of newer code than this`)
    }
    return pending.length > 0
      ? finding("schema", "problem", `migrations ${pending.join(", ")} have not run: run \`effect-cqrs migrate\``)
      : finding("schema", "ok", `all ${applied.length} migrations have run`)
  }
)

const sequenceFinding = (
  sql: SqlClient.SqlClient,
  { drawn, last, mark }: Row,
  fix: boolean
): Effect.Effect<Finding, PostgresError> => {
  const needed = Math.max(last, mark)
  if ((drawn ?? 0) >= needed) {
    return Effect.succeed(finding("sequence", "ok", `at ${drawn ?? 0}, the last event at ${last}`))
  }
  const detail = `at ${drawn ?? 0}, and there are positions up to ${needed}: the next append would give one twice`
  const problem: Finding = { ...finding("sequence", "problem", detail), fixable: true }
  if (!fix) return Effect.succeed(problem)
  // Never back, whatever has happened since the look.
  const set = sql`select setval('es.position', greatest(${String(needed)}::int8,
    coalesce(pg_sequence_last_value('es.position'::regclass), 1)))`.withoutTransform
  return Effect.as(
    Effect.mapError(set, (error: SqlError) => unavailable(error)),
    {
      ...finding("sequence", "ok", `was at ${drawn ?? 0}, and is at ${needed} now`),
      fixable: true,
      fixed: true
    }
  )
}

const markFinding = ({ drawn, last, mark }: Row, { age, blockers, reason, status }: PgHealth.Health): Finding => {
  if (mark > Math.max(drawn ?? 0, last)) {
    return finding("mark", "problem", `at ${mark}, which no event ever had: the log has lost its end`)
  }
  const behind = `at ${mark}, ${last - mark} positions behind the last event`
  if (status !== "degraded") return finding("mark", "ok", last > mark ? behind : `at ${mark}`)
  const who = blockers.map((one) => `process ${one.process ?? "none"} (${one.prepared ?? one.application ?? "?"})`)
  return finding("mark", "problem", `held back for ${Duration.format(age)} by ${who.join(", ")}: ${reason ?? ""}`)
}
