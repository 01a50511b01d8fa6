/**
 * How a store of flows refuses, or fails.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as FieldIssue from "../domain/FieldIssue.ts"
import { StorageFailure } from "./StorageFailure.ts"

/**
 * A step cannot be kept as it is; every wrong field is listed, and nothing of the call was kept.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidStep extends Schema.TaggedError<InvalidStep>("effect-cqrs/InvalidStep")("InvalidStep", {
  id: Schema.String,
  issues: Schema.Array(FieldIssue.FieldIssue)
}) {
  override get message(): string {
    return `Invalid step ${JSON.stringify(this.id)}: ${FieldIssue.format(this.issues)}`
  }
}

/**
 * The one error of `FlowStore`; handle a case with `Effect.catchReason("FlowStoreError", "InvalidStep", …)`.
 *
 * @category errors
 * @since 0.1.0
 */
export class FlowStoreError extends Schema.TaggedError<FlowStoreError>("effect-cqrs/FlowStoreError")("FlowStoreError", {
  reason: Schema.Union([InvalidStep, StorageFailure])
}) {
  override get message(): string {
    return this.reason.message
  }
}
