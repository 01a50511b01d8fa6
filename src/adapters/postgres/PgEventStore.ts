/**
 * The event store on PostgreSQL.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type { Statement } from "effect/sql/Statement"
import * as Position from "../../domain/Position.ts"
import type { Stored } from "../../domain/RecordedEvent.ts"
import * as StreamName from "../../domain/StreamName.ts"
import type { TenantId } from "../../domain/TenantId.ts"
import * as EventStore from "../../ports/EventStore.ts"
import type { Driver, PreparedAppend, StreamState } from "../../ports/EventStoreDriver.ts"
import { EventStoreError, type ExpectedVersion, StreamArchived, VersionConflict } from "../../ports/EventStoreError.ts"
import type { AppendReceipt } from "../../ports/Receipt.ts"
import * as appending from "./internal/appending.ts"
import { archived } from "./internal/hiding.ts"
import { hasUndone, receiptOf, refusalOf, storageFailure, type Target, unexpected } from "./internal/outcome.ts"
import * as reading from "./internal/reading.ts"
import { toStored } from "./internal/rows.ts"
import { isSingle } from "./internal/session.ts"
import { isOpen, joined } from "./internal/transaction.ts"
import * as Writer from "./internal/Writer.ts"
import * as PgHighWater from "./PgHighWater.ts"
import * as PgNotifier from "./PgNotifier.ts"

/**
 * How many statements of one store append at the same time: 3 by default. Appends that come while so many are under way wait
 * for one of them, and go together in the next statement.
 *
 * **Details**
 *
 * Each append of such a group stands for itself: it has its own version conflict, its own receipt, and its own interruption.
 * An append inside a transaction goes with the transaction, and one to several streams goes alone. More statements at a time
 * make groups smaller: on few cores, less is written.
 *
 * **Example** (For a server with many cores)
 *
 * ```ts
 * import { PgEventStore, Postgres } from "effect-cqrs/postgres"
 * import * as Config from "effect/Config"
 * import * as Layer from "effect/Layer"
 *
 * const layer = Postgres.layerUrl(Config.Redacted("DATABASE_URL")).pipe(
 *   Layer.provide(Layer.succeed(PgEventStore.WriteConcurrency, 8))
 * )
 * ```
 *
 * @category configuration
 * @since 0.1.0
 */
export const WriteConcurrency: Context.Reference<number> = Context.Reference<number>(
  "effect-cqrs/postgres/PgEventStore/WriteConcurrency",
  { defaultValue: () => 3 }
)

/**
 * What the event store does in the database; `EventStore.make` makes the port's service of it.
 *
 * **Details**
 *
 * - An append to one stream is one statement, and one round trip; outside a transaction it commits by itself, and concurrent
 *   ones go together (`WriteConcurrency`). Appends take part in the transaction of the fiber.
 * - A refused append leaves the transaction it is part of as it was, and able to go on.
 * - Appends to several streams lock them in the order of their names and cannot deadlock with each other. Transactions that
 *   append to several streams one by one can: the failure is retryable, and the transaction is to be retried as a whole.
 * - Under `REPEATABLE READ` and `SERIALIZABLE` a lost race is a retryable `StorageFailure`, not a `VersionConflict`: what
 *   such a transaction has read stays as it was, so only a new one can see who won.
 *
 * **Gotchas**
 *
 * - An append that is interrupted, or loses its connection, may have been written. An expected version tells; an append with
 *   an `id` can be asked again.
 * - A condition can only be kept under `READ COMMITTED`: elsewhere an append with one is refused.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeDriver: Effect.Effect<
  Driver,
  never,
  SqlClient.SqlClient | PgHighWater.PgHighWater | PgNotifier.MarkNotifier | Scope.Scope
> = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const highWater = yield* PgHighWater.PgHighWater
  const notifier = yield* PgNotifier.MarkNotifier

  const rowsOf = <A>(operation: string, statement: Statement<A>, conditional?: string) =>
    Effect.mapError(joined(sql, statement.withoutTransform), storageFailure(operation, conditional))

  // Once the mark can have come to the position: before the commit it stands below.
  const nudge = (position: Position.Position) =>
    joined(sql, sql.afterCommit(Effect.sync(() => highWater.nudge(position))))

  const appendOne = (
    tenant: TenantId,
    append: PreparedAppend,
    attempt: number
  ): Effect.Effect<AppendReceipt, EventStoreError> =>
    Effect.flatMap(rowsOf("append", appending.one(sql, tenant, append), append.stream), ([row]) => {
      if (row === undefined) return Effect.fail(unexpected("append", "no outcome"))
      if (!row.written) return refused(append, row, attempt, () => appendOne(tenant, append, attempt + 1))
      const receipt = receiptOf(append, row)
      return Effect.as(nudge(receipt.position), receipt)
    })

  const appendAll = (
    tenant: TenantId,
    appends: ReadonlyArray<PreparedAppend>,
    attempt: number
  ): Effect.Effect<ReadonlyArray<AppendReceipt>, EventStoreError> => {
    const conditional = appends.find(({ condition }) => condition !== undefined)?.stream
    return Effect.flatMap(rowsOf("append", appending.all(sql, tenant, appends), conditional), (rows) => {
      const outcomes = new Map(rows.map((row) => [row.append, row]))
      const receipts: Array<AppendReceipt> = []
      let last = Position.start
      for (let index = 0; index < appends.length; index++) {
        const append = appends[index]
        const row = outcomes.get(index + 1)
        // Where one is refused, only refusals are in the answer.
        if (append === undefined || row === undefined) continue
        if (!row.written) return refused(append, row, attempt, () => appendAll(tenant, appends, attempt + 1))
        const receipt = receiptOf(append, row)
        last = Position.max(last, receipt.position)
        receipts.push(receipt)
      }
      return receipts.length < appends.length
        ? Effect.fail(unexpected("append", "not all outcomes"))
        : Effect.as(nudge(last), receipts)
    })
  }

  const writer = yield* Writer.make(
    {
      alone: (tenant, append) => appendOne(tenant, append, 0),
      together: (tenant, appends) =>
        appending.each(sql, tenant, appends, groupPatience).withoutTransform.pipe(
          Effect.map((rows) => {
            const outcomes = new Map(rows.map((row) => [row.append, row]))
            const last = rows.reduce((position, row) => Math.max(position, row.position ?? 0), 0)
            if (last > 0) highWater.nudge(Position.make(last))
            return appends.map((append, index) => {
              const row = outcomes.get(index + 1)
              if (row === undefined) return Effect.fail(unexpected("append", "no outcome"))
              if (row.written) return Effect.succeed(receiptOf(append, row))
              return refused(append, row, 0, () => appendOne(tenant, append, 1))
            })
          }),
          Effect.catch((error) => (hasUndone(error) ? Effect.undefined : Effect.fail(storageFailure("append")(error))))
        )
    },
    Option.exists(yield* Effect.serviceOption(PgClient.PgClient), isSingle) ? 1 : yield* WriteConcurrency
  )

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

  const appendSingle = (tenant: TenantId, append: PreparedAppend) =>
    Effect.withFiber<ReadonlyArray<AppendReceipt>, EventStoreError>((fiber) =>
      Effect.map(isOpen(sql, fiber) ? appendOne(tenant, append, 0) : writer.write(tenant, append), (receipt) => [
        receipt
      ])
    )

  /** What is closed is tombstoned or archived. */
  const told = <A>(tenant: TenantId, writing: Effect.Effect<A, EventStoreError>): Effect.Effect<A, EventStoreError> =>
    Effect.catch(writing, (error) => {
      const { reason } = error
      if (reason._tag !== "StreamTombstoned") return Effect.fail(error)
      const stream = StreamName.fromString(reason.stream)
      const looking = sql<{ readonly archived: boolean }>`select ${archived(sql, tenant, stream)} as archived`
      return Effect.flatMap(rowsOf("append", looking), ([row]) =>
        Effect.fail(row?.archived === true ? new EventStoreError({ reason: new StreamArchived({ stream }) }) : error)
      )
    })

  return {
    append: (tenant, appends) => {
      const [first, second] = appends
      if (first === undefined) return Effect.succeed([])
      return told(tenant, second === undefined ? appendSingle(tenant, first) : appendAll(tenant, appends, 0))
    },
    appended: (tenant, stream, id) =>
      Effect.map(rowsOf("appended", reading.appended(sql, tenant, stream, id)), ([row]) =>
        row === undefined ? undefined : { ...row, stream, position: Position.make(row.position) }
      ),
    readMatching: (tenant, query, options) =>
      Effect.flatMap(rowsOf("readMatching", reading.matching(sql, tenant, query, options)), (rows) =>
        decode("readMatching", () => {
          const mark = Position.make(rows[0]?.mark ?? 0)
          const events: Array<Stored> = []
          const except: Array<Position.Position> = []
          for (const row of rows) {
            if (row.position === null) continue
            if (!row.hidden) events.push(toStored(row, tenant, undefined))
            // What is committed beyond the mark may be followed by what comes below it.
            if (row.position > mark) except.push(Position.make(row.position))
          }
          return { events, condition: { query, after: mark, except } }
        })
      ),
    readStream: (tenant, stream, options) =>
      Effect.flatMap(rowsOf("readStream", reading.stream(sql, tenant, stream, options)), (rows) =>
        decode("readStream", () => rows.map((row) => toStored(row, tenant, stream)))
      ),
    streamState: (tenant, stream) =>
      Effect.map(
        rowsOf(
          "streamState",
          sql<StreamState>`select version::float8 as version, deleted and not ${archived(sql, tenant, stream)} as tombstoned from es.stream where tenant = ${tenant} and stream = ${stream}`
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
    tombstone: (tenant, stream, expected) => told(tenant, tombstone(tenant, stream, expected, 0))
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

/**
 * Forgets the ids of appends that were written longer ago, of all tenants, and answers how many there were.
 *
 * **Details**
 *
 * The ids of appends are kept until then. What is asked again later is written again, so keep them for longer than anybody goes
 * on trying. It works in batches, each a transaction of its own.
 *
 * **Example** (Once a day)
 *
 * ```ts no-run It runs for ever.
 * import { PgEventStore } from "effect-cqrs/postgres"
 * import * as Effect from "effect/Effect"
 * import * as Schedule from "effect/Schedule"
 *
 * const cleaning = Effect.repeat(PgEventStore.forgetIds({ olderThan: "30 days" }), Schedule.spaced("1 day"))
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const forgetIds = (options: {
  readonly olderThan: Duration.Input
}): Effect.Effect<number, EventStoreError, SqlClient.SqlClient> =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => {
    const seconds = Duration.toSeconds(Duration.fromInputUnsafe(options.olderThan))
    const batch = sql<{ readonly forgotten: number }>`
      with old as (
        select tenant, stream, id from es.appended where at < clock_timestamp() - ${seconds}::float8 * interval '1 second' limit 1000
      ),
      forgotten as (delete from es.appended a using old o where a.tenant = o.tenant and a.stream = o.stream and a.id = o.id returning 1)
      select count(*)::int as forgotten from forgotten`
    const more = (before: number): Effect.Effect<number, EventStoreError> =>
      Effect.flatMap(Effect.mapError(batch.withoutTransform, storageFailure("forgetIds")), ([row]) =>
        row === undefined || row.forgotten === 0 ? Effect.succeed(before) : more(before + row.forgotten)
      )
    return more(0)
  })

/** How often a refusal that no longer holds when the stream is looked at again is tried again. */
const maxAttempts = 10

/** How long, in milliseconds, a group of appends waits for a lock before its members go one by one. */
const groupPatience = 50

const refused = <A>(
  target: Target,
  row: appending.Outcome,
  attempt: number,
  again: () => Effect.Effect<A, EventStoreError>
): Effect.Effect<A, EventStoreError> => {
  const reason = refusalOf(target, row)
  if (reason !== undefined) return Effect.fail(new EventStoreError({ reason }))
  if (attempt < maxAttempts) return again()
  const { expected, stream } = target
  return Effect.fail(new EventStoreError({ reason: new VersionConflict({ stream, expected, actual: row.version }) }))
}

/** Rows that are not what the statement promises are a failure, not the end of the program. */
const decode = <A>(operation: string, f: () => A): Effect.Effect<A, EventStoreError> => {
  try {
    return Effect.succeed(f())
  } catch (cause) {
    return Effect.fail(unexpected(operation, cause))
  }
}
