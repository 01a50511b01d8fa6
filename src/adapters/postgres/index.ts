/**
 * The ports on PostgreSQL.
 *
 * @since 0.1.0
 */
export * as PgCheckpointStore from "./PgCheckpointStore.ts"
export * as PgConsumerStore from "./PgConsumerStore.ts"
export * as PgDoctor from "./PgDoctor.ts"
export * as PgEventImport from "./PgEventImport.ts"
export * as PgEventStore from "./PgEventStore.ts"
export * as PgFaults from "./PgFaults.ts"
export * as PgFlowStore from "./PgFlowStore.ts"
export * as PgHealth from "./PgHealth.ts"
export * as PgHighWater from "./PgHighWater.ts"
export * as PgMetrics from "./PgMetrics.ts"
export * as PgMaterializedView from "./PgMaterializedView.ts"
export * as PgInbox from "./PgInbox.ts"
export * as PgMigrations from "./PgMigrations.ts"
export * as PgNotifier from "./PgNotifier.ts"
export * as PgOutbox from "./PgOutbox.ts"
export * as PgParkedStore from "./PgParkedStore.ts"
export * as PgProjectionStore from "./PgProjectionStore.ts"
export * as PgReadModelStore from "./PgReadModelStore.ts"
export * as PgRoles from "./PgRoles.ts"
export * as PgSnapshotStore from "./PgSnapshotStore.ts"
export * as PgStreamAdmin from "./PgStreamAdmin.ts"
export * as PgUnitOfWork from "./PgUnitOfWork.ts"
export * as Postgres from "./Postgres.ts"
export * as PostgresError from "./PostgresError.ts"
