/**
 * The message that is being handled: its ids, who sent it, and what it belongs to.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Tracer from "effect/Tracer"
import type { Mutable } from "effect/Types"
import type { Actor } from "../domain/Actor.ts"
import type { Metadata } from "../domain/Metadata.ts"
import * as IdGenerator from "./IdGenerator.ts"

/**
 * What flows by fiber from a message to all that it causes.
 *
 * **Details**
 *
 * Inside a handler all ids are there. Outside of one, what is absent is decided by the next dispatch: a new message id, and
 * that id as correlation id. Ids and times are made when they are first read, so a handler that reads none pays for none.
 *
 * @category models
 * @since 0.1.0
 */
export interface MessageContext {
  /** The id of the message being handled. */
  readonly messageId: string | undefined
  /** The id that everything set in motion by one request shares. */
  readonly correlationId: string | undefined
  /** The id of the message that led to this one. */
  readonly causationId: string | undefined
  readonly actor: Actor | undefined
  /** Free pairs that are kept with every event. */
  readonly attributes: Readonly<Record<string, string>> | undefined
}

/**
 * The context of the running fiber. It is never missing: at the root of a program it is empty.
 *
 * @category services
 * @since 0.1.0
 */
export const MessageContext: Context.Reference<MessageContext> = Context.Reference<MessageContext>(
  "effect-cqrs/ports/MessageContext",
  { defaultValue: () => empty }
)

/**
 * Nothing is known: the start of a program.
 *
 * @category constructors
 * @since 0.1.0
 */
export const empty: MessageContext = {
  messageId: undefined,
  correlationId: undefined,
  causationId: undefined,
  actor: undefined,
  attributes: undefined
}

/**
 * Runs an effect with parts of the context replaced: what the edge of a program knows of a request.
 *
 * **Example** (Who asks, and under which correlation id)
 *
 * ```ts
 * import { Actor, MessageContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 *
 * const who = Effect.map(MessageContext.MessageContext, (context) => context.actor?.id)
 *
 * await Effect.runPromise(who.pipe(MessageContext.provide({ actor: Actor.user("ada"), correlationId: "r-1" }))) // => "ada"
 * ```
 *
 * @category providing
 * @since 0.1.0
 */
export const provide =
  (parts: Partial<MessageContext>) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.updateService(self, MessageContext, (context) => ({
      messageId: parts.messageId ?? context.messageId,
      correlationId: parts.correlationId ?? context.correlationId,
      causationId: parts.causationId ?? context.causationId,
      actor: parts.actor ?? context.actor,
      attributes: parts.attributes ?? context.attributes
    }))

/**
 * The context of a message that is about to be handled, caused by the message of `parent`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const child = (
  parent: MessageContext,
  fiber: Fiber.Fiber<unknown, unknown>,
  messageId?: string
): MessageContext => new Child(parent, fiber, messageId)

/**
 * Counts one more call of the handler of a message: for whoever calls handlers.
 *
 * @category attempts
 * @since 0.1.0
 */
export const unsafeNoteAttempt = (context: MessageContext): void => {
  if (context instanceof Child) context.attempts++
}

/**
 * How often the handler of a message was called, retries included; 0 when it was not, or when nobody counts because no
 * middleware is around it.
 *
 * @category attempts
 * @since 0.1.0
 */
export const attempts = (context: MessageContext): number => (context instanceof Child ? context.attempts : 0)

/**
 * The context in which an event is handled: what it causes has it as cause and keeps its correlation id.
 *
 * @category constructors
 * @since 0.1.0
 */
export const ofEvent = (id: string, metadata: Metadata): MessageContext => ({
  messageId: id,
  correlationId: metadata.correlationId,
  causationId: metadata.causationId,
  actor: metadata.actor,
  attributes: metadata.attributes
})

/**
 * What is stored with an event that happens now, in this fiber.
 *
 * @category conversions
 * @since 0.1.0
 */
export const unsafeMetadata = (fiber: Fiber.Fiber<unknown, unknown>): Metadata => {
  const context = fiber.getRef(MessageContext)
  const { span } = fiber.cache
  const { actor, attributes, correlationId, messageId } = context
  const occurredAt = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
  const metadata: Mutable<Metadata> = {
    correlationId: correlationId ?? messageId ?? fiber.getRef(IdGenerator.IdGenerator).unsafeNext(fiber, occurredAt),
    occurredAt
  }
  if (messageId !== undefined) metadata.causationId = messageId
  if (actor !== undefined) metadata.actor = actor
  if (attributes !== undefined) metadata.attributes = attributes
  if (span !== undefined) metadata.traceparent = traceparent(span)
  return metadata
}

/**
 * A span in the W3C trace context's form.
 *
 * @category conversions
 * @since 0.1.0
 */
export const traceparent = (span: Tracer.AnySpan): string =>
  `00-${span.traceId}-${span.spanId}-${span.sampled ? "01" : "00"}`

class Child implements MessageContext {
  private readonly parent: MessageContext
  private readonly fiber: Fiber.Fiber<unknown, unknown>
  private id: string | undefined
  attempts = 0
  constructor(parent: MessageContext, fiber: Fiber.Fiber<unknown, unknown>, id: string | undefined) {
    this.parent = parent
    this.fiber = fiber
    this.id = id
  }
  get messageId(): string {
    return (this.id ??= this.fiber.getRef(IdGenerator.IdGenerator).unsafeNext(this.fiber))
  }
  get correlationId(): string {
    return this.parent.correlationId ?? this.parent.messageId ?? this.messageId
  }
  get causationId(): string | undefined {
    return this.parent.messageId
  }
  get actor(): Actor | undefined {
    return this.parent.actor
  }
  get attributes(): Readonly<Record<string, string>> | undefined {
    return this.parent.attributes
  }
}
