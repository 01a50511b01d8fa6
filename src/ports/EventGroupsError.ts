/**
 * How groups of subscribers, and what brings them their events, fail.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as FieldIssue from "../domain/FieldIssue.ts"
import { StorageFailure } from "./StorageFailure.ts"

/**
 * No group can be called this.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidGroup extends Schema.TaggedError<InvalidGroup>("effect-cqrs/InvalidGroup")("InvalidGroup", {
  issues: Schema.Array(FieldIssue.FieldIssue)
}) {
  override get message(): string {
    return `There can be no such group: ${FieldIssue.format(this.issues)}`
  }
}

/**
 * The one error of `EventGroups` and `ForwardTarget`; handle a case with
 * `Effect.catchReason("EventGroupsError", "StorageFailure", …)`.
 *
 * @category errors
 * @since 0.1.0
 */
export class EventGroupsError extends Schema.TaggedError<EventGroupsError>("effect-cqrs/EventGroupsError")(
  "EventGroupsError",
  { reason: Schema.Union([InvalidGroup, StorageFailure]) }
) {
  override get message(): string {
    return this.reason.message
  }
}
