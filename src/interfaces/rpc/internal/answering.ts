/** What the server does with a call, whatever it came by. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ErrorReporter from "effect/ErrorReporter"
import * as Layer from "effect/Layer"
import type * as Headers from "effect/http/Headers"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as CommandBus from "../../../application/CommandBus.ts"
import * as QueryBus from "../../../application/QueryBus.ts"
import type * as Command from "../../../domain/Command.ts"
import * as DispatchError from "../../../domain/DispatchError.ts"
import type * as Message from "../../../domain/Message.ts"
import type * as Query from "../../../domain/Query.ts"
import * as Authenticator from "../../../ports/Authenticator.ts"
import * as IdGenerator from "../../../ports/IdGenerator.ts"
import * as MessageContext from "../../../ports/MessageContext.ts"
import { After } from "../../../ports/Receipt.ts"
import { TenantContext } from "../../../ports/TenantContext.ts"
import * as Wire from "./wire.ts"

/** Whom a client asks to act for; what it does not say is the principal's. */
type OnBehalf = (principal: Authenticator.Principal, asked: Authenticator.Principal) => boolean

export interface Options {
  readonly onBehalf?: OnBehalf | undefined
  readonly timeout?: Duration.Input | undefined
}

// The client gets to know nothing of it, so the log has to.
const unencodable = ErrorReporter.make(({ error, fiber }) => {
  if (error.message.startsWith("Failed to encode response")) {
    Effect.runForkWith(fiber.context)(Effect.logError("A handler's answer is not what its class says", error.message))
  }
})

/** The handlers of a group's procedures. */
export const layer = (classes: ReadonlyArray<Message.AnyClass<Message.Any>>, options: Options) =>
  handlers(classes, options).pipe(Layer.provide(ErrorReporter.layer([unencodable], { mergeWithExisting: true })))

const handlers = (classes: ReadonlyArray<Message.AnyClass<Message.Any>>, options: Options) =>
  Wire.procedures(classes).toLayer(
    Effect.map(Authenticator.Authenticator, (authenticator) => {
      const limit = Duration.toMillis(options.timeout ?? "30 seconds")
      const answer = (message: Message.AnyClass<Message.Any>) => {
        const dispatch = dispatcher(message)
        return (payload: unknown, { headers }: { readonly headers: Headers.Headers }) =>
          Effect.gen(function* () {
            const principal = yield* authenticator.authenticate(yield* requestOf(headers))
            const envelope = yield* Effect.fromResult(Wire.open(message.tag, payload))
            const { actor, tenant } = yield* asked(message.tag, principal, envelope, options.onBehalf)
            const millis = Math.min(limit, envelope.timeoutMillis ?? limit)
            return yield* dispatch(envelope).pipe(
              Effect.provideService(MessageContext.MessageContext, {
                // Those of the message that the client handles, whose child the dispatched one is.
                messageId: envelope.causationId,
                correlationId: envelope.correlationId,
                causationId: undefined,
                actor,
                attributes: envelope.attributes
              }),
              Effect.provideService(TenantContext, { id: tenant }),
              Effect.provideService(After, envelope.after === undefined ? undefined : { position: envelope.after }),
              Effect.timeoutOrElse({
                duration: millis,
                orElse: () =>
                  Effect.fail(
                    DispatchError.make(
                      message.tag,
                      new DispatchError.Timeout({ afterMillis: millis, waitingFor: "the handler" })
                    )
                  )
              })
            )
          }).pipe(
            Effect.mapError((error) =>
              error instanceof Authenticator.AuthenticatorError ? ofAuthenticator(message.tag, error) : error
            ),
            Effect.catchCause((cause) => isolated(message.tag, cause))
          )
      }
      return Object.fromEntries(classes.map((message) => [Wire.nameOf(message), answer(message)]))
    })
  )

/** Sends what an envelope holds to its handler. */
type Dispatch = (
  envelope: Wire.Envelope
) => Effect.Effect<
  CommandBus.Dispatched<unknown>,
  unknown,
  CommandBus.Handler<string> | QueryBus.Handler<string> | TenantContext
>

// The kind of a class says which messages it makes.
const isCommand = (message: Message.AnyClass<Message.Any>): message is Message.AnyClass<Command.Any> =>
  message.kind === "command"
const isQuery = (message: Message.AnyClass<Message.Any>): message is Message.AnyClass<Query.Any> =>
  message.kind === "query"

const dispatcher = (message: Message.AnyClass<Message.Any>): Dispatch => {
  if (isCommand(message)) {
    return (envelope) =>
      Effect.flatMap(CommandBus.parse(message, envelope.message), (command) =>
        CommandBus.dispatch(command, { messageId: envelope.messageId, expected: envelope.expected })
      )
  }
  return (envelope) =>
    isQuery(message)
      ? Effect.flatMap(QueryBus.parse(message, envelope.message), (query) =>
          Effect.map(QueryBus.ask(query, { messageId: envelope.messageId }), Wire.unwritten)
        )
      : Effect.die(`${message.tag} is neither a command nor a query`)
}

/**
 * What proves who calls. The transport's own headers count; of what a client writes into a call, only an
 * `authorization` does where the transport has none, since browsers cannot send headers with a WebSocket: a proxy's headers are
 * never replaced by a client's.
 */
export const requestOf = (said: Headers.Headers): Effect.Effect<Authenticator.Request> =>
  Effect.withFiber<Authenticator.Request>(({ context }) => {
    const request = Context.getOrUndefined(context, HttpServerRequest.HttpServerRequest)
    if (request === undefined) return Effect.succeed({ headers: said, url: "/" })
    const authorization = request.headers["authorization"] ?? said["authorization"]
    return Effect.succeed({ headers: { ...request.headers, authorization }, url: request.url })
  })

const asked = (
  tag: string,
  principal: Authenticator.Principal,
  { actor = principal.actor, tenant = principal.tenant }: Wire.Envelope,
  onBehalf: OnBehalf = () => false
): Effect.Effect<Authenticator.Principal, DispatchError.DispatchError> => {
  const same = tenant === principal.tenant && actor.id === principal.actor.id && actor.kind === principal.actor.kind
  return same || onBehalf(principal, { actor, tenant })
    ? Effect.succeed({ actor, tenant })
    : Effect.fail(DispatchError.make(tag, new DispatchError.Denied()))
}

export const ofAuthenticator = (tag: string, error: Authenticator.AuthenticatorError): DispatchError.DispatchError => {
  switch (error.reason._tag) {
    case "Unauthenticated":
      return DispatchError.make(tag, new DispatchError.Unauthenticated(), error)
    case "Denied":
      return DispatchError.make(tag, new DispatchError.Denied(), error)
    case "Unavailable":
      return DispatchError.make(tag, new DispatchError.Unreachable({ service: error.reason.service }), error)
  }
}

/** A bug of one handler is the log's, under an id, and no other call's. */
export const isolated = <E>(
  tag: string,
  cause: Cause.Cause<E>
): Effect.Effect<never, E | DispatchError.DispatchError> =>
  Cause.hasDies(cause)
    ? Effect.flatMap(IdGenerator.next, (id) =>
        Effect.logError(`${tag} failed with a defect`, cause).pipe(
          Effect.annotateLogs({ defect: id }),
          Effect.andThen(Effect.fail(DispatchError.make(tag, new DispatchError.Defect({ id }), Cause.squash(cause))))
        )
      )
    : Effect.failCause(cause)
