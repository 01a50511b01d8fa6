/** Batches of the log, of which the next is read while the one before is handled. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Position } from "../../../domain/Position.ts"
import { EventStore } from "../../../ports/EventStore.ts"
import type { Page } from "../../../ports/EventStoreDriver.ts"
import type { EventStoreError } from "../../../ports/EventStoreError.ts"
import type { SystemContext } from "../../../ports/SystemContext.ts"

type Services = EventStore | SystemContext

/** Of small batches so many events are read at once. */
const atOnce = 100

/** A page of the log, handed out in batches. */
export class Ahead {
  private readonly types: ReadonlyArray<string>
  private readonly batchSize: number
  private readonly limit: number
  /** What was read and not handed out yet, and where it goes on. */
  private rest: (Page & { readonly from: Position }) | undefined
  private reading: { readonly from: Position; readonly fiber: Fiber.Fiber<Page, EventStoreError> } | undefined

  constructor(types: ReadonlyArray<string>, batchSize: number) {
    this.types = types
    this.batchSize = batchSize
    this.limit = Math.max(batchSize, atOnce)
  }

  /** The batch after a position. What comes after it is read meanwhile, if there is more. */
  next(after: Position): Effect.Effect<Page, EventStoreError, Services> {
    return Effect.gen({ self: this }, function* () {
      const page = this.rest?.from === after ? this.rest : yield* this.take(after)
      const isLast = page.events.length <= this.batchSize
      const events = isLast ? page.events : page.events.slice(0, this.batchSize)
      const cursor = isLast ? page.cursor : (events.at(-1)?.position ?? page.cursor)
      this.rest = isLast ? undefined : { ...page, from: cursor, events: page.events.slice(this.batchSize) }
      if (isLast && events.length > 0 && page.cursor < page.mark) {
        this.reading = { from: cursor, fiber: yield* Effect.forkChild(this.read(cursor)) }
      }
      return { ...page, events, cursor }
    })
  }

  /** The batch after a position as it is at this moment, whatever was read before. */
  again(after: Position): Effect.Effect<Page, EventStoreError, Services> {
    this.rest = undefined
    this.reading = undefined
    return this.next(after)
  }

  private take(after: Position) {
    const { reading } = this
    this.reading = undefined
    // One that failed has failed once: whoever tries again reads for himself.
    return reading?.from === after ? Fiber.join(reading.fiber) : this.read(after)
  }

  private read(after: Position) {
    return Effect.flatMap(EventStore, (store) => store.readAllTenants({ after, limit: this.limit, types: this.types }))
  }
}
