// What server and client of a group require and give, and in which words they refuse a wrong program.
// @effect-diagnostics floatingEffect:off missingEffectContext:off missingLayerContext:off
import { expectTypeOf } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import type { HttpClient, HttpRouter } from "effect/http"
import type { Rpc } from "effect/rpc"
import type { Socket } from "effect/socket"
import {
  type Authenticator,
  Command,
  CommandBus,
  type DispatchError,
  type HandlerRegistry,
  on,
  Query,
  QueryBus,
  TenantContext
} from "../../src/index.ts"
import { BusClient, BusServer, MessageGroup } from "../../src/interfaces/rpc/index.ts"
import { build, run } from "./run.ts"

class Full extends Schema.TaggedError<Full>()("Full", {}) {}
class Reserve extends Command.Class<Reserve>()("Reserve", {
  payload: { seat: Schema.String },
  success: Schema.Int,
  error: Full
}) {}
class Free extends Query.Class<Free>()("Free", { payload: {}, success: Schema.Int }) {}
class Elsewhere extends Query.Class<Elsewhere>()("Elsewhere", { payload: {} }) {}

const Seats = MessageGroup.make(Reserve, Free)
type Handlers = CommandBus.Handler<"Reserve"> | QueryBus.Handler<"Free">
expectTypeOf<MessageGroup.HandlersOf<typeof Seats>>().toEqualTypeOf<Handlers>()

// A server requires the handlers of its group, and what authenticates; a client gives the same handlers.
const Server = BusServer.layerHttp(Seats, { path: "/rpc" })
expectTypeOf(Server).toEqualTypeOf<
  Layer.Layer<never, never, Handlers | Authenticator.Authenticator | HttpRouter.HttpRouter>
>()
expectTypeOf(BusServer.layerWebSocket(Seats, { path: "/rpc" })).toEqualTypeOf(Server)
type Client<R> = Layer.Layer<Handlers | HandlerRegistry.HandlerRegistry, HandlerRegistry.DuplicateHandler, R>
const url = "http://localhost/rpc"
const Http = BusClient.layerHttp(Seats, { url })
expectTypeOf(Http).toEqualTypeOf<Client<HttpClient.HttpClient>>()
expectTypeOf(BusClient.layerWebSocket(Seats, { url })).toEqualTypeOf<Client<Socket.WebSocketConstructor>>()
expectTypeOf(BusClient.layerInProcess(Seats)).toEqualTypeOf<Client<Handlers | Authenticator.Authenticator>>()

declare const http: Layer.Layer<HttpClient.HttpClient>
declare const router: Layer.Layer<HttpRouter.HttpRouter>
declare const authenticated: Layer.Layer<Authenticator.Authenticator>
const reserve = CommandBus.handlers(on(Reserve, () => Effect.succeed(1)))
const free = QueryBus.handlers(on(Free, () => Effect.succeed(1)))
const single = TenantContext.layerSingle
const Given = Http.pipe(Layer.provide(http))

build(Server.pipe(Layer.provide([reserve, free, authenticated, router])))
run(CommandBus.dispatch(new Reserve({ seat: "A1" })).pipe(Effect.provide([Given, single])))
run(QueryBus.ask(new Free()).pipe(Effect.provide([Given, single])))

// @ts-expect-error: Type 'Handler<"Free">' is not assignable to type 'never'
build(Server.pipe(Layer.provide([reserve, authenticated, router])))
// @ts-expect-error: Type 'Authenticator' is not assignable to type 'never'
build(Server.pipe(Layer.provide([reserve, free, router])))
// @ts-expect-error: Type 'HttpClient' is not assignable to type 'never'
build(Http)
// @ts-expect-error: Type 'Handler<"Elsewhere">' is not assignable to type 'never'
run(QueryBus.ask(new Elsewhere()).pipe(Effect.provide([Given, single])))
// @ts-expect-error: Type 'TenantContext' is not assignable to type 'never'
run(QueryBus.ask(new Free()).pipe(Effect.provide(Given)))
// @ts-expect-error: Type 'typeof Full' is missing the following properties from type 'AnyClass<Any>': kind, tag, success, error
MessageGroup.make(Reserve, Full)
// @ts-expect-error: Property 'path' is missing in type '{}' but required in type 'Options'
BusServer.layerHttp(Seats, {})

// Effect's own group has a procedure for each class, with its success and its error.
const rpcs = MessageGroup.toRpcGroup(Seats)
type Procedures = typeof rpcs extends { readonly requests: ReadonlyMap<string, infer R> } ? R : never
expectTypeOf<Procedures["_tag"]>().toEqualTypeOf<"command/Reserve" | "query/Free">()
type Reserved = Rpc.ExtractTag<Procedures, "command/Reserve">
expectTypeOf<Rpc.Success<Reserved>["value"]>().toEqualTypeOf<number>()
expectTypeOf<Rpc.Error<Reserved>>().toEqualTypeOf<Full | DispatchError.DispatchError>()
