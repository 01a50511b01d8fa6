/** What the client makes of a message, whatever it goes by. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { StatusCodeError } from "effect/http/HttpClientError"
import type { RpcClientError } from "effect/rpc/RpcClientError"
import * as CommandBus from "../../../application/CommandBus.ts"
import type { DuplicateHandler, HandlerRegistry } from "../../../application/HandlerRegistry.ts"
import * as QueryBus from "../../../application/QueryBus.ts"
import type * as Command from "../../../domain/Command.ts"
import * as DispatchError from "../../../domain/DispatchError.ts"
import * as FieldIssue from "../../../domain/FieldIssue.ts"
import type * as Message from "../../../domain/Message.ts"
import type * as Query from "../../../domain/Query.ts"
import { type Entry, fromRegistrations, type Registration } from "../../../middleware/Handler.ts"
import * as MessageContext from "../../../ports/MessageContext.ts"
import { Precondition } from "../../../ports/Precondition.ts"
import * as Receipt from "../../../ports/Receipt.ts"
import { TenantContext } from "../../../ports/TenantContext.ts"
import * as Wire from "./wire.ts"

/** One procedure called, with what travels along. */
export type Call = (
  name: string,
  envelope: Wire.Envelope
) => Effect.Effect<{ readonly value: unknown; readonly receipt: Receipt.Receipt }, unknown>

export interface Options {
  /** Who answers, as errors name it. */
  readonly service: string
  readonly timeout?: Duration.Input | undefined
  readonly onBehalf?: boolean | undefined
  /** Whether handlers of the same program are replaced. */
  readonly overrides?: boolean | undefined
}

/** Handlers that are calls. */
export const layer = (
  classes: ReadonlyArray<Message.AnyClass<Message.Any>>,
  call: Call,
  options: Options
): Layer.Layer<CommandBus.Handler<string> | QueryBus.Handler<string> | HandlerRegistry, DuplicateHandler> => {
  const registrations = (kind: Message.Kind): ReadonlyArray<Registration> =>
    classes
      .filter((message) => message.kind === kind)
      .map((message) => ({
        message,
        handle: caller(message, call, options),
        name: options.service,
        middleware: []
      }))
  const commands = fromRegistrations<Entry<Command.Any, never, never>>(registrations("command"))
  const queries = fromRegistrations<Entry<Query.Any, never, never>>(registrations("query"))
  return options.overrides === true
    ? Layer.merge(CommandBus.override(commands), QueryBus.override(queries))
    : Layer.merge(CommandBus.handlers(commands), QueryBus.handlers(queries))
}

const caller = (self: Message.AnyClass<Message.Any>, call: Call, options: Options): Registration["handle"] => {
  const { onBehalf, service } = options
  const { tag } = self
  const name = Wire.nameOf(self)
  const encode = Schema.encodeUnknownResult(Schema.toCodecJson(self), { errors: "all" })
  const millis = Duration.toMillis(options.timeout ?? "30 seconds")
  const late = DispatchError.make(tag, new DispatchError.Timeout({ afterMillis: millis, waitingFor: service }))
  return (message) =>
    Effect.withFiber((fiber) => {
      const encoded = encode(message)
      if (Result.isFailure(encoded)) {
        const issues = FieldIssue.fromIssue(encoded.failure.issue)
        return Effect.fail(DispatchError.make(tag, new DispatchError.Invalid({ issues })))
      }
      const { actor, attributes, causationId, correlationId, messageId } = fiber.getRef(MessageContext.MessageContext)
      const after = fiber.getRef(Receipt.After)
      const precondition = fiber.getRef(Precondition)
      const tenant = Context.getOrUndefined(fiber.context, TenantContext)
      const envelope: Wire.Envelope = {
        message: encoded.success,
        timeoutMillis: millis,
        ...(messageId === undefined ? {} : { messageId }),
        ...(correlationId === undefined ? {} : { correlationId }),
        ...(causationId === undefined ? {} : { causationId }),
        ...(attributes === undefined ? {} : { attributes }),
        ...(after === undefined ? {} : { after: after.position }),
        ...(precondition?.messageId === messageId && precondition !== undefined
          ? { expected: precondition.expected }
          : {}),
        ...(onBehalf === true && tenant !== undefined ? { tenant: tenant.id } : {}),
        ...(onBehalf === true && actor !== undefined ? { actor } : {})
      }
      const appends = fiber.getRef(Receipt.Collector)
      return call(name, envelope).pipe(
        Effect.timeoutOrElse({ duration: millis, orElse: () => Effect.fail(late) }),
        Effect.catchCause((cause) => Effect.failCause(understood(self, service, cause))),
        Effect.map(({ receipt, value }) => {
          const { position, streams } = receipt
          appends?.push(...streams.map(({ stream, version }) => ({ stream, version, position })))
          return value
        })
      )
    })
}

/** What the caller gets to know: nothing that a server or a network does is a defect, or an interruption, of the caller's. */
export const understood = <E>(
  { kind, tag }: Pick<Message.AnyClass, "kind" | "tag">,
  service: string,
  cause: Cause.Cause<E>
): Cause.Cause<E | DispatchError.DispatchError> => {
  const because = (reason: DispatchError.Reason, of: unknown) => Cause.fail(DispatchError.make(tag, reason, of))
  const defect = Cause.findDefect(cause)
  if (Result.isSuccess(defect)) {
    if (String(defect.success).startsWith(Wire.unknownTag)) {
      return because(new DispatchError.NotHandled({ kind }), defect.success)
    }
    return defect.success === Wire.hidden
      ? because(new DispatchError.Defect({ id: "unknown" }), defect.success)
      : because(new DispatchError.Unreachable({ service }), defect.success)
  }
  const failed = Cause.findError(cause)
  // A server that stops interrupts what it runs.
  if (Result.isFailure(failed)) return because(new DispatchError.Unreachable({ service }), undefined)
  return isTransport(failed.success) ? because(ofTransport(failed.success, service), failed.success) : cause
}

const isTransport = (error: unknown): error is RpcClientError => Predicate.isTagged(error, "RpcClientError")

export const ofTransport = ({ reason }: RpcClientError, service: string): DispatchError.Reason => {
  const refused = reason._tag === "HttpError" && reason.cause instanceof StatusCodeError ? reason.cause : undefined
  const status = refused?.response.status
  if (status === 401) return new DispatchError.Unauthenticated()
  return status === 403 ? new DispatchError.Denied() : new DispatchError.Unreachable({ service })
}
