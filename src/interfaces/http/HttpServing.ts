/**
 * A server around routes: which requests it lets in, what every answer says, whether it is well, and how it ends.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import * as HealthChecks from "../../ports/HealthChecks.ts"
import type { Path } from "./Endpoint.ts"
import * as Edge from "./internal/edge.ts"
import * as Known from "./internal/known.ts"

/**
 * How a server is. What is said here is of all its routes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The pages of other origins that may ask; none when absent. With `"*"` all may, without credentials. */
  readonly cors?: {
    readonly origins: ReadonlyArray<string> | "*"
    /** Whether cookies may come along; false when absent. */
    readonly credentials?: boolean | undefined
  }
  /** The most bytes of a request's URL and headers; 8 KiB when absent. */
  readonly maxHeaderBytes?: number | undefined
  /** Where the server says whether it lives, and under `…/ready` whether it can work; `"/health"` when absent, nowhere when false. */
  readonly health?: Path | false | undefined
  /** Where Prometheus reads the program's metrics; nowhere when absent, because they are not for everybody. */
  readonly metrics?: Path | undefined
  /**
   * How long the server goes on to answer after it was told to end, while it says that it is not ready, so that those who send
   * requests go elsewhere; not at all when absent. After that it takes no connections, and `gracefulShutdownTimeout` of
   * `NodeHttpServer` bounds what the requests in flight may still take.
   */
  readonly drain?: Duration.Input | undefined
}

/**
 * What Node's `createServer` should be given: how long a client may take to send its headers (10 seconds) and its request (60), how
 * many bytes headers may have before Node itself refuses them (16 KiB), and how long an idle connection stays (5 seconds).
 *
 * @category options
 * @since 0.1.0
 */
export const nodeOptions = {
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 16 * 1024
} as const

/**
 * Serves routes.
 *
 * **Details**
 *
 * - What no route answers, and what goes wrong before one could, is a problem in JSON: 404, 405 with `Allow`, 431.
 * - A page of another origin that is not in `cors` gets no answer that its browser would show it, and its requests that
 *   change something are refused with 403.
 * - Every answer has the headers that keep browsers from guessing, framing and leaking; over TLS also that it stays so.
 * - `/health` says that the process lives; `/health/ready` runs what is in `HealthChecks`, when that is provided, and is a 503
 *   when one is down, or when the server is about to end.
 * - Closing the layer drains: see {@link Options}.
 *
 * **Gotchas**
 *
 * No header is taken for who a proxy says that sent a request. Behind a proxy add
 * `HttpMiddleware.xForwardedHeaders({ trustedProxies })` as a global middleware of the router.
 *
 * **Example** (A server on a port of the kernel's choice)
 *
 * ```ts
 * import { createServer } from "node:http"
 * import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
 * import { Actor, Authenticator, on, Query, QueryBus, TenantId } from "effect-cqrs"
 * import { Http, HttpServing } from "effect-cqrs/http"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Schema from "effect/Schema"
 *
 * class Ping extends Query.Class<Ping>()("Ping", { payload: {}, success: Schema.String }) {}
 *
 * const server = createServer(HttpServing.nodeOptions)
 * const Live = HttpServing.serve(Http.layer(Http.make("Pings", { queries: [Ping] }))).pipe(
 *   Layer.provide(QueryBus.handlers(on(Ping, () => Effect.succeed("pong")))),
 *   Layer.provide(Authenticator.layerFixed({ tenant: TenantId.make("acme"), actor: Actor.user("ada") })),
 *   Layer.provide(NodeHttpServer.layer(() => server, { port: 0 }))
 * )
 * const program = Effect.promise(async () => {
 *   const address = server.address()
 *   const port = typeof address === "object" ? address?.port : 0
 *   const ready = await fetch(`http://127.0.0.1:${port}/health/ready`)
 *   return [ready.status, await ready.text()]
 * })
 * await Effect.runPromise(Effect.provide(program, Live)) // => [200, '{"status":"up","checks":{}}']
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export function serve<A, E, R>(
  app: Layer.Layer<A, E, R>,
  options?: Options
): Layer.Layer<
  never,
  HttpRouter.Request.Without<E>,
  | HttpServer.HttpServer
  | Exclude<HttpRouter.Request.Without<R>, HttpRouter.HttpRouter>
  | Exclude<Asked<R>, HttpRouter.GlobalProvided>
>
export function serve(app: Layer.Layer<never, unknown, HttpRouter.HttpRouter>, options: Options = {}): unknown {
  const { cors, drain, health = "/health", maxHeaderBytes = 8 * 1024, metrics } = options
  return Layer.unwrap(
    Effect.gen(function* () {
      const state = { draining: false }
      const known: Array<Known.Known> = []
      const gate: Edge.Gate = {
        origins: cors?.origins === "*" ? "*" : new Set(cors?.origins),
        credentials: cors?.credentials ?? false,
        maxHeaderBytes,
        methodsOf: Known.methodsOf(known),
        isDraining: () => state.draining
      }
      const routes = Layer.mergeAll(
        app,
        ...(health === false ? [] : [healthRoutes(health, gate.isDraining)]),
        ...(metrics === undefined ? [] : [PrometheusMetrics.layerHttp({ path: metrics })])
      ).pipe(Layer.provide(Layer.succeed(Known.KnownPaths, known)))
      // A path may be as long as the headers let it.
      const handler = yield* Effect.provideService(HttpRouter.toHttpEffect(routes), HttpRouter.RouterConfig, {
        maxParamLength: maxHeaderBytes
      })
      const draining = Effect.suspend(() => {
        state.draining = true
        return drain === undefined ? Effect.void : Effect.sleep(drain)
      })
      // Built after the server, so that it ends before the server does.
      return Layer.effectDiscard(Effect.addFinalizer(() => draining)).pipe(
        Layer.provideMerge(HttpServer.serve(Edge.around(gate)(handler)))
      )
    })
  )
}

type Asked<R> = HttpRouter.Request.Only<"Requires", R> | HttpRouter.Request.Only<"GlobalRequires", R>

const healthRoutes = (path: Path, isDraining: () => boolean): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  HttpRouter.use((router) =>
    Effect.gen(function* () {
      const checks = yield* Effect.serviceOption(HealthChecks.HealthChecks)
      const found = Option.match(checks, { onNone: () => nothing, onSome: ({ run }) => run })
      const ready = Effect.map(found, ({ checks, status }) => {
        const shown = checks.map(({ millis, name, status }) => [name, { status, millis }])
        const whole = isDraining() ? "draining" : status
        return answer(whole === "down" || whole === "draining" ? 503 : 200, {
          status: whole,
          checks: Object.fromEntries(shown)
        })
      })
      yield* router.add("GET", path, answer(200, { status: "up" }))
      yield* router.add("GET", `${path}/ready`, ready)
    })
  )

const nothing: Effect.Effect<HealthChecks.Report> = Effect.succeed({ status: "up", checks: [] })

const answer = (status: number, body: object) =>
  HttpServerResponse.text(JSON.stringify(body), {
    status,
    contentType: "application/json",
    headers: { "cache-control": "no-store" }
  })
