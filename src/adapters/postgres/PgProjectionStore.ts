/**
 * The versions of projections in PostgreSQL, of their tables as well as of their collections.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Statement } from "effect/sql/Statement"
import { type Driver, make, ProjectionStore, ProjectionStoreError, Registration } from "../../ports/ProjectionStore.ts"
import * as failure from "./internal/failure.ts"
import { bare, quoted, sibling, sqlName } from "./internal/sqlName.ts"
import { joined, transact } from "./internal/transaction.ts"

interface Row {
  readonly name: string
  readonly state: unknown
}

/**
 * Versions in the table `es.projection`; times are those of the server.
 *
 * **Details**
 *
 * `exchangeTables` renames: tables, views, materialized views, indexes and sequences, each within its schema. It waits at most 200 ms for who
 * reads them, and then fails with a `StorageFailure` that is retryable: readers that come meanwhile wait no longer than that.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<ProjectionStore, never, SqlClient.SqlClient> = Layer.effect(
  ProjectionStore,
  Effect.map(SqlClient.SqlClient, (sql) => {
    const failed = (operation: string) => {
      const toFailure = failure.fromSqlError(`ProjectionStore.${operation}`)
      return (error: SqlError) => new ProjectionStoreError({ reason: toFailure(error) })
    }
    const rowsOf = <A>(operation: string, statement: Statement<A>) =>
      Effect.mapError(joined(sql, statement.withoutTransform), failed(operation))

    const decode = (operation: string, state: unknown) =>
      state === null
        ? Effect.undefined
        : Effect.mapError(
            decodeRegistration(state),
            (cause) => new ProjectionStoreError({ reason: failure.unexpected(`ProjectionStore.${operation}`, cause) })
          )

    const modify: Driver["modify"] = (name, f) => {
      const work = Effect.gen(function* () {
        yield* rowsOf("modify", sql`insert into es.projection (name) values (${name}) on conflict do nothing`)
        const [row] = yield* rowsOf(
          "modify",
          sql<Row & { readonly now: number }>`select name, state,
floor(extract(epoch from clock_timestamp()) * 1000)::float8 as now from es.projection where name = ${name} for update`
        )
        const [answer, next] = f(yield* decode("modify", row?.state ?? null), row?.now ?? 0)
        if (next !== undefined) {
          const state = JSON.stringify(next)
          yield* rowsOf("modify", sql`update es.projection set state = ${state}::jsonb where name = ${name}`)
        }
        return yield* Effect.fromResult(answer)
      })
      // Who has waited for the row must see what was done to it meanwhile, whatever isolation is the database's default.
      return transact(sql, work, failed("modify")).pipe(
        Effect.provideService(SqlClient.BeginTransaction, "begin isolation level read committed")
      )
    }

    const kindOf = (operation: string, name: string) =>
      Effect.map(
        rowsOf(
          operation,
          sql<{
            readonly kind: string
          }>`select relkind::text as kind from pg_class where oid = to_regclass(${sqlName(name)})`
        ),
        ([found]) => (found === undefined ? undefined : (kinds[found.kind] ?? "table"))
      )

    return make({
      modify,
      find: (name) =>
        Effect.flatMap(rowsOf("find", sql<Row>`select name, state from es.projection where name = ${name}`), ([row]) =>
          decode("find", row?.state ?? null)
        ),
      list: Effect.flatMap(
        rowsOf("list", sql<Row>`select name, state from es.projection where state is not null order by name`),
        (rows) =>
          Effect.forEach(rows, ({ name, state }) =>
            Effect.map(decodeRegistration(state), (registration) => [name, registration] as const)
          ).pipe(
            Effect.mapError(
              (cause) => new ProjectionStoreError({ reason: failure.unexpected("ProjectionStore.list", cause) })
            )
          )
      ),
      lockTables: (names) => {
        const operation = "lockTables"
        const work = Effect.gen(function* () {
          yield* rowsOf(operation, sql`set local lock_timeout = '5s'`)
          for (const name of names) {
            // Of what else has a name, nothing is written into.
            if ((yield* kindOf(operation, name)) !== "table") continue
            yield* rowsOf(operation, sql.unsafe(`lock table only ${sqlName(name)} in share row exclusive mode`))
          }
        })
        return names.length === 0 ? Effect.void : work
      },
      exchangeTables: (pairs) => {
        const operation = "exchangeTables"
        const execute = (text: string) => rowsOf(operation, sql.unsafe(text))
        const work = Effect.gen(function* () {
          // What is swapped in was made while it was empty. It is filled before anybody is kept waiting.
          for (const [, other] of pairs.toReversed()) {
            if ((yield* kindOf(operation, other)) !== "materialized view") continue
            yield* execute(`refresh materialized view ${sqlName(other)}`)
          }
          yield* execute("set local lock_timeout = '200ms'")
          for (const [one, other] of pairs) {
            const [a, b, between] = [bare(one), bare(other), temporary]
            yield* execute(`alter table ${sqlName(one)} rename to ${quoted(between)}`)
            yield* execute(`alter table ${sqlName(other)} rename to ${quoted(a)}`)
            yield* execute(`alter table ${sqlName(sibling(one, between))} rename to ${quoted(b)}`)
          }
        })
        return pairs.length === 0 ? Effect.void : transact(sql, work, failed(operation))
      },
      dropTables: (names) => {
        const operation = "dropTables"
        const work = Effect.forEach(
          names,
          (name) =>
            Effect.gen(function* () {
              const kind = yield* kindOf(operation, name)
              if (kind === undefined) return
              yield* rowsOf(operation, sql.unsafe(`drop ${kind} ${sqlName(name)}`))
            }),
          { discard: true }
        )
        return names.length === 0 ? Effect.void : transact(sql, work, failed(operation))
      }
    })
  })
)

const decodeRegistration = Schema.decodeUnknownEffect(Registration)

const kinds: Readonly<Record<string, string>> = {
  v: "view",
  m: "materialized view",
  i: "index",
  I: "index",
  S: "sequence"
}

const temporary = "effect_cqrs_exchange"
