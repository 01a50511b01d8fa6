/**
 * What a delivery can say of itself beside that it failed.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"

/**
 * Not now: the receiver has asked for a pause, or is known to be away. It does not count as an attempt.
 *
 * @category errors
 * @since 0.1.0
 */
export class Postponed extends Schema.TaggedError<Postponed>("effect-cqrs/Postponed")("Postponed", {
  retryIn: Schema.Duration
}) {
  override get message(): string {
    return `Not now; again in ${Duration.format(this.retryIn)}`
  }
}

/**
 * Never: however often it is tried, the receiver will not take it. The message is parked at once.
 *
 * @category errors
 * @since 0.1.0
 */
export class Undeliverable extends Schema.TaggedError<Undeliverable>("effect-cqrs/Undeliverable")("Undeliverable", {
  why: Schema.String
}) {
  override get message(): string {
    return `It cannot be delivered: ${this.why}`
  }
}

/**
 * Fails a delivery with {@link Postponed}.
 *
 * @category constructors
 * @since 0.1.0
 */
export const postponed = (retryIn: Duration.Input): Postponed =>
  new Postponed({ retryIn: Duration.fromInputUnsafe(retryIn) })

/**
 * Fails a delivery with {@link Undeliverable}.
 *
 * @category constructors
 * @since 0.1.0
 */
export const undeliverable = (why: string): Undeliverable => new Undeliverable({ why })
