/**
 * How a parked store refuses, or fails.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { StorageFailure } from "./StorageFailure.ts"

/**
 * More would be kept than the limits allow, so nothing was.
 *
 * @category errors
 * @since 0.1.0
 */
export class ParkingFull extends Schema.TaggedError<ParkingFull>("effect-cqrs/ParkingFull")("ParkingFull", {
  consumer: Schema.String,
  /** The key that has as many as it may; absent when it is the consumer. */
  key: Schema.optionalKey(Schema.String),
  limit: Schema.Natural
}) {
  override get message(): string {
    const whose = this.key === undefined ? this.consumer : `the key ${JSON.stringify(this.key)} of ${this.consumer}`
    return `More than ${this.limit} events of ${whose} would be parked`
  }
}

/**
 * The event is not kept, or no longer waits to be handled: it was handled or skipped meanwhile.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotParked extends Schema.TaggedError<NotParked>("effect-cqrs/NotParked")("NotParked", {
  consumer: Schema.String,
  key: Schema.String,
  position: Schema.Natural
}) {
  override get message(): string {
    return `The event at position ${this.position} is not parked for ${this.consumer} under the key ${JSON.stringify(this.key)}`
  }
}

/**
 * The one error of `ParkedStore`; handle a case with `Effect.catchReason("ParkedStoreError", "NotParked", …)`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ParkedStoreError extends Schema.TaggedError<ParkedStoreError>("effect-cqrs/ParkedStoreError")(
  "ParkedStoreError",
  { reason: Schema.Union([ParkingFull, NotParked, StorageFailure]) }
) {
  override get message(): string {
    return this.reason.message
  }
}
