/**
 * All of this adapter's ports on one PostgreSQL database.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as SqlClient from "effect/sql/SqlClient"
import type { CheckpointStore } from "../../ports/CheckpointStore.ts"
import type { ConsumerStore } from "../../ports/ConsumerStore.ts"
import type { EventImport } from "../../ports/EventImport.ts"
import type { EventStore } from "../../ports/EventStore.ts"
import type { FlowStore } from "../../ports/FlowStore.ts"
import type { Inbox } from "../../ports/Inbox.ts"
import type { Lease } from "../../ports/Lease.ts"
import type { Outbox } from "../../ports/Outbox.ts"
import type { ParkedStore } from "../../ports/ParkedStore.ts"
import type { ProjectionStore } from "../../ports/ProjectionStore.ts"
import type { ReadModelStore } from "../../ports/ReadModelStore.ts"
import type { SnapshotStore } from "../../ports/SnapshotStore.ts"
import type { StreamAdmin } from "../../ports/StreamAdmin.ts"
import type { UnitOfWork } from "../../ports/UnitOfWork.ts"
import * as PgCheckpointStore from "./PgCheckpointStore.ts"
import * as PgConsumerStore from "./PgConsumerStore.ts"
import * as PgEventImport from "./PgEventImport.ts"
import * as PgEventStore from "./PgEventStore.ts"
import * as PgFlowStore from "./PgFlowStore.ts"
import * as PgHighWater from "./PgHighWater.ts"
import * as PgInbox from "./PgInbox.ts"
import * as PgLease from "./PgLease.ts"
import * as PgMigrations from "./PgMigrations.ts"
import * as PgNotifier from "./PgNotifier.ts"
import * as PgOutbox from "./PgOutbox.ts"
import * as PgParkedStore from "./PgParkedStore.ts"
import * as PgProjectionStore from "./PgProjectionStore.ts"
import * as PgReadModelStore from "./PgReadModelStore.ts"
import * as PgSnapshotStore from "./PgSnapshotStore.ts"
import * as PgStreamAdmin from "./PgStreamAdmin.ts"
import * as PgUnitOfWork from "./PgUnitOfWork.ts"
import { type PostgresError, unavailable } from "./PostgresError.ts"

/**
 * What the layers provide: the ports, and the agent for health checks.
 *
 * @category models
 * @since 0.1.0
 */
export type Services =
  | EventStore
  | CheckpointStore
  | ConsumerStore
  | ParkedStore
  | Outbox
  | Inbox
  | Lease
  | FlowStore
  | StreamAdmin
  | EventImport
  | ReadModelStore
  | ProjectionStore
  | SnapshotStore
  | UnitOfWork
  | PgHighWater.PgHighWater

/**
 * The client's options beside the URL.
 *
 * @category models
 * @since 0.1.0
 */
export type ClientOptions = Omit<PgClient.PgPoolConfig, "url">

const compose = <E, R>(
  notifier: Layer.Layer<PgNotifier.MarkNotifier, E, R>,
  checkpoints: typeof PgCheckpointStore.layer,
  agent?: PgHighWater.Options
): Layer.Layer<Services, E | PostgresError, R | PgClient.PgClient | SqlClient.SqlClient> =>
  Layer.mergeAll(
    PgEventStore.layerStore.pipe(Layer.provideMerge(PgHighWater.layer(agent)), Layer.provide(notifier)),
    PgStreamAdmin.layer,
    PgEventImport.layer,
    checkpoints,
    PgConsumerStore.layer,
    PgParkedStore.layer,
    PgOutbox.layer,
    PgInbox.layer,
    PgLease.layer,
    PgFlowStore.layer,
    PgReadModelStore.layer,
    PgProjectionStore.layer,
    PgSnapshotStore.layer,
    PgUnitOfWork.layer
  ).pipe(Layer.provide(PgMigrations.layer))

/**
 * All ports over the client in the context, in a schema that is brought up to date first.
 *
 * **Details**
 *
 * Beside the client's pool, each process has two connections: one for the agent that moves the mark of the log, one that
 * hears of it from other processes; and a third one from the first time that somebody waits for a projection.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Services, PostgresError, PgClient.PgClient | SqlClient.SqlClient> = compose(
  PgNotifier.layer,
  PgCheckpointStore.layer
)

/**
 * The same behind a pooler that gives a session for one transaction at a time, such as PgBouncer in transaction mode:
 * nothing listens, and readers notice what other processes write after 250 ms to 1 s.
 *
 * **Gotchas**
 *
 * Give the client `prepare: false` when the pooler does not keep prepared statements.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerPooled: Layer.Layer<Services, PostgresError, PgClient.PgClient | SqlClient.SqlClient> = compose(
  PgNotifier.layerPolling,
  PgCheckpointStore.layerPolling
)

/**
 * The same over a database that no other process has open, on the client's own connections: for embedded databases, which
 * have a single session.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerLocal: Layer.Layer<Services, PostgresError, PgClient.PgClient | SqlClient.SqlClient> = compose(
  PgNotifier.layerLocal,
  PgCheckpointStore.layer,
  { connection: "shared" }
)

/**
 * All ports on the database at a URL, and its client for the program's own statements.
 *
 * **Details**
 *
 * `options` are those of the client. The URL may be a `Config`, such as `Config.Redacted("DATABASE_URL")`.
 *
 * **Example** (Append and read)
 *
 * ```ts
 * import { Event, EventStore, StreamName, TenantContext } from "effect-cqrs"
 * import { Postgres } from "effect-cqrs/postgres"
 * import * as Config from "effect/Config"
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
 * const layer = Postgres.layerUrl(Config.Redacted("DATABASE_URL"))
 * await Effect.runPromise(program.pipe(Effect.provide([layer, TenantContext.layerSingle]))) // => [{ owner: "Ada" }]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export function layerUrl(
  url: Redacted.Redacted<string>,
  options?: ClientOptions
): Layer.Layer<Services | PgClient.PgClient | SqlClient.SqlClient, PostgresError>
export function layerUrl(
  url: Config.Config<Redacted.Redacted<string>>,
  options?: ClientOptions
): Layer.Layer<Services | PgClient.PgClient | SqlClient.SqlClient, PostgresError | Config.ConfigError>
export function layerUrl(
  url: Redacted.Redacted<string> | Config.Config<Redacted.Redacted<string>>,
  options?: ClientOptions
): Layer.Layer<Services | PgClient.PgClient | SqlClient.SqlClient, PostgresError | Config.ConfigError> {
  const client = Effect.flatMap(Config.isConfig(url) ? url : Effect.succeed(url), (url) =>
    Effect.mapError(PgClient.make({ applicationName: "effect-cqrs", ...options, url }), unavailable)
  )
  return Layer.provideMerge(layer, PgClient.layerFrom(client))
}
