/** What happens to a request of one endpoint, from its headers to the response. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as Hex from "effect/encoding/Hex"
import * as Digest from "effect/crypto/Digest"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpTraceContext from "effect/http/HttpTraceContext"
import * as CommandBus from "../../../application/CommandBus.ts"
import * as QueryBus from "../../../application/QueryBus.ts"
import type * as Command from "../../../domain/Command.ts"
import { DispatchError } from "../../../domain/DispatchError.ts"
import type * as Message from "../../../domain/Message.ts"
import type * as Query from "../../../domain/Query.ts"
import type * as Authenticator from "../../../ports/Authenticator.ts"
import * as IdGenerator from "../../../ports/IdGenerator.ts"
import * as MessageContext from "../../../ports/MessageContext.ts"
import * as Receipt from "../../../ports/Receipt.ts"
import { TenantContext } from "../../../ports/TenantContext.ts"
import type { Endpoint } from "../Endpoint.ts"
import * as HttpError from "../HttpError.ts"
import * as Problem from "../Problem.ts"
import * as Answer from "./answer.ts"
import * as Asked from "./asked.ts"
import * as Failing from "./failing.ts"
import * as Input from "./input.ts"

/** What is the same for all requests of one API. */
export interface Serving {
  readonly timeoutMillis: number
  readonly maxBodyBytes: number
  /** Whose request one is that nobody is asked about. */
  readonly anonymous: Authenticator.Principal
}

/** An endpoint with what sends its message to the handler. */
export interface Served extends Endpoint {
  readonly send: Send
}

type Sent = Effect.Effect<
  (request: HttpServerRequest.HttpServerRequest) => HttpServerResponse.HttpServerResponse,
  unknown,
  unknown
>

/** Sends a payload to the handler of its message, and makes a response of what that answers. */
type Send = (
  endpoint: Endpoint,
  encode: Answer.Encode
) => (input: Readonly<Record<string, unknown>>, asked: Asked.Asked, principal: Authenticator.Principal) => Sent

export const sendCommand =
  (self: Message.AnyClass<Command.Any>): Send =>
  (endpoint, encode) => {
    const dispatch = (input: Readonly<Record<string, unknown>>, command: Command.Any, options: CommandBus.Options) => {
      const sent: Effect.Effect<CommandBus.Dispatched<unknown>, unknown, unknown> = CommandBus.dispatch(
        command,
        options
      )
      const expecting = options.expected === undefined ? sent : Effect.mapError(sent, ofExpectation)
      return Effect.flatMap(expecting, (dispatched) =>
        Effect.map(encode(dispatched.value), (value) => () => Answer.ofCommand(endpoint, input, value, dispatched))
      )
    }
    return (input, { expected, idempotencyKey }, principal) =>
      Effect.flatMap(
        CommandBus.parse(self, input),
        (command): Sent =>
          idempotencyKey === undefined
            ? dispatch(input, command, { expected })
            : Effect.flatMap(nameOf(self, principal, idempotencyKey), (messageId) =>
                dispatch(input, command, { expected, messageId })
              )
      )
  }

/** Who expects a version and meets with a conflict has expected another. */
const ofExpectation = (error: unknown): unknown =>
  error instanceof DispatchError && error.reason._tag === "Conflict"
    ? HttpError.make(new HttpError.PreconditionFailed())
    : error

export const sendQuery =
  (self: Message.AnyClass<Query.Any>): Send =>
  (endpoint, encode) =>
  (input, { after }) =>
    Effect.flatMap(QueryBus.parse(self, input), (query) =>
      Effect.flatMap(QueryBus.ask(query, { after }), (answer) =>
        Effect.map(
          encode(answer),
          (value) => (request: HttpServerRequest.HttpServerRequest) => Answer.ofQuery(endpoint, value, answer, request)
        )
      )
    )

/** The UUID (version 8) that a client's key stands for: another for each tenant, actor and command. */
const nameOf = ({ tag }: Message.AnyClass, { actor, tenant }: Authenticator.Principal, key: string) =>
  Effect.gen(function* () {
    const { digest } = yield* Digest.Digest
    const named = new TextEncoder().encode(JSON.stringify([tenant, actor.kind, actor.id, tag, key]))
    const hex = Hex.encode((yield* digest(Digest.sha256, named)).slice(0, 16))
    const variant = "89ab"[Number.parseInt(hex.charAt(16), 16) % 4]
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`
  })

const withoutPerCall = Context.omit(TenantContext, Scope.Scope, Tracer.ParentSpan, Receipt.Collector)

/** Whether all of a request has come: who is to blame that the time is over. */
interface Phase {
  isRead: boolean
}

const timedOut = ({ isRead }: Phase, afterMillis: number): HttpError.HttpError["reason"] =>
  isRead ? new HttpError.TimedOut({ afterMillis }) : new HttpError.TooSlow({ afterMillis })

/** What the router gives each request. */
type Called = HttpServerRequest.HttpServerRequest | HttpServerRequest.ParsedSearchParams | HttpRouter.RouteContext

/** The handler of one endpoint, with the services that were there when its layer was built. */
export const handler = (
  endpoint: Served,
  built: Context.Context<unknown>,
  { authenticate }: Authenticator.Authenticator["Service"],
  serving: Serving
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, Called> => {
  const services = withoutPerCall(built)
  const send = endpoint.send(endpoint, Answer.encoder(endpoint))
  const table = Problem.table(endpoint.message)

  const answered = (
    request: HttpServerRequest.HttpServerRequest,
    read: Result.Result<Asked.Asked, HttpError.HttpError>,
    correlationId: string,
    context: Context.Context<Called>,
    phase: Phase
  ) => {
    const { headers, url } = request
    const { params } = Context.get(context, HttpRouter.RouteContext)
    const search = Context.get(context, HttpServerRequest.ParsedSearchParams)
    // What the request brings along wins over what was there when the layer was built.
    const around = (given: Context.Context<never>, { actor, tenant }: Authenticator.Principal) => {
      const merged = Context.merge(services, given).pipe(
        Context.add(TenantContext, { id: tenant }),
        Context.add(MessageContext.MessageContext, {
          messageId: undefined,
          correlationId,
          causationId: undefined,
          actor,
          attributes: undefined
        })
      )
      // Who traces has made a span of it already.
      const span = headers["traceparent"] === undefined ? Option.none() : HttpTraceContext.fromHeaders(headers)
      return Option.isSome(span) && !merged.mapUnsafe.has(Tracer.ParentSpan.key)
        ? Context.add(merged, Tracer.ParentSpan, span.value)
        : merged
    }
    const handled = (principal: Authenticator.Principal) =>
      Result.isFailure(read) ? Effect.fail(read.failure) : understood(principal, read.success)
    const understood = (principal: Authenticator.Principal, asked: Asked.Asked) =>
      Effect.flatMap(Input.read(endpoint, request, params, search, serving.maxBodyBytes), (input) => {
        phase.isRead = true
        return Effect.map(
          Effect.updateContext(send(input, asked, principal), (given: Context.Context<never>) =>
            around(given, principal)
          ),
          (respond) => respond(request)
        )
      })
    return endpoint.public ? handled(serving.anonymous) : Effect.flatMap(authenticate({ headers, url }), handled)
  }

  return Effect.contextWith((context: Context.Context<Called>) =>
    Effect.withFiber((fiber) => {
      const request = Context.get(context, HttpServerRequest.HttpServerRequest)
      const read = Asked.read(endpoint.message.kind, request.headers)
      const correlationId =
        Asked.correlationId(request.headers) ?? fiber.getRef(IdGenerator.IdGenerator).unsafeNext(fiber)
      const asked = Result.isSuccess(read) ? read.success.timeoutMillis : undefined
      const millis = Math.min(asked ?? serving.timeoutMillis, serving.timeoutMillis)
      const phase: Phase = { isRead: endpoint.inQuery !== undefined }
      return answered(request, read, correlationId, context, phase).pipe(
        Effect.timeoutOrElse({
          duration: millis,
          orElse: () => Effect.fail(HttpError.make(timedOut(phase, millis)))
        }),
        Effect.catchCause((cause) => Failing.refused(cause, table, endpoint, correlationId)),
        Effect.map(HttpServerResponse.setHeader("x-correlation-id", correlationId))
      )
    })
  )
}
