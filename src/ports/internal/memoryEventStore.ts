/** The event store's driver over the memory journal. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as EventQuery from "../../domain/EventQuery.ts"
import * as Layer from "effect/Layer"
import type * as Fiber from "effect/Fiber"
import * as Position from "../../domain/Position.ts"
import type { Envelope, Stored } from "../../domain/RecordedEvent.ts"
import * as StreamName from "../../domain/StreamName.ts"
import type { TenantId } from "../../domain/TenantId.ts"
import type { Appended, Driver, Page, PreparedAppend, ReadAll, ReadStream, StreamState } from "../EventStoreDriver.ts"
import { EventStoreError, StreamArchived } from "../EventStoreError.ts"
import type { AppendReceipt } from "../Receipt.ts"
import * as Condition from "./condition.ts"
import { type Journal, JournalMap, type Overlaid, type Transaction } from "./Journal.ts"
import { keyOf, MemoryStreams, type Skips } from "./memoryStreams.ts"
import * as Prepare from "./prepare.ts"
import { TagIndex } from "./tagIndex.ts"

/** An event with its contents as text: what does not survive JSON does not survive here. */
interface Kept extends Envelope {
  readonly data: string
}

/** A stream as it is committed; its events are an array of its own. */
interface Stream {
  version: number
  tombstoned: boolean
  readonly events: Array<Kept>
}

/** What one transaction has appended and how it left the streams it touched. */
interface Pending {
  readonly events: Array<Kept>
  readonly states: Map<string, StreamState & { readonly tenant: TenantId; readonly stream: StreamName.StreamName }>
}

const nameOf = (tenant: TenantId, stream: string, id: string) => `${tenant}\0${stream}\0${id}`

/** All events in order, where those that were removed have left their places, and the streams they belong to. */
export class MemoryLog implements Overlaid {
  readonly events: Array<Kept | undefined> = []
  readonly streams = new MemoryStreams()
  /** Who waits for something after a position. */
  readonly waiting = new Set<{ readonly after: Position.Position; readonly wake: () => void }>()
  private readonly tags = new TagIndex<Kept>()
  private readonly tenants = new Map<TenantId, Map<string, Stream>>()
  // An append looks its stream up several times: the last answer is kept, be it that there is none.
  private readonly last: { tenant: TenantId | undefined; name: string; stream: Stream | undefined } = {
    tenant: undefined,
    name: "",
    stream: undefined
  }

  wake(): void {
    for (const waiter of this.waiting) {
      if (this.events.length > waiter.after && this.waiting.delete(waiter)) waiter.wake()
    }
  }

  /** Where the last event that this transaction sees stands. */
  end(transaction: Transaction | undefined): number {
    let end = this.events.length
    for (let layer = transaction; layer !== undefined; layer = layer.parent)
      end += this.pending(layer)?.events.length ?? 0
    return end
  }

  state(transaction: Transaction | undefined, tenant: TenantId, stream: StreamName.StreamName): StreamState {
    for (let layer = transaction; layer !== undefined; layer = layer.parent) {
      const state = this.pending(layer)?.states.get(keyOf(tenant, stream))
      if (state !== undefined) return state
    }
    return this.find(tenant, stream) ?? Prepare.missing
  }

  list(transaction: Transaction | undefined, tenant: TenantId, stream: StreamName.StreamName): ReadonlyArray<Kept> {
    if (transaction === undefined) return this.find(tenant, stream)?.events ?? []
    const own = this.pending(transaction)?.events.filter((event) => event.stream === stream && event.tenant === tenant)
    const below = this.list(transaction.parent, tenant, stream)
    return own === undefined || own.length === 0 ? below : [...below, ...own]
  }

  /** The events after a position that a query fits, as this transaction sees them. */
  matching(
    transaction: Transaction | undefined,
    tenant: TenantId,
    query: EventQuery.EventQuery,
    after: number
  ): ReadonlyArray<Kept> {
    if (transaction === undefined) return this.tags.matching(this.events, tenant, query, after)
    const below = this.matching(transaction.parent, tenant, query, after)
    const own = this.pending(transaction)?.events.filter(
      (event) => event.position > after && event.tenant === tenant && EventQuery.matches(query, event)
    )
    return own === undefined || own.length === 0 ? below : [...below, ...own]
  }

  /** What a reader of the stream sees; archived ones are read by their names. */
  visible(
    transaction: Transaction | undefined,
    tenant: TenantId,
    stream: StreamName.StreamName,
    now: number,
    skipped: boolean
  ): ReadonlyArray<Kept> {
    const events = this.list(transaction, tenant, stream)
    if (this.streams.isEmpty(transaction)) return events
    const last = this.state(transaction, tenant, stream).version
    return events.filter(this.streams.visible(transaction, now, () => last, { archived: true, skipped }))
  }

  /** The streams that this transaction sees. */
  names(transaction: Transaction | undefined, tenant: TenantId): ReadonlySet<StreamName.StreamName> {
    if (transaction === undefined) {
      return new Set([...(this.tenants.get(tenant)?.keys() ?? [])].map(StreamName.fromString))
    }
    const states = [...(this.pending(transaction)?.states.values() ?? [])]
    const own = states.filter((state) => state.tenant === tenant).map(({ stream }) => stream)
    return new Set([...this.names(transaction.parent, tenant), ...own])
  }

  /** Takes committed events away for good; the version stays. */
  remove(tenant: TenantId, name: string, versions: ReadonlySet<number>): void {
    const stream = this.find(tenant, name)
    if (stream === undefined || versions.size === 0) return
    for (const event of stream.events) {
      if (!versions.has(event.version)) continue
      this.events[event.position - 1] = undefined
      this.tags.remove(event)
    }
    const rest = stream.events.filter(({ version }) => !versions.has(version))
    stream.events.splice(0, stream.events.length, ...rest)
  }

  write(
    transaction: Transaction | undefined,
    tenant: TenantId,
    stream: StreamName.StreamName,
    state: StreamState,
    events: Array<Kept>
  ): void {
    if (transaction !== undefined) {
      const pending: Pending = this.pending(transaction) ?? { events: [], states: new Map() }
      transaction.overlays.set(this, pending)
      pending.events.push(...events)
      pending.states.set(keyOf(tenant, stream), {
        version: state.version,
        tombstoned: state.tombstoned,
        tenant,
        stream
      })
      return
    }
    for (const event of events) {
      this.events.push(event)
      this.tags.add(event)
    }
    const known = this.find(tenant, stream)
    if (known === undefined) return this.begin(tenant, stream, { ...state, events })
    known.version = state.version
    known.tombstoned = state.tombstoned
    for (const event of events) known.events.push(event)
  }

  fold(overlay: Pending, below: Transaction | undefined): void {
    for (const event of overlay.events) {
      this.write(below, event.tenant, event.stream, { version: event.version, tombstoned: false }, [event])
    }
    for (const state of overlay.states.values()) this.write(below, state.tenant, state.stream, state, [])
  }

  private find(tenant: TenantId, name: string): Stream | undefined {
    const { last } = this
    if (last.name !== name || last.tenant !== tenant) {
      last.tenant = tenant
      last.name = name
      last.stream = this.tenants.get(tenant)?.get(name)
    }
    return last.stream
  }

  private begin(tenant: TenantId, name: string, stream: Stream): void {
    const streams = this.tenants.get(tenant)
    if (streams === undefined) this.tenants.set(tenant, new Map([[name, stream]]))
    else streams.set(name, stream)
    this.last.tenant = undefined
  }

  private pending(transaction: Transaction): Pending | undefined
  private pending(transaction: Transaction): unknown {
    return transaction.overlays.get(this)
  }
}

/** The log that the memory layers of one program share. */
export class SharedLog extends Context.Service<SharedLog, MemoryLog>()("effect-cqrs/ports/internal/MemoryLog") {}

export const layer: Layer.Layer<SharedLog> = Layer.sync(SharedLog, () => new MemoryLog())

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
