/** Hears what is published on channels, and says when it cannot. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type { Redis } from "ioredis"
import * as RedisError from "../RedisError.ts"
import type { Address } from "./clients.ts"

/** Who hears of a channel. */
export interface Listener {
  readonly message: (text: string) => void
  /** From here on every message is heard. What was published before may have been missed. */
  readonly up: () => void
  /** From here on messages may be missed. */
  readonly down: () => void
}

/** The commands of ordinary channels, and of those that a cluster keeps on the server that has their slot. */
const commands = {
  ordinary: { subscribe: "subscribe", unsubscribe: "unsubscribe", message: "message" },
  sharded: { subscribe: "ssubscribe", unsubscribe: "sunsubscribe", message: "smessage" }
} as const

const firstPause = 50
const longestPause = 2000
const heartbeat = "1 second"

export class Listening {
  private readonly listeners = new Map<string, Set<Listener>>()
  private readonly tried = Latch.makeUnsafe(false)
  private readonly open: (attempt: number, address: Address | undefined) => Redis
  private readonly commands: (typeof commands)[keyof typeof commands]
  private connection: Redis | undefined
  private address: Address | undefined

  constructor(
    open: (attempt: number, address: Address | undefined) => Redis,
    kind: keyof typeof commands = "ordinary"
  ) {
    this.open = open
    this.commands = commands[kind]
  }

  /** Adds a listener, who hears from then on, or as soon as there is a connection where none could be had. */
  readonly add = (channel: string, listener: Listener): Effect.Effect<void> =>
    Effect.suspend(() => {
      const all = this.listeners.get(channel) ?? new Set()
      this.listeners.set(channel, all.add(listener))
      const { connection } = this
      if (connection === undefined) return this.tried.await
      return request("SUBSCRIBE", () => connection[this.commands.subscribe](channel)).pipe(
        Effect.tap(() => Effect.sync(listener.up)),
        // It is tried again with the next connection.
        Effect.catch(() => Effect.sync(() => connection.disconnect()))
      )
    })

  readonly remove = (channel: string, listener: Listener): Effect.Effect<void> =>
    Effect.suspend(() => {
      const all = this.listeners.get(channel)
      all?.delete(listener)
      if (all === undefined || all.size > 0) return Effect.void
      this.listeners.delete(channel)
      const { connection } = this
      return connection === undefined
        ? Effect.void
        : Effect.ignore(request("UNSUBSCRIBE", () => connection[this.commands.unsubscribe](channel)))
    })

  /** Connects, for ever again. */
  readonly run: Effect.Effect<never> = Effect.suspend(() => {
    let attempt = 0
    let pause = firstPause
    const once = Effect.scoped(
      Effect.gen({ self: this }, function* () {
        const connection = yield* this.connected(attempt++)
        const closed = ended(connection)
        // From here on whoever comes subscribes by itself: nobody is told to hear who does not.
        this.connection = connection
        const channels = Array.from(this.listeners.keys())
        if (channels.length > 0) yield* request("SUBSCRIBE", () => connection[this.commands.subscribe](...channels))
        pause = firstPause
        for (const channel of channels) this.tell("up", channel)
        yield* this.tried.open
        yield* Effect.raceFirst(closed, beating(connection))
      })
    )
    return Effect.result(once).pipe(
      Effect.flatMap((result): Effect.Effect<unknown> => {
        this.address = Result.isFailure(result) ? movedTo(result.failure) : undefined
        // Who waits to hear is not told before the right server was asked.
        return this.address === undefined ? this.tried.open : Effect.sync(() => (pause = firstPause))
      }),
      Effect.andThen(Random.next),
      Effect.flatMap((random) => {
        const millis = pause * (0.5 + random / 2)
        pause = Math.min(pause * 2, longestPause)
        return Effect.sleep(millis)
      }),
      Effect.forever
    )
  })

  private connected(attempt: number) {
    return Effect.acquireRelease(
      Effect.sync(() => {
        const connection = this.open(attempt, this.address)
        // Without a listener the driver prints it.
        connection.on("error", () => undefined)
        // The slot of a channel went to another server, and what is published with it.
        connection.on("moved", () => connection.disconnect())
        connection.on(this.commands.message, (channel: string, text: string) => {
          for (const listener of this.listeners.get(channel) ?? []) listener.message(text)
        })
        return connection
      }),
      (connection) =>
        Effect.sync(() => {
          if (this.connection === connection) {
            this.connection = undefined
            for (const channel of this.listeners.keys()) this.tell("down", channel)
          }
          connection.disconnect()
        })
    ).pipe(Effect.tap((connection) => request("CONNECT", () => connection.connect())))
  }

  private tell(what: "up" | "down", channel: string): void {
    for (const listener of this.listeners.get(channel) ?? []) listener[what]()
  }
}

/** Where a server sends who asked the wrong one. */
const movedTo = ({ reason }: RedisError.RedisError): Address | undefined => {
  if (!("cause" in reason) || !(reason.cause instanceof Error)) return undefined
  const [, host, port] = /^MOVED \d+ (.+):(\d+)$/.exec(reason.cause.message) ?? []
  return host === undefined ? undefined : { host, port: Number(port) }
}

const request = <A>(command: string, send: () => Promise<A>): Effect.Effect<A, RedisError.RedisError> =>
  Effect.tryPromise({ try: send, catch: (cause) => RedisError.from(command, cause) })

const ended = (connection: Redis): Effect.Effect<void> =>
  Effect.callback((resume) => {
    connection.once("close", () => resume(Effect.void))
    if (connection.status === "end") resume(Effect.void)
  })

// A connection can be lost without a word: a cable, a firewall that forgot it.
const beating = (connection: Redis): Effect.Effect<never, RedisError.RedisError> =>
  Effect.forever(
    Effect.delay(
      request("PING", () => connection.ping()),
      heartbeat
    )
  )
