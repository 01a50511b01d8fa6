/**
 * The event store on PostgreSQL.
 *
 * @since 0.1.0
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Statement } from "effect/sql/Statement"
import * as Position from "../../domain/Position.ts"
import type { Stored } from "../../domain/RecordedEvent.ts"
import type { TenantId } from "../../domain/TenantId.ts"
import * as EventStore from "../../ports/EventStore.ts"
import type { Driver, PreparedAppend, StreamState } from "../../ports/EventStoreDriver.ts"
import {
  EventStoreError,
  type ExpectedVersion,
  matches,
  StreamTombstoned,
  VersionConflict
} from "../../ports/EventStoreError.ts"
import type { AppendReceipt } from "../../ports/Receipt.ts"
import * as appending from "./internal/appending.ts"
import * as failure from "./internal/failure.ts"
import * as reading from "./internal/reading.ts"
import { toStored } from "./internal/rows.ts"
import { joined } from "./internal/transaction.ts"
import * as PgHighWater from "./PgHighWater.ts"
import * as PgNotifier from "./PgNotifier.ts"

/**
 * What the event store does in the database; `EventStore.make` makes the port's service of it.
 *
 * **Details**
 *
 * - An append to one stream is one statement, and one round trip; outside a transaction it commits by itself. Appends take
 *   part in the transaction of the fiber.
 * - A refused append leaves the transaction it is part of as it was, and able to go on.
 * - Appends to several streams lock them in the order of their names and cannot deadlock with each other. Transactions that
 *   append to several streams one by one can: the failure is retryable, and the transaction is to be retried as a whole.
 * - Under `REPEATABLE READ` and `SERIALIZABLE` a lost race is a retryable `StorageFailure`, not a `VersionConflict`: what
 *   such a transaction has read stays as it was, so only a new one can see who won.
 *
 * **Gotchas**
 *
 * - An append that is interrupted, or loses its connection, may have been written: an expected version tells.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeDriver: Effect.Effect<
  Driver,
  never,
  SqlClient.SqlClient | PgHighWater.PgHighWater | PgNotifier.MarkNotifier
> = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const highWater = yield* PgHighWater.PgHighWater
  const notifier = yield* PgNotifier.MarkNotifier

  const rowsOf = <A>(operation: string, statement: Statement<A>) =>
    Effect.mapError(joined(sql, statement.withoutTransform), storageFailure(operation))

  // Once the mark can have come to the position: before the commit it stands below.
  const nudge = (position: Position.Position) =>
    joined(sql, sql.afterCommit(Effect.sync(() => highWater.nudge(position))))

  const appendOne = (
    tenant: TenantId,
    append: PreparedAppend,
    attempt: number
  ): Effect.Effect<ReadonlyArray<AppendReceipt>, EventStoreError> =>
    Effect.flatMap(rowsOf("append", appending.one(sql, tenant, append)), ([row]) => {
      if (row === undefined) return Effect.fail(unexpected("append", "no outcome"))
      if (!row.written) {
        return refused(append, row, attempt, () => appendOne(tenant, append, attempt + 1))
      }
      const receipt = receiptOf(append, row)
      return Effect.as(nudge(receipt.position), [receipt])
    })

  const appendMany = (
    tenant: TenantId,
    appends: ReadonlyArray<PreparedAppend>,
    attempt: number
  ): Effect.Effect<ReadonlyArray<AppendReceipt>, EventStoreError> =>
    Effect.flatMap(rowsOf("append", appending.many(sql, tenant, appends, true)), (rows) => {
      const outcomes = new Map(rows.map((row) => [row.append, row]))
      const receipts: Array<AppendReceipt> = []
      let last = Position.start
      for (let index = 0; index < appends.length; index++) {
        const append = appends[index]
        const row = outcomes.get(index + 1)
        // Where one is refused, only refusals are in the answer.
        if (append === undefined || row === undefined) continue
        if (!row.written) {
          return refused(append, row, attempt, () => appendMany(tenant, appends, attempt + 1))
        }
        const receipt = receiptOf(append, row)
        last = Position.max(last, receipt.position)
        receipts.push(receipt)
      }
      return receipts.length < appends.length
        ? Effect.fail(unexpected("append", "not all outcomes"))
        : Effect.as(nudge(last), receipts)
    })

  const tombstone = (
    tenant: TenantId,
    stream: PreparedAppend["stream"],
    expected: ExpectedVersion,
    attempt: number
  ): Effect.Effect<void, EventStoreError> =>
    Effect.flatMap(rowsOf("tombstone", appending.tombstone(sql, tenant, stream, expected)), ([row]) => {
      if (row === undefined) return Effect.fail(unexpected("tombstone", "no outcome"))
      return row.written
        ? Effect.void
        : refused({ stream, expected }, row, attempt, () => tombstone(tenant, stream, expected, attempt + 1))
    })

  return {
    append: (tenant, appends) => {
      const [first, second] = appends
      if (first === undefined) return Effect.succeed([])
      return second === undefined ? appendOne(tenant, first, 0) : appendMany(tenant, appends, 0)
    },
    readStream: (tenant, stream, options) =>
      Effect.flatMap(rowsOf("readStream", reading.stream(sql, tenant, stream, options)), (rows) =>
        decode("readStream", () => rows.map((row) => toStored(row, tenant, stream)))
      ),
    streamState: (tenant, stream) =>
      Effect.map(
        rowsOf(
          "streamState",
          sql<StreamState>`select version::float8 as version, deleted as tombstoned from es.stream where tenant = ${tenant} and stream = ${stream}`
        ),
        ([row]) => row ?? { version: 0, tombstoned: false }
      ),
    readAll: (tenant, options) =>
      Effect.suspend(() => {
        const known = notifier.known()
        return Effect.flatMap(rowsOf("readAll", reading.page(sql, tenant, options)), (rows) =>
          decode("readAll", () => {
            const events: Array<Stored> = []
            for (const row of rows) if (row.position !== null) events.push(toStored(row, tenant, undefined))
            const mark = Position.make(rows[0]?.mark ?? 0)
            notifier.observe(mark, known)
            const last = events.length < options.limit ? undefined : events.at(-1)
            return { events, cursor: last?.position ?? Position.max(options.after, mark), mark }
          })
        )
      }),
    mark: Effect.flatMap(
      rowsOf("mark", sql<{ readonly mark: number }>`select position::float8 as mark from es.high_water where id = 1`),
      ([row]) =>
        row === undefined
          ? Effect.fail(unexpected("mark", "es.high_water is empty"))
          : Effect.succeed(Position.make(row.mark))
    ),
    changed: notifier.changed,
    tombstone: (tenant, stream, expected) => tombstone(tenant, stream, expected, 0)
  }
})

/**
 * The event store, over an agent and a notifier of one's choice.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerStore: Layer.Layer<
  EventStore.EventStore,
  never,
  SqlClient.SqlClient | PgHighWater.PgHighWater | PgNotifier.MarkNotifier
> = Layer.effect(EventStore.EventStore, Effect.map(makeDriver, EventStore.make))

/**
 * The event store, with the agent that moves its mark and the notifier that wakes its readers.
 *
 * **Details**
 *
 * The schema must be there: provide it with `PgMigrations.layer`, or take `Postgres.layer`, which does. Beside the pool, agent
 * and notifier have a connection each.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<
  EventStore.EventStore | PgHighWater.PgHighWater,
  never,
  PgClient.PgClient | SqlClient.SqlClient
> = layerStore.pipe(Layer.provideMerge(PgHighWater.layer()), Layer.provide(PgNotifier.layer))

/** How often a refusal that no longer holds when the stream is looked at again is tried again. */
const maxAttempts = 10

const refused = <A>(
  append: Pick<PreparedAppend, "stream" | "expected">,
  { deleted, version }: appending.Outcome,
  attempt: number,
  again: () => Effect.Effect<A, EventStoreError>
): Effect.Effect<A, EventStoreError> => {
  const { expected, stream } = append
  if (deleted) return Effect.fail(new EventStoreError({ reason: new StreamTombstoned({ stream }) }))
  // The stream came to be, as it was expected, after the statement had looked for it.
  if (matches(expected, version) && attempt < maxAttempts) return again()
  return Effect.fail(new EventStoreError({ reason: new VersionConflict({ stream, expected, actual: version }) }))
}

const receiptOf = (append: PreparedAppend, { position, version }: appending.Outcome): AppendReceipt => ({
  stream: append.stream,
  version,
  position: Position.make(position ?? 0)
})

const storageFailure = (operation: string) => {
  const toFailure = failure.fromSqlError(`EventStore.${operation}`)
  return (error: SqlError) => new EventStoreError({ reason: toFailure(error) })
}

const unexpected = (operation: string, cause: unknown) =>
  new EventStoreError({ reason: failure.unexpected(`EventStore.${operation}`, cause) })

/** Rows that are not what the statement promises are a failure, not the end of the program. */
const decode = <A>(operation: string, f: () => A): Effect.Effect<A, EventStoreError> => {
  try {
    return Effect.succeed(f())
  } catch (cause) {
    return Effect.fail(unexpected(operation, cause))
  }
}
