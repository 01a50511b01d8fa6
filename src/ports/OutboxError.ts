/**
 * How an outbox refuses, or fails.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as FieldIssue from "../domain/FieldIssue.ts"
import { StorageFailure } from "./StorageFailure.ts"

/**
 * A message cannot be kept as it is; every wrong field is listed, and nothing of the call was kept.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidMessage extends Schema.TaggedError<InvalidMessage>("effect-cqrs/InvalidMessage")("InvalidMessage", {
  issues: Schema.Array(FieldIssue.FieldIssue)
}) {
  override get message(): string {
    return `Invalid message: ${FieldIssue.format(this.issues)}`
  }
}

/**
 * There is no such message that waits: it was delivered or skipped, or it was never enqueued.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotInOutbox extends Schema.TaggedError<NotInOutbox>("effect-cqrs/NotInOutbox")("NotInOutbox", {
  tenant: Schema.String,
  id: Schema.String
}) {
  override get message(): string {
    return `The message ${this.id} of ${this.tenant} does not wait in the outbox`
  }
}

/**
 * The message is being delivered now: whoever changed it could not tell what was sent.
 *
 * @category errors
 * @since 0.1.0
 */
export class MessageInFlight extends Schema.TaggedError<MessageInFlight>("effect-cqrs/MessageInFlight")(
  "MessageInFlight",
  { tenant: Schema.String, id: Schema.String }
) {
  override get message(): string {
    return `The message ${this.id} of ${this.tenant} is being delivered; try again when it is not`
  }
}

/**
 * The one error of `Outbox`; handle a case with `Effect.catchReason("OutboxError", "NotInOutbox", …)`.
 *
 * @category errors
 * @since 0.1.0
 */
export class OutboxError extends Schema.TaggedError<OutboxError>("effect-cqrs/OutboxError")("OutboxError", {
  reason: Schema.Union([InvalidMessage, NotInOutbox, MessageInFlight, StorageFailure])
}) {
  override get message(): string {
    return this.reason.message
  }
}
