/**
 * All ports on an embedded PostgreSQL: nothing to install, nothing to start.
 *
 * @since 0.1.0
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as Layer from "effect/Layer"
import type * as SqlClient from "effect/sql/SqlClient"
import * as PgliteClient from "../pglite/PgliteClient.ts"
import type { PgliteDatabase } from "../pglite/PgliteDatabase.ts"
import type { PgliteError } from "../pglite/PgliteError.ts"
import * as Postgres from "./Postgres.ts"
import type { PostgresError } from "./PostgresError.ts"

/**
 * The ports of `Postgres.layer` over PGlite, in memory or on a folder, with the client for the program's own statements.
 *
 * **Details**
 *
 * It is the same schema and the same code as on a server: a program moves to one by another layer.
 *
 * **Gotchas**
 *
 * There is one session. A statement outside a transaction waits for the one that is open, so nothing inside may wait for
 * what other fibers write.
 *
 * **Example** (Append and read)
 *
 * ```ts
 * import { Event, EventStore, StreamName, TenantContext } from "effect-cqrs"
 * import * as Pglite from "effect-cqrs/postgres/pglite"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * class Opened extends Event.Class<Opened>()("Opened", { owner: Schema.String }) {}
 *
 * const program = Effect.gen(function* () {
 *   const store = yield* EventStore.EventStore
 *   const stream = StreamName.make("Account", "1")
 *   yield* store.append({ stream, expected: "none", events: [new Opened({ owner: "Ada" })] })
 *   return (yield* store.readStream(stream)).map((event) => event.data)
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide([Pglite.layer(), TenantContext.layerSingle]))) // => [{ owner: "Ada" }]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options?: PgliteClient.Options
): Layer.Layer<
  Postgres.Services | PgClient.PgClient | SqlClient.SqlClient | PgliteDatabase,
  PostgresError | PgliteError
> => Layer.provideMerge(Postgres.layerLocal, PgliteClient.layer(options))
