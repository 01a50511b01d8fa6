/** The log in memory: its events, its streams, and what transactions add to both. */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as EventQuery from "../../domain/EventQuery.ts"
import type * as Position from "../../domain/Position.ts"
import type { Envelope } from "../../domain/RecordedEvent.ts"
import * as StreamName from "../../domain/StreamName.ts"
import type { TenantId } from "../../domain/TenantId.ts"
import type { StreamState } from "../EventStoreDriver.ts"
import type { Overlaid, Transaction } from "./Journal.ts"
import { keyOf, MemoryStreams } from "./memoryStreams.ts"
import * as Prepare from "./prepare.ts"
import { TagIndex } from "./tagIndex.ts"

/** An event with its contents as text: what does not survive JSON does not survive here. */
export interface Kept extends Envelope {
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
