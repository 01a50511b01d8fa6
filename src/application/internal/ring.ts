/** The newest events of a log in bounded memory. */
import type { Position } from "../../domain/Position.ts"
import type { Stored } from "../../domain/RecordedEvent.ts"

/** How many events are looked at before others have their turn. */
const most = 4_096

/** All events after `from` and up to `to`. */
export class Ring {
  private readonly slots: Array<Stored | undefined>
  private first = 0
  private length = 0
  from: Position
  to: Position

  constructor(capacity: number, start: Position) {
    this.slots = Array.from({ length: Math.max(1, capacity) })
    this.from = start
    this.to = start
  }

  push(events: ReadonlyArray<Stored>, cursor: Position): void {
    const { slots } = this
    for (const stored of events) {
      if (this.length === slots.length) {
        this.from = this.at(0)?.position ?? this.from
        this.first = (this.first + 1) % slots.length
        this.length--
      }
      slots[(this.first + this.length) % slots.length] = stored
      this.length++
    }
    this.to = cursor
  }

  /** The log has become shorter. */
  rewind(mark: Position): void {
    this.slots.fill(undefined)
    this.first = 0
    this.length = 0
    this.from = mark
    this.to = mark
  }

  /** What fits after a cursor that is not before `from`, and how far that goes. */
  read(after: Position, limit: number, fits: (stored: Stored) => boolean): { events: Array<Stored>; cursor: Position } {
    const events: Array<Stored> = []
    const start = this.indexAfter(after)
    const end = Math.min(this.length, start + most)
    for (let index = start; index < end; index++) {
      const stored = this.at(index)
      if (stored === undefined || !fits(stored)) continue
      events.push(stored)
      if (events.length === limit) return { events, cursor: stored.position }
    }
    return { events, cursor: end === this.length ? this.to : (this.at(end - 1)?.position ?? after) }
  }

  private at(index: number): Stored | undefined {
    return this.slots[(this.first + index) % this.slots.length]
  }

  private indexAfter(after: Position): number {
    let low = 0
    let high = this.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.at(middle)?.position ?? 0) <= after) low = middle + 1
      else high = middle
    }
    return low
  }
}
