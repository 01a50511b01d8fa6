/**
 * Checkpoints in PostgreSQL.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import type { Statement } from "effect/sql/Statement"
import * as Position from "../../domain/Position.ts"
import { CheckpointConflict, CheckpointError, CheckpointStore, make } from "../../ports/CheckpointStore.ts"
import * as checkpointSignals from "./internal/checkpointSignals.ts"
import * as failure from "./internal/failure.ts"
import * as session from "./internal/session.ts"
import { joined } from "./internal/transaction.ts"

interface Row {
  readonly position: number
}

/**
 * Checkpoints in the table `es.checkpoint`.
 *
 * **Details**
 *
 * `passed` is woken by commits of this process at once, and by those of others by `NOTIFY`; it looks every 250 ms as well. A
 * process in which somebody has waited keeps a connection that listens. A database with a single session has no other
 * processes to hear of.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<CheckpointStore, never, PgClient.PgClient | SqlClient.SqlClient> = Layer.effect(
  CheckpointStore,
  Effect.suspend(() => makeStore(true))
)

/**
 * The same without listening, for poolers that share sessions: what other processes commit is noticed after 250 ms.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerPolling: Layer.Layer<CheckpointStore, never, PgClient.PgClient | SqlClient.SqlClient> = Layer.effect(
  CheckpointStore,
  Effect.suspend(() => makeStore(false))
)

const makeStore = (listens: boolean) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const client = yield* PgClient.PgClient
    const signals = session.isSingle(client) ? undefined : yield* checkpointSignals.make(client, listens)
    const rowsOf = <A>(operation: string, statement: Statement<A>) => {
      const toFailure = failure.fromSqlError(`CheckpointStore.${operation}`)
      return Effect.mapError(
        joined(sql, statement.withoutTransform),
        (error) => new CheckpointError({ reason: toFailure(error) })
      )
    }

    const load = (name: string) =>
      Effect.map(
        rowsOf("load", sql<Row>`select position::float8 as position from es.checkpoint where name = ${name}`),
        ([row]) => Position.make(row?.position ?? 0)
      )

    return make({
      load,
      save: (name, from, to) => {
        const saved = rowsOf(
          "save",
          from === Position.start
            ? sql.unsafe<Row>(firstText, [name, String(to)])
            : sql.unsafe<Row>(nextText, [name, String(from), String(to)])
        )
        return Effect.flatMap(saved, ([row]) =>
          row !== undefined
            ? Effect.void
            : // The statement's own snapshot is stale after a lost race, so the position is read again.
              Effect.flatMap(load(name), (actual) =>
                Effect.fail(new CheckpointError({ reason: new CheckpointConflict({ name, expected: from, actual }) }))
              )
        )
      },
      remove: (name) => Effect.asVoid(rowsOf("remove", sql`delete from es.checkpoint where name = ${name}`)),
      afterCommit: (hook) => joined(sql, sql.afterCommit(hook)),
      signals,
      pollInterval: "250 millis"
    })
  })

const returning = "returning c.position::float8 as position"

const firstText = `insert into es.checkpoint as c (name, position) values ($1::text, $2::int8)
on conflict (name) do update set position = excluded.position, at = excluded.at where c.position = 0 ${returning}`

const nextText = `update es.checkpoint c set position = $3::int8, at = clock_timestamp()
where c.name = $1::text and c.position = $2::int8 ${returning}`
