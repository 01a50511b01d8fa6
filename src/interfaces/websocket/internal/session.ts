/** One connection: what it asks, what it is sent, and how it ends. */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as Channel from "../../../application/Channel.ts"
import type * as CommandBus from "../../../application/CommandBus.ts"
import type { Connection, LiveConnections } from "../../../application/LiveConnections.ts"
import { InvalidRequest, LiveError, TooManyRequests } from "../../../application/LiveError.ts"
import type { LiveHub, Member } from "../../../application/LiveHub.ts"
import type * as LiveTail from "../../../application/LiveTail.ts"
import type { LiveTokens } from "../../../application/LiveTokens.ts"
import type * as QueryBus from "../../../application/QueryBus.ts"
import type { Stored } from "../../../domain/RecordedEvent.ts"
import type { Principal } from "../../../ports/Authenticator.ts"
import type { EventStoreError } from "../../../ports/EventStoreError.ts"
import type { TenantContext } from "../../../ports/TenantContext.ts"
import * as Calls from "./calls.ts"
import * as Protocol from "./protocol.ts"
import { type Outlet, Subscription } from "./subscription.ts"
import type { Transport } from "./transport.ts"

export interface Settings {
  readonly principal: Principal
  readonly rules: Channel.Rules
  readonly types: ReadonlyArray<string> | undefined
  readonly visible: ((stored: Stored) => Stored | undefined) | undefined
  readonly calls: ReadonlyMap<string, Calls.Call>
  readonly heartbeat: number
  readonly spread: number
  readonly inFlight: number
  readonly buffer: number
  readonly largest: number
  readonly subscriptions: number
}

export interface Services {
  readonly clock: Clock.Clock
  readonly tail: LiveTail.LiveTail["Service"]
  readonly hub: LiveHub["Service"]
  readonly connections: LiveConnections["Service"]
  readonly admitted: Connection
  readonly tokens: LiveTokens
  readonly transport: Transport
  readonly reader: Socket.Reader
  readonly writer: Socket.Writer
}

type Handlers = CommandBus.Handler<string> | QueryBus.Handler<string> | TenantContext

/** Something of a connection that goes on until the client leaves it. */
interface Open {
  readonly scope: Scope.Closeable
  readonly subscription: Subscription | undefined
}

const refuse = (reason: LiveError["reason"]) => Effect.fail(new LiveError({ reason }))

export class Session {
  private readonly services: Services
  private readonly settings: Settings
  private readonly scope: Scope.Scope
  private readonly open = new Map<string, Open>()
  private readonly outlet: Outlet
  private readonly openedAt: number
  private running: Fiber.Fiber<unknown, unknown> | undefined
  private requests = 0
  private isHeld = false
  private beatAt: number
  private heard: { readonly bytes: number; readonly at: number }
  private flushed: { readonly bytes: number; readonly at: number }
  private ending: "drained" | "expired" | undefined

  constructor(services: Services, settings: Settings, scope: Scope.Scope) {
    this.services = services
    this.settings = settings
    this.scope = scope
    const { admitted, clock, tokens, transport } = services
    this.openedAt = clock.currentTimeMillisUnsafe()
    this.beatAt = this.openedAt
    this.heard = { bytes: transport.received(), at: this.openedAt }
    this.flushed = { bytes: transport.flushed(), at: this.openedAt }
    this.outlet = {
      send: (text, events) => {
        if (events > 0) admitted.sent(events)
        return this.send(text)
      },
      writable: this.writable,
      cursor: (position) => tokens.cursor(settings.principal.tenant, position),
      now: () => clock.currentTimeMillisUnsafe()
    }
  }

  /** Serves the client until it goes, or is given up. */
  readonly run: Effect.Effect<void, never, Handlers> = Effect.withFiber((fiber) => {
    const { admitted, connections, reader } = this.services
    this.running = fiber
    const reading = Effect.forever(
      Effect.flatMap(reader.pull, (chunks) =>
        Effect.forEach(chunks, (chunk) => Effect.andThen(this.taken, this.receive(chunk)), { discard: true })
      )
    )
    return Effect.gen({ self: this }, function* () {
      const stop = admitted.watch({ tick: (now) => this.tick(now), drain: () => this.end("drained") })
      yield* Scope.addFinalizer(this.scope, Effect.sync(stop))
      yield* this.send(Protocol.text({ type: "connected", heartbeat: this.settings.heartbeat }))
      if (connections.isDraining()) this.end("drained")
      yield* Effect.ignore(reading)
    })
  })

  private send(text: string): Effect.Effect<void> {
    // A connection that is lost ends its reader, and with that the session.
    return Effect.ignore(this.services.writer.write(text))
  }

  private readonly writable: Effect.Effect<void> = Effect.suspend(() => {
    const { transport } = this.services
    if (transport.buffered() < this.settings.buffer) return Effect.void
    const drained = Effect.callback<void>((resume) => Effect.sync(transport.onDrain(() => resume(Effect.void))))
    return Effect.andThen(drained, this.writable)
  })

  /** What asks and asks without taking the answers is not heard until it does. */
  private readonly taken: Effect.Effect<void> = Effect.suspend(() => {
    if (this.services.transport.buffered() < this.settings.buffer) return Effect.void
    this.isHeld = true
    return Effect.ensuring(
      this.writable,
      Effect.sync(() => void (this.isHeld = false))
    )
  })

  private receive(chunk: string | Uint8Array): Effect.Effect<void, never, Handlers> {
    const text = typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk)
    const parsed = text.length > this.settings.largest ? tooLong(this.settings.largest) : parse(text)
    if (Result.isFailure(parsed)) return this.send(Protocol.failed(undefined, parsed.failure))
    const request = parsed.success
    const id = "id" in request ? request.id : undefined
    return this.handle(request).pipe(Effect.catch((error) => this.send(Protocol.failed(id, error))))
  }

  private handle(request: Protocol.Request): Effect.Effect<void, LiveError, Handlers> {
    switch (request.type) {
      case "ping":
        return this.send(Protocol.text({ type: "pong" }))
      case "pong":
        return Effect.void
      case "ack":
        return Effect.sync(() => this.open.get(request.id)?.subscription?.acknowledge(request.position))
      case "leave":
        return Effect.andThen(this.leave(request.id), this.answer(request.id))
      case "subscribe":
        return this.requested(request.id, this.subscribe(request))
      case "join":
        return this.requested(request.id, this.join(request.id, request.channel))
      case "members":
        return this.requested(
          request.id,
          Effect.flatMap(this.channel(request.channel, "read"), (channel) =>
            Effect.flatMap(this.services.hub.members(channel), (members) => this.answer(request.id, members))
          )
        )
      case "publish":
        return this.requested(
          request.id,
          Effect.flatMap(this.channel(request.channel, "publish"), (channel) =>
            Effect.flatMap(
              this.services.hub.publish(channel, request.data, this.settings.principal.actor),
              (delivered) => this.answer(request.id, delivered)
            )
          )
        )
      case "execute":
      case "ask":
        return this.requested(request.id, this.call(request))
    }
  }

  /** Goes on beside what comes next; so many at a time, which the client is told. */
  private requested(
    id: string,
    self: Effect.Effect<void, LiveError, Handlers>
  ): Effect.Effect<void, LiveError, Handlers> {
    const { inFlight } = this.settings
    return Effect.suspend(() => {
      if (this.requests >= inFlight) return refuse(new TooManyRequests({ limit: inFlight }))
      this.requests++
      return Effect.asVoid(
        Effect.forkIn(
          Effect.ensuring(
            Effect.catch(self, (error) => this.send(Protocol.failed(id, error))),
            Effect.sync(() => void this.requests--)
          ),
          this.scope,
          // What is asked next finds what this has begun.
          { startImmediately: true }
        )
      )
    })
  }

  private answer(id: string, value?: unknown): Effect.Effect<void> {
    return this.send(Protocol.text({ type: "answer", id, ...(value === undefined ? {} : { value }) }))
  }

  private channel(name: string, to: "read" | "publish"): Effect.Effect<Channel.Channel, LiveError> {
    const { principal, rules } = this.settings
    return Effect.map(Channel.authorize(principal, [name], rules, to), ([parts]) => parts?.channel ?? "tenant")
  }

  private call(request: Extract<Protocol.Request, { readonly type: "execute" | "ask" }>) {
    const { id, message, type } = request
    const kind = type === "execute" ? "command" : "query"
    const call = this.settings.calls.get(`${kind} ${message._tag}`)
    if (call === undefined) return this.send(Calls.notHandled(id, kind, message._tag))
    const sent: Calls.Sent = {
      messageId: request.type === "execute" ? request.messageId : undefined,
      after: request.type === "ask" && request.after !== undefined ? { position: request.after } : undefined
    }
    return Effect.flatMap(call(id, message, sent), (reply) => this.send(reply))
  }

  /** Something that goes on under a name, in a scope of its own. */
  private begin(id: string): Effect.Effect<Scope.Closeable, LiveError> {
    const { subscriptions } = this.settings
    if (this.open.has(id)) return refuse(new InvalidRequest({ why: `"${id}" is open already` }))
    if (this.open.size >= subscriptions) return refuse(new TooManyRequests({ limit: subscriptions }))
    return Effect.tap(Scope.fork(this.scope), (scope) =>
      Effect.sync(() => this.open.set(id, { scope, subscription: undefined }))
    )
  }

  private leave(id: string): Effect.Effect<void> {
    const open = this.open.get(id)
    this.open.delete(id)
    return open === undefined ? Effect.void : Scope.close(open.scope, Exit.void)
  }

  private subscribe(request: Extract<Protocol.Request, { readonly type: "subscribe" }>) {
    const { after, channels: names, id, window } = request
    const { principal, rules, types, visible } = this.settings
    const { tail, tokens } = this.services
    const begun = Effect.gen({ self: this }, function* () {
      const scope = yield* this.begin(id)
      const channels = yield* Channel.authorize(principal, names, rules)
      const known = after === undefined ? tail.end() : yield* tokens.position(principal.tenant, after)
      const wanted = both(types, request.types)
      const poll = yield* tail.poller({ ...Channel.filter(channels, rules), types: wanted, visible })
      const start = yield* storage(tail.check(known ?? tail.end()))
      const cursor = yield* this.outlet.cursor(start.cursor)
      const subscription = new Subscription(id, start.cursor, window, tail, poll, this.outlet)
      if (this.open.get(id)?.scope !== scope) return
      this.open.set(id, { scope, subscription })
      yield* this.send(Protocol.text({ type: "subscribed", id, cursor, position: start.cursor }))
      if (start.reset || known === undefined) {
        yield* this.send(Protocol.text({ type: "reset", id, cursor, position: start.cursor }))
      }
      yield* Scope.addFinalizer(scope, Effect.sync(subscription.listen()))
      const failed = (error: LiveError) => this.send(Protocol.failed(id, error))
      yield* Effect.forkIn(Effect.catch(storage(subscription.run), failed), scope)
    })
    return this.named(id, begun)
  }

  private join(id: string, name: string) {
    const { principal } = this.settings
    const { hub, transport } = this.services
    const isFull = () => transport.buffered() >= 4 * this.settings.buffer
    const member: Member = {
      actor: principal.actor,
      message: ({ channel, data, from }) => {
        if (isFull()) return false
        const sender = from === undefined ? {} : { from }
        this.sendNow(Protocol.text({ type: "message", id, channel, data, ...sender }))
        return true
      },
      presence: ({ actor, channel, isHere }) => {
        if (!isFull()) this.sendNow(Protocol.text({ type: "presence", id, channel, actor, isHere }))
      }
    }
    const begun = Effect.gen({ self: this }, function* () {
      const scope = yield* this.begin(id)
      const channel = yield* this.channel(name, "read")
      if (this.open.get(id)?.scope !== scope) return
      const members = yield* Scope.provide(hub.join(channel, member), scope)
      yield* this.answer(id, members)
    })
    return this.named(id, begun)
  }

  private named<R>(id: string, self: Effect.Effect<void, LiveError, R>): Effect.Effect<void, never, R> {
    const isOpen = this.open.has(id)
    return Effect.catch(self, (error) =>
      Effect.andThen(isOpen ? Effect.void : this.leave(id), this.send(Protocol.failed(id, error)))
    )
  }

  // What another connection's request sends must not wait for this one.
  private sendNow(text: string): void {
    Effect.runFork(this.send(text))
  }

  /** Asks whether the client is there, and tells it how far it has come. */
  private beat(now: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (const { subscription } of this.open.values()) {
        if (subscription !== undefined) yield* Effect.ignore(subscription.beat(now, this.settings.heartbeat))
      }
      this.services.transport.ping()
      yield* this.send(Protocol.text({ type: "ping" }))
    })
  }

  // Clients of a server that ends come back one after the other.
  private bye(why: "drained" | "expired"): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const retry = yield* Random.nextBetween(0, why === "drained" ? this.settings.spread : 1_000)
      yield* this.send(Protocol.text({ type: "bye", retry: Math.round(retry) }))
      yield* Effect.ignore(this.services.writer.write(new Socket.CloseEvent(1012, why)))
    })
  }

  private end(why: "drained" | "expired"): void {
    if (this.ending !== undefined) return
    this.ending = why
    Effect.runFork(this.bye(why))
  }

  private tick(now: number): number {
    const { admitted, connections, transport } = this.services
    const [heard, flushed] = [transport.received(), transport.flushed()]
    if (heard !== this.heard.bytes || this.isHeld) this.heard = { bytes: heard, at: now }
    if (flushed !== this.flushed.bytes || transport.buffered() === 0) this.flushed = { bytes: flushed, at: now }
    if (now - this.flushed.at >= connections.stalled) this.give("stalled")
    // It has not answered two pings.
    else if (heard > 0 && now - this.heard.at >= 3 * this.settings.heartbeat) this.give("dead")
    else if (now - this.openedAt >= connections.lifetime && this.ending === undefined) {
      admitted.closed("expired")
      this.end("expired")
    } else if (now - this.beatAt >= this.settings.heartbeat && this.ending === undefined) {
      this.beatAt = now
      Effect.runFork(this.beat(now))
    }
    let lag = 0
    for (const { subscription } of this.open.values()) lag = Math.max(lag, subscription?.lag ?? 0)
    return lag
  }

  private give(why: "stalled" | "dead"): void {
    this.services.admitted.closed(why)
    this.services.transport.destroy()
    this.running?.interruptUnsafe()
  }
}

const both = (served: ReadonlyArray<string> | undefined, asked: ReadonlyArray<string> | undefined) =>
  served === undefined ? asked : asked === undefined ? served : asked.filter((type) => served.includes(type))

const invalid = (why: string): Result.Result<never, LiveError> =>
  Result.fail(new LiveError({ reason: new InvalidRequest({ why }) }))

const tooLong = (largest: number) => invalid(`it has more than ${largest} characters`)

const parse = (text: string): Result.Result<Protocol.Request, LiveError> => {
  const json = Result.try((): unknown => JSON.parse(text))
  if (Result.isFailure(json)) return invalid("it is not JSON")
  const decoded = Protocol.decodeRequest(json.success)
  return Result.isSuccess(decoded) ? Result.succeed(decoded.success) : invalid(String(decoded.failure).slice(0, 500))
}

// A log that cannot be read any further is for the server's own log.
const storage = <A, R>(self: Effect.Effect<A, LiveError | EventStoreError, R>): Effect.Effect<A, LiveError, R> =>
  Effect.catchTag(self, "EventStoreError", (error) =>
    Effect.andThen(
      Effect.logError("A subscription cannot go on", error),
      refuse(new InvalidRequest({ why: "the log cannot be read" }))
    )
  )
