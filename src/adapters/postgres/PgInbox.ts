/**
 * An inbox in PostgreSQL.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import * as Position from "../../domain/Position.ts"
import { Inbox } from "../../ports/Inbox.ts"
import { InboxError } from "../../ports/InboxError.ts"
import * as failure from "./internal/failure.ts"
import { joined } from "./internal/transaction.ts"

/**
 * Positions in the table `es.inbox_position`, one row each; ids in `es.inbox`, in parts of one day each, which are dropped
 * as a whole.
 *
 * **Details**
 *
 * `take` holds an advisory lock for the id until its transaction ends: whoever has the same id waits for that, and for
 * nothing else.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Inbox, never, SqlClient.SqlClient> = Layer.effect(
  Inbox,
  Effect.map(SqlClient.SqlClient, (sql) => {
    const rowsOf = <A extends object>(operation: string, text: string, params: ReadonlyArray<unknown>) => {
      const toFailure = failure.fromSqlError(`Inbox.${operation}`)
      return Effect.mapError(
        joined(sql, sql.unsafe<A>(text, params).withoutTransform),
        (error) => new InboxError({ reason: toFailure(error) })
      )
    }

    return {
      advance: (consumer, source, segment, position) =>
        Effect.map(
          rowsOf("advance", advanceText, [consumer, source, segment, String(position)]),
          (rows) => rows.length > 0
        ),
      take: (tenant, consumer, id) =>
        Effect.map(
          rowsOf<{ readonly taken: boolean }>("take", takeText, [tenant, consumer, id]),
          ([row]) => row?.taken === true
        ),
      position: (consumer, source, segment) =>
        Effect.map(
          rowsOf<{ readonly position: number }>("position", positionText, [consumer, source, segment]),
          ([row]) => Position.make(row?.position ?? 0)
        ),
      purge: (olderThan) =>
        Effect.andThen(
          rowsOf("purge", "select es.make_days('inbox', 2)", []),
          Effect.asVoid(rowsOf("purge", dropText, [String(Duration.toMillis(olderThan))]))
        )
    }
  })
)

// Whoever waits for the row of another transaction sees what that has made of it.
const advanceText = `insert into es.inbox_position as p (consumer, source, segment, position)
select $1::text, $2::text, $3::int, $4::int8 where $4::int8 > 0
on conflict (consumer, source, segment) do update set position = excluded.position, at = clock_timestamp()
  where p.position < excluded.position
returning p.segment`

const takeText = `select es.inbox_take($1::text, $2::text, $3::text) as taken`

const positionText = `select p.position::float8 as position from es.inbox_position p
where p.consumer = $1::text and p.source = $2::text and p.segment = $3::int`

const dropText = `select es.drop_days('inbox',
  ((clock_timestamp() - $1::float8 * interval '1 millisecond') at time zone 'UTC')::date)`
