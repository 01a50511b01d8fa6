/**
 * Parked events in PostgreSQL.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import { ParkedStore } from "../../ports/ParkedStore.ts"
import type { Driver, Entry, Filter, Limits, Ref } from "../../ports/ParkedStoreDriver.ts"
import { NotParked, ParkedStoreError, ParkingFull } from "../../ports/ParkedStoreError.ts"
import * as failure from "./internal/failure.ts"
import { whole } from "./internal/number.ts"
import * as Rows from "./internal/parked.ts"
import { joined, transact } from "./internal/transaction.ts"

/**
 * Parked events in the table `es.parked`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<ParkedStore, never, SqlClient.SqlClient> = Layer.effect(
  ParkedStore,
  Effect.map(SqlClient.SqlClient, (sql) => {
    const toError = (operation: string) => {
      const toFailure = failure.fromSqlError(`ParkedStore.${operation}`)
      return (error: Parameters<typeof toFailure>[0]) => new ParkedStoreError({ reason: toFailure(error) })
    }

    const rowsOf = <A extends object>(operation: string, text: string, params: ReadonlyArray<unknown>) =>
      Effect.mapError(joined(sql, sql.unsafe<A>(text, params).withoutTransform), toError(operation))

    const parkedOf = (operation: string, consumer: string, text: string, params: ReadonlyArray<unknown>) =>
      Effect.map(rowsOf<Rows.ParkedRow>(operation, text, [consumer, ...params]), (rows) =>
        rows.map((row) => Rows.toParked(consumer, row))
      )

    /** Changes one event that waits to be handled. */
    const change = (operation: string, ref: Ref, text: string, params: ReadonlyArray<unknown>) =>
      Effect.flatMap(rowsOf(operation, text, [ref.consumer, ref.key, String(ref.position), ...params]), (rows) =>
        rows.length > 0 ? Effect.void : notParked(ref)
      )

    const addTo = (consumer: string, entries: ReadonlyArray<Entry>, { perConsumer, perKey }: Limits) =>
      Effect.gen(function* () {
        const rows = JSON.stringify(entries.map(Rows.fromEntry))
        const added = yield* rowsOf<{ readonly key: string }>("add", Rows.add, [consumer, rows])
        if (added.length === 0) return
        const keys = [...new Set(added.map((row) => row.key))]
        const [full] = yield* rowsOf<{ readonly key: string | null }>("add", Rows.exceeded, [
          consumer,
          keys,
          String(perKey),
          String(perConsumer)
        ])
        if (full === undefined) return
        const reason =
          full.key === null
            ? new ParkingFull({ consumer, limit: perConsumer })
            : new ParkingFull({ consumer, key: full.key, limit: perKey })
        return yield* Effect.fail(new ParkedStoreError({ reason }))
      })

    const driver: Driver = {
      add: (entries, limits) =>
        entries.length === 0
          ? Effect.void
          : transact(
              sql,
              Effect.forEach(
                Map.groupBy(entries, (entry) => entry.consumer),
                ([consumer, own]) => addTo(consumer, own, limits),
                { discard: true }
              ),
              toError("add")
            ),
      keys: (consumer, { id, mask }) =>
        Effect.map(rowsOf<{ readonly key: string }>("keys", Rows.keys, [consumer, mask, id]), (rows) =>
          rows.map((row) => row.key)
        ),
      due: (consumer, { id, mask }, limit) => parkedOf("due", consumer, Rows.due, [mask, id, whole(limit, 1)]),
      settle: (ref) => change("settle", ref, Rows.settle, []),
      failed: (ref, { attempts, category, error, retryInMillis }) =>
        change("failed", ref, Rows.failed, [category, Rows.storable(error), attempts, retryInMillis ?? null]),
      list: (consumer, { after, limit, status, ...filter } = {}) =>
        parkedOf("list", consumer, Rows.list, [
          whole(after, 0),
          status ?? null,
          whole(limit, 100),
          ...criteria(filter)
        ]),
      get: (ref) =>
        Effect.flatMap(parkedOf("get", ref.consumer, Rows.get, [ref.key, String(ref.position)]), ([parked]) =>
          parked === undefined ? notParked(ref) : Effect.succeed(parked)
        ),
      count: (consumer) =>
        Effect.map(rowsOf<{ readonly count: number }>("count", Rows.count, [consumer]), ([row]) => row?.count ?? 0),
      replay: (consumer, filter = {}) =>
        Effect.map(rowsOf("replay", Rows.replay, [consumer, ...criteria(filter)]), (rows) => rows.length),
      edit: (ref, data) => change("edit", ref, Rows.edit, [JSON.stringify(data)]),
      skip: (ref, reason) => change("skip", ref, Rows.skip, [Rows.storable(reason)])
    }
    return driver
  })
)

const criteria = ({ category, error, key, tenant }: Filter): ReadonlyArray<string | null> => [
  key ?? null,
  tenant ?? null,
  category ?? null,
  error ?? null
]

const notParked = ({ consumer, key, position }: Ref) =>
  Effect.fail(new ParkedStoreError({ reason: new NotParked({ consumer, key, position }) }))
