/** The event store's driver over the memory journal. */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Position from "../../domain/Position.ts"
import type { Stored } from "../../domain/RecordedEvent.ts"
import * as StreamName from "../../domain/StreamName.ts"
import type { TenantId } from "../../domain/TenantId.ts"
import type { Appended, Driver, Page, PreparedAppend, ReadAll, ReadStream } from "../EventStoreDriver.ts"
import { EventStoreError, StreamArchived } from "../EventStoreError.ts"
import type { AppendReceipt } from "../Receipt.ts"
import * as Condition from "./condition.ts"
import { type Journal, JournalMap, type Transaction } from "./Journal.ts"
import type { Kept, MemoryLog } from "./memoryLog.ts"
import type { Skips } from "./memoryStreams.ts"
import * as Prepare from "./prepare.ts"

const nameOf = (tenant: TenantId, stream: string, id: string) => `${tenant}\0${stream}\0${id}`

export const makeMemory = (journal: Journal, log: MemoryLog): Driver => {
  const named = new JournalMap<string, Appended>()
  const { waiting } = log
  const mark = () => Position.make(log.events.length)

  const wake = () => log.wake()

  const refusal = (
    transaction: Transaction | undefined,
    tenant: TenantId,
    stream: StreamName.StreamName,
    expected: PreparedAppend["expected"]
  ): EventStoreError["reason"] | undefined =>
    log.streams.rule(transaction, tenant, stream).archived
      ? new StreamArchived({ stream })
      : Prepare.refusal(stream, expected, log.state(transaction, tenant, stream))

  const unexpected = (
    transaction: Transaction | undefined,
    tenant: TenantId,
    { condition, expected, stream }: PreparedAppend
  ): EventStoreError["reason"] | undefined => {
    if (condition !== undefined) {
      const events = log.matching(transaction, tenant, condition.query, condition.after)
      const position = Condition.firstUnknown(condition, events)
      if (position !== undefined) return Condition.failed(stream, condition, position)
    }
    return refusal(transaction, tenant, stream, expected)
  }

  const writeAll = (
    transaction: Transaction | undefined,
    tenant: TenantId,
    appends: ReadonlyArray<PreparedAppend>,
    now: number
  ): Exit.Exit<ReadonlyArray<AppendReceipt>, EventStoreError> => {
    const before = (append: PreparedAppend) =>
      append.id === undefined ? undefined : named.get(transaction, nameOf(tenant, append.stream, append.id))
    for (const append of appends) {
      if (before(append) !== undefined) continue
      const refused = unexpected(transaction, tenant, append)
      if (refused !== undefined) return Exit.fail(new EventStoreError({ reason: refused }))
    }
    const receipts: Array<AppendReceipt> = []
    for (const append of appends) {
      const { events, id, stream } = append
      const first = before(append)
      if (first !== undefined) {
        receipts.push({ stream, version: first.version, position: first.position, repeated: true })
        continue
      }
      let { version } = log.state(transaction, tenant, stream)
      let position = log.end(transaction)
      const kept = events.map((event): Kept => {
        const { data, id, metadata, schemaVersion, tags, type } = event
        version++
        position++
        const at = Position.make(position)
        return { position: at, tenant, stream, version, id, type, schemaVersion, tags, metadata, recordedAt: now, data }
      })
      log.write(transaction, tenant, stream, { version, tombstoned: false }, kept)
      const receipt = { stream, version, position: Position.make(position) }
      receipts.push(receipt)
      if (id !== undefined) named.set(transaction, nameOf(tenant, stream, id), { ...receipt, count: events.length })
    }
    if (transaction !== undefined) transaction.hooks.push(Effect.sync(wake))
    else if (waiting.size > 0) wake()
    return Exit.succeed(receipts)
  }

  return {
    append: (tenant, appends) =>
      journal.write((transaction, fiber) =>
        writeAll(transaction, tenant, appends, fiber.getRef(Clock.Clock).currentTimeMillisUnsafe())
      ),
    readStream: (tenant, stream, options) =>
      journal.read((transaction, fiber) => {
        if (log.state(transaction, tenant, stream).tombstoned) return []
        const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
        const skipped = options.skipped === true
        const events = select(log.visible(transaction, tenant, stream, now, skipped), options)
        const skips = skipped ? log.streams.skipped(transaction, tenant, stream) : undefined
        return events.map((event) => toStored(event, skips))
      }),
    streamState: (tenant, stream) =>
      journal.read((transaction) => {
        const { tombstoned, version } = log.state(transaction, tenant, stream)
        return { version, tombstoned }
      }),
    appended: (tenant, stream, id) => journal.read((transaction) => named.get(transaction, nameOf(tenant, stream, id))),
    readMatching: (tenant, query, { after = Position.start }) =>
      journal.read((transaction, fiber) => ({
        events: log
          .matching(transaction, tenant, query, after)
          .filter(seen(transaction, fiber, log, {}))
          .map((event) => toStored(event, undefined)),
        // A transaction is alone: what it sees is all there is.
        condition: { query, after: Position.make(log.end(transaction)) }
      })),
    readAll: (tenant, options) => journal.read((transaction, fiber) => page(transaction, fiber, log, tenant, options)),
    mark: Effect.sync(mark),
    changed: (after) =>
      Effect.callback((resume) => {
        if (mark() > after) return resume(Effect.void)
        const waiter = { after, wake: () => resume(Effect.void) }
        waiting.add(waiter)
        return Effect.sync(() => void waiting.delete(waiter))
      }),
    tombstone: (tenant, stream, expected) =>
      journal.write((transaction) => {
        const refused = refusal(transaction, tenant, stream, expected)
        if (refused !== undefined) return Exit.fail(new EventStoreError({ reason: refused }))
        const { version } = log.state(transaction, tenant, stream)
        log.write(transaction, tenant, stream, { version, tombstoned: true }, [])
        return Exit.void
      })
  }
}

const toStored = (kept: Kept, skips: Skips | undefined): Stored => {
  const stored = { ...kept, data: JSON.parse(kept.data) }
  const skip = skips?.get(kept.version)
  return skip === undefined ? stored : { ...stored, skip }
}

const select = (events: ReadonlyArray<Kept>, options: ReadStream): ReadonlyArray<Kept> => {
  const last = events.at(-1)?.version ?? 0
  const from = Math.max(options.fromVersion ?? 1, 1)
  const to = Math.min(options.toVersion ?? last, last)
  const until = options.until === undefined ? undefined : DateTime.toEpochMillis(options.until)
  const range =
    last === events.length
      ? events.slice(from - 1, Math.max(to, 0))
      : events.filter(({ version }) => version >= from && version <= to)
  const timely = until === undefined ? range : range.filter((event) => event.recordedAt <= until)
  const ordered = options.direction === "backward" ? timely.slice().reverse() : timely
  return options.limit === undefined ? ordered : ordered.slice(0, Math.max(options.limit, 0))
}

/** What readers of the log see. */
const seen = (
  transaction: Transaction | undefined,
  fiber: Fiber.Fiber<unknown, unknown>,
  log: MemoryLog,
  { archived = false, skipped = false }: Pick<ReadAll, "archived" | "skipped">
): ((event: Kept) => boolean) => {
  const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
  const last = (tenant: TenantId, stream: string) =>
    log.state(transaction, tenant, StreamName.fromString(stream)).version
  return log.streams.visible(transaction, now, last, { archived, skipped })
}

const page = (
  transaction: Transaction | undefined,
  fiber: Fiber.Fiber<unknown, unknown>,
  log: MemoryLog,
  tenant: TenantId | undefined,
  options: ReadAll
): Page => {
  const { events, streams } = log
  const found: Array<Stored> = []
  const fits = filter(tenant, options)
  const visible = seen(transaction, fiber, log, options)
  const mark = Position.make(events.length)
  // Positions have no holes here, so an event's place in the list is its position less one.
  for (let index = options.after; index < events.length; index++) {
    const event = events[index]
    if (event === undefined || !fits(event) || !visible(event)) continue
    if (found.length === options.limit) return { events: found, cursor: found.at(-1)?.position ?? options.after, mark }
    found.push(
      toStored(event, options.skipped === true ? streams.skipped(transaction, event.tenant, event.stream) : undefined)
    )
  }
  return { events: found, cursor: Position.max(options.after, mark), mark }
}

const filter = (tenant: TenantId | undefined, { categories, tags, types }: ReadAll) => {
  const wantedTypes = types === undefined ? undefined : new Set(types)
  const wantedCategories = categories === undefined ? undefined : new Set(categories)
  const wantedTags = tags === undefined ? undefined : new Set(tags)
  return (event: Kept): boolean =>
    (tenant === undefined || event.tenant === tenant) &&
    (wantedTypes === undefined || wantedTypes.has(event.type)) &&
    (wantedCategories === undefined || wantedCategories.has(StreamName.category(event.stream))) &&
    (wantedTags === undefined || event.tags.some((tag) => wantedTags.has(tag)))
}
