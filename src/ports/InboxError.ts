/**
 * How an inbox refuses, or fails.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as FieldIssue from "../domain/FieldIssue.ts"
import { StorageFailure } from "./StorageFailure.ts"

/**
 * No storage can keep what the message is known by.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidKey extends Schema.TaggedError<InvalidKey>("effect-cqrs/InvalidKey")("InvalidKey", {
  consumer: Schema.String,
  issues: Schema.Array(FieldIssue.FieldIssue)
}) {
  override get message(): string {
    return `A message for ${this.consumer} cannot be known again: ${FieldIssue.format(this.issues)}`
  }
}

/**
 * Ids would be forgotten while their messages may still come again.
 *
 * @category errors
 * @since 0.1.0
 */
export class RetentionTooShort extends Schema.TaggedError<RetentionTooShort>("effect-cqrs/RetentionTooShort")(
  "RetentionTooShort",
  { keep: Schema.Duration, redelivery: Schema.Duration }
) {
  override get message(): string {
    return `Ids are kept for ${Duration.format(this.keep)}, and messages may come again for ${Duration.format(this.redelivery)}`
  }
}

/**
 * Somebody else handles the message, and had not ended when waiting did: it must come again.
 *
 * @category errors
 * @since 0.1.0
 */
export class MessageClaimed extends Schema.TaggedError<MessageClaimed>("effect-cqrs/MessageClaimed")("MessageClaimed", {
  consumer: Schema.String,
  key: Schema.String,
  remainingMillis: Schema.Finite
}) {
  override get message(): string {
    return `Somebody else handles ${this.key} for ${this.consumer}, for ${this.remainingMillis} ms more`
  }
}

/**
 * A claim ran out while the message was handled, and somebody else may handle it as well.
 *
 * **Details**
 *
 * `handled` tells whether the handler had ended, so that its effects may be there twice, or was interrupted.
 *
 * @category errors
 * @since 0.1.0
 */
export class ClaimLost extends Schema.TaggedError<ClaimLost>("effect-cqrs/ClaimLost")("ClaimLost", {
  consumer: Schema.String,
  key: Schema.String,
  handled: Schema.Boolean
}) {
  override get message(): string {
    const end = this.handled ? "its effects may be there twice" : "its handler was interrupted"
    return `The claim of ${this.key} for ${this.consumer} was lost: ${end}`
  }
}

/**
 * The one error of `Inbox` and `ClaimingInbox`; handle a case with `Effect.catchReason("InboxError", "InvalidKey", …)`.
 *
 * @category errors
 * @since 0.1.0
 */
export class InboxError extends Schema.TaggedError<InboxError>("effect-cqrs/InboxError")("InboxError", {
  reason: Schema.Union([InvalidKey, RetentionTooShort, MessageClaimed, ClaimLost, StorageFailure])
}) {
  override get message(): string {
    return this.reason.message
  }
}
