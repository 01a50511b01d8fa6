/**
 * Why a client cannot go on reading a stream of events.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as FieldIssue from "../../domain/FieldIssue.ts"
import * as Position from "../../domain/Position.ts"

/**
 * The log does not reach to where the client was. Load anew what was made of the events, and go on from `cursor`, which is
 * that of `position`.
 *
 * @category reasons
 * @since 0.1.0
 */
export class LogReset extends Schema.TaggedClass<LogReset>("effect-cqrs/sse/LogReset")("LogReset", {
  cursor: Schema.String,
  position: Position.Position
}) {
  get message(): string {
    return `The log does not reach to where the client was; it is at ${this.position}`
  }
}

/**
 * The server answered that connecting again as before is of no use.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Refused extends Schema.TaggedClass<Refused>("effect-cqrs/sse/Refused")("Refused", {
  status: Schema.Int
}) {
  get message(): string {
    return `The server refused the stream with status ${this.status}`
  }
}

/**
 * An event that came is not one of the classes, or not as they say. Reading again would find it again.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Undecodable extends Schema.TaggedClass<Undecodable>("effect-cqrs/sse/Undecodable")("Undecodable", {
  id: Schema.String,
  issues: Schema.Array(FieldIssue.FieldIssue)
}) {
  get message(): string {
    return `The event with id ${this.id} cannot be decoded: ${this.issues.map(({ message }) => message).join("; ")}`
  }
}

/**
 * An event takes more than `limit` characters. It comes after the one with the id `after`, which is absent when it is the first.
 *
 * @category reasons
 * @since 0.1.0
 */
export class TooLarge extends Schema.TaggedClass<TooLarge>("effect-cqrs/sse/TooLarge")("TooLarge", {
  after: Schema.optionalKey(Schema.String),
  limit: Schema.Int
}) {
  get message(): string {
    const where = this.after === undefined ? "the first event" : `the event after ${this.after}`
    return `${where} takes more than ${this.limit} characters`
  }
}

/**
 * The one error of reading streams of events; its cases are in `reason`.
 *
 * @category errors
 * @since 0.1.0
 */
export class SseError extends Schema.TaggedError<SseError>("effect-cqrs/sse/SseError")("SseError", {
  reason: Schema.Union([LogReset, Refused, Undecodable, TooLarge])
}) {
  override get message(): string {
    return this.reason.message
  }
}
