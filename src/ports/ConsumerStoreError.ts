/**
 * How a consumer store refuses, or fails.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { StorageFailure } from "./StorageFailure.ts"

/**
 * Whoever asked does not own the segment any more, or its checkpoint is elsewhere: whatever was done since must be rolled
 * back.
 *
 * @category errors
 * @since 0.1.0
 */
export class Fenced extends Schema.TaggedError<Fenced>("effect-cqrs/Fenced")("Fenced", {
  consumer: Schema.String,
  segment: Schema.Natural,
  token: Schema.Natural,
  from: Schema.Natural
}) {
  override get message(): string {
    return `The segment ${this.segment} of ${this.consumer} is no longer owned with token ${this.token} at position ${this.from}: another worker has it`
  }
}

/**
 * There is no such consumer: it was never opened, or it was removed.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConsumerUnknown extends Schema.TaggedError<ConsumerUnknown>("effect-cqrs/ConsumerUnknown")(
  "ConsumerUnknown",
  { consumer: Schema.String }
) {
  override get message(): string {
    return `There is no consumer ${this.consumer}`
  }
}

/**
 * The segment cannot be changed in this way; `why` says what stands against it.
 *
 * @category errors
 * @since 0.1.0
 */
export class SegmentRefused extends Schema.TaggedError<SegmentRefused>("effect-cqrs/SegmentRefused")("SegmentRefused", {
  consumer: Schema.String,
  segment: Schema.Natural,
  why: Schema.Literals(["unknown", "smallest", "whole", "otherHalfIsSplit"])
}) {
  override get message(): string {
    return `The segment ${this.segment} of ${this.consumer} cannot be changed: ${reasons[this.why]}`
  }
}

const reasons = {
  unknown: "there is no such segment",
  smallest: "it is as small as segments can be",
  whole: "it has no other half",
  otherHalfIsSplit: "its other half is split further; merge that first"
}

/**
 * The one error of `ConsumerStore`; handle a case with `Effect.catchReason("ConsumerStoreError", "Fenced", …)`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConsumerStoreError extends Schema.TaggedError<ConsumerStoreError>("effect-cqrs/ConsumerStoreError")(
  "ConsumerStoreError",
  { reason: Schema.Union([Fenced, ConsumerUnknown, SegmentRefused, StorageFailure]) }
) {
  override get message(): string {
    return this.reason.message
  }
}
