import { describe, expect, it } from "@effect/vitest"
import { createServer, type Server } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Dns from "effect/net/Dns"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import {
  Actor,
  Authenticator,
  on,
  Query,
  QueryBus,
  Resilience,
  Servers,
  TenantContext,
  TenantId
} from "../../src/index.ts"
import { ApiClient, Http, HttpServing } from "../../src/interfaces/http/index.ts"
import { BusClient, BusServer, MessageGroup } from "../../src/interfaces/rpc/index.ts"

class NoPlace extends Schema.TaggedError<NoPlace>()("NoPlace", { id: Schema.String }, { httpApiStatus: 404 }) {}
class Who extends Query.Class<Who>()("Who", { payload: {}, success: Schema.String }) {}
class Find extends Query.Class<Find>()("Find", {
  payload: { id: Schema.String },
  success: Schema.Option(Schema.String),
  error: NoPlace
}) {}
class Elsewhere extends Query.Class<Elsewhere>()("Elsewhere", {
  payload: {},
  success: Schema.Option(Schema.String)
}) {}

const Places = Http.make("Places", { queries: [Who, Find] })
const Group = MessageGroup.make(Who)
const Ada = Authenticator.layerFixed({ tenant: TenantId.make("acme"), actor: Actor.user("ada") })

/** A server of this name on this port, or on one of the kernel's choice; `kill` cuts what it is doing. */
const start = (name: string, port = 0) =>
  Effect.gen(function* () {
    const handlers = QueryBus.handlers(
      on(Who, () => Effect.as(Effect.sleep(2), name)),
      on(Find, ({ id }) => (id === "here" ? Effect.succeedSome(name) : Effect.fail(new NoPlace({ id }))))
    )
    const routes = Layer.merge(Http.layer(Places), BusServer.layerHttp(Group, { path: "/rpc", tracing: false }))
    const app = HttpServing.serve(routes).pipe(Layer.provide([handlers, Ada]))
    let server: Server | undefined
    const node = NodeHttpServer.layer(() => (server = createServer()), {
      port,
      host: "127.0.0.1",
      gracefulShutdownTimeout: 1
    })
    const scope = yield* Effect.acquireRelease(Scope.make(), (made) => Scope.close(made, Exit.void))
    yield* Layer.buildWithScope(Layer.fresh(Layer.provide(app, node)), scope)
    const address = server?.address()
    const taken = typeof address === "object" && address !== null ? address.port : 0
    return {
      url: `http://127.0.0.1:${taken}`,
      port: taken,
      kill: Effect.sync(() => {
        server?.close()
        server?.closeAllConnections()
      })
    }
  })

const again = QueryBus.middleware(Resilience.retry({ times: 5, delay: "5 millis", while: BusClient.isUnreachable }))

/** Clients of both kinds, which ask again what can be asked again. */
const clients = {
  HTTP: (first: string, second: string) => ApiClient.layer(Places, { url: Servers.list([first, second]) }),
  RPC: (first: string, second: string) =>
    BusClient.layerHttp(Group, { url: Servers.list([`${first}/rpc`, `${second}/rpc`]), tracing: false })
}

const running = <A, E>(client: Layer.Layer<A, E, HttpClient.HttpClient>) =>
  Layer.merge(client.pipe(Layer.provide([FetchHttpClient.layer, again])), TenantContext.layerSingle).pipe(
    Layer.provideMerge(Logger.layer([]))
  )

const who = QueryBus.ask(new Who())

describe.each(["HTTP", "RPC"] as const)("a client of two servers over %s", (kind) => {
  it.live("goes on with one when the other is killed under load, and takes it back", () =>
    Effect.gen(function* () {
      const [a, b] = yield* Effect.all([start("a"), start("b")])
      yield* Effect.gen(function* () {
        expect([yield* who, yield* who].toSorted()).toEqual(["a", "b"])
        const load = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: 8 }), () => Effect.replicateEffect(who, 50), { concurrency: 8 })
        )
        yield* Effect.sleep(20)
        yield* a.kill
        const answers = (yield* Fiber.join(load)).flat()
        expect(answers).toHaveLength(400)
        expect(answers.slice(-20)).toEqual(Array.from({ length: 20 }, () => "b"))
        yield* start("a", a.port)
        yield* Effect.repeat(who, { until: (name) => name === "a", schedule: Schedule.spaced("20 millis") })
      }).pipe(Effect.provide(running(clients[kind](a.url, b.url))))
    }).pipe(Effect.scoped)
  )
})

describe("a client of an API", () => {
  it.live("finds its servers by DNS", () =>
    Effect.gen(function* () {
      const { port } = yield* start("a")
      const resolver = Layer.succeed(
        Dns.Dns,
        Dns.make({ lookup: () => Effect.succeed([Result.getOrThrow(NetAddress.ipFromString("127.0.0.1"))]) })
      )
      const client = ApiClient.layer(Places, { url: Servers.dns(`http://places.internal:${port}`) })
      expect(yield* who.pipe(Effect.provide(running(client.pipe(Layer.provide(resolver)))))).toBe("a")
    }).pipe(Effect.scoped)
  )

  it.live("answers with what is named for a thing that is not there", () =>
    Effect.gen(function* () {
      const { url } = yield* start("a")
      const find = (id: string) => QueryBus.ask(new Find({ id }))
      const asking = running(ApiClient.layer(Places, { url, absent: { Find: () => Option.none() } }))
      expect(yield* Effect.all([find("here"), find("nowhere")]).pipe(Effect.provide(asking))).toEqual([
        Option.some("a"),
        Option.none()
      ])
      const missing = yield* find("nowhere").pipe(
        Effect.flip,
        Effect.provide(running(ApiClient.layer(Places, { url })))
      )
      expect(missing).toBeInstanceOf(NoPlace)
      // That the server has no such route is another thing.
      const Others = Http.make("Others", { queries: [Elsewhere] })
      const other = running(ApiClient.layer(Others, { url, absent: { Elsewhere: () => Option.none() } }))
      const error = yield* QueryBus.ask(new Elsewhere()).pipe(Effect.flip, Effect.provide(other))
      expect(error.reason._tag).toBe("NotHandled")
    }).pipe(Effect.scoped)
  )
})
