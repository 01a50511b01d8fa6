/**
 * Sends messages to an API over HTTP: `CommandBus` and `QueryBus` as ever.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as CommandBus from "../../application/CommandBus.ts"
import type { DuplicateHandler, HandlerRegistry } from "../../application/HandlerRegistry.ts"
import * as QueryBus from "../../application/QueryBus.ts"
import * as Servers from "../../application/Servers.ts"
import type * as Command from "../../domain/Command.ts"
import * as DispatchError from "../../domain/DispatchError.ts"
import * as FieldIssue from "../../domain/FieldIssue.ts"
import type * as Message from "../../domain/Message.ts"
import type * as Query from "../../domain/Query.ts"
import { type Entry, fromRegistrations, type Registration } from "../../middleware/Handler.ts"
import * as MessageContext from "../../ports/MessageContext.ts"
import { Precondition } from "../../ports/Precondition.ts"
import * as Receipt from "../../ports/Receipt.ts"
import type { Endpoint } from "./Endpoint.ts"
import type { Api } from "./Http.ts"
import * as Asked from "./internal/asked.ts"
import * as Requesting from "./internal/requesting.ts"
import * as Understanding from "./internal/understanding.ts"

/**
 * What is sent with every call: pairs, or an effect that has them each time anew, as for a token that expires.
 *
 * @category models
 * @since 0.1.0
 */
export type Headers = Readonly<Record<string, string>> | Effect.Effect<Readonly<Record<string, string>>>

/**
 * Whom to call, and how.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<Q extends Query.Any = never, R = never> {
  /** Where the API is, as `https://tasks.example`, or its servers: `Servers.list`, `Servers.dns`. */
  readonly url: string | Servers.Servers<R>
  /** What proves who calls, as `{ authorization: "Bearer …" }`. */
  readonly headers?: Headers | undefined
  /** The longest that a call may take, here and on the server; 30 seconds when absent. */
  readonly timeout?: Duration.Input | undefined
  /** By the tag of a query: what it answers when the server says that there is no such thing (404). */
  readonly absent?:
    | { readonly [Tag in Q["_tag"]]?: () => Message.Success<Extract<Q, { readonly _tag: Tag }>> }
    | undefined
}

/**
 * The handlers of an API, as a client of `Http.layer` with the same API.
 *
 * **Details**
 *
 * A program that is given this layer in place of the handlers' own changes nothing else. The correlation id, the deadline, the
 * trace, the version that a command expects and what a query is to have read (`after`) travel along; a command's message id is its `Idempotency-Key`, so that the same
 * command sent twice with one `messageId` is done once where the handler sees to it. Errors of a message's class come back as
 * what they are, and what else goes wrong is a `DispatchError`: `Unreachable` when there is no server or its answer is lost.
 * Interrupting the caller ends the request.
 *
 * Of several servers each call goes to one that can be reached, as `Servers` says. A query named in `absent` answers with that
 * when the server has no such thing: `Option.none()`, where that is among its answers.
 *
 * For retries, breakers and bulkheads give `CommandBus.middleware` or `QueryBus.middleware` a `Policy`.
 *
 * **Gotchas**
 *
 * - Whose call it is says the proof in `headers`: the tenant of the caller does not travel.
 * - HTTP tells less than RPC does: a `Conflict` says nothing of versions.
 * - A command whose answer was lost may have been handled.
 *
 * **Example** (The call is the same)
 *
 * ```ts
 * import { Actor, Authenticator, on, Query, QueryBus, TenantContext, TenantId } from "effect-cqrs"
 * import { ApiClient, Http } from "effect-cqrs/http"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Schema from "effect/Schema"
 * import * as FetchHttpClient from "effect/http/FetchHttpClient"
 * import * as HttpRouter from "effect/http/HttpRouter"
 *
 * class Greet extends Query.Class<Greet>()("Greet", { payload: { name: Schema.String }, success: Schema.String }) {}
 * const Greetings = Http.make("Greetings", { queries: [Greet] })
 *
 * const { handler } = HttpRouter.toWebHandler(
 *   Http.layer(Greetings).pipe(
 *     Layer.provide(QueryBus.handlers(on(Greet, ({ name }) => Effect.succeed(`Hello ${name}`)))),
 *     Layer.provide(Authenticator.layerFixed({ tenant: TenantId.make("acme"), actor: Actor.user("ada") }))
 *   )
 * )
 * // A server on the network is not needed to see that it works.
 * const fetch: typeof globalThis.fetch = (input, init) => handler(new Request(input, init))
 *
 * const Client = ApiClient.layer(Greetings, { url: "http://greetings.example" }).pipe(
 *   Layer.provide(FetchHttpClient.layer),
 *   Layer.provide(Layer.succeed(FetchHttpClient.Fetch, fetch))
 * )
 * await Effect.runPromise(
 *   QueryBus.ask(new Greet({ name: "Ada" })).pipe(Effect.provide([Client, TenantContext.layerSingle]))
 * ) // => "Hello Ada"
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export function layer<C extends Command.Any, Q extends Query.Any, R = never>(
  api: Api<C, Q>,
  options: Options<Q, R>
): Layer.Layer<
  CommandBus.HandlerOf<C["_tag"]> | QueryBus.HandlerOf<Q["_tag"]> | HandlerRegistry,
  DuplicateHandler,
  HttpClient.HttpClient | R
>
export function layer(api: Api<Command.Any, Query.Any>, options: Options<Query.Any, unknown>): unknown {
  const built = Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    const pool = yield* Servers.pool(options.url)
    const registrations = (kind: Message.Kind): ReadonlyArray<Registration> =>
      api.endpoints
        .filter(({ message }) => message.kind === kind)
        .map((endpoint) => ({
          message: endpoint.message,
          handle: caller(endpoint, client, pool, options),
          name: Servers.nameOf(options.url),
          middleware: []
        }))
    return Layer.merge(
      CommandBus.handlers(fromRegistrations<Entry<Command.Any, never, never>>(registrations("command"))),
      QueryBus.handlers(fromRegistrations<Entry<Query.Any, never, never>>(registrations("query")))
    )
  })
  return Layer.unwrap(built)
}

const caller = (
  endpoint: Endpoint,
  client: HttpClient.HttpClient,
  pool: Servers.Pool,
  { absent, headers = {}, timeout, url }: Options<Query.Any, unknown>
): Registration["handle"] => {
  const self = endpoint.message
  const service = Servers.nameOf(url)
  const encode = Schema.encodeUnknownResult(Schema.Record(Schema.String, Schema.Unknown))
  const toJson = Schema.encodeUnknownResult(Schema.toCodecJson(self), { errors: "all" })
  const understand = Understanding.reader(self, service, self.kind === "query" ? absent?.[self.tag] : undefined)
  const millis = Duration.toMillis(timeout ?? "30 seconds")
  const late = DispatchError.make(self.tag, new DispatchError.Timeout({ afterMillis: millis, waitingFor: service }))
  const unreachable = (cause: unknown) =>
    Effect.fail(DispatchError.make(self.tag, new DispatchError.Unreachable({ service }), cause))
  const send = (request: HttpClientRequest.HttpClientRequest, until: number) =>
    pool.use(
      (address) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          client.execute(HttpClientRequest.prependUrl(request, address)).pipe(
            Effect.flatMap((response) => Effect.map(response.text, (text) => ({ ...readOf(response), text }))),
            Effect.catch(unreachable),
            Effect.timeoutOrElse({ duration: until - now, orElse: () => Effect.fail(late) })
          )
        ),
      verdictOf
    )

  return (message) =>
    Effect.withFiber((fiber) => {
      const encoded = Result.flatMap(toJson(message), encode)
      if (Result.isFailure(encoded)) {
        const issues = FieldIssue.fromIssue(encoded.failure.issue)
        return Effect.fail(DispatchError.make(self.tag, new DispatchError.Invalid({ issues })))
      }
      const { correlationId, messageId } = fiber.getRef(MessageContext.MessageContext)
      const precondition = fiber.getRef(Precondition)
      const after = fiber.getRef(Receipt.After)
      const appends = fiber.getRef(Receipt.Collector)
      const isCommand = self.kind === "command"
      const until = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe() + millis
      return (Effect.isEffect(headers) ? headers : Effect.succeed(headers)).pipe(
        Effect.map((proof) =>
          HttpClientRequest.setHeaders(Requesting.request(endpoint, encoded.success), {
            accept: "application/json, application/problem+json",
            "x-request-timeout": `${Math.min(999_999, Math.max(1, Math.floor(millis)))}ms`,
            ...(correlationId === undefined ? {} : { "x-correlation-id": correlationId }),
            ...(isCommand && messageId !== undefined ? { "idempotency-key": messageId } : {}),
            ...(precondition?.messageId === messageId ? Requesting.preconditions(precondition?.expected) : {}),
            ...(!isCommand && after !== undefined ? { "x-read-after": Asked.toToken(after.position) } : {}),
            ...proof
          })
        ),
        Effect.flatMap((request) => send(request, until)),
        Effect.catchTag("NoServer", unreachable),
        Effect.flatMap(understand),
        Effect.map(({ receipt, value }) => {
          if (receipt !== undefined) {
            const { position, streams } = receipt
            appends?.push(...streams.map(({ stream, version }) => ({ stream, version, position })))
          }
          return value
        })
      )
    })
}

const verdictOf = ({ cause, reason }: DispatchError.DispatchError): Servers.Verdict => {
  if (reason._tag === "Unreachable") return Servers.isUnseen(cause) ? "unseen" : "lost"
  return reason._tag === "Timeout" ? "lost" : undefined
}

const readOf = ({
  headers,
  status
}: {
  readonly headers: Understanding.Response["headers"]
  readonly status: number
}) => ({
  headers,
  status
})
