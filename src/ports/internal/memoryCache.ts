/** Answers in this process: bounded by number and weight, the least recently used going first. */
import * as Position from "../../domain/Position.ts"
import type { TenantId } from "../../domain/TenantId.ts"
import type { Entry, Filling, Invalidation, Looked, Slot, Ticket } from "../QueryCacheDriver.ts"

/** What an invalidation reaches by a tag: an answer, or one that is being made. */
interface Tagged {
  readonly space: Space
  readonly key: string
  readonly tags: ReadonlyArray<string>
  node: Node | undefined
  current: boolean
}

interface Node {
  readonly space: Space
  readonly key: string
  readonly entry: Entry
  readonly tagged: Tagged
  readonly source: string | undefined
  readonly weight: number
  readonly expiresAt: number
  readonly order: number
  newer: Node | undefined
  older: Node | undefined
}

interface Held extends Ticket {
  readonly key: string
  readonly tagged: Tagged
  readonly order: number
  readonly expiresAt: number
}

/** All of one tenant. */
interface Space {
  readonly tenant: TenantId
  readonly nodes: Map<string, Node>
  readonly holders: Map<string, Held>
  readonly tagged: Map<string, Set<Tagged>>
  readonly progress: Map<string, Position.Position>
}

/** An answer on its way here from where others keep it; not current when it was made wrong meanwhile. */
export interface Fetch {
  readonly slot: Slot
  readonly order: number
  current: boolean
}

export class MemoryCache {
  private readonly spaces = new Map<TenantId, Space>()
  private readonly open = new Map<string, Held>()
  private readonly maxEntries: number
  private readonly maxWeight: number
  private newest: Node | undefined
  private oldest: Node | undefined
  private readonly fetches = new Map<TenantId, Set<Fetch>>()
  private count = 0
  private weight = 0
  private order = 0

  constructor(maxEntries: number, maxWeight: number) {
    this.maxEntries = maxEntries
    this.maxWeight = maxWeight
  }

  get entries(): number {
    return this.count
  }

  peek(slot: Slot, after: Position.Position, now: number): Entry | undefined {
    const node = this.spaces.get(slot.tenant)?.nodes.get(slot.key)
    if (node === undefined) return undefined
    if (node.expiresAt <= now) {
      this.remove(node)
      return undefined
    }
    if (after > node.entry.position && !this.holds(node, after)) return undefined
    if (node !== this.newest) {
      this.unlink(node)
      this.link(node)
    }
    return node.entry
  }

  look(slot: Slot, after: Position.Position, lease: number, now: number): Looked {
    const entry = this.peek(slot, after, now)
    if (entry !== undefined) return { _tag: "Found", entry }
    const ticket = this.claim(slot, lease, now)
    return ticket === undefined ? { _tag: "Taken" } : { _tag: "Vacant", ticket }
  }

  claim(slot: Slot, lease: number, now: number): Ticket | undefined {
    const space = this.space(slot.tenant)
    const holder = space.holders.get(slot.key)
    if (holder !== undefined && holder.expiresAt > now) return undefined
    const held = this.watch(slot, now + lease)
    space.holders.set(slot.key, held)
    return held
  }

  /** A ticket that many may have at the same time. */
  watch(slot: Slot, expiresAt = 0): Held {
    const order = ++this.order
    const tagged: Tagged = {
      space: this.space(slot.tenant),
      key: slot.key,
      tags: slot.tags,
      node: undefined,
      current: true
    }
    const held: Held = {
      token: String(order),
      isCurrent: () => tagged.current,
      key: slot.key,
      tagged,
      order,
      expiresAt
    }
    this.open.set(held.token, held)
    this.index(tagged)
    return held
  }

  fill(slot: Slot, ticket: Ticket, filling: Filling, now: number): boolean {
    const held = this.close(ticket)
    if (held === undefined || !held.tagged.current) return false
    return this.keep(slot, held.tagged.space, held.order, filling, now)
  }

  /** Begins to fetch an answer, which ends with `fetched`. */
  fetch(slot: Slot): Fetch {
    const fetch = { slot, order: ++this.order, current: true }
    const all = this.fetches.get(slot.tenant)
    if (all === undefined) this.fetches.set(slot.tenant, new Set([fetch]))
    else all.add(fetch)
    return fetch
  }

  /** Ends a fetch; what it has brought is kept if it is still right. */
  fetched(fetch: Fetch, filling?: Filling, filledAt = 0): void {
    const { current, order, slot } = fetch
    const all = this.fetches.get(slot.tenant)
    if (all?.delete(fetch) === true && all.size === 0) this.fetches.delete(slot.tenant)
    if (!current || filling === undefined) return
    const space = this.space(slot.tenant)
    this.keep(slot, space, order, filling, filledAt)
    this.forget(space)
  }

  abandon(ticket: Ticket): void {
    this.close(ticket)
  }

  invalidate(tenant: TenantId, { progress, tags }: Invalidation): void {
    for (const fetch of this.fetches.get(tenant) ?? []) {
      if (tags.some((tag) => fetch.slot.tags.includes(tag))) fetch.current = false
    }
    const space = this.spaces.get(tenant)
    if (space === undefined) return
    for (const tag of tags) {
      for (const tagged of space.tagged.get(tag) ?? []) {
        tagged.current = false
        if (tagged.node !== undefined) this.remove(tagged.node)
        // Whoever comes next does not wait for what is wrong by now.
        else if (space.holders.get(tagged.key)?.tagged === tagged) space.holders.delete(tagged.key)
      }
    }
    if (progress !== undefined) {
      const before = space.progress.get(progress.source) ?? Position.start
      space.progress.set(progress.source, Position.max(before, progress.position))
    }
  }

  /** Forgets all answers, and lets none be kept that is being made. */
  clear(): void {
    for (const all of this.fetches.values()) for (const fetch of all) fetch.current = false
    for (const space of this.spaces.values()) {
      for (const all of space.tagged.values()) for (const tagged of all) tagged.current = false
    }
    this.spaces.clear()
    this.newest = this.oldest = undefined
    this.count = this.weight = 0
  }

  private keep(slot: Slot, space: Space, order: number, filling: Filling, filledAt: number): boolean {
    const before = space.nodes.get(slot.key)
    if (before !== undefined && before.order > order) return false
    const weight = slot.key.length + filling.text.length
    if (before !== undefined) this.remove(before)
    if (weight > this.maxWeight) return false
    const { cost, grace, outcome, position, ttl } = filling
    const entry: Entry = { outcome, filledAt, ttl, cost, position }
    this.put(slot, space, { entry, weight, order, expiresAt: filledAt + ttl + grace })
    return true
  }

  private space(tenant: TenantId): Space {
    let space = this.spaces.get(tenant)
    if (space === undefined) {
      space = { tenant, nodes: new Map(), holders: new Map(), tagged: new Map(), progress: new Map() }
      this.spaces.set(tenant, space)
    }
    return space
  }

  private holds({ source, space }: Node, after: Position.Position): boolean {
    return source !== undefined && (space.progress.get(source) ?? Position.start) >= after
  }

  private put(slot: Slot, space: Space, made: Pick<Node, "entry" | "weight" | "order" | "expiresAt">): void {
    const tagged: Tagged = { space, key: slot.key, tags: slot.tags, node: undefined, current: true }
    const node: Node = {
      ...made,
      space,
      key: slot.key,
      source: slot.source,
      tagged,
      newer: undefined,
      older: undefined
    }
    tagged.node = node
    // Closing the ticket may have been the last there was of the tenant.
    this.spaces.set(space.tenant, space)
    space.nodes.set(slot.key, node)
    this.index(tagged)
    this.link(node)
    this.count++
    this.weight += node.weight
    while ((this.count > this.maxEntries || this.weight > this.maxWeight) && this.oldest !== undefined) {
      this.remove(this.oldest)
    }
  }

  private close(ticket: Ticket): Held | undefined {
    const held = this.open.get(ticket.token)
    if (held === undefined) return undefined
    this.open.delete(ticket.token)
    this.unindex(held.tagged)
    const { space } = held.tagged
    if (space.holders.get(held.key) === held) space.holders.delete(held.key)
    this.forget(space)
    return held
  }

  private remove(node: Node): void {
    if (!node.space.nodes.delete(node.key)) return
    this.unlink(node)
    this.unindex(node.tagged)
    this.count--
    this.weight -= node.weight
    this.forget(node.space)
  }

  private forget(space: Space): void {
    // What is known of its projections is kept with its answers alone.
    if (space.nodes.size === 0 && space.tagged.size === 0 && this.spaces.get(space.tenant) === space) {
      this.spaces.delete(space.tenant)
    }
  }

  private index(tagged: Tagged): void {
    for (const tag of tagged.tags) {
      const all = tagged.space.tagged.get(tag)
      if (all === undefined) tagged.space.tagged.set(tag, new Set([tagged]))
      else all.add(tagged)
    }
  }

  private unindex(tagged: Tagged): void {
    for (const tag of tagged.tags) {
      const all = tagged.space.tagged.get(tag)
      if (all?.delete(tagged) && all.size === 0) tagged.space.tagged.delete(tag)
    }
  }

  private link(node: Node): void {
    node.older = this.newest
    node.newer = undefined
    if (this.newest !== undefined) this.newest.newer = node
    this.newest = node
    this.oldest ??= node
  }

  private unlink(node: Node): void {
    if (node.newer === undefined) this.newest = node.older
    else node.newer.older = node.older
    if (node.older === undefined) this.oldest = node.newer
    else node.older.newer = node.newer
  }
}
