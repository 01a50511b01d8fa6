/**
 * Answers messages that come from other processes.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Layer from "effect/Layer"
import type * as HttpRouter from "effect/http/HttpRouter"
import type { Authenticator, Principal } from "../../ports/Authenticator.ts"
import type * as MessageGroup from "./MessageGroup.ts"
import * as Answering from "./internal/answering.ts"
import * as Serving from "./internal/serving.ts"
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
  return Serving.overHttp(Wire.procedures(group.classes), options).pipe(
    Layer.provide(Answering.layer(group.classes, options))
  )
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
  return Serving.overWebSockets(Wire.procedures(group.classes), options).pipe(
    Layer.provide(Answering.layer(group.classes, options))
  )
}
