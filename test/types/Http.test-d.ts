// What serving an API asks of a program: a handler for each message, and somebody who says who sends a request.
import { expectTypeOf } from "@effect/vitest"
import { type Layer, Schema } from "effect"
import type * as HttpClient from "effect/http/HttpClient"
import type * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServer from "effect/http/HttpServer"
import type * as Dns from "effect/net/Dns"
import {
  type Authenticator,
  Command,
  type CommandBus,
  type HandlerRegistry,
  Query,
  type QueryBus,
  Servers
} from "../../src/index.ts"
import { ApiClient, Http, HttpServing } from "../../src/interfaces/http/index.ts"

class Reserve extends Command.Class<Reserve>()("Reserve", { payload: { seat: Schema.String } }) {}
class Cancel extends Command.Class<Cancel>()("Cancel", { payload: {} }) {}
class Free extends Query.Class<Free>()("Free", {
  payload: {},
  success: Schema.Struct({ seats: Schema.Int, version: Schema.Int })
}) {}

const Seats = Http.make("Seats", { commands: [Reserve, Cancel], queries: [Free] })

// Each message asks for its handler.
expectTypeOf(Http.layer(Seats)).toEqualTypeOf<
  Layer.Layer<
    never,
    never,
    | HttpRouter.HttpRouter
    | Authenticator.Authenticator
    | CommandBus.Handler<"Reserve">
    | CommandBus.Handler<"Cancel">
    | QueryBus.Handler<"Free">
  >
>()

// A server of it asks for the same, and for a server.
expectTypeOf(HttpServing.serve(Http.layer(Http.make("Seats", { queries: [Free] })))).toEqualTypeOf<
  Layer.Layer<never, never, HttpServer.HttpServer | Authenticator.Authenticator | QueryBus.Handler<"Free">>
>()

// A route is of a message that is served, and knows its answer.
Http.make("Seats", { queries: [Free], routes: { Free: { etag: ({ version }) => version } } })
// Its answer has no such field.
// @ts-expect-error: Property 'wrong' does not exist on type '{ readonly seats: number; readonly version: number; }'
Http.make("Seats", { queries: [Free], routes: { Free: { etag: ({ wrong }) => wrong } } })
// It is not served.
// @ts-expect-error: 'Reserve' does not exist in type 'Routes<Free>'
Http.make("Seats", { queries: [Free], routes: { Reserve: { path: "/seats" } } })
// @ts-expect-error: Type '"seats"' is not assignable to type '`/${string}`'
Http.make("Seats", { queries: [Free], routes: { Free: { path: "seats" } } })
// A query is no command.
// @ts-expect-error: is not assignable to type '{ readonly kind: "command"; }'
Http.make("Seats", { commands: [Free] })
// A command is no query.
// @ts-expect-error: is not assignable to type '{ readonly kind: "query"; }'
Http.make("Seats", { queries: [Reserve] })

// What stands for a thing that is not there is among the query's answers.
ApiClient.layer(Http.make("Seats", { queries: [Free] }), {
  url: "",
  absent: { Free: () => ({ seats: 0, version: 0 }) }
})
// @ts-expect-error: Type 'null' is not assignable to type '{ readonly seats: number; readonly version: number; }'
ApiClient.layer(Http.make("Seats", { queries: [Free] }), { url: "", absent: { Free: () => null } })
// Who is found by DNS needs a resolver.
expectTypeOf(
  ApiClient.layer(Http.make("Seats", { queries: [Free] }), { url: Servers.dns("http://seats.internal") })
).toEqualTypeOf<
  Layer.Layer<
    QueryBus.Handler<"Free"> | HandlerRegistry.HandlerRegistry,
    HandlerRegistry.DuplicateHandler,
    HttpClient.HttpClient | Dns.Dns
  >
>()
