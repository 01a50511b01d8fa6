/**
 * Checking messages once more, where a program cannot be sure how they were made.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as DispatchError from "../domain/DispatchError.ts"
import * as Message from "../domain/Message.ts"
import * as Middleware from "./Middleware.ts"

/**
 * Refuses a message whose payload does not fit its class, with every bad field, before the handler sees it.
 *
 * **Details**
 *
 * `new` and `parse` have checked a message already; this catches the ones made with `disableChecks`, or changed since.
 *
 * @category middleware
 * @since 0.1.0
 */
export const middleware: Middleware.Middleware<Message.Any, DispatchError.DispatchError> = Middleware.make<
  Message.Any,
  DispatchError.DispatchError
>(
  "validation",
  (next) => (message) =>
    Effect.andThen(
      check(message),
      Effect.suspend(() => next(message))
    )
)

const check = (message: Message.Any): Effect.Effect<void, DispatchError.DispatchError> => {
  const issues = message[Message.TypeId].issues(message)
  return issues.length === 0
    ? Effect.void
    : Effect.fail(DispatchError.make(message._tag, new DispatchError.Invalid({ issues })))
}
