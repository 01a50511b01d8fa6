/** One reading of the log for all segments of a process. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Segment from "../../../domain/Segment.ts"
import type { Position } from "../../../domain/Position.ts"
import type { Stored } from "../../../domain/RecordedEvent.ts"
import { EventStore } from "../../../ports/EventStore.ts"
import type { EventStoreError } from "../../../ports/EventStoreError.ts"
import type { SystemContext } from "../../../ports/SystemContext.ts"
import type { Filter, Item } from "./model.ts"

/** A part of the log that was read: all that is wanted after `from`, up to `to`. */
export class Page {
  readonly from: Position
  readonly to: Position
  readonly mark: Position
  readonly items: ReadonlyArray<Item>
  private readonly parts = new Map<number, ReadonlyArray<ReadonlyArray<Item>>>()

  constructor(from: Position, read: { readonly to: Position; readonly mark: Position }, items: ReadonlyArray<Item>) {
    this.from = from
    this.to = read.to
    this.mark = read.mark
    this.items = items
  }

  /** What of it a segment has. */
  of({ id, mask }: Segment.Segment): ReadonlyArray<Item> {
    const parts = this.parts.get(mask) ?? this.divide(mask)
    return parts[id] ?? none
  }

  // Once for all segments of one size, of which there are few.
  private divide(mask: number): ReadonlyArray<ReadonlyArray<Item>> {
    const parts: Array<Array<Item>> = []
    for (const item of this.items) (parts[item.hash & mask] ??= []).push(item)
    this.parts.set(mask, parts)
    return parts
  }
}

const none: ReadonlyArray<Item> = []

type Services = EventStore | SystemContext

/** How many events are kept for segments that are behind others. */
const keptItems = 32_000
const keptPages = 512

/** So many pages are read before somebody asks for them. */
const pagesAhead = 2

/**
 * The pages that were read last. Segments ask for what comes after a position; what another has asked for is there already,
 * and what is being read is waited for. While they handle, the next pages are read. What all of them have passed is forgotten.
 * A segment that is far behind reads for itself, and joins the others when it has caught up.
 */
export class Pages {
  readonly limit: number
  private readonly filter: Filter
  private readonly keyOf: (stored: Stored) => string
  private readonly scope: Scope.Scope
  /** By where they begin; oldest first. */
  private pages = new Map<Position, Page>()
  private count = 0
  private readonly reading = new Map<Position, Fiber.Fiber<Page, EventStoreError>>()
  /** How far each segment is, by its token. */
  private readonly readers = new Map<number, Position>()
  /** How far the log is known to go. */
  private mark = 0

  constructor(options: {
    readonly filter: Filter
    readonly key: (stored: Stored) => string
    readonly limit: number
    readonly scope: Scope.Scope
  }) {
    this.filter = options.filter
    this.keyOf = options.key
    this.limit = options.limit
    this.scope = options.scope
  }

  /** The page that goes on after a position, if it was read. */
  cached(after: Position): Page | undefined {
    const page = this.pages.get(after)
    if (page !== undefined) return page
    for (const page of this.pages.values()) {
      if (page.from < after && after < page.to) return page
    }
    return undefined
  }

  /** Whether there is more after a position, as far as is known. */
  hasMore(after: Position): boolean {
    return after < this.mark
  }

  /** Reads the page that goes on after a position. */
  read(after: Position): Effect.Effect<Page, EventStoreError, Services> {
    return Effect.flatMap(
      Effect.suspend(() => this.start(after)),
      Fiber.join
    )
  }

  /** A segment has come to a position, and no longer needs what is before. What comes next is read meanwhile. */
  reached(reader: number, position: Position): Effect.Effect<void, never, Services> {
    if (this.readers.get(reader) === position) return Effect.void
    this.readers.set(reader, position)
    this.forget()
    if (this.count + this.limit > keptItems) return Effect.void
    let page = this.cached(position)
    for (let ahead = 0; page !== undefined && ahead < pagesAhead && page.to < page.mark; ahead++) {
      const next = this.pages.get(page.to)
      // One that cannot be read is read again, and waited for, by whoever comes to it.
      if (next === undefined) return Effect.asVoid(this.start(page.to))
      page = next
    }
    return Effect.void
  }

  /** A segment reads no more. */
  leave(reader: number): void {
    this.readers.delete(reader)
  }

  /** Forgets all: the log may be another one. */
  clear(): void {
    this.pages.clear()
    this.mark = 0
    this.count = 0
  }

  private start(after: Position): Effect.Effect<Fiber.Fiber<Page, EventStoreError>, never, Services> {
    const running = this.reading.get(after)
    if (running !== undefined) return Effect.succeed(running)
    // Whoever asked first may be interrupted; the others wait for the same page.
    const fetch = Effect.ensuring(
      this.fetch(after),
      Effect.sync(() => void this.reading.delete(after))
    )
    return Effect.tap(Effect.forkIn(fetch, this.scope), (fiber) => {
      this.reading.set(after, fiber)
      return Effect.void
    })
  }

  private fetch(after: Position) {
    return Effect.gen({ self: this }, function* () {
      const { categories, tags, types, wants } = this.filter
      const store = yield* EventStore
      const { cursor, events, mark } = yield* store.readAllTenants({
        after,
        limit: this.limit,
        types,
        categories,
        tags
      })
      const items: Array<Item> = []
      for (const stored of events) if (wants(stored)) items.push(this.toItem(stored))
      const page = new Page(after, { to: cursor, mark }, items)
      this.mark = Math.max(this.mark, mark)
      if (page.to > after) this.keep(page)
      return page
    })
  }

  private toItem(stored: Stored): Item {
    try {
      const key = this.keyOf(stored)
      return { stored, key, hash: Segment.hash(key), problem: undefined }
    } catch (error) {
      const key = `${stored.tenant}/${stored.stream}`
      return { stored, key, hash: Segment.hash(key), problem: `The key could not be told: ${String(error)}` }
    }
  }

  private keep(page: Page): void {
    this.drop(page.from)
    this.pages.set(page.from, page)
    this.count += page.items.length
    for (const from of this.pages.keys()) {
      if (this.count <= keptItems && this.pages.size <= keptPages) return
      this.drop(from)
    }
  }

  private forget(): void {
    let last: Position | undefined
    for (const position of this.readers.values()) if (last === undefined || position < last) last = position
    if (last === undefined) return
    for (const [from, { to }] of this.pages) if (to <= last) this.drop(from)
  }

  private drop(from: Position): void {
    const page = this.pages.get(from)
    if (page === undefined) return
    this.pages.delete(from)
    this.count -= page.items.length
  }
}
