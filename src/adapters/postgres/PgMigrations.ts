/**
 * The schema `es`, brought up to date.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { type Migration, migrations } from "./internal/migrations.ts"
import { transact } from "./internal/transaction.ts"
import { migrationFailed, type PostgresError, unavailable } from "./PostgresError.ts"

/**
 * Runs the migrations that the database has not had, and answers with their numbers.
 *
 * **Details**
 *
 * - Each runs in a transaction of its own, with the note that it ran: none is ever half done.
 * - Any number of processes may start at once: one migrates, the others wait for it.
 * - A database that is newer than this code is left as it is.
 * - Once the database is up to date, no right to change the schema is needed.
 * - A sequence of positions that is behind the log, as after a move of rows without sequences, is brought up to it.
 *
 * @category running
 * @since 0.1.0
 */
export const run: Effect.Effect<ReadonlyArray<number>, PostgresError, SqlClient.SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const latest = yield* Effect.mapError(latestApplied(sql), unavailable)
  const applied: Array<number> = []
  for (const migration of migrations) {
    if (migration.id > latest && (yield* apply(sql, migration))) applied.push(migration.id)
  }
  const behind = yield* Effect.mapError(catchUp(sql), unavailable)
  if (behind !== undefined) {
    yield* Effect.logWarning(
      `es.position was behind the log, as after a move of rows without their sequences; it goes on after ${behind}`
    )
  }
  return applied
})

/**
 * Brings the sequence up to the log, and says to where when it was behind. What is given out below the mark is never read.
 */
const catchUp = (sql: SqlClient.SqlClient): Effect.Effect<number | undefined, SqlError> =>
  Effect.flatMap(
    // Who may not write, or not even read, has no part in this.
    sql<{ readonly able: boolean }>`
      select has_sequence_privilege('es.position', 'update') and has_table_privilege('es.event', 'select')
        and has_table_privilege('es.high_water', 'select') as able`.withoutTransform,
    ([row]) => (row?.able === true ? Effect.map(setPosition(sql), ([set]) => set?.position) : Effect.undefined)
  )

const setPosition = (sql: SqlClient.SqlClient) =>
  sql<{ readonly position: number }>`
    select setval('es.position', l.position)::float8 as position
    from (
      select greatest((select h.position from es.high_water h where h.id = 1), (select max(e.position) from es.event e))
    ) l (position)
    where coalesce(pg_sequence_last_value('es.position'::regclass), 0) < l.position`.withoutTransform

/**
 * Which migrations a database has had.
 *
 * @category models
 * @since 0.1.0
 */
export interface Status {
  readonly applied: ReadonlyArray<number>
  /** Those that this code has and the database has not. */
  readonly pending: ReadonlyArray<number>
  /** Those that the database has had from newer code. */
  readonly newer: ReadonlyArray<number>
}

/**
 * Asks which migrations the database has had, and changes nothing.
 *
 * @category running
 * @since 0.1.0
 */
export const status: Effect.Effect<Status, PostgresError, SqlClient.SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const latest = yield* Effect.mapError(latestApplied(sql), unavailable)
  const rows =
    latest === 0
      ? []
      : yield* Effect.mapError(
          sql<{ readonly id: number }>`select id from es.migration order by id`.withoutTransform,
          unavailable
        )
  const applied = rows.map(({ id }) => id)
  const known = migrations.map(({ id }) => id)
  return {
    applied,
    pending: known.filter((id) => !applied.includes(id)),
    newer: applied.filter((id) => !known.includes(id))
  }
})

/**
 * Migrates when it is built.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never, PostgresError, SqlClient.SqlClient> = Layer.effectDiscard(run)

const latestApplied = (sql: SqlClient.SqlClient): Effect.Effect<number, SqlError> =>
  Effect.flatMap(
    sql<{ readonly there: boolean }>`select to_regclass('es.migration') is not null as there`.withoutTransform,
    ([row]) =>
      row?.there === true
        ? Effect.map(
            sql<{ readonly id: number | null }>`select max(id) as id from es.migration`.withoutTransform,
            ([newest]) => newest?.id ?? 0
          )
        : Effect.succeed(0)
  )

/** Whether the migration ran; it does not when another process was faster. */
const apply = (
  sql: SqlClient.SqlClient,
  { id, name, statements }: Migration
): Effect.Effect<boolean, PostgresError> => {
  const failed = (cause: SqlError) => migrationFailed({ id, name, cause })
  const execute = (text: string) => sql.unsafe(text).unprepared
  const work = Effect.gen(function* () {
    // Until the end of this transaction, whoever else wants to migrate waits here.
    yield* execute(`select pg_advisory_xact_lock(hashtextextended('effect-cqrs/migrations', 0))`)
    for (const statement of bookkeeping) yield* execute(statement)
    const done = yield* sql`select id from es.migration where id = ${id}`.unprepared
    if (done.length > 0) return false
    for (const statement of statements) yield* execute(statement)
    yield* sql`insert into es.migration (id, name) values (${id}, ${name})`.unprepared
    return true
  })
  // Who has waited for the lock must see what was done meanwhile, whatever isolation is the database's default.
  return transact(sql, Effect.mapError(work, failed), failed).pipe(
    Effect.provideService(SqlClient.BeginTransaction, "begin isolation level read committed")
  )
}

// `create schema if not exists` asks for the right to create one even where there is one.
const bookkeeping: ReadonlyArray<string> = [
  `do $$ begin
    if to_regnamespace('es') is null then
      create schema es;
    end if;
  end $$`,
  `create table if not exists es.migration (
    id int primary key,
    name text not null,
    at timestamptz not null default clock_timestamp()
  )`
]
