/**
 * An embedded PostgreSQL: PGlite, in memory or on a folder.
 *
 * @since 0.1.0
 */
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import type * as Pglite from "@electric-sql/pglite"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { SqlError, UnknownError } from "effect/sql/SqlError"
import { Buffer } from "node:buffer"
import type { Duplex } from "node:stream"
import { open } from "./internal/open.ts"
import * as session from "./internal/session.ts"
import { DumpFailed, PgliteError } from "./PgliteError.ts"

/**
 * Where the database is and how it starts.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * The folder that keeps the data, created when missing; without one the database is in memory and ends with its scope.
   * The database's own files are in the folder `pgdata` inside.
   */
  readonly dataDir?: string | undefined
  /**
   * Whether a new database may start from a copy in the user's cache folder, which is made when missing; `true` by
   * default. The cache is `$XDG_CACHE_HOME/effect-cqrs` or `~/.cache/effect-cqrs`, else in the temporary folder.
   */
  readonly seed?: boolean | undefined
  /** PGlite's extensions, by name: `{ pgcrypto }` from `@electric-sql/pglite/contrib/pgcrypto`. */
  readonly extensions?: Pglite.Extensions | undefined
}

/**
 * A running embedded database.
 *
 * **Details**
 *
 * - `connect` opens the connection a driver speaks PostgreSQL's protocol over. There is one session: a new connection ends
 *   the one before it.
 * - `listen` hears a channel until the scope closes, without keeping the session from others. What a transaction sends that
 *   begins after `listen` has returned is never missed.
 * - `dumpDataDir` is the whole database as a gzipped tarball of its data folder, for PGlite's `loadDataDir`.
 *
 * **Gotchas**
 *
 * A write is safe once committed, however the process ends. It is not safe from a loss of power or a crash of the operating
 * system, because PGlite never waits for the disk. Closing the scope closes the database; what it holds then is complete
 * on disk and starts without recovery.
 *
 * @category services
 * @since 0.1.0
 */
export class PgliteDatabase extends Context.Service<
  PgliteDatabase,
  {
    readonly connect: () => Duplex
    readonly listen: (
      channel: string
    ) => Effect.Effect<Queue.Dequeue<PgConnection.Notification, SqlError>, SqlError, Scope.Scope>
    readonly dumpDataDir: Effect.Effect<Uint8Array, PgliteError>
  }
>()("effect-cqrs/adapters/pglite/PgliteDatabase") {}

/**
 * Opens a database until the scope closes. A folder that is open elsewhere is `Locked`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options: Options = {}
): Effect.fn.Return<PgliteDatabase["Service"], PgliteError, Scope.Scope> {
  const database = yield* open(options)
  const { connect, subscribe } = session.make(database)

  const queues = new Set<Queue.Queue<PgConnection.Notification>>()
  yield* Effect.addFinalizer(() => Effect.forEach(queues, Queue.shutdown, { discard: true }))

  return PgliteDatabase.of({
    connect,
    listen: Effect.fnUntraced(function* (channel) {
      yield* checkChannel(channel)
      const queue = yield* Queue.unbounded<PgConnection.Notification>()
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          queues.add(queue)
          return subscribe(channel, (notification) => Queue.offerUnsafe(queue, notification))
        }),
        (unsubscribe) => {
          unsubscribe()
          queues.delete(queue)
          return Queue.shutdown(queue)
        }
      )
      return queue
    }),
    dumpDataDir: Effect.tryPromise({
      try: async () => new Uint8Array(await (await database.pglite.dumpDataDir("gzip")).arrayBuffer()),
      catch: (cause) => new PgliteError({ reason: new DumpFailed({ cause }) })
    })
  })
})

/**
 * A database for as long as the layer lives.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<PgliteDatabase, PgliteError> =>
  Layer.effect(PgliteDatabase, make(options))

/** A channel PostgreSQL would cut short is one that nobody could send to. */
const checkChannel = (channel: string): Effect.Effect<void, SqlError> => {
  const bytes = Buffer.byteLength(channel)
  if (bytes > 0 && bytes <= 63 && !channel.includes("\0")) return Effect.void
  const message = "A channel's name takes 1 to 63 bytes and holds no NUL"
  const reason = new UnknownError({ cause: new Error(message), message, operation: "listen" })
  return Effect.fail(new SqlError({ reason }))
}
