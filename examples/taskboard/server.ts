/**
 * The board's server: HTTP for pages, RPC for programs, and the events as they happen.
 */
import { Effect, Layer, type Redacted } from "effect"
import { HttpRouter, type HttpServer, HttpServerResponse } from "effect/http"
import { NodeCrypto } from "@effect/platform-node"
import { type Authenticator, LiveConnections, LiveTail, LiveTokens, SystemContext } from "effect-cqrs"
import { Http, HttpServing } from "effect-cqrs/http"
import { BusServer } from "effect-cqrs/rpc"
import { Sse } from "effect-cqrs/sse"
import * as fs from "node:fs"
import * as path from "node:path"
import * as Board from "./board.ts"
import * as Messages from "./messages.ts"
import * as Sessions from "./sessions.ts"

const Api = Http.make("Task board", {
  commands: [Messages.AddTask, Messages.CompleteTask, Messages.ReopenTask],
  queries: [Messages.ListTasks],
  routes: {
    AddTask: { method: "PUT", path: "/tasks/:taskId" },
    CompleteTask: { method: "POST", path: "/tasks/:taskId/complete" },
    ReopenTask: { method: "POST", path: "/tasks/:taskId/reopen" },
    ListTasks: { method: "GET", path: "/tasks" }
  }
})

const folder = path.join(import.meta.dirname, "page")
const page = (file: string, contentType: string) =>
  HttpServerResponse.uint8Array(fs.readFileSync(path.join(folder, file)), {
    contentType,
    headers: { "cache-control": "no-cache", "content-security-policy": "default-src 'self'; img-src data:" }
  })

const Pages = Layer.mergeAll(
  HttpRouter.add("GET", "/", page("index.html", "text/html; charset=utf-8")),
  HttpRouter.add("GET", "/board.css", page("board.css", "text/css; charset=utf-8")),
  HttpRouter.add("GET", "/board.js", page("board.js", "text/javascript; charset=utf-8"))
)

const Live = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const services = yield* Effect.context<
      LiveTail.LiveTail | LiveConnections.LiveConnections | Authenticator.Authenticator
    >()
    yield* router.add("GET", "/events", Effect.provide(Sse.handle({ events: Messages.events }), services))
    yield* router.add("GET", "/session", Effect.provide(Sessions.current, services))
    yield* router.add("POST", "/session", Effect.provide(Sessions.logIn, services))
    yield* router.add("DELETE", "/session", Sessions.logOut)
  })
)

/**
 * The server on any store. Sessions are signed with `secret`; `http` listens, once all that it serves is there.
 */
export const layer = <E>({
  http,
  secret
}: {
  readonly http: Layer.Layer<HttpServer.HttpServer, E>
  readonly secret: Redacted.Redacted
}) =>
  HttpServing.serve(
    Layer.mergeAll(Http.layer(Api), BusServer.layerHttp(Messages.Board, { path: "/rpc" }), Pages, Live)
  ).pipe(
    Layer.provideMerge(http),
    Layer.provide(Board.layer),
    Layer.provide([LiveTail.layer(), LiveConnections.layer(), Sessions.layer]),
    Layer.provide(SystemContext.layer("the board's projection and its live events are of all tenants")),
    Layer.provide(LiveTokens.layer({ secret }).pipe(Layer.provide(NodeCrypto.layerMac)))
  )
