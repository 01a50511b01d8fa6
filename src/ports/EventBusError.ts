/**
 * How an event bus fails.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as FieldIssue from "../domain/FieldIssue.ts"

/**
 * The bus has no connection now; it is reconnecting by itself. What was to be published may have left all the same, when
 * the connection was lost on the way.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotConnected extends Schema.TaggedError<NotConnected>("effect-cqrs/NotConnected")("NotConnected", {
  bus: Schema.String
}) {
  override get message(): string {
    return `The event bus ${this.bus} is not connected`
  }
}

/**
 * The broker answered, and did not take the events. `retryable` tells whether it may take them later.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotTaken extends Schema.TaggedError<NotTaken>("effect-cqrs/NotTaken")("NotTaken", {
  bus: Schema.String,
  retryable: Schema.Boolean
}) {
  override get message(): string {
    return `The event bus ${this.bus} did not take the events${this.retryable ? "; it may take them later" : ""}`
  }
}

/**
 * An event that cannot be written as JSON: nothing of what was to be published with it has left.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidEvent extends Schema.TaggedError<InvalidEvent>("effect-cqrs/InvalidEvent")("InvalidEvent", {
  bus: Schema.String,
  type: Schema.String,
  issues: Schema.Array(FieldIssue.FieldIssue)
}) {
  override get message(): string {
    return `The event ${this.type} cannot be published: ${FieldIssue.format(this.issues)}`
  }
}

/**
 * The one error of `EventBus`; handle a case with `Effect.catchReason("EventBusError", "NotConnected", …)`.
 *
 * @category errors
 * @since 0.1.0
 */
export class EventBusError extends Schema.TaggedError<EventBusError>("effect-cqrs/EventBusError")("EventBusError", {
  reason: Schema.Union([NotConnected, NotTaken, InvalidEvent])
}) {
  override get message(): string {
    return this.reason.message
  }
}

/**
 * That there is no connection, with the vendor's error in `cause`, for logs.
 *
 * @category constructors
 * @since 0.1.0
 */
export const notConnected = (bus: string, cause: unknown): EventBusError => caused(new NotConnected({ bus }), cause)

/**
 * That the broker did not take the events, with the vendor's error in `cause`, for logs.
 *
 * @category constructors
 * @since 0.1.0
 */
export const notTaken = (bus: string, retryable: boolean, cause: unknown): EventBusError =>
  caused(new NotTaken({ bus, retryable }), cause)

const caused = (reason: NotConnected | NotTaken, cause: unknown): EventBusError => {
  Object.defineProperty(reason, "cause", { value: cause, enumerable: false })
  const error = new EventBusError({ reason })
  Object.defineProperty(error, "cause", { value: cause, enumerable: false })
  return error
}
