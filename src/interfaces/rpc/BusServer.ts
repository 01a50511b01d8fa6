/**
 * Answers messages that come from other processes.
 *
 * @since 0.1.0
 */
import * as ByteSize from "effect/ByteSize"
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { Headers } from "effect/http/Headers"
import { MaxBodySize } from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpTraceContext from "effect/http/HttpTraceContext"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"
import type { Authenticator, Principal } from "../../ports/Authenticator.ts"
import type * as MessageGroup from "./MessageGroup.ts"
import * as Answering from "./internal/answering.ts"
import * as Wire from "./internal/wire.ts"

/**
 * Where calls come in, and within which limits.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly path: HttpRouter.PathInput
  /**
   * Whether a principal may act for the tenant and actor that its client names; for no others than its own when absent. Say
   * yes only to services that have authenticated whom they name.
   */
  readonly onBehalf?: ((principal: Principal, asked: Principal) => boolean) | undefined
  /** The longest that a handler may take; a client may ask for less. 30 seconds when absent. */
  readonly timeout?: Duration.Input | undefined
  /** The most bytes of one request, or of one message over a WebSocket; 1 MiB when absent. */
  readonly maxBytes?: number | undefined
  /** How many calls are handled at the same time; as many as come when absent. */
  readonly concurrency?: number | undefined
  /** Pages of other origins that may call, as `https://app.example.com`; none but the server's own when absent. */
  readonly origins?: ReadonlyArray<string> | undefined
  /** Whether calls are spans of their own; true when absent. */
  readonly tracing?: boolean | undefined
}

/**
 * Answers over HTTP: each call is a POST of JSON, its answer a line of JSON.
 *
 * **Details**
 *
 * Every call is authenticated before anything of it is used, and handled as the principal's tenant and actor. A message is
 * decoded by its class, so that all its bad fields are named.
 *
 * - What a handler fails with reaches the client as it is. A bug in it is a `DispatchError` with reason `Defect`, whose `id` is in
 *   the server's log beside the cause.
 * - A client that goes away, or whose time is up, interrupts the handler.
 * - A page of another origin is refused with status 403, a request that is none of this protocol's with 400.
 *
 * **Gotchas**
 *
 * An HTTP server interrupts what it runs when it closes. Close what has a client's calls to finish before it.
 *
 * **Example** (A server and its client)
 *
 * ```ts
 * import { Actor, Authenticator, on, Query, QueryBus, TenantContext, TenantId } from "effect-cqrs"
 * import { BusClient, BusServer, MessageGroup } from "effect-cqrs/rpc"
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Effect, Layer, Schema } from "effect"
 * import { FetchHttpClient, HttpRouter, HttpServer } from "effect/http"
 * import { createServer } from "node:http"
 *
 * class Double extends Query.Class<Double>()("Double", { payload: { n: Schema.Int }, success: Schema.Int }) {}
 * const Numbers = MessageGroup.make(Double)
 *
 * const Server = HttpRouter.serve(BusServer.layerHttp(Numbers, { path: "/rpc" }), { disableLogger: true, disableListenLog: true }).pipe(
 *   Layer.provide(QueryBus.handlers(on(Double, ({ n }) => Effect.succeed(n * 2)))),
 *   Layer.provide(Authenticator.layerFixed({ tenant: TenantId.make("acme"), actor: Actor.user("ada") })),
 *   Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
 * )
 *
 * const program = Effect.gen(function* () {
 *   const { address } = yield* HttpServer.HttpServer
 *   const url = `http://127.0.0.1:${"port" in address ? address.port : 0}/rpc`
 *   const Client = BusClient.layerHttp(Numbers, { url }).pipe(Layer.provide(FetchHttpClient.layer))
 *   return yield* QueryBus.ask(new Double({ n: 21 })).pipe(Effect.provide([Client, TenantContext.layerSingle], { local: true }))
 * })
 * await Effect.runPromise(Effect.scoped(program.pipe(Effect.provide(Server)))) // => 42
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export function layerHttp<Group extends MessageGroup.Any>(
  group: Group,
  options: Options
): Layer.Layer<never, never, MessageGroup.HandlersOf<Group> | Authenticator | HttpRouter.HttpRouter>
export function layerHttp(group: MessageGroup.Any, options: Options): unknown {
  return serve(group, options, "POST", RpcServer.makeProtocolWithHttpEffect())
}

/**
 * Answers over WebSockets: one connection has any number of calls at the same time.
 *
 * **Details**
 *
 * It promises what {@link layerHttp} does. Every call of a connection is authenticated anew, by the headers of the request
 * that opened it; where those have no `authorization`, as a browser's, by the one that the client sends with the call.
 *
 * @category layers
 * @since 0.1.0
 */
export function layerWebSocket<Group extends MessageGroup.Any>(
  group: Group,
  options: Options
): Layer.Layer<never, never, MessageGroup.HandlersOf<Group> | Authenticator | HttpRouter.HttpRouter>
export function layerWebSocket(group: MessageGroup.Any, options: Options): unknown {
  return serve(group, options, "GET", RpcServer.makeProtocolWithHttpEffectWebsocket)
}

const serve = (
  group: MessageGroup.Any,
  options: Options,
  method: "GET" | "POST",
  transport: typeof RpcServer.makeProtocolWithHttpEffectWebsocket
) => {
  const { concurrency, maxBytes = 1_048_576, path, tracing = true } = options
  const serving = Effect.gen(function* () {
    const { httpEffect, protocol } = yield* transport
    const router = yield* HttpRouter.HttpRouter
    yield* router.add(method, path, admitted(httpEffect, maxBytes, new Set(options.origins)))
    yield* RpcServer.make(Wire.procedures(group.classes), {
      disableFatalDefects: true,
      disableTracing: !tracing,
      concurrency
    }).pipe(Effect.provideService(RpcServer.Protocol, protocol), Effect.forkScoped)
  })
  return Layer.effectDiscard(serving).pipe(
    Layer.provide(Answering.layer(group.classes, options)),
    Layer.provide(RpcSerialization.layerNdjsonWith({ maxBufferSize: maxBytes }))
  )
}

/** Lets in what a page of the server's own origin or of a listed one sends, or no page at all; and nothing that is too large. */
const admitted = <R>(
  self: Effect.Effect<HttpServerResponse.HttpServerResponse, never, R>,
  maxBytes: number,
  origins: ReadonlySet<string>
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, R | HttpServerRequest.HttpServerRequest> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) => {
    const { host, origin } = headers
    if (origin !== undefined && !origins.has(origin) && !isOf(origin, host)) {
      return Effect.succeed(HttpServerResponse.empty({ status: 403 }))
    }
    return traced(self, headers).pipe(
      Effect.provideService(MaxBodySize, ByteSize.bytes(maxBytes)),
      // What a client sends is no reason for a status 500, and nothing of the cause is for it.
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.failCause(cause)
          : Effect.as(Effect.logDebug("A request was not understood", cause), HttpServerResponse.empty({ status: 400 }))
      )
    )
  })

// Where the server has no tracer, requests have no span, and what is stored would have lost the caller's.
const traced = <A, E, R>(self: Effect.Effect<A, E, R>, headers: Headers): Effect.Effect<A, E, R> =>
  Effect.withFiber(({ cache }) => {
    const span = cache.span === undefined ? Option.getOrUndefined(HttpTraceContext.fromHeaders(headers)) : undefined
    return span === undefined ? self : Effect.provideService(self, Tracer.ParentSpan, span)
  })

const isOf = (origin: string, host: string | undefined): boolean =>
  URL.canParse(origin) && new URL(origin).host === host
