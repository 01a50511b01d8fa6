// What a network and a stranger can do: servers that die, limits, other origins, and whatever bytes come.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Queue, Random, Schedule, Schema, Scope } from "effect"
import { FetchHttpClient } from "effect/http"
import { createServer as createTcpServer } from "node:net"
import { BusClient, MessageGroup } from "../../src/interfaces/rpc/index.ts"
import {
  CommandBus,
  DispatchError,
  HandlerRegistry,
  on,
  Query,
  QueryBus,
  Resilience,
  TenantContext
} from "../../src/index.ts"
import * as Support from "./support.ts"
import { Book, Hang, Newer, Seats, Stage, Touch, Wrong } from "./support.ts"

const { as, serve } = Support
const live = <A, E>(name: string, program: Effect.Effect<A, E, Stage | Scope.Scope>) =>
  it.live(name, () => program.pipe(Effect.scoped, Effect.provide(Support.stage)))

const reason = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.map(Effect.flip(self), Support.reasonOf)

/** A server that can be killed before its scope ends. */
const serving = (options?: Parameters<typeof serve>[0]) =>
  Effect.gen(function* () {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
    const port = yield* serve(options).pipe(Scope.provide(scope))
    return { port, kill: Scope.close(scope, Exit.void) }
  })

describe.each(Support.sockets)("over %s", (transport) => {
  live(
    "a server that is killed and comes back: its calls are Unreachable, the next ones are answered",
    Effect.gen(function* () {
      const { started } = yield* Stage
      const { kill, port } = yield* serving()
      yield* Effect.gen(function* () {
        const hanging = yield* Effect.forkChild(reason(CommandBus.execute(new Hang())), { startImmediately: true })
        yield* Queue.take(started)
        yield* kill
        expect(yield* Fiber.join(hanging)).toMatchObject({ _tag: "Unreachable" })
        expect(yield* reason(CommandBus.execute(new Touch()))).toMatchObject({ _tag: "Unreachable" })
        yield* serving({ port })
        const answered = CommandBus.execute(new Touch()).pipe(
          Effect.retry({ while: BusClient.isUnreachable, times: 200, schedule: Schedule.spaced("20 millis") })
        )
        expect(yield* answered).toBeUndefined()
      }).pipe(as(transport, port))
    })
  )

  live(
    "a server that was never there is Unreachable, by its name",
    Effect.gen(function* () {
      const { kill, port } = yield* serving()
      yield* kill
      const found = yield* reason(CommandBus.execute(new Touch())).pipe(as(transport, port))
      expect(found).toMatchObject({ _tag: "Unreachable", service: expect.stringContaining(`127.0.0.1:${port}`) })
    })
  )

  live(
    "something else that listens is Unreachable, or a Timeout",
    Effect.gen(function* () {
      const port = yield* silent("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n<html/>")
      const found = yield* reason(CommandBus.execute(new Touch())).pipe(as(transport, port, { timeout: "2 seconds" }))
      expect(found).toMatchObject({ _tag: expect.stringMatching(/Unreachable|Timeout/) })
      const mute = yield* silent("")
      const waited = yield* reason(CommandBus.execute(new Touch())).pipe(as(transport, mute, { timeout: "50 millis" }))
      expect(waited).toMatchObject({ _tag: "Timeout" })
    })
  )

  live(
    "a server that does not know the message says NotHandled",
    Effect.gen(function* () {
      const port = yield* serve()
      const found = yield* reason(QueryBus.ask(new Newer())).pipe(
        Effect.provide([Support.newer(transport, port), TenantContext.layerSingle], { local: true })
      )
      expect(found).toEqual(new DispatchError.NotHandled({ kind: "query" }))
    })
  )

  live(
    "an answer that its class does not allow is a Defect, and in the log",
    Effect.gen(function* () {
      const { logged } = yield* Stage
      const port = yield* serve()
      const found = yield* reason(QueryBus.ask(new Wrong())).pipe(as(transport, port))
      expect(found).toEqual(new DispatchError.Defect({ id: "unknown" }))
      expect(
        logged.filter((line) => line.includes("is not what its class says") && line.includes("Wrong"))
      ).toHaveLength(1)
    })
  )

  live(
    "the server's own limit of time counts where the client asks for more",
    Effect.gen(function* () {
      const port = yield* serve({ timeout: "30 millis" })
      const found = yield* reason(CommandBus.execute(new Hang())).pipe(as(transport, port))
      expect(found).toEqual(new DispatchError.Timeout({ afterMillis: 30, waitingFor: "the handler" }))
    })
  )

  live(
    "middleware is around calls: queries that are asked again",
    Effect.gen(function* () {
      const { kill, port } = yield* serving()
      const retry = Resilience.retry({
        times: 100,
        delay: "20 millis",
        maxDelay: "20 millis",
        while: BusClient.isUnreachable
      })
      const Client = Support.client(transport, port).pipe(Layer.provide(QueryBus.middleware(retry)))
      yield* Effect.gen(function* () {
        expect(yield* QueryBus.ask(new Seats())).toEqual([])
        yield* kill
        const asking = yield* Effect.forkChild(QueryBus.ask(new Seats()), { startImmediately: true })
        yield* serving({ port })
        expect(yield* Fiber.join(asking)).toEqual([])
      }).pipe(Effect.provide([Client, TenantContext.layerSingle], { local: true }))
    })
  )

  live(
    "whatever bytes come, others are answered, nobody gets a status 500, a stack or another's data",
    Effect.gen(function* () {
      const port = yield* serve()
      const book = CommandBus.execute(new Book({ seat: "of-acme", row: 1, price: 1n }))
      yield* book.pipe(as(transport, port))
      for (let n = 0; n < 150; n++) {
        const body = yield* fuzzed(transport)
        const answer = yield* transport === "HTTP"
          ? post(port, body, { authorization: "Bearer globex/eve" })
          : send(port, body)
        expect(answer, JSON.stringify(body)).not.toMatch(/^5|hunter2|of-acme|at .+:\d+:\d+|node_modules|\.ts/)
      }
      expect(yield* QueryBus.ask(new Seats()).pipe(as(transport, port))).toEqual(["of-acme"])
    })
  )
})

describe("over HTTP", () => {
  const call = (name: string, payload: unknown, id: unknown = "1") =>
    `${JSON.stringify({ _tag: "Request", id, tag: name, payload, headers: [] })}\n`

  live(
    "every bad field is named, of the message and of what travels with it",
    Effect.gen(function* () {
      const port = yield* serve()
      const bad = yield* post(port, call("command/Book", { message: { seat: "", row: 1.5, price: "x" } }))
      for (const path of ["seat", "row", "price"]) expect(bad).toContain(`"path":"${path}"`)
      const envelope = yield* post(port, call("command/Touch", { message: {}, messageId: 7, after: -1, actor: {} }))
      for (const path of ["messageId", "after", "actor.id"]) expect(envelope).toContain(`"path":"${path}"`)
      for (const payload of [null, 7, "x", []]) {
        expect(yield* post(port, call("command/Touch", payload))).toContain(`"Invalid"`)
      }
    })
  )

  live(
    "headers that a client writes into a call replace none of the request's",
    Effect.gen(function* () {
      const port = yield* serve()
      const headers = [["authorization", "Bearer globex/eve"]]
      const request = { _tag: "Request", id: "1", tag: "query/WhoAmI", payload: { message: {} }, headers }
      expect(yield* post(port, `${JSON.stringify(request)}\n`)).toContain(`"tenant":"acme"`)
    })
  )

  live(
    "pages of other origins are refused, unless they are listed",
    Effect.gen(function* () {
      const port = yield* serve({ origins: ["https://app.example.com"] })
      const from = (origin: string) => post(port, call("command/Touch", { message: {} }), { origin })
      expect(yield* from("https://evil.example.com")).toBe("403 ")
      expect(yield* from("null")).toBe("403 ")
      expect(yield* from("https://app.example.com")).toContain(`"Success"`)
      expect(yield* from(`http://127.0.0.1:${port}`)).toContain(`"Success"`)
    })
  )

  live(
    "a body that is too large is refused",
    Effect.gen(function* () {
      const port = yield* serve({ maxBytes: 1_000 })
      expect(yield* post(port, call("command/Touch", { message: {}, more: "x".repeat(2_000) }))).toBe("400 ")
      expect(yield* post(port, call("command/Touch", { message: {} }))).toContain(`"Success"`)
    })
  )

  live(
    "a gateway's 401 and 403 are what they say, another status is Unreachable",
    Effect.gen(function* () {
      const tag = (status: number) =>
        Effect.gen(function* () {
          const port = yield* silent(`HTTP/1.1 ${status} X\r\ncontent-length: 0\r\n\r\n`)
          return (yield* reason(CommandBus.execute(new Touch())).pipe(as("HTTP", port)))._tag
        })
      expect(yield* tag(401)).toBe("Unauthenticated")
      expect(yield* tag(403)).toBe("Denied")
      expect(yield* tag(502)).toBe("Unreachable")
    })
  )
})

describe("a program with a client", () => {
  class Here extends Query.Class<Here>()("Here", { payload: {}, success: Schema.String }) {}

  it.effect("shows whose the handlers are", () =>
    Effect.gen(function* () {
      const registry = yield* HandlerRegistry.HandlerRegistry
      const handlers = yield* registry.handlers
      expect(handlers.map(({ handler, message }) => [message.tag, handler])).toEqual([
        ["Touch", "http://tasks.internal/rpc"],
        ["Seats", "http://tasks.internal/rpc"]
      ])
    }).pipe(
      Effect.provide(
        BusClient.layerHttp(MessageGroup.make(Touch, Seats), { url: "http://tasks.internal/rpc" }).pipe(
          Layer.provide(FetchHttpClient.layer)
        )
      )
    )
  )

  it.effect("does not build when it handles a message itself as well", () =>
    Effect.gen(function* () {
      const Client = BusClient.layerHttp(MessageGroup.make(Here), { url: "http://tasks.internal/rpc" })
      const Both = Layer.merge(QueryBus.handlers(on(Here, () => Effect.succeed("here"))), Client)
      const error = yield* Effect.flip(Layer.build(Both.pipe(Layer.provide(FetchHttpClient.layer))))
      expect(error).toMatchObject({ _tag: "DuplicateHandler", tag: "Here" })
    }).pipe(Effect.scoped)
  )

  it("has each class once in a group", () => {
    expect(() => MessageGroup.make(Here, Here)).toThrow("query/Here twice")
  })
})

/** Something that listens, and answers whatever comes with this text. */
const silent = (text: string) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
      const server = createTcpServer((socket) => {
        socket.on("error", () => {})
        socket.once("data", () => (text === "" ? undefined : socket.end(text)))
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed({ port, close: () => void server.close() }))
      })
    }),
    ({ close }) => Effect.sync(close)
  ).pipe(Effect.map(({ port }) => port))

/** Status and body. */
const post = (port: number, body: string, headers: Readonly<Record<string, string>> = {}) =>
  Effect.promise(async (signal) => {
    const response = await fetch(`http://127.0.0.1:${port}/http`, {
      method: "POST",
      body,
      headers: { authorization: "Bearer acme/ada", "content-type": "application/x-ndjson", ...headers },
      signal
    })
    return `${response.status} ${await response.text()}`
  })

/** All that a WebSocket says until it answers a ping, or is closed. */
const send = (port: number, body: string) =>
  Effect.callback<string>((resume) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/websocket`)
    let said = ""
    const done = () => {
      socket.close()
      resume(Effect.succeed(said))
    }
    socket.onopen = () => {
      socket.send(body)
      // Ends what was begun, in a frame of its own: what is no JSON takes the rest of its frame with it.
      socket.send("\n")
      socket.send(`{"_tag":"Ping"}\n`)
    }
    socket.onmessage = ({ data }) => {
      said += String(data)
      if (said.includes("Pong")) done()
    }
    socket.onclose = done
    socket.onerror = done
  })

const pick = <A>(...all: readonly [A, ...ReadonlyArray<A>]) =>
  Effect.map(Random.nextIntBetween(0, all.length - 1), (n) => all[n] ?? all[0])

const value = pick<unknown>(null, 0, -1, 1e300, "", "x", "__proto__", [], {}, [null], { _tag: "x" }, "acme", true)

/** A frame that is nearly one of the protocol's. */
const fuzzed = (transport: Support.Transport) =>
  Effect.gen(function* () {
    const kind = yield* Random.nextIntBetween(0, 5)
    if (kind === 0) return String.fromCharCode(...Array.from({ length: 40 }, (_, n) => (n * 37) % 255))
    if (kind === 1) return `${JSON.stringify(yield* value)}\n`
    const names = ["query/Seats", "command/Book", "command/Break", "query/WhoAmI", "constructor", ""] as const
    const request: Record<string, unknown> = {
      _tag: yield* pick<unknown>("Request", "Request", "Request", "Interrupt", "Ack", "Eof", "toString", null),
      id: yield* pick<unknown>("1", 1, null, {}, "__proto__"),
      tag: yield* pick<unknown>(...names),
      payload: yield* pick<unknown>(
        { message: yield* value },
        { message: {}, tenant: yield* value, actor: yield* value },
        yield* value
      ),
      headers: yield* pick<unknown>(
        [],
        [["authorization", `Bearer ${transport === "HTTP" ? "acme/ada" : "globex/eve"}`]],
        yield* value
      )
    }
    const missing = yield* pick("", "id", "tag", "payload", "headers", "_tag")
    if (missing !== "") delete request[missing]
    const text = `${JSON.stringify(request)}\n`
    return kind === 2 ? text.slice(0, yield* Random.nextIntBetween(0, text.length)) : text
  })
