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
  return applied
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
