/** Hears what is published on channels, and says when it cannot. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Redis } from "ioredis"
import * as RedisError from "../RedisError.ts"

/** Who hears of a channel. */
export interface Listener {
  readonly message: (text: string) => void
  /** From here on every message is heard. What was published before may have been missed. */
  readonly up: () => void
  /** From here on messages may be missed. */
  readonly down: () => void
}

const firstPause = 50
const longestPause = 2000
const heartbeat = "1 second"

export class Listening {
  private readonly listeners = new Map<string, Set<Listener>>()
  private connection: Redis | undefined
  private readonly open: (attempt: number) => Redis

  constructor(open: (attempt: number) => Redis) {
    this.open = open
  }

  /** Adds a listener; what is needed for it to hear is done as soon as there is a connection. */
  readonly add = (channel: string, listener: Listener): Effect.Effect<void> =>
    Effect.suspend(() => {
      const all = this.listeners.get(channel) ?? new Set()
      this.listeners.set(channel, all.add(listener))
      const { connection } = this
      if (connection === undefined) return Effect.void
      return request("SUBSCRIBE", () => connection.subscribe(channel)).pipe(
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
        : Effect.ignore(request("UNSUBSCRIBE", () => connection.unsubscribe(channel)))
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
        if (channels.length > 0) yield* request("SUBSCRIBE", () => connection.subscribe(...channels))
        pause = firstPause
        for (const channel of channels) this.tell("up", channel)
        yield* Effect.raceFirst(closed, beating(connection))
      })
    )
    return once.pipe(
      Effect.ignore,
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
        const connection = this.open(attempt)
        // Without a listener the driver prints it.
        connection.on("error", () => undefined)
        connection.on("message", (channel: string, text: string) => {
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
