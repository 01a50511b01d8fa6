/** How procedures are served over HTTP and WebSockets, whatever they are. */
import * as ByteSize from "effect/ByteSize"
import * as Cause from "effect/Cause"
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
import type * as Rpc from "effect/rpc/Rpc"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"

export interface Options {
  readonly path: HttpRouter.PathInput
  readonly maxBytes?: number | undefined
  readonly concurrency?: number | undefined
  readonly origins?: ReadonlyArray<string> | undefined
  readonly tracing?: boolean | undefined
}

/** Serves procedures by POST. */
export const overHttp = <Rpcs extends Rpc.Any>(group: RpcGroup.RpcGroup<Rpcs>, options: Options) =>
  serve(group, options, "POST", RpcServer.makeProtocolWithHttpEffect())

/** Serves procedures over connections that begin with a GET. */
export const overWebSockets = <Rpcs extends Rpc.Any>(group: RpcGroup.RpcGroup<Rpcs>, options: Options) =>
  serve(group, options, "GET", RpcServer.makeProtocolWithHttpEffectWebsocket)

const serve = <Rpcs extends Rpc.Any>(
  group: RpcGroup.RpcGroup<Rpcs>,
  options: Options,
  method: "GET" | "POST",
  transport: typeof RpcServer.makeProtocolWithHttpEffectWebsocket
) => {
  const { concurrency, maxBytes = 1_048_576, path, tracing = true } = options
  const serving = Effect.gen(function* () {
    const { httpEffect, protocol } = yield* transport
    const router = yield* HttpRouter.HttpRouter
    yield* router.add(method, path, admitted(httpEffect, maxBytes, new Set(options.origins)))
    yield* RpcServer.make(group, {
      disableFatalDefects: true,
      disableTracing: !tracing,
      concurrency
    }).pipe(Effect.provideService(RpcServer.Protocol, protocol), Effect.forkScoped)
  })
  return Layer.effectDiscard(serving).pipe(Layer.provide(RpcSerialization.layerNdjsonWith({ maxBufferSize: maxBytes })))
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
