/**
 * Documents for queries, in PostgreSQL.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as SqlClient from "effect/sql/SqlClient"
import type { Fragment, Statement } from "effect/sql/Statement"
import { defaultListLimit, type Document, ReadModelError, ReadModelStore } from "../../ports/ReadModelStore.ts"
import * as failure from "./internal/failure.ts"
import { whole } from "./internal/number.ts"
import { joined } from "./internal/transaction.ts"

/**
 * Documents in the table `es.document`, as `jsonb`.
 *
 * **Gotchas**
 *
 * `clear` reads the whole table: it is for rebuilding, not for daily use. A read model with queries of its own is better a
 * table of its own, which a projection writes through the same `SqlClient`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<ReadModelStore, never, SqlClient.SqlClient> = Layer.effect(
  ReadModelStore,
  Effect.map(SqlClient.SqlClient, (sql) => {
    const rowsOf = <A>(operation: string, statement: Statement<A>) => {
      const toFailure = failure.fromSqlError(`ReadModelStore.${operation}`)
      return Effect.mapError(
        joined(sql, statement.withoutTransform),
        (error) => new ReadModelError({ reason: toFailure(error) })
      )
    }

    // Names of versions are few, and mostly there are none: the look-up is one page that is in memory.
    const kept = (name: string | Fragment) =>
      sql`coalesce((select kept_as from es.collection where name = ${name}), ${name})`

    return {
      get: (tenant, collection, id) =>
        Effect.map(
          rowsOf(
            "get",
            sql<Document>`select id, data from es.document where tenant = ${tenant} and collection = ${kept(collection)} and id = ${id}`
          ),
          ([row]) => Option.fromUndefinedOr(row)
        ),
      set: (tenant, collection, id, data) =>
        Effect.asVoid(
          rowsOf(
            "set",
            sql`insert into es.document (tenant, collection, id, data)
values (${tenant}, ${kept(collection)}, ${id}, ${data}::jsonb)
on conflict (tenant, collection, id) do update set data = excluded.data`
          )
        ),
      remove: (tenant, collection, id) =>
        Effect.asVoid(
          rowsOf(
            "remove",
            sql`delete from es.document where tenant = ${tenant} and collection = ${kept(collection)} and id = ${id}`
          )
        ),
      list: (tenant, collection, { after, limit }) =>
        rowsOf(
          "list",
          sql<Document>`select id, data from es.document
where tenant = ${tenant} and collection = ${kept(collection)} and id > ${storable(after ?? "")}
order by id limit ${whole(limit, defaultListLimit)}::int8`
        ),
      clear: (collection) =>
        Effect.asVoid(rowsOf("clear", sql`delete from es.document where collection = ${kept(collection)}`)),
      exchange: (one, other) =>
        Effect.asVoid(
          rowsOf(
            "exchange",
            // Both rows are computed before either is written.
            sql`insert into es.collection (name, kept_as)
select n.name, ${kept(sql`n.other`)} from (values (${one}::text, ${other}::text), (${other}::text, ${one}::text)) n (name, other)
order by 1
on conflict (name) do update set kept_as = excluded.kept_as`
          )
        )
    }
  })
)

/** The text before the first NUL: no id holds one, so the same ids come after it. */
const storable = (text: string): string => {
  const end = text.indexOf("\0")
  return end === -1 ? text : text.slice(0, end)
}
