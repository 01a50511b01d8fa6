/**
 * Snapshots in PostgreSQL.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Statement } from "effect/sql/Statement"
import { make, type Snapshot, SnapshotError, SnapshotStore } from "../../ports/SnapshotStore.ts"
import * as failure from "./internal/failure.ts"
import { joined, transact } from "./internal/transaction.ts"

interface Row {
  readonly version: number
  readonly event: string
  readonly schema: string
  readonly taken_at: number
  readonly state: unknown
}

/**
 * Snapshots in the table `es.snapshot`, one row for each stream, whose state is `json`.
 *
 * **Details**
 *
 * Inside a transaction a write is a savepoint of its own: one that fails leaves the transaction as it was, and what else it
 * does is committed.
 *
 * **Gotchas**
 *
 * A read that fails inside a transaction has failed the transaction, as any statement of PostgreSQL does. Reading takes one
 * row by its key and waits for nobody, so only a lost or refused connection makes it fail.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<SnapshotStore, never, SqlClient.SqlClient> = Layer.effect(
  SnapshotStore,
  Effect.map(SqlClient.SqlClient, (sql) => {
    const failed = (operation: string) => {
      const toFailure = failure.fromSqlError(`SnapshotStore.${operation}`)
      return (error: SqlError) => new SnapshotError({ reason: toFailure(error) })
    }

    const write = (operation: string, statement: Statement<unknown>): Effect.Effect<void, SnapshotError> => {
      const toError = failed(operation)
      const run = Effect.asVoid(Effect.mapError(joined(sql, statement.withoutTransform), toError))
      return Effect.withFiber((fiber) =>
        Context.getOrUndefined(fiber.context, sql.transactionService) === undefined ? run : transact(sql, run, toError)
      )
    }

    return make({
      load: (tenant, stream) =>
        Effect.map(
          Effect.mapError(joined(sql, sql.unsafe<Row>(loadText, [tenant, stream]).withoutTransform), failed("load")),
          ([row]) =>
            row === undefined
              ? Option.none()
              : Option.some<Snapshot>({
                  stream,
                  version: row.version,
                  event: row.event,
                  schema: row.schema,
                  takenAt: row.taken_at,
                  state: row.state
                })
        ),
      save: (tenant, { event, schema, state, stream, takenAt, version }) =>
        write(
          "save",
          sql.unsafe(saveText, [tenant, stream, String(version), event, schema, new Date(takenAt).toISOString(), state])
        ),
      remove: (tenant, stream) => write("remove", sql.unsafe(removeText, [tenant, stream]))
    })
  })
)

const loadText = `select version::float8 as version, event, schema, (extract(epoch from taken_at) * 1000)::float8 as taken_at, state
from es.snapshot where tenant = $1::text and stream = $2::text`

// As text, so that the driver does not take the state for something to encode.
const saveText = `insert into es.snapshot as s (tenant, stream, version, event, schema, taken_at, state)
values ($1::text, $2::text, $3::int8, $4::uuid, $5::text, $6::timestamptz, $7::text::json)
on conflict (tenant, stream) do update set
  version = excluded.version, event = excluded.event, schema = excluded.schema, taken_at = excluded.taken_at, state = excluded.state
where s.version <= excluded.version`

const removeText = "delete from es.snapshot where tenant = $1::text and stream = $2::text"
