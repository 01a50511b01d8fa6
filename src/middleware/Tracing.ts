/**
 * Spans for messages.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Message from "../domain/Message.ts"
import * as MessageContext from "../ports/MessageContext.ts"
import * as Middleware from "./Middleware.ts"

/**
 * One span per message, named `command CreateTask` or `query ListTasks`, with OpenTelemetry's messaging attributes.
 *
 * **Details**
 *
 * Events that the handler appends keep the span as their `traceparent`. Without this middleware there is no span and no
 * cost: a span costs several times what dispatching does.
 *
 * @category middleware
 * @since 0.1.0
 */
export const middleware: Middleware.Middleware = Middleware.make("tracing", (next) => (message) => {
  const { kind } = message[Message.TypeId]
  return Effect.flatMap(MessageContext.MessageContext, (context) =>
    Effect.withSpan(next(message), `${kind} ${message._tag}`, {
      captureStackTrace: false,
      attributes: {
        "messaging.operation.type": "process",
        "messaging.message.id": context.messageId,
        "messaging.message.conversation_id": context.correlationId,
        "messaging.message.type": message._tag
      }
    })
  )
})
