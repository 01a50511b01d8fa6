/**
 * How a lease is refused, or lost.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as FieldIssue from "../domain/FieldIssue.ts"
import { StorageFailure } from "./StorageFailure.ts"

/**
 * Somebody else has it, for at most `remainingMillis` more unless they renew it.
 *
 * @category errors
 * @since 0.1.0
 */
export class LeaseTaken extends Schema.TaggedError<LeaseTaken>("effect-cqrs/LeaseTaken")("LeaseTaken", {
  name: Schema.String,
  holder: Schema.String,
  token: Schema.Int,
  remainingMillis: Schema.Finite
}) {
  override get message(): string {
    return `${this.holder} has the lease ${this.name} with token ${this.token}, for ${this.remainingMillis} ms more`
  }
}

/**
 * It could not be renewed in time: somebody else may have it.
 *
 * @category errors
 * @since 0.1.0
 */
export class LeaseLost extends Schema.TaggedError<LeaseLost>("effect-cqrs/LeaseLost")("LeaseLost", {
  name: Schema.String,
  token: Schema.Int
}) {
  override get message(): string {
    return `The lease ${this.name} with token ${this.token} was lost: what it guards may have another holder`
  }
}

/**
 * A token that is not the newest: its holder must not write any more.
 *
 * @category errors
 * @since 0.1.0
 */
export class Fenced extends Schema.TaggedError<Fenced>("effect-cqrs/Fenced")("Fenced", {
  name: Schema.String,
  token: Schema.Int,
  newest: Schema.Int
}) {
  override get message(): string {
    return `Token ${this.token} of the lease ${this.name} is not accepted any more: the newest is ${this.newest}`
  }
}

/**
 * No storage can keep this name or this holder.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidLease extends Schema.TaggedError<InvalidLease>("effect-cqrs/InvalidLease")("InvalidLease", {
  issues: Schema.Array(FieldIssue.FieldIssue)
}) {
  override get message(): string {
    return `There can be no such lease: ${FieldIssue.format(this.issues)}`
  }
}

/**
 * The one error of leases; handle a case with `Effect.catchReason("LeaseError", "LeaseTaken", …)`.
 *
 * @category errors
 * @since 0.1.0
 */
export class LeaseError extends Schema.TaggedError<LeaseError>("effect-cqrs/LeaseError")("LeaseError", {
  reason: Schema.Union([LeaseTaken, LeaseLost, Fenced, InvalidLease, StorageFailure])
}) {
  override get message(): string {
    return this.reason.message
  }
}
