/** The client's end: one connection after another, and what goes on across them. */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import type { LiveError } from "../../../application/LiveError.ts"
import { ConnectionLost, LiveSocketError, NotConnected, Refused } from "../LiveSocketError.ts"
import * as Protocol from "./protocol.ts"

export interface Settings {
  /** Asked for each connection, so that a ticket in it is fresh. */
  readonly url: Effect.Effect<string>
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly retry: Duration.Duration
  readonly longestRetry: Duration.Duration
  readonly silence: Duration.Duration
  readonly timeout: Duration.Duration
}

/** Something that is asked for again on each connection. */
export interface Standing {
  readonly request: () => Protocol.Request
  /** What the server says of it. */
  readonly heard: (reply: Protocol.Reply) => Effect.Effect<void>
}

type Answer = Extract<Protocol.Reply, { readonly type: "answer" | "failed" }>

export const liveError = (error: unknown): LiveSocketError => {
  const decoded = Protocol.decodeLive(error)
  const lost = new LiveSocketError({ reason: new ConnectionLost() })
  return Result.isSuccess(decoded) ? refused(decoded.success) : lost
}

const refused = (error: LiveError) => new LiveSocketError({ reason: new Refused({ error }) })

export class Link {
  private readonly settings: Settings
  private readonly connected = Latch.makeUnsafe(false)
  private readonly waiting = new Map<string, Deferred.Deferred<Answer, LiveSocketError>>()
  private readonly standing = new Map<string, Standing>()
  private writer: Socket.Writer | undefined
  private count = 0
  private failures = 0
  private bye: number | undefined

  constructor(settings: Settings) {
    this.settings = settings
  }

  nextId(): string {
    return `${++this.count}`
  }

  /** Connects again and again. */
  readonly run: Effect.Effect<never, never, Socket.WebSocketConstructor> = Effect.suspend(() =>
    Effect.forever(Effect.andThen(Effect.ignore(Effect.scoped(this.connection)), this.pause))
  )

  /** Asks once: the answer is that of this connection, or there is none. */
  ask(request: (id: string) => Protocol.Request): Effect.Effect<Answer, LiveSocketError> {
    const afterMillis = Duration.toMillis(this.settings.timeout)
    const connected = Effect.timeoutOrElse(this.connected.await, {
      duration: afterMillis,
      orElse: () => Effect.fail(new LiveSocketError({ reason: new NotConnected({ afterMillis }) }))
    })
    const answer = Effect.suspend(() => {
      const id = this.nextId()
      const deferred = Deferred.makeUnsafe<Answer, LiveSocketError>()
      this.waiting.set(id, deferred)
      return Effect.ensuring(
        Effect.andThen(this.write(request(id)), Deferred.await(deferred)),
        Effect.sync(() => this.waiting.delete(id))
      )
    })
    return Effect.andThen(connected, answer)
  }

  /** Keeps asking for something until the scope closes. */
  stand(id: string, standing: Standing): Effect.Effect<void, never, Scope.Scope> {
    return Effect.asVoid(
      Effect.acquireRelease(
        Effect.suspend(() => {
          this.standing.set(id, standing)
          return this.writer === undefined ? Effect.void : this.write(standing.request())
        }),
        () =>
          Effect.suspend(() =>
            this.standing.delete(id) ? Effect.ignore(this.write({ type: "leave", id })) : Effect.void
          )
      )
    )
  }

  /** Says something that has no answer; where there is no connection, it is not said. */
  write(request: Protocol.Request): Effect.Effect<void> {
    return Effect.suspend(() => Effect.ignore(this.writer?.write(JSON.stringify(request)) ?? Effect.void))
  }

  private readonly connection = Effect.gen({ self: this }, function* () {
    const { headers, silence, url } = this.settings
    // Counted as failed until the server says something.
    this.failures++
    this.bye = undefined
    const socket = yield* Socket.makeWebSocket(yield* url, headers === undefined ? {} : { headers })
    const reader = yield* socket.reader
    const writer = yield* socket.writer
    yield* Effect.addFinalizer(() => Effect.sync(() => this.lost()))
    while (true) {
      const chunks = yield* Effect.timeout(reader.pull, silence)
      for (const chunk of chunks) {
        const text = typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk)
        const reply = Protocol.decodeReply(Result.getOrUndefined(Result.try((): unknown => JSON.parse(text))))
        if (Result.isSuccess(reply)) yield* this.heard(reply.success, writer)
      }
    }
  })

  private heard(reply: Protocol.Reply, writer: Socket.Writer): Effect.Effect<void> {
    switch (reply.type) {
      case "connected": {
        this.failures = 0
        this.writer = writer
        this.connected.openUnsafe()
        return Effect.forEach([...this.standing.values()], (one) => this.write(one.request()), { discard: true })
      }
      case "ping":
        return this.write({ type: "pong" })
      case "pong":
        return Effect.void
      case "bye":
        return Effect.sync(() => void (this.bye = reply.retry))
      default: {
        const id = reply.id ?? ""
        const waiting = this.waiting.get(id)
        if (waiting !== undefined && (reply.type === "answer" || reply.type === "failed")) {
          return Effect.asVoid(Deferred.succeed(waiting, reply))
        }
        return this.standing.get(id)?.heard(reply) ?? Effect.void
      }
    }
  }

  private lost(): void {
    this.writer = undefined
    this.connected.closeUnsafe()
    const error = new LiveSocketError({ reason: new ConnectionLost() })
    for (const deferred of this.waiting.values()) Deferred.doneUnsafe(deferred, Effect.fail(error))
    this.waiting.clear()
  }

  // Those who lost one server do not all come to the next at once.
  private readonly pause = Effect.gen({ self: this }, function* () {
    if (this.bye !== undefined) return yield* Effect.sleep(this.bye)
    const { longestRetry, retry } = this.settings
    const millis = Math.min(
      Duration.toMillis(longestRetry),
      Duration.toMillis(retry) * 2 ** Math.min(Math.max(this.failures - 1, 0), 20)
    )
    yield* Effect.sleep(millis * (yield* Random.nextBetween(0.5, 1.5)))
  })
}
