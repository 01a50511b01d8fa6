/** The few commands of memcached's meta protocol that a cache needs, pipelined over one connection that comes back by itself. */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as net from "node:net"

export interface Options {
  readonly host: string
  readonly port: number
  readonly connectTimeout: Duration.Duration
  readonly commandTimeout: Duration.Duration
}

/** The server did not do what it was asked; whether it has is not known when it was lost or did not answer. */
export class Failure extends Data.TaggedError("Failure")<{
  readonly reason: "Unreachable" | "NoAnswer" | "Refused"
  readonly cause: unknown
}> {
  override get message(): string {
    const why = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `Memcached: ${this.reason}: ${why}`
  }
}

/** `HD` and `VA` are yes, `NS` and `EX` refusals, `EN` and `NF` say that there is nothing; `cas` is 0 where none was asked for. */
export interface Reply {
  readonly status: string
  readonly cas: string
  readonly value: string | undefined
}

interface Waiting {
  readonly done: (exit: Exit.Exit<Reply, Failure>) => void
}

export interface Client {
  readonly isUp: () => boolean
  /** Sends one command; those that are sent together go together, and are answered in their order. */
  readonly send: (command: string, data?: string) => Effect.Effect<Reply, Failure>
}

const firstPause = 50
const longestPause = 2000

/** Connects, for as long as the scope is open; completes after the first attempt. `changed` is told of up and down, once each. */
export const make = (
  options: Options,
  changed: (isUp: boolean, why: unknown) => Effect.Effect<void>
): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.gen(function* () {
    const tried = Latch.makeUnsafe(false)
    let connection: Connection | undefined
    let told: boolean | undefined
    const tell = (isUp: boolean, why?: unknown) => {
      if (told === isUp || (told === undefined && isUp)) return Effect.sync(() => void (told = isUp))
      told = isUp
      return changed(isUp, why)
    }

    let pause = firstPause
    const once = Effect.scoped(
      Effect.gen(function* () {
        const opened = yield* Effect.acquireRelease(
          Effect.sync(() => new Connection(options)),
          (opened) => Effect.sync(() => opened.close("closed"))
        )
        yield* opened.connected.pipe(Effect.timeout(options.connectTimeout))
        connection = opened
        pause = firstPause
        yield* tell(true)
        yield* tried.open
        return yield* opened.closed
      })
    ).pipe(
      Effect.catchCause((cause) => {
        connection = undefined
        return Effect.andThen(tell(false, Cause.squash(cause)), tried.open)
      })
    )
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.andThen(
          once,
          Effect.suspend(() => {
            const millis = pause
            pause = Math.min(pause * 2, longestPause)
            return Effect.sleep(millis)
          })
        )
      )
    )
    yield* tried.await

    return {
      isUp: () => connection !== undefined,
      send: (command, data) =>
        Effect.suspend(() => {
          const current = connection
          if (current === undefined) {
            return Effect.fail(new Failure({ reason: "Unreachable", cause: "there is no connection" }))
          }
          return Effect.callback<Reply, Failure>((resume) => current.send(command, data, { done: resume })).pipe(
            Effect.timeoutOrElse({
              duration: options.commandTimeout,
              orElse: () => {
                const failure = new Failure({
                  reason: "NoAnswer",
                  cause: `no answer to ${command.slice(0, 2)} in time`
                })
                // What is answered later would be taken for the answer to something else.
                current.close(failure.message)
                return Effect.fail(failure)
              }
            })
          )
        })
    }
  })

class Connection {
  readonly connected: Effect.Effect<void, Failure>
  readonly closed: Effect.Effect<never, Failure>
  private readonly socket: net.Socket
  private readonly waiting: Array<Waiting> = []
  private head = 0
  private received: Buffer = Buffer.alloc(0)
  private outgoing: Array<string> = []

  constructor({ host, port }: Options) {
    const socket = net.connect({ host, port, noDelay: true, keepAlive: true })
    this.socket = socket
    socket.on("data", (chunk: Buffer) => {
      this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk])
      this.read()
    })
    let why: unknown = "the connection was closed"
    socket.on("error", (error) => (why = error))
    const failed = () => new Failure({ reason: "Unreachable", cause: why })
    socket.on("close", () => {
      for (const { done } of this.waiting.splice(this.head)) done(Exit.fail(failed()))
    })
    this.connected = Effect.callback((resume) => {
      socket.once("connect", () => resume(Effect.void))
      socket.once("close", () => resume(Effect.fail(failed())))
    })
    this.closed = Effect.callback((resume) => {
      socket.once("close", () => resume(Effect.fail(failed())))
      if (socket.destroyed) resume(Effect.fail(failed()))
    })
  }

  close(why: string): void {
    this.socket.destroy(new Error(why))
  }

  send(command: string, data: string | undefined, waiting: Waiting): void {
    if (this.socket.destroyed) {
      waiting.done(Exit.fail(new Failure({ reason: "Unreachable", cause: "the connection was closed" })))
      return
    }
    this.waiting.push(waiting)
    if (this.outgoing.length === 0) queueMicrotask(() => this.flush())
    this.outgoing.push(data === undefined ? `${command}\r\n` : `${command}\r\n${data}\r\n`)
  }

  private flush(): void {
    const text = this.outgoing.join("")
    this.outgoing = []
    this.socket.write(text)
  }

  private read(): void {
    let at = 0
    while (true) {
      const end = this.received.indexOf("\r\n", at)
      if (end < 0) break
      const [status = "", ...rest] = this.received.toString("latin1", at, end).split(" ")
      const isValue = status === "VA"
      const size = isValue ? Number(rest[0]) : 0
      const next = isValue ? end + 2 + size + 2 : end + 2
      if (this.received.length < next) break
      const cas = rest.slice(isValue ? 1 : 0).find((flag) => flag.startsWith("c"))
      at = next
      this.answer(
        status.endsWith("ERROR")
          ? Exit.fail(new Failure({ reason: "Refused", cause: [status, ...rest].join(" ") }))
          : Exit.succeed({
              status,
              cas: cas === undefined ? "0" : cas.slice(1),
              value: isValue ? this.received.toString("utf8", end + 2, end + 2 + size) : undefined
            })
      )
      // It did not understand, and may take what follows for commands.
      if (status === "ERROR" || status === "CLIENT_ERROR") this.close([status, ...rest].join(" "))
    }
    if (at > 0) this.received = this.received.subarray(at)
  }

  private answer(exit: Exit.Exit<Reply, Failure>): void {
    const first = this.waiting[this.head++]
    // Taken from the front in bulk: shifting each would move all that follow.
    if (this.head === 1024 || this.head === this.waiting.length) {
      this.waiting.splice(0, this.head)
      this.head = 0
    }
    first?.done(exit)
  }
}
