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
export interface Page {
  readonly from: Position
  readonly to: Position
  readonly mark: Position
  readonly items: ReadonlyArray<Item>
}

/** How many events are kept for segments that are behind others. */
const keptItems = 32_000
const keptPages = 512

/**
 * The pages that were read last. Segments ask for what comes after a position; what another has asked for is there already,
 * and what is being read is waited for. A segment that is far behind reads for itself, and joins the others when it has
 * caught up.
 */
export class Pages {
  private readonly filter: Filter
  private readonly keyOf: (stored: Stored) => string
  private readonly limit: number
  private readonly scope: Scope.Scope
  /** By where they begin; oldest first. */
  private pages = new Map<Position, Page>()
  private count = 0
  private readonly reading = new Map<Position, Fiber.Fiber<Page, EventStoreError>>()

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

  /** Reads the page that goes on after a position. */
  read(after: Position): Effect.Effect<Page, EventStoreError, EventStore | SystemContext> {
    return Effect.gen({ self: this }, function* () {
      let fiber = this.reading.get(after)
      if (fiber === undefined) {
        // Whoever asked first may be interrupted; the others wait for the same page.
        const fetch = Effect.ensuring(
          this.fetch(after),
          Effect.sync(() => void this.reading.delete(after))
        )
        fiber = yield* Effect.forkIn(fetch, this.scope)
        this.reading.set(after, fiber)
      }
      return yield* Fiber.join(fiber)
    })
  }

  /** Forgets all: the log may be another one. */
  clear(): void {
    this.pages.clear()
    this.count = 0
  }

  private fetch(after: Position) {
    return Effect.gen({ self: this }, function* () {
      const { categories, tags, types, wants } = this.filter
      const store = yield* EventStore
      const read = yield* store.readAllTenants({ after, limit: this.limit, types, categories, tags })
      const items = read.events.flatMap((stored) => (wants(stored) ? [this.toItem(stored)] : []))
      const page: Page = { from: after, to: read.cursor, mark: read.mark, items }
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
    this.pages.delete(page.from)
    this.pages.set(page.from, page)
    this.count += page.items.length
    for (const [from, oldest] of this.pages) {
      if (this.count <= keptItems && this.pages.size <= keptPages) return
      this.pages.delete(from)
      this.count -= oldest.items.length
    }
  }
}
