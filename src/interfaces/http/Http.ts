/**
 * Commands and queries over HTTP.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Digest from "effect/crypto/Digest"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as CommandBus from "../../application/CommandBus.ts"
import type * as QueryBus from "../../application/QueryBus.ts"
import type * as Command from "../../domain/Command.ts"
import type * as Message from "../../domain/Message.ts"
import type * as Query from "../../domain/Query.ts"
import * as Actor from "../../domain/Actor.ts"
import * as TenantId from "../../domain/TenantId.ts"
import * as Authenticator from "../../ports/Authenticator.ts"
import * as Description from "./Description.ts"
import * as Endpoint from "./Endpoint.ts"
import * as DocsPage from "./internal/docsPage.ts"
import * as Handling from "./internal/handling.ts"
import * as Known from "./internal/known.ts"

/**
 * An API: the messages that it serves, each at its place.
 *
 * @category models
 * @since 0.1.0
 */
export interface Api<out C extends Command.Any, out Q extends Query.Any> {
  readonly title: string
  readonly version: string
  readonly description: string | undefined
  readonly endpoints: ReadonlyArray<Endpoint.Endpoint>
  /** What sends the message of each endpoint. */
  readonly "~served": ReadonlyArray<Handling.Served>
  /** Nothing at run time: the commands and the queries. */
  readonly "~commands"?: C | undefined
  readonly "~queries"?: Q | undefined
}

type Class<M extends Message.Any> = Message.AnyClass<M>

/**
 * Which messages are served, and where that is not as the convention has it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Declaration<
  Commands extends ReadonlyArray<Class<Command.Any>>,
  Queries extends ReadonlyArray<Class<Query.Any>>
> {
  readonly commands?: Commands | undefined
  readonly queries?: Queries | undefined
  /** By the tag of the message. */
  readonly routes?: Routes<Commands[number]["Type"] | Queries[number]["Type"]> | undefined
  /** Said in the description of the API; `"1.0.0"` when absent. */
  readonly version?: string | undefined
  readonly description?: string | undefined
}

/**
 * What is not as the convention has it, by the tag of the message.
 *
 * @category models
 * @since 0.1.0
 */
export type Routes<M extends Message.Any> = {
  readonly [Tag in M["_tag"]]?: Endpoint.Route<Extract<M, { readonly _tag: Tag }>> | undefined
}

/**
 * Declares an API: messages, each at its place by convention or as its route says.
 *
 * **Details**
 *
 * - A command is `POST /commands/<its-tag>` with its payload as the body. It is answered with `value` and `receipt`, and with 201
 *   and `Location` where the route says what it creates.
 * - A query is `GET /queries/<its-tag>` with its payload behind the question mark, or `POST` where that has parts that a URL
 *   cannot carry. It is answered with what its handler answers.
 *
 * **Gotchas**
 *
 * It throws when a route names a field that the payload does not have, or that a path cannot carry.
 *
 * **Example** (A command at a place of its own)
 *
 * ```ts
 * import { Command, Query } from "effect-cqrs"
 * import { Http } from "effect-cqrs/http"
 * import * as Schema from "effect/Schema"
 *
 * class CreateTask extends Command.Class<CreateTask>()("CreateTask", { payload: { taskId: Schema.String } }) {}
 * class CloseTask extends Command.Class<CloseTask>()("CloseTask", { payload: { taskId: Schema.String } }) {}
 * class CountTasks extends Query.Class<CountTasks>()("CountTasks", { payload: {}, success: Schema.Int }) {}
 *
 * const Tasks = Http.make("Tasks", {
 *   commands: [CreateTask, CloseTask],
 *   queries: [CountTasks],
 *   routes: { CloseTask: { method: "DELETE", path: "/tasks/:taskId", status: 204 } }
 * })
 * Tasks.endpoints.map(({ method, path }) => `${method} ${path}`)
 * // => ["POST /commands/create-task", "DELETE /tasks/:taskId", "GET /queries/count-tasks"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export function make<
  const Commands extends ReadonlyArray<Class<Command.Any>> = [],
  const Queries extends ReadonlyArray<Class<Query.Any>> = []
>(title: string, declaration: Declaration<Commands, Queries>): Api<Commands[number]["Type"], Queries[number]["Type"]>
export function make(
  title: string,
  declaration: Declaration<ReadonlyArray<Class<Command.Any>>, ReadonlyArray<Class<Query.Any>>>
): Api<Command.Any, Query.Any> {
  const { commands = [], description, queries = [], version = "1.0.0" } = declaration
  const routes: Readonly<Record<string, Endpoint.Route<Message.Any> | undefined>> = declaration.routes ?? {}
  const endpoints: ReadonlyArray<Handling.Served> = [
    ...commands.map((self) => ({ ...Endpoint.make(self, routes[self.tag]), send: Handling.sendCommand(self) })),
    ...queries.map((self) => ({ ...Endpoint.make(self, routes[self.tag]), send: Handling.sendQuery(self) }))
  ]
  return { title, version, description, endpoints, "~served": endpoints }
}

/**
 * How an API is served.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The longest that a request may take, whatever it asks for itself with `X-Request-Timeout`; 30 seconds when absent. */
  readonly timeout?: Duration.Input | undefined
  /** The most bytes of a body; 1 MiB when absent. */
  readonly maxBodyBytes?: number | undefined
  /** Where the description is, as a document of OpenAPI 3.1; `"/openapi.json"` when absent, nowhere when false. */
  readonly openapi?: Endpoint.Path | false | undefined
  /** Where the page is that shows it; `"/docs"` when absent, nowhere when false. */
  readonly docs?: Endpoint.Path | false | undefined
  /** Whose requests of public routes are; the anonymous user of the tenant `default` when absent. */
  readonly anonymous?: Authenticator.Principal | undefined
}

/**
 * Serves an API: adds its routes to the router. A message without a handler does not compile.
 *
 * **Details**
 *
 * Who sends a request is asked of `Authenticator` before anything else is read. What goes wrong is a problem in JSON, see
 * {@link Problem}; bugs are logged with their cause, and the client gets the id of the log's line.
 *
 * | header of a request | |
 * | --- | --- |
 * | `Idempotency-Key` | Is the message id of the command, as a UUID: `Repository.execute` with that `id` answers again as the first time. |
 * | `If-Match` | A command is refused with 412 when its aggregate is not at this version, the `ETag` of an answer; `*` for any. |
 * | `If-None-Match: *` | A command is refused with 412 when its aggregate is there already. |
 * | `X-Read-After` | A query reads what the command has written whose answer had this header. |
 * | `X-Correlation-ID` | Is kept with all that follows, and answered. |
 * | `X-Request-Timeout` | The longest to wait, like `2s` or `500ms`. |
 *
 * The `ETag` of a command's answer is the version of the first stream it appended to.
 *
 * **Example** (Asking a query)
 *
 * ```ts
 * import { Actor, Authenticator, on, Query, QueryBus, TenantId } from "effect-cqrs"
 * import { Http } from "effect-cqrs/http"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Schema from "effect/Schema"
 * import * as HttpRouter from "effect/http/HttpRouter"
 *
 * class Greet extends Query.Class<Greet>()("Greet", { payload: { name: Schema.String }, success: Schema.String }) {}
 *
 * const Live = Http.layer(Http.make("Greetings", { queries: [Greet] })).pipe(
 *   Layer.provide(QueryBus.handlers(on(Greet, ({ name }) => Effect.succeed(`Hello ${name}`)))),
 *   Layer.provide(Authenticator.layerFixed({ tenant: TenantId.make("acme"), actor: Actor.user("ada") }))
 * )
 * const { handler } = HttpRouter.toWebHandler(Live)
 *
 * const response = await handler(new Request("http://localhost/queries/greet?name=Ada"))
 * await response.json() // => "Hello Ada"
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export function layer<C extends Command.Any, Q extends Query.Any>(
  api: Api<C, Q>,
  options?: Options
): Layer.Layer<
  never,
  never,
  HttpRouter.HttpRouter | Authenticator.Authenticator | CommandBus.HandlerOf<C["_tag"]> | QueryBus.HandlerOf<Q["_tag"]>
>
export function layer(api: Api<Command.Any, Query.Any>, options: Options = {}): unknown {
  let responses: Described | undefined
  const described = () => (responses ??= describe(api))
  return Layer.effectDiscard(
    Effect.gen(function* () {
      const router = yield* HttpRouter.HttpRouter
      const authenticator = yield* Authenticator.Authenticator
      const context = yield* Effect.context<unknown>()
      const known = yield* Known.KnownPaths
      const serving: Handling.Serving = {
        timeoutMillis: Duration.toMillis(options.timeout ?? "30 seconds"),
        maxBodyBytes: options.maxBodyBytes ?? 1024 * 1024,
        anonymous: options.anonymous ?? { tenant: TenantId.make("default"), actor: Actor.user("anonymous") }
      }
      for (const endpoint of api["~served"]) {
        known?.push(Known.known(endpoint.method, endpoint.path))
        yield* router.add(endpoint.method, endpoint.path, Handling.handler(endpoint, context, authenticator, serving))
      }
      const { docs = "/docs", openapi = "/openapi.json" } = options
      if (openapi !== false)
        yield* router.add(
          "GET",
          openapi,
          Effect.sync(() => described().json)
        )
      if (docs !== false)
        yield* router.add(
          "GET",
          docs,
          Effect.sync(() => described().page)
        )
    })
  ).pipe(Layer.provide(Digest.layerWebCrypto))
}

interface Described {
  readonly json: HttpServerResponse.HttpServerResponse
  readonly page: HttpServerResponse.HttpServerResponse
}

// Made when it is first asked for: most processes are never asked.
const describe = (api: Api<Command.Any, Query.Any>): Described => {
  const document = Description.of(api)
  return {
    json: HttpServerResponse.text(JSON.stringify(document), { contentType: "application/json" }),
    page: HttpServerResponse.text(DocsPage.html(document), {
      contentType: "text/html; charset=utf-8",
      headers: { "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'" }
    })
  }
}
