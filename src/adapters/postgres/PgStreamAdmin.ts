/**
 * The administration of streams in PostgreSQL.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import type { Statement } from "effect/sql/Statement"
import { StreamTombstoned, VersionConflict } from "../../ports/EventStoreError.ts"
import { make, StreamAdmin } from "../../ports/StreamAdmin.ts"
import type { Driver } from "../../ports/StreamAdminDriver.ts"
import { EventNotFound, MetadataConflict, StreamAdminError } from "../../ports/StreamAdminError.ts"
import * as failure from "./internal/failure.ts"
import * as administering from "./internal/administering.ts"
import { joined } from "./internal/transaction.ts"

/**
 * What the administration does in the database; `StreamAdmin.make` makes the port's service of it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeDriver: Effect.Effect<Driver, never, SqlClient.SqlClient> = Effect.map(SqlClient.SqlClient, (sql) => {
  const rowsOf = <A>(operation: string, statement: Statement<A>) => {
    const toFailure = failure.fromSqlError(`StreamAdmin.${operation}`)
    return Effect.mapError(
      joined(sql, statement.withoutTransform),
      (error) => new StreamAdminError({ reason: toFailure(error) })
    )
  }

  const oneOf = <A>(operation: string, statement: Statement<A>) =>
    Effect.flatMap(rowsOf(operation, statement), ([row]) =>
      row === undefined ? failed(failure.unexpected(`StreamAdmin.${operation}`, "no outcome")) : Effect.succeed(row)
    )

  return {
    metadata: (tenant, stream) =>
      Effect.map(rowsOf("metadata", administering.metadata(sql, tenant, stream)), ([row]) =>
        administering.toMetadata(row)
      ),
    setMetadata: (tenant, stream, expected, metadata) =>
      Effect.flatMap(
        oneOf("setMetadata", administering.setMetadata(sql, tenant, stream, expected, metadata)),
        ({ version, written }) =>
          written ? Effect.succeed(version) : failed(new MetadataConflict({ stream, expected, actual: version }))
      ),
    archive: (tenant, stream, expected) =>
      Effect.flatMap(
        oneOf("archive", administering.archive(sql, tenant, stream, expected)),
        ({ deleted, version, written }) => {
          if (written) return Effect.void
          return failed(
            deleted ? new StreamTombstoned({ stream }) : new VersionConflict({ stream, expected, actual: version })
          )
        }
      ),
    restore: (tenant, stream) => Effect.asVoid(rowsOf("restore", administering.restore(sql, tenant, stream))),
    skip: (tenant, event, reason, actor) =>
      Effect.flatMap(rowsOf("skip", administering.skip(sql, tenant, event, reason, actor)), (rows) =>
        rows.length > 0 ? Effect.void : failed(new EventNotFound({ stream: event.stream, version: event.version }))
      ),
    unskip: (tenant, event) => Effect.asVoid(rowsOf("unskip", administering.unskip(sql, tenant, event))),
    skipped: (tenant, options) =>
      Effect.map(rowsOf("skipped", administering.skipped(sql, tenant, options)), (rows) =>
        rows.map(administering.toSkipped)
      ),
    list: (tenant, range) =>
      Effect.map(rowsOf("list", administering.list(sql, tenant, range)), (rows) => rows.map(administering.toInfo)),
    retaining: (tenant, after, limit) =>
      Effect.map(rowsOf("scavenge", administering.retaining(sql, tenant, after, limit)), (rows) =>
        rows.map(({ stream }) => stream)
      ),
    remove: (tenant, stream, limit) =>
      Effect.map(oneOf("scavenge", administering.remove(sql, tenant, stream, limit)), ({ removed }) => removed)
  }
})

/**
 * Metadata in the table `es.stream_metadata`, skipped events in `es.skipped_event`.
 *
 * **Details**
 *
 * Every call takes part in the transaction of the fiber. A batch of scavenging finds what it removes before it locks
 * `es.event`, so it holds up the mark of the log no longer than it takes to delete so many rows.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<StreamAdmin, never, SqlClient.SqlClient> = Layer.effect(
  StreamAdmin,
  Effect.map(makeDriver, make)
)

const failed = (reason: StreamAdminError["reason"]) => Effect.fail(new StreamAdminError({ reason }))
