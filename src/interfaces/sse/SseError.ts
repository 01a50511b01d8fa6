/**
 * Why a stream of events is refused, or cannot go on.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as FieldIssue from "../../domain/FieldIssue.ts"
import * as Position from "../../domain/Position.ts"

/**
 * The server has as many streams as it takes, in all, of this tenant or of this principal. A 429 or 503 says so.
 *
 * @category errors
 * @since 0.1.0
 */
export class TooManyConnections extends Schema.TaggedClass<TooManyConnections>("effect-cqrs/sse/TooManyConnections")(
  "TooManyConnections",
  { scope: Schema.Literals(["server", "tenant", "principal"]), limit: Schema.Int }
) {
  get message(): string {
    return `At most ${this.limit} streams of events for one ${this.scope}`
  }
}

/**
 * The server is shutting down: connect again, to another one.
 *
 * @category errors
 * @since 0.1.0
 */
export class Draining extends Schema.TaggedClass<Draining>("effect-cqrs/sse/Draining")("Draining", {}) {
  get message(): string {
    return "The server is shutting down"
  }
}

/**
 * What the client says it has read up to is not a position. A 400 says so.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidCursor extends Schema.TaggedClass<InvalidCursor>("effect-cqrs/sse/InvalidCursor")("InvalidCursor", {
  cursor: Schema.String
}) {
  get message(): string {
    return "The cursor is not a position of the log"
  }
}

/**
 * The log does not reach to where the client was. Load anew what was made of the events, and go on from `cursor`.
 *
 * @category errors
 * @since 0.1.0
 */
export class LogReset extends Schema.TaggedClass<LogReset>("effect-cqrs/sse/LogReset")("LogReset", {
  cursor: Position.Position
}) {
  get message(): string {
    return `The log does not reach to where the client was; it is at ${this.cursor}`
  }
}

/**
 * The server answered that connecting again as before is of no use.
 *
 * @category errors
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
 * @category errors
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
 * The one error of streams of events; its cases are in `reason`.
 *
 * @category errors
 * @since 0.1.0
 */
export class SseError extends Schema.TaggedError<SseError>("effect-cqrs/sse/SseError")("SseError", {
  reason: Schema.Union([TooManyConnections, Draining, InvalidCursor, LogReset, Refused, Undecodable])
}) {
  override get message(): string {
    return this.reason.message
  }
}
