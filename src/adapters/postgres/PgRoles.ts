/**
 * Bounds for the sessions of a database role, so that no forgotten transaction holds up the readers of the log.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import { type PostgresError, roleNotLimited } from "./PostgresError.ts"

/**
 * How long the server lets a session of the role do something, before it ends it; `undefined` leaves that as it is.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  /** The role; the one that is connected when absent. */
  readonly role?: string | undefined
  /** How long a transaction may be open and do nothing; 5 seconds when absent. It ends the session. */
  readonly idleInTransaction?: Duration.Input | undefined
  /** How long a transaction may take in all; needs PostgreSQL 17. It ends the session. */
  readonly transaction?: Duration.Input | undefined
  /** How long one statement may take. It ends the statement. */
  readonly statement?: Duration.Input | undefined
}

/**
 * Sets the limits of a role in this database, with `ALTER ROLE … IN DATABASE … SET`.
 *
 * **Details**
 *
 * A transaction that has appended and stays open holds the mark of the log below what it wrote: writers go on, readers wait.
 * With the limit, the server ends such a session, the transaction is undone, and the mark goes on.
 *
 * **Gotchas**
 *
 * - Limits are for sessions that begin afterwards. A pool has the old ones until its connections are replaced.
 * - To set them, a role needs `CREATEROLE` and rights over that role, or to be a superuser; for itself it needs neither.
 * - Migrations and rebuilds run as long as they run: give `transaction` and `statement` to the role that serves, and let
 *   another one migrate.
 *
 * **Example** (The role that serves)
 *
 * ```ts
 * import { PgRoles } from "effect-cqrs/postgres"
 * import * as PgClient from "@effect/sql-pg/PgClient"
 * import * as Config from "effect/Config"
 * import * as Effect from "effect/Effect"
 * import * as SqlClient from "effect/sql/SqlClient"
 *
 * const client = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })
 * await Effect.runPromise(PgRoles.limit({ idleInTransaction: "10 seconds" }).pipe(Effect.provide(client)))
 *
 * const shown = SqlClient.SqlClient.use((sql) => sql`show idle_in_transaction_session_timeout`)
 * await Effect.runPromise(shown.pipe(Effect.provide(client)))
 * // => [{ idle_in_transaction_session_timeout: "10s" }]
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const limit = (limits?: Limits): Effect.Effect<void, PostgresError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const settings = {
      idle_in_transaction_session_timeout: limits?.idleInTransaction ?? "5 seconds",
      transaction_timeout: limits?.transaction,
      statement_timeout: limits?.statement
    }
    const work = Effect.gen(function* () {
      const [row] = yield* sql<{ readonly role: string; readonly database: string }>`
        select current_user as role, current_database() as database`.withoutTransform
      if (row === undefined) return
      const role = sql(limits?.role ?? row.role)
      const database = sql(row.database)
      for (const [name, duration] of Object.entries(settings)) {
        if (duration === undefined) continue
        const millis = sql.literal(String(Math.ceil(Duration.toMillis(duration))))
        yield* sql`alter role ${role} in database ${database} set ${sql.literal(name)} = ${millis}`.unprepared
      }
    })
    // All of them, or none.
    yield* sql.withTransaction(work).pipe(Effect.mapError((cause) => roleNotLimited({ role: limits?.role, cause })))
  })
