/**
 * The ports on PostgreSQL.
 *
 * @since 0.1.0
 */
export * as PgCheckpointStore from "./PgCheckpointStore.ts"
export * as PgEventStore from "./PgEventStore.ts"
export * as PgHighWater from "./PgHighWater.ts"
export * as PgMigrations from "./PgMigrations.ts"
export * as PgNotifier from "./PgNotifier.ts"
export * as PgReadModelStore from "./PgReadModelStore.ts"
export * as PgUnitOfWork from "./PgUnitOfWork.ts"
export * as Postgres from "./Postgres.ts"
export * as PostgresError from "./PostgresError.ts"
