/**
 * A PostgreSQL client of an embedded database: `@effect/sql-pg`'s own driver, over a connection that never leaves the process.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import type * as SqlClient from "effect/sql/SqlClient"
import * as PgliteDatabase from "./PgliteDatabase.ts"
import { type PgliteError, startFailed } from "./PgliteError.ts"

/**
 * How names, JSON and types are translated, as for `PgClient`.
 *
 * @category models
 * @since 0.1.0
 */
export type ClientOptions = Pick<
  PgClient.PgClientConfig,
  "spanAttributes" | "transformResultNames" | "transformQueryNames" | "transformJson" | "types"
>

/**
 * @category models
 * @since 0.1.0
 */
export interface Options extends PgliteDatabase.Options, ClientOptions {}

/**
 * A client of the `PgliteDatabase` in the context.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options?: ClientOptions
): Effect.fn.Return<
  PgClient.PgClient,
  PgliteError,
  PgliteDatabase.PgliteDatabase | Reactivity.Reactivity | Scope.Scope
> {
  const database = yield* PgliteDatabase.PgliteDatabase
  const client = yield* PgClient.make({
    spanAttributes: options?.spanAttributes,
    transformResultNames: options?.transformResultNames,
    transformQueryNames: options?.transformQueryNames,
    transformJson: options?.transformJson,
    types: options?.types,
    stream: database.connect,
    username: "postgres",
    database: "postgres",
    // There is one session. It stays connected, so that its prepared statements do.
    minConnections: 1,
    maxConnections: 1
  }).pipe(Effect.mapError((cause) => startFailed({ folder: undefined, cause })))
  return Object.assign(client, {
    // Tells `effect/cluster` that there is no second session to hold its locks.
    driver: "pglite",
    // The driver's own would keep the session to itself for as long as they listen,
    listen: database.listen,
    // and would wait, inside a transaction, for the session that the transaction has.
    notify: (channel: string, payload: string) => Effect.asVoid(client`SELECT pg_notify(${channel}, ${payload})`)
  })
})

/**
 * An embedded PostgreSQL and its client: `SqlClient` for statements, `PgClient` for what is PostgreSQL's own, and
 * `PgliteDatabase`.
 *
 * **Details**
 *
 * Everything that works over `PgClient` works here, on one session: transactions run one after the other, and a statement
 * outside waits for the transaction that is open. `PgClient.listen` does not take the session, and
 * `PgClient.notify` is part of the transaction it is called in.
 *
 * **Gotchas**
 *
 * - A statement runs in the thread of the program, and nothing else does meanwhile. It cannot be interrupted, and
 *   `statement_timeout` does not end it.
 * - There is no second session: advisory locks, `FOR UPDATE` and isolation levels exclude nobody, and whoever waits inside
 *   a transaction for a statement of another fiber waits for ever.
 * - There are no background processes. Checkpoints are written here; run `VACUUM` and `ANALYZE` yourself on a database that
 *   lives long.
 *
 * **Example** (A table in memory)
 *
 * ```ts
 * import { PgliteClient } from "effect-cqrs/pglite"
 * import * as Effect from "effect/Effect"
 * import * as SqlClient from "effect/sql/SqlClient"
 *
 * const program = Effect.gen(function* () {
 *   const sql = yield* SqlClient.SqlClient
 *   yield* sql`CREATE TABLE note (text text)`
 *   yield* sql`INSERT INTO note ${sql.insert({ text: "hello" })}`
 *   return yield* sql`SELECT text FROM note`
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(PgliteClient.layer()))) // => [{ text: "hello" }]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options?: Options
): Layer.Layer<PgClient.PgClient | SqlClient.SqlClient | PgliteDatabase.PgliteDatabase, PgliteError> =>
  PgClient.layerFrom(make(options)).pipe(Layer.provideMerge(PgliteDatabase.layer(options)))
