/**
 * A log line per message.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Message from "../domain/Message.ts"
import * as MessageContext from "../ports/MessageContext.ts"
import * as Breaker from "./Breaker.ts"
import * as Middleware from "./Middleware.ts"

/**
 * Logs each message when it is done: at debug level what succeeded or was interrupted, at info level what was refused, at
 * warning level what failed because something that it needs does ({@link Breaker.isOutage}), at error level what died. Every line logged meanwhile, by the handler too, carries the message's id, its
 * correlation id and that of its cause.
 *
 * **Gotchas**
 *
 * The payload is not logged: it may hold what nobody should read.
 *
 * @category middleware
 * @since 0.1.0
 */
export const middleware: Middleware.Middleware = Middleware.make(
  "logging",
  (next) => (message) =>
    Effect.gen(function* () {
      const context = yield* MessageContext.MessageContext
      const started = yield* Clock.currentTimeMillis
      return yield* next(message).pipe(
        Effect.onExit((exit) => Effect.flatMap(Clock.currentTimeMillis, (now) => line(message, exit, now - started))),
        Effect.annotateLogs(idsOf(context))
      )
    })
)

const idsOf = ({ causationId, correlationId, messageId }: MessageContext.MessageContext) =>
  causationId === undefined ? { messageId, correlationId } : { messageId, correlationId, causationId }

const line = (message: Message.Any, exit: Exit.Exit<unknown, unknown>, millis: number): Effect.Effect<void> => {
  const name = `${message[Message.TypeId].kind} ${message._tag}`
  if (Exit.isSuccess(exit)) return Effect.logDebug(`${name} done in ${millis} ms`)
  if (Cause.hasInterruptsOnly(exit.cause)) return Effect.logDebug(`${name} interrupted after ${millis} ms`)
  if (Cause.hasDies(exit.cause)) return Effect.logError(`${name} died after ${millis} ms`, exit.cause)
  const error = Cause.squash(exit.cause)
  return Breaker.isOutage(message, error)
    ? Effect.logWarning(`${name} failed after ${millis} ms`, error)
    : Effect.logInfo(`${name} refused after ${millis} ms`, error)
}
