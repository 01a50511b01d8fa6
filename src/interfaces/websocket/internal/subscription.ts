/** One subscription of a connection as a cursor over the tail. */
import * as Effect from "effect/Effect"
import * as LiveEvent from "../../../application/LiveEvent.ts"
import type { LiveError } from "../../../application/LiveError.ts"
import type * as LiveTail from "../../../application/LiveTail.ts"
import type { Position } from "../../../domain/Position.ts"
import type { Stored } from "../../../domain/RecordedEvent.ts"
import type { EventStoreError } from "../../../ports/EventStoreError.ts"
import * as Protocol from "./protocol.ts"

/** What a subscription needs of its connection. */
export interface Outlet {
  /** Sends, after what was sent before. */
  readonly send: (text: string, events: number) => Effect.Effect<void>
  /** Waits until the client takes what it was sent. */
  readonly writable: Effect.Effect<void>
  readonly cursor: (position: Position) => Effect.Effect<string, LiveError>
  readonly now: () => number
}

/** How much is in one message at most, unless one event is more. */
const most = 65_536

export class Subscription {
  private readonly id: string
  private readonly tail: LiveTail.LiveTail["Service"]
  private readonly poll: LiveTail.Poll
  private readonly outlet: Outlet
  private readonly window: number
  private cursor: Position
  private told: Position
  private sentAt: number
  private pending: ReadonlyArray<Stored> = []
  /** What was sent and not acknowledged, where the client wants to. */
  private unacknowledged: ReadonlyArray<Position> = []
  private waiter: (() => void) | undefined

  constructor(
    id: string,
    start: Position,
    window: number | undefined,
    tail: LiveTail.LiveTail["Service"],
    poll: LiveTail.Poll,
    outlet: Outlet
  ) {
    this.id = id
    this.tail = tail
    this.poll = poll
    this.outlet = outlet
    this.window = window ?? Number.POSITIVE_INFINITY
    this.cursor = start
    this.told = start
    this.sentAt = outlet.now()
  }

  acknowledge(position: Position): void {
    this.unacknowledged = this.unacknowledged.filter((sent) => sent > position)
    this.wake()
  }

  get lag(): number {
    return Math.max(0, this.tail.end() - this.cursor)
  }

  /** Tells a client that sees nothing how far it has come, once in a while. */
  beat(now: number, heartbeat: number): Effect.Effect<void, LiveError> {
    if (this.pending.length > 0 || this.cursor === this.told || now - this.sentAt < heartbeat) return Effect.void
    return this.say("cursor")
  }

  readonly run: Effect.Effect<never, LiveError | EventStoreError> = Effect.suspend(() =>
    Effect.forever(this.step, { disableYield: true })
  )

  /** Has the tail wake it until what this returns is called. */
  listen(): () => void {
    return this.tail.moves.listen(() => this.wake())
  }

  private wake(): void {
    this.waiter?.()
  }

  private get step(): Effect.Effect<void, LiveError | EventStoreError> {
    return Effect.suspend(() => {
      const before = this.tail.moves.count()
      if (this.pending.length > 0) {
        const free = this.window - this.unacknowledged.length
        return free > 0 ? this.send(free) : this.wait(() => this.window > this.unacknowledged.length)
      }
      return Effect.flatMap(Effect.andThen(this.outlet.writable, this.poll(this.cursor)), (found) => {
        if (found === undefined) return this.wait(() => this.tail.moves.count() !== before)
        this.cursor = found.cursor
        if (found.reset) return this.say("reset")
        this.pending = found.events
        return Effect.void
      })
    })
  }

  private send(free: number): Effect.Effect<void, LiveError> {
    let [size, count] = [0, 0]
    const encoded: Array<string> = []
    for (const stored of this.pending) {
      const text = LiveEvent.encode(stored)
      size += text.length
      if (count > 0 && (size > most || count >= free)) break
      encoded.push(text)
      count++
    }
    const sent = this.pending.slice(0, count)
    this.pending = this.pending.slice(count)
    const last = sent.at(-1)?.position ?? this.cursor
    // Behind the last of a batch there may be more that the client does not see.
    this.told = this.pending.length === 0 ? this.cursor : last
    if (Number.isFinite(this.window)) {
      this.unacknowledged = [...this.unacknowledged, ...sent.map(({ position }) => position)]
    }
    this.sentAt = this.outlet.now()
    return Effect.flatMap(this.outlet.cursor(this.told), (cursor) =>
      Effect.andThen(this.outlet.writable, this.outlet.send(Protocol.events(this.id, cursor, encoded), count))
    )
  }

  private say(type: "cursor" | "reset"): Effect.Effect<void, LiveError> {
    const position = this.cursor
    this.told = position
    this.sentAt = this.outlet.now()
    return Effect.flatMap(this.outlet.cursor(position), (cursor) =>
      this.outlet.send(Protocol.text({ type, id: this.id, cursor, position }), 0)
    )
  }

  private wait(isReady: () => boolean): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (isReady()) return resume(Effect.void)
      this.waiter = () => {
        if (!isReady()) return
        this.waiter = undefined
        resume(Effect.void)
      }
      return Effect.sync(() => void (this.waiter = undefined))
    })
  }
}
