/**
 * The log of events: streams with optimistic concurrency, and one global order over all of them.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { EventQuery } from "../domain/EventQuery.ts"
import type { Position } from "../domain/Position.ts"
import type { Stored } from "../domain/RecordedEvent.ts"
import type { StreamName } from "../domain/StreamName.ts"
import type { TenantId } from "../domain/TenantId.ts"
import type {
  Append,
  Appended,
  Driver,
  Matching,
  Page,
  ReadAll,
  ReadMatching,
  ReadStream,
  StreamState
} from "./EventStoreDriver.ts"
import { EventStoreError, type ExpectedVersion, InvalidInput } from "./EventStoreError.ts"
import * as FlowRecorder from "./FlowRecorder.ts"
import * as Condition from "./internal/condition.ts"
import * as Journal from "./internal/Journal.ts"
import { makeMemory } from "./internal/memoryEventStore.ts"
import * as MemoryLog from "./internal/memoryLog.ts"
import * as Prepare from "./internal/prepare.ts"
import * as Receipt from "./Receipt.ts"
import type { SystemContext } from "./SystemContext.ts"
import { TenantContext } from "./TenantContext.ts"

/**
 * The event log.
 *
 * **Details**
 *
 * - `append` adds events atomically and answers with the stream's new version and the last position. An append without
 *   events checks what it expects and writes nothing.
 * - `appendAll` does so for several different streams: all of them, or none.
 * - An append with an `id` is written once, and answered with its first receipt whenever it is asked again; `appended` gives
 *   that receipt without asking.
 * - `readMatching` gives the events that a query fits, across streams and also beyond the mark, with the condition that
 *   there are no others. An append under that `condition` fails with `AppendConditionFailed` when there are.
 * - `readStream` and `streamState` know one stream; a missing or tombstoned stream reads as empty.
 * - `readAll` pages through the tenant's events in the global order, `readAllTenants` through everybody's.
 * - What retention hides and what is skipped (see `StreamAdmin`) is not read; the streams that are archived are read by their
 *   names, and not in the log.
 * - `mark` is the highest position up to which the log is settled: nothing at or below it can still appear. All readers of
 *   the log stop there, so none of them skips an event that commits late.
 * - `changed` completes when there may be something to read after a position; it is a hint and may be early.
 * - `tombstone` ends a stream for good.
 *
 * @category services
 * @since 0.1.0
 */
export class EventStore extends Context.Service<
  EventStore,
  {
    readonly append: (append: Append) => Effect.Effect<Receipt.AppendReceipt, EventStoreError, TenantContext>
    readonly appendAll: (
      appends: ReadonlyArray<Append>
    ) => Effect.Effect<ReadonlyArray<Receipt.AppendReceipt>, EventStoreError, TenantContext>
    readonly readStream: (
      stream: StreamName,
      options?: ReadStream
    ) => Effect.Effect<ReadonlyArray<Stored>, EventStoreError, TenantContext>
    readonly streamState: (stream: StreamName) => Effect.Effect<StreamState, EventStoreError, TenantContext>
    readonly appended: (
      stream: StreamName,
      id: string
    ) => Effect.Effect<Appended | undefined, EventStoreError, TenantContext>
    readonly readMatching: (
      query: EventQuery,
      options?: ReadMatching
    ) => Effect.Effect<Matching, EventStoreError, TenantContext>
    readonly readAll: (options: ReadAll) => Effect.Effect<Page, EventStoreError, TenantContext>
    readonly readAllTenants: (options: ReadAll) => Effect.Effect<Page, EventStoreError, SystemContext>
    readonly mark: Effect.Effect<Position, EventStoreError>
    readonly changed: (after: Position) => Effect.Effect<void, EventStoreError>
    readonly tombstone: (
      stream: StreamName,
      expected: ExpectedVersion
    ) => Effect.Effect<void, EventStoreError, TenantContext>
  }
>()("effect-cqrs/ports/EventStore") {}

const refuse = (reason: EventStoreError["reason"]): Effect.Effect<never, EventStoreError> =>
  Effect.fail(new EventStoreError({ reason }))

/**
 * The event store over an adapter's driver.
 *
 * @category adapters
 * @since 0.1.0
 */
export const make = (driver: Driver): EventStore["Service"] => {
  const inTenant = <A, E>(f: (tenant: TenantId) => Effect.Effect<A, E>): Effect.Effect<A, E, TenantContext> =>
    Effect.flatMap(TenantContext, (tenant) => f(tenant.id))

  const write = (appends: ReadonlyArray<Append>) =>
    Effect.withFiber<ReadonlyArray<Receipt.AppendReceipt>, EventStoreError, TenantContext>((fiber) => {
      const tenant = Context.getUnsafe(fiber.context, TenantContext).id
      const prepared = Prepare.appends(tenant, appends, fiber)
      if (prepared._tag === "Failure") return refuse(prepared.failure)
      const collector = fiber.getRef(Receipt.Collector)
      const recorder = Context.getOrUndefined(fiber.context, FlowRecorder.FlowRecorder)
      const written = driver.append(tenant, prepared.success)
      const collected =
        collector === undefined
          ? written
          : Effect.tap(written, (receipts) => Effect.sync(() => void collector.push(...receipts)))
      return recorder === undefined
        ? collected
        : Effect.tap(collected, (receipts) => FlowRecorder.appended(recorder, tenant, prepared.success, receipts))
    })

  const check = (tenant: TenantId, append: Append) => {
    const { condition, stream } = append
    const issues = [...Prepare.targetIssues(tenant, stream, append.expected), ...Condition.appendIssues(append)]
    if (issues.length > 0) return refuse(new InvalidInput({ stream, issues }))
    const standing = Effect.flatMap(driver.streamState(tenant, stream), (state) => {
      const refused = Prepare.refusal(stream, append.expected, state)
      return refused === undefined
        ? Effect.succeed<Receipt.AppendReceipt>({ stream, version: state.version, position: Prepare.nothing })
        : refuse(refused)
    })
    if (condition === undefined) return standing
    return Effect.flatMap(driver.readMatching(tenant, condition.query, { after: condition.after }), ({ events }) => {
      const failed = Condition.firstUnknown(condition, events)
      return failed === undefined ? standing : refuse(Condition.failed(stream, condition, failed))
    })
  }

  const appendAll = (appends: ReadonlyArray<Append>) => {
    const empty = appends.filter((append) => append.events.length === 0)
    if (empty.length === 0) return write(appends)
    const repeated = Prepare.repeated(appends)
    if (repeated !== undefined) return refuse(repeated)
    return inTenant((tenant) => Effect.forEach(empty, (append) => check(tenant, append))).pipe(
      Effect.flatMap((checked) => {
        const rest = appends.filter((append) => append.events.length > 0)
        return Effect.map(rest.length === 0 ? Effect.succeed([]) : write(rest), (written) => {
          const byStream = new Map([...checked, ...written].map((receipt) => [receipt.stream, receipt]))
          return appends.flatMap((append) => byStream.get(append.stream) ?? [])
        })
      })
    )
  }

  return {
    append: (append) => Effect.map(append.events.length === 0 ? appendAll([append]) : write([append]), Prepare.only),
    appendAll,
    readStream: (stream, options) =>
      inTenant((tenant) =>
        Prepare.readable(tenant, stream) ? driver.readStream(tenant, stream, options ?? {}) : Effect.succeed([])
      ),
    streamState: (stream) =>
      inTenant((tenant) =>
        Prepare.readable(tenant, stream) ? driver.streamState(tenant, stream) : Effect.succeed(Prepare.missing)
      ),
    appended: (stream, id) =>
      inTenant((tenant) =>
        Prepare.readable(tenant, stream) && Condition.idIssue(id) === undefined
          ? driver.appended(tenant, stream, id)
          : Effect.succeed(undefined)
      ),
    readMatching: (query, options) =>
      inTenant((tenant) => {
        const issues = Condition.queryIssues(query)
        if (issues.length > 0) return refuse(new InvalidInput({ stream: "", issues }))
        return Prepare.tenantReadable(tenant)
          ? driver.readMatching(tenant, query, options ?? {})
          : Effect.map(driver.mark, (after): Matching => ({ events: [], condition: { query, after } }))
      }),
    readAll: (options) =>
      inTenant((tenant) =>
        Prepare.tenantReadable(tenant)
          ? driver.readAll(tenant, Prepare.page(options))
          : Effect.map(driver.mark, (mark) => Prepare.emptyPage(options.after, mark))
      ),
    readAllTenants: (options) => driver.readAll(undefined, Prepare.page(options)),
    mark: driver.mark,
    changed: driver.changed,
    tombstone: (stream, expected) =>
      inTenant((tenant) => {
        const issues = Prepare.targetIssues(tenant, stream, expected)
        return issues.length > 0
          ? refuse(new InvalidInput({ stream, issues }))
          : driver.tombstone(tenant, stream, expected)
      })
  }
}

/**
 * The event store in memory: as strict as the others, gone with the process, flat in cost to a million streams.
 *
 * **Details**
 *
 * Events are kept as the JSON text that a database would keep, and decoded when read: what does not survive storage does
 * not survive here.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<EventStore> = Layer.effect(
  EventStore,
  Effect.gen(function* () {
    return make(makeMemory(yield* Journal.MemoryJournal, yield* MemoryLog.SharedLog))
  })
).pipe(Layer.provide([Journal.layer, MemoryLog.layer]))
