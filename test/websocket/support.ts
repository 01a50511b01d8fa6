/**
 * What the tests of sockets share: servers over real sockets that come and go, and a wire that breaks.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import { createServer } from "node:http"
import * as net from "node:net"
import * as LiveConnections from "../../src/application/LiveConnections.ts"
import * as LiveHub from "../../src/application/LiveHub.ts"
import * as LiveTail from "../../src/application/LiveTail.ts"
import type * as LiveSocket from "../../src/interfaces/websocket/LiveSocket.ts"
import * as EventStore from "../../src/ports/EventStore.ts"
import * as SystemContext from "../../src/ports/SystemContext.ts"
import { known, turn } from "../sse/support.ts"

type Handled = ReturnType<typeof LiveSocket.handle<[]>>

export interface Serving {
  readonly tail?: LiveTail.Options | undefined
  readonly limits?: LiveConnections.Options | undefined
  /** Another tail in place of the right one. */
  readonly over?: ((tail: LiveTail.LiveTail["Service"]) => LiveTail.LiveTail["Service"]) | undefined
}

/** A server of a socket at `/`, on a port of its own; it ends with its scope. */
export const serve = (handled: Handled, serving: Serving = {}) =>
  Effect.gen(function* () {
    const { limits, over, tail } = serving
    const store = yield* EventStore.EventStore
    const services = yield* Layer.build(
      Layer.mergeAll(LiveTail.layer(tail), LiveConnections.layer(limits), LiveHub.layer, known).pipe(
        Layer.provide([Layer.succeed(EventStore.EventStore, store), SystemContext.layer("test")])
      )
    )
    const right = Context.get(services, LiveTail.LiveTail)
    const context = Context.merge(
      // A connection lives as long as its request.
      Context.omit(Scope.Scope)(yield* Effect.context<Scope.Scope>()),
      Context.add(services, LiveTail.LiveTail, over?.(right) ?? right)
    )
    const server = createServer()
    const http = yield* Layer.build(
      HttpRouter.serve(HttpRouter.add("GET", "/", Effect.provide(handled, context)), {
        disableLogger: true,
        disableListenLog: true
      }).pipe(
        Layer.provideMerge(
          NodeHttpServer.layer(() => server, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: 1 })
        )
      )
    )
    const { address } = Context.get(http, HttpServer.HttpServer)
    const connections = Context.get(services, LiveConnections.LiveConnections)
    const hub = Context.get(services, LiveHub.LiveHub)
    return { port: "port" in address ? address.port : 0, connections, hub }
  })

/** A server that can be killed. */
export const killable = <A, E, R>(made: Effect.Effect<A, E, R | Scope.Scope>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const server = yield* Scope.provide(made, scope)
    return { ...server, kill: Scope.close(scope, Exit.void) }
  })

/** A wire to whichever server is named, which passes bytes on in pieces and breaks after some of them. */
export const wire = (target: () => number, cut: () => { readonly after: number; readonly size: number }) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly breakAll: () => void; readonly close: () => void }>((resume) => {
      const open = new Set<net.Socket>()
      const server = net.createServer((client) => {
        const { after, size } = cut()
        let left = after
        const upstream = net.connect(target(), "127.0.0.1")
        const end = () => {
          client.destroy()
          upstream.destroy()
        }
        for (const socket of [client, upstream]) {
          open.add(socket)
          socket.on("error", end)
          socket.on("close", () => {
            open.delete(socket)
            end()
          })
        }
        client.on("data", (bytes) => upstream.write(bytes))
        upstream.on("data", (bytes: Buffer) => {
          for (let at = 0; at < bytes.length; at += size) {
            const piece = bytes.subarray(at, Math.min(at + size, at + left))
            if (piece.length > 0) client.write(piece)
            left -= size
            if (left <= 0) return end()
          }
        })
      })
      const breakAll = () => {
        for (const socket of open) socket.destroy()
      }
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed({ port, breakAll, close: () => server.close() }))
      })
    }),
    ({ breakAll, close }) =>
      Effect.sync(() => {
        close()
        breakAll()
      })
  )

/** As often as chance says, others have their turn, those outside of Effect as well. */
export const pause = (most: number) =>
  Effect.flatMap(Random.nextIntBetween(0, most), (times) => Effect.repeat(turn, { times }))

/** A client that opens a socket, may say something, and then neither answers nor reads. */
export const deaf = (port: number) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<net.Socket>((resume) => {
        const socket = net.connect(port, "127.0.0.1")
        socket.on("error", () => {})
        socket.write(
          [
            "GET / HTTP/1.1",
            "Host: 127.0.0.1",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Authorization: Bearer acme eve",
            "",
            ""
          ].join("\r\n")
        )
        socket.once("data", () => {
          socket.pause()
          resume(Effect.succeed(socket))
        })
      }),
      (socket) => Effect.sync(() => socket.destroy())
    ),
    (socket) => ({
      say: (message: unknown) =>
        Effect.sync(() => {
          const payload = Buffer.from(JSON.stringify(message))
          // Masked with nothing: a mask of zeros changes no byte.
          socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]))
        })
    })
  )
