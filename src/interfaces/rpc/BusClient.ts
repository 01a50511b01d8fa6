/**
 * Sends messages to where they are handled: `CommandBus` and `QueryBus` as ever, over a network.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as HttpClient from "effect/http/HttpClient"
import * as RpcClient from "effect/rpc/RpcClient"
import type { FromServer } from "effect/rpc/RpcMessage"
import * as RpcServer from "effect/rpc/RpcServer"
import type * as Socket from "effect/socket/Socket"
import type { DuplicateHandler, HandlerRegistry } from "../../application/HandlerRegistry.ts"
import * as Servers from "../../application/Servers.ts"
import * as DispatchError from "../../domain/DispatchError.ts"
import type { Authenticator } from "../../ports/Authenticator.ts"
import type { Options as ServerOptions } from "./BusServer.ts"
import type * as MessageGroup from "./MessageGroup.ts"
import * as Answering from "./internal/answering.ts"
import * as Calling from "./internal/calling.ts"
import * as Connecting from "./internal/connecting.ts"
import * as Wire from "./internal/wire.ts"

/**
 * What is sent with every call: pairs, or an effect that has them each time anew, as for a token that expires.
 *
 * @category models
 * @since 0.1.0
 */
export type Headers = Connecting.Headers

/**
 * How to call.
 *
 * @category models
 * @since 0.1.0
 */
export interface Calls {
  /** What proves who calls, as `{ authorization: "Bearer …" }`. */
  readonly headers?: Headers | undefined
  /** The longest that a call may take, here and on the server; 30 seconds when absent. */
  readonly timeout?: Duration.Input | undefined
  /** Whether calls are for the caller's tenant and actor rather than for the client's own, which the server must allow. */
  readonly onBehalf?: boolean | undefined
  /** Whether calls are spans of their own; true when absent. */
  readonly tracing?: boolean | undefined
}

/**
 * Whom to call, and how.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<R = never> extends Calls {
  /** Where the server is, or all servers of a service: `Servers.list`, `Servers.dns`. */
  readonly url: string | Servers.Servers<R>
}

/**
 * The handlers of a group, as a client of `BusServer.layerHttp` with the same group.
 *
 * **Details**
 *
 * A program that is given this layer in place of the handlers' own changes nothing else: `CommandBus.execute`, `dispatch` with
 * its receipt, `QueryBus.ask` with `after`, middleware, introspection. Ids, correlation and causation, attributes and the
 * trace travel along; interrupting the caller interrupts the handler. Of several servers each call goes to one that can be
 * reached, as `Servers` says.
 *
 * What goes wrong on the way is a `DispatchError`: `Unreachable` when there is no server or its answer is lost, `Timeout`,
 * `Unauthenticated`, `Denied`, `NotHandled` by a server that has no such message, `Defect` for its bugs.
 *
 * **Gotchas**
 *
 * A command whose answer was lost may have been handled. Queries can be asked again: give `QueryBus.middleware` a
 * `Resilience.retry` with {@link isUnreachable}.
 *
 * @category layers
 * @since 0.1.0
 */
export function layerHttp<Group extends MessageGroup.Any, R = never>(
  group: Group,
  options: Options<R>
): Layer.Layer<MessageGroup.HandlersOf<Group> | HandlerRegistry, DuplicateHandler, HttpClient.HttpClient | R>
export function layerHttp(group: MessageGroup.Any, options: Options<unknown>): unknown {
  return remote(group, options, {}).pipe(Layer.provide(Connecting.overHttp(options)))
}

/**
 * The handlers of a group, as a client of `BusServer.layerWebSocket` with the same group: one connection for all calls.
 *
 * **Details**
 *
 * It promises what {@link layerHttp} does. A lost connection fails the calls that are open as `Unreachable` and is made
 * again, after half a second at first and every five seconds at last, to the next of several servers; until then calls fail
 * at once.
 *
 * **Gotchas**
 *
 * Headers are sent with each call, not with the request that opens the connection, since browsers cannot: of them the server
 * uses `authorization`.
 *
 * @category layers
 * @since 0.1.0
 */
export function layerWebSocket<Group extends MessageGroup.Any, R = never>(
  group: Group,
  options: Options<R>
): Layer.Layer<MessageGroup.HandlersOf<Group> | HandlerRegistry, DuplicateHandler, Socket.WebSocketConstructor | R>
export function layerWebSocket(group: MessageGroup.Any, options: Options<unknown>): unknown {
  return remote(group, options, options.headers ?? {}).pipe(Layer.provide(Connecting.overWebSocket(options.url)))
}

/**
 * The handlers of a group through a server in the same process, without a network: for tests of what a client sees.
 *
 * **Details**
 *
 * It requires the handlers that it gives: provide those of the server to it. Everything is asked and answered as over a
 * network: the authenticator, the decoding of messages, the isolation of defects.
 *
 * **Example** (Who may ask)
 *
 * ```ts
 * import { Authenticator, on, Query, QueryBus, TenantContext } from "effect-cqrs"
 * import { BusClient, MessageGroup } from "effect-cqrs/rpc"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Schema from "effect/Schema"
 *
 * class Secret extends Query.Class<Secret>()("Secret", { payload: {}, success: Schema.String }) {}
 *
 * const Client = BusClient.layerInProcess(MessageGroup.make(Secret)).pipe(
 *   Layer.provide(QueryBus.handlers(on(Secret, () => Effect.succeed("42")))),
 *   Layer.provide(Authenticator.layer(() => Authenticator.unauthenticated))
 * )
 * const asked = Effect.flip(QueryBus.ask(new Secret())).pipe(Effect.map(({ reason }) => reason._tag))
 * await Effect.runPromise(asked.pipe(Effect.provide([Client, TenantContext.layerSingle]))) // => "Unauthenticated"
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export function layerInProcess<Group extends MessageGroup.Any>(
  group: Group,
  options?: Calls & { readonly server?: Pick<ServerOptions, "onBehalf" | "timeout"> | undefined }
): Layer.Layer<
  MessageGroup.HandlersOf<Group> | HandlerRegistry,
  DuplicateHandler,
  MessageGroup.HandlersOf<Group> | Authenticator
>
export function layerInProcess(
  group: MessageGroup.Any,
  options: Calls & { readonly server?: Pick<ServerOptions, "onBehalf" | "timeout"> | undefined } = {}
): unknown {
  const procedures = Wire.procedures(group.classes)
  const disableTracing = options.tracing === false
  const linked = Effect.gen(function* () {
    const built = yield* Effect.context<never>()
    let toClient: (response: FromServer<Wire.Procedure>) => Effect.Effect<void> = () => Effect.void
    const server = yield* RpcServer.makeNoSerialization(procedures, {
      disableFatalDefects: true,
      disableTracing,
      onFromServer: (response) => toClient(response)
    })
    const made = yield* RpcClient.makeNoSerialization(procedures, {
      flatten: true,
      disableTracing,
      // The server runs in what it was built with, as it would elsewhere: not in its caller's services.
      onFromClient: ({ message }) => Effect.updateContext(server.write(0, message), () => built)
    })
    toClient = made.write
    return calling(group, made.client, { ...options, service: "the server in this process", overrides: true })
  })
  return Layer.unwrap(linked).pipe(Layer.provide(Answering.layer(group.classes, options.server ?? {})))
}

/**
 * Whether an error says that the server, or something that it needs, cannot be reached now.
 *
 * **Example** (Queries that are asked again)
 *
 * ```ts
 * import { QueryBus, Resilience } from "effect-cqrs"
 * import { BusClient } from "effect-cqrs/rpc"
 *
 * const again = Resilience.retry({ times: 2, delay: "100 millis", while: BusClient.isUnreachable })
 * const Again = QueryBus.middleware(again)
 * again.policy // => { times: 2, delay: "100ms", maxDelay: "10s" }
 * ```
 *
 * @category predicates
 * @since 0.1.0
 */
export const isUnreachable = (error: unknown): boolean =>
  error instanceof DispatchError.DispatchError && error.reason._tag === "Unreachable"

const remote = (group: MessageGroup.Any, options: Options<unknown>, headers: Headers) =>
  RpcClient.make(Wire.procedures(group.classes), { flatten: true, disableTracing: options.tracing === false }).pipe(
    Effect.map((client) => calling(group, client, { ...options, headers, service: Servers.nameOf(options.url) })),
    Layer.unwrap
  )

type Client = (
  name: string,
  payload: unknown,
  options: { readonly headers: Readonly<Record<string, string>> }
) => ReturnType<Calling.Call>

const calling = (
  group: MessageGroup.Any,
  client: Client,
  options: Calls & { readonly service: string; readonly overrides?: boolean | undefined }
) => {
  const { headers = {} } = options
  const call: Calling.Call = (name, envelope) =>
    Effect.flatMap(Connecting.current(headers), (pairs) => client(name, envelope, { headers: pairs }))
  return Calling.layer(group.classes, call, options)
}
