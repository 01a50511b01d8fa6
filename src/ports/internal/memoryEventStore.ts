/** The event store's driver over the memory journal. */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Position from "../../domain/Position.ts"
import type { Envelope, Stored } from "../../domain/RecordedEvent.ts"
import * as StreamName from "../../domain/StreamName.ts"
import type { TenantId } from "../../domain/TenantId.ts"
import type { Driver, Page, PreparedAppend, ReadAll, ReadStream, StreamState } from "../EventStoreDriver.ts"
import { EventStoreError } from "../EventStoreError.ts"
import type { AppendReceipt } from "../Receipt.ts"
import type { Journal, Overlaid, Transaction } from "./Journal.ts"
import * as Prepare from "./prepare.ts"

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

const keyOf = (tenant: TenantId, stream: string) => `${tenant}\0${stream}`

/** All events in order, and the streams they belong to. */
class MemoryLog implements Overlaid {
  readonly events: Array<Kept> = []
  private readonly tenants = new Map<TenantId, Map<string, Stream>>()
  // An append looks its stream up several times: the last answer is kept, be it that there is none.
  private readonly last: { tenant: TenantId | undefined; name: string; stream: Stream | undefined } = {
    tenant: undefined,
    name: "",
    stream: undefined
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
    for (const event of events) this.events.push(event)
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

export const makeMemory = (journal: Journal): Driver => {
  const log = new MemoryLog()
  const waiting = new Set<{ readonly after: Position.Position; readonly wake: () => void }>()
  const mark = () => Position.make(log.events.length)

  const wake = () => {
    const settled = mark()
    for (const waiter of waiting) {
      if (settled > waiter.after && waiting.delete(waiter)) waiter.wake()
    }
  }

  const writeAll = (
    transaction: Transaction | undefined,
    tenant: TenantId,
    appends: ReadonlyArray<PreparedAppend>,
    now: number
  ): Exit.Exit<ReadonlyArray<AppendReceipt>, EventStoreError> => {
    for (const { expected, stream } of appends) {
      const refused = Prepare.refusal(stream, expected, log.state(transaction, tenant, stream))
      if (refused !== undefined) return Exit.fail(new EventStoreError({ reason: refused }))
    }
    const receipts: Array<AppendReceipt> = []
    for (const { events, stream } of appends) {
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
      receipts.push({ stream, version, position: Position.make(position) })
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
      journal.read((transaction) =>
        log.state(transaction, tenant, stream).tombstoned
          ? []
          : select(log.list(transaction, tenant, stream), options).map(toStored)
      ),
    streamState: (tenant, stream) =>
      journal.read((transaction) => {
        const { tombstoned, version } = log.state(transaction, tenant, stream)
        return { version, tombstoned }
      }),
    readAll: (tenant, options) => Effect.sync(() => page(log.events, tenant, options)),
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
        const state = log.state(transaction, tenant, stream)
        const refused = Prepare.refusal(stream, expected, state)
        if (refused !== undefined) return Exit.fail(new EventStoreError({ reason: refused }))
        log.write(transaction, tenant, stream, { version: state.version, tombstoned: true }, [])
        return Exit.void
      })
  }
}

const toStored = (kept: Kept): Stored => ({ ...kept, data: JSON.parse(kept.data) })

const select = (events: ReadonlyArray<Kept>, options: ReadStream): ReadonlyArray<Kept> => {
  const from = Math.max(options.fromVersion ?? 1, 1)
  const to = Math.min(options.toVersion ?? events.length, events.length)
  const until = options.until === undefined ? undefined : DateTime.toEpochMillis(options.until)
  const range = events.slice(from - 1, Math.max(to, 0))
  const timely = until === undefined ? range : range.filter((event) => event.recordedAt <= until)
  const ordered = options.direction === "backward" ? timely.slice().reverse() : timely
  return options.limit === undefined ? ordered : ordered.slice(0, Math.max(options.limit, 0))
}

const page = (events: ReadonlyArray<Kept>, tenant: TenantId | undefined, options: ReadAll): Page => {
  const found: Array<Stored> = []
  const fits = filter(tenant, options)
  const mark = Position.make(events.length)
  // Positions have no holes here, so an event's place in the list is its position less one.
  for (let index = options.after; index < events.length; index++) {
    const event = events[index]
    if (event === undefined || !fits(event)) continue
    if (found.length === options.limit) return { events: found, cursor: found.at(-1)?.position ?? options.after, mark }
    found.push(toStored(event))
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
