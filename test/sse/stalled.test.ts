/**
 * Clients that do not read, over real sockets.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as TestClock from "effect/testing/TestClock"
import { createServer } from "node:http"
import * as net from "node:net"
import * as LiveConnections from "../../src/application/LiveConnections.ts"
import * as LiveTail from "../../src/application/LiveTail.ts"
import * as Sse from "../../src/interfaces/sse/Sse.ts"
import * as Memory from "../../src/ports/Memory.ts"
import * as SystemContext from "../../src/ports/SystemContext.ts"
import { elapsing, known, note, turn } from "./support.ts"

it.effect("a client that does not read is held little for, and closed after its time", () =>
  Effect.gen(function* () {
    const services = yield* Layer.build(
      Layer.mergeAll(LiveTail.layer({ capacity: 16 }), LiveConnections.layer({ stalled: "20 seconds" }), known).pipe(
        Layer.provide(SystemContext.layer("test"))
      )
    )
    const context = Context.merge(Context.omit(Scope.Scope)(yield* Effect.context<Scope.Scope>()), services)
    const route = HttpRouter.add("GET", "/", Effect.provide(Sse.handle({ from: "start" }), context))
    const http = yield* Layer.build(
      HttpRouter.serve(route, { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provideMerge(
          NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: 1 })
        )
      )
    )
    const { address } = Context.get(http, HttpServer.HttpServer)
    const connections = Context.get(services, LiveConnections.LiveConnections)
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const socket = net.connect("port" in address ? address.port : 0, "127.0.0.1")
        socket.on("error", () => {})
        socket.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer acme eve\r\n\r\n")
        return socket.pause()
      }),
      (socket) => Effect.sync(() => socket.destroy())
    )
    while ((yield* connections.count) === 0) yield* turn
    for (let n = 0; n < 60; n++) yield* note("acme", ["tenant"], "x".repeat(200_000))
    const gone = Effect.gen(function* () {
      while ((yield* connections.count) > 0) yield* turn
    })
    yield* elapsing(gone)
    yield* TestClock.adjust("1 second")
    const counted = (yield* Metric.snapshot).flatMap(({ attributes, id, state, type }) =>
      type === "Counter" && attributes?.["transport"] === "sse" ? [[id, Number(state.count)] as const] : []
    )
    expect(Object.fromEntries(counted)["effect_cqrs_live_closed"]).toBe(1)
    expect(Object.fromEntries(counted)["effect_cqrs_live_events_sent"]).toBeLessThan(60)
  }).pipe(Effect.scoped, Effect.provideService(Metric.MetricRegistry, new Map()), Effect.provide(Memory.layer))
)
