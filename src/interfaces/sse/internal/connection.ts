/** One client as a cursor over the tail: what it is sent next, and what it waits for. */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type { Connection as Admitted, LiveConnections } from "../../../application/LiveConnections.ts"
import type { LiveError } from "../../../application/LiveError.ts"
import type * as LiveTail from "../../../application/LiveTail.ts"
import type { LiveTokens } from "../../../application/LiveTokens.ts"
import type { Position } from "../../../domain/Position.ts"
import type { Stored } from "../../../domain/RecordedEvent.ts"
import type { TenantId } from "../../../domain/TenantId.ts"
import type { EventStoreError } from "../../../ports/EventStoreError.ts"
import * as Frames from "./frames.ts"

type Frame = Uint8Array
type Bytes = readonly [Frame, ...Array<Frame>]
type Wake = "moved" | "beat" | "drained" | "expired"

export interface Settings {
  readonly tenant: TenantId
  readonly heartbeat: number
  readonly retry: number
  readonly spread: number
  /** What the client is told of its connection. */
  readonly hello: Readonly<Record<string, unknown>>
}

export interface Services {
  readonly clock: Clock.Clock
  readonly tail: LiveTail.LiveTail["Service"]
  readonly connections: LiveConnections["Service"]
  readonly admitted: Admitted
  readonly tokens: LiveTokens
  readonly poll: LiveTail.Poll
}

/** How much is handed over at once: what a client takes of it is all that the process holds for it. */
const most = 65_536

export class Connection {
  private readonly services: Services
  private readonly settings: Settings
  private readonly encode: ReturnType<typeof Frames.events>
  private readonly openedAt: number
  /** How far the tail was read, and how far the client was told. */
  private cursor: Position
  private position: Position
  /** What is said beside the events. */
  private said: Array<Frame> = []
  private events: ReadonlyArray<Stored> = []
  private sentAt: number
  /** When the transport was given what it has not asked on after. */
  private handedAt: number | undefined
  private reader: Fiber.Fiber<unknown, unknown> | undefined
  private waiter: ((wake: Wake) => void) | undefined
  private ending: "drained" | "expired" | undefined
  private isDone = false

  constructor(start: LiveTail.Batch, services: Services, settings: Settings) {
    this.services = services
    this.settings = settings
    this.encode = Frames.events(services.tokens, settings.tenant)
    this.cursor = start.cursor
    this.position = start.cursor
    this.openedAt = services.clock.currentTimeMillisUnsafe()
    this.sentAt = this.openedAt
  }

  /** Has the tail and the process tell when to go on; what this returns ends it. */
  watch(): () => void {
    const { admitted, tail } = this.services
    const stopListening = tail.moves.listen(() => this.waiter?.("moved"))
    const stopWatching = admitted.watch({ tick: (now) => this.tick(now), drain: () => this.end("drained") })
    return () => {
      stopListening()
      stopWatching()
    }
  }

  /** The first that a client gets: who is told at once where it is can go on from there, whenever it is cut off. */
  open({ cursor, reset }: LiveTail.Batch): Effect.Effect<void, LiveError> {
    const { heartbeat, hello, retry } = this.settings
    return Effect.gen({ self: this }, function* () {
      const pause = yield* Random.nextBetween(retry, 3 * retry)
      const id = yield* this.id(cursor)
      this.said.push(
        Frames.retry(pause),
        Frames.named("connected", id, { position: cursor, heartbeat, ...hello }),
        ...(reset ? [Frames.named("reset", id, cursor)] : [])
      )
    })
  }

  readonly pull: Effect.Effect<Bytes, LiveError | EventStoreError | Cause.Done> = Effect.withFiber((fiber) => {
    this.reader = fiber
    this.handedAt = undefined
    return this.next()
  })

  private next(): Effect.Effect<Bytes, LiveError | EventStoreError | Cause.Done> {
    const [first, ...rest] = this.said
    if (first !== undefined) {
      this.said = []
      return Effect.succeed(this.hand(first, rest))
    }
    if (this.isDone) return Cause.done()
    if (this.ending !== undefined) return this.last(this.ending)
    return this.events.length > 0 ? this.some() : this.more()
  }

  private some(): Effect.Effect<Bytes, LiveError | EventStoreError | Cause.Done> {
    return Effect.flatMap(this.encode(this.events, most), ([first, ...rest]) => {
      const count = rest.length + 1
      const last = this.events[count - 1]
      this.events = this.events.slice(count)
      this.position = this.events.length === 0 || last === undefined ? this.cursor : last.position
      if (first === undefined) return this.next()
      this.services.admitted.sent(count)
      return Effect.succeed(this.hand(first, rest))
    })
  }

  private more(): Effect.Effect<Bytes, LiveError | EventStoreError | Cause.Done> {
    const before = this.services.tail.moves.count()
    return Effect.flatMap(this.services.poll(this.cursor), (found) => {
      if (found === undefined) return Effect.flatMap(this.wait(before), (wake) => this.woken(wake))
      this.cursor = found.cursor
      if (found.events.length > 0) {
        this.events = found.events
        return this.some()
      }
      this.position = found.cursor
      return found.reset ? this.say("reset") : this.idle()
    })
  }

  // A client of few of the events of a busy log hears in time how far it has come.
  private idle() {
    return this.isBeatDue(this.services.clock.currentTimeMillisUnsafe()) ? this.say("cursor") : this.next()
  }

  private woken(wake: Wake) {
    return wake === "beat" ? this.say("cursor") : this.next()
  }

  private say(event: "cursor" | "reset") {
    return Effect.flatMap(this.id(this.position), (id) => {
      this.said.push(Frames.named(event, id, this.position))
      return this.next()
    })
  }

  // Clients of a server that ends come back one after the other.
  private last(why: "drained" | "expired") {
    this.isDone = true
    const { retry, spread } = this.settings
    return Effect.gen({ self: this }, function* () {
      const pause = yield* Random.nextBetween(0, why === "drained" ? spread : retry)
      this.said.push(Frames.retry(pause), Frames.named("cursor", yield* this.id(this.position), this.position))
      return yield* this.next()
    })
  }

  private hand(first: Frame, rest: ReadonlyArray<Frame>): Bytes {
    this.sentAt = this.services.clock.currentTimeMillisUnsafe()
    this.handedAt = this.sentAt
    return [first, ...rest]
  }

  private id(position: Position): Effect.Effect<string, LiveError> {
    return this.services.tokens.cursor(this.settings.tenant, position)
  }

  private wait(before: number): Effect.Effect<Wake> {
    return Effect.callback<Wake>((resume) => {
      if (this.ending !== undefined) return resume(Effect.succeed(this.ending))
      if (this.services.tail.moves.count() !== before) return resume(Effect.succeed("moved"))
      this.waiter = (wake) => {
        this.waiter = undefined
        resume(Effect.succeed(wake))
      }
      return Effect.sync(() => void (this.waiter = undefined))
    })
  }

  private isBeatDue(now: number): boolean {
    return now - this.sentAt >= this.settings.heartbeat
  }

  private end(why: "drained" | "expired"): void {
    if (this.ending !== undefined) return
    this.ending = why
    this.waiter?.(why)
  }

  private tick(now: number): number {
    const { admitted, connections, tail } = this.services
    if (this.handedAt !== undefined && now - this.handedAt >= connections.stalled) {
      admitted.closed("stalled")
      this.handedAt = undefined
      this.reader?.interruptUnsafe()
    } else if (now - this.openedAt >= connections.lifetime && this.ending === undefined) {
      admitted.closed("expired")
      this.end("expired")
    } else if (this.isBeatDue(now)) this.waiter?.("beat")
    return Math.max(0, tail.end() - this.position)
  }
}
