/**
 * Why a client of a socket did not get what it asked.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { LiveError } from "../../application/LiveError.ts"
import * as FieldIssue from "../../domain/FieldIssue.ts"
import { Position } from "../../domain/Position.ts"

/**
 * The connection was lost before the answer came: what was asked may have been done.
 *
 * @category reasons
 * @since 0.1.0
 */
export class ConnectionLost extends Schema.TaggedClass<ConnectionLost>("effect-cqrs/websocket/ConnectionLost")(
  "ConnectionLost",
  {}
) {
  get message(): string {
    return "The connection was lost before the answer came"
  }
}

/**
 * There was no connection for so long that nothing was asked.
 *
 * @category reasons
 * @since 0.1.0
 */
export class NotConnected extends Schema.TaggedClass<NotConnected>("effect-cqrs/websocket/NotConnected")(
  "NotConnected",
  { afterMillis: Schema.Finite }
) {
  get message(): string {
    return `No connection within ${this.afterMillis} ms`
  }
}

/**
 * The server refuses what was asked.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Refused extends Schema.TaggedClass<Refused>("effect-cqrs/websocket/Refused")("Refused", {
  error: LiveError
}) {
  get message(): string {
    return this.error.message
  }
}

/**
 * The log does not reach to where the client was. Load anew what was made of the events, and go on from `cursor`, which is
 * that of `position`.
 *
 * @category reasons
 * @since 0.1.0
 */
export class LogReset extends Schema.TaggedClass<LogReset>("effect-cqrs/websocket/LogReset")("LogReset", {
  cursor: Schema.String,
  position: Position
}) {
  get message(): string {
    return `The log does not reach to where the client was; it is at ${this.position}`
  }
}

/**
 * What came, or what was to be sent, is not as its class says.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Undecodable extends Schema.TaggedClass<Undecodable>("effect-cqrs/websocket/Undecodable")("Undecodable", {
  of: Schema.String,
  issues: Schema.Array(FieldIssue.FieldIssue)
}) {
  get message(): string {
    return `${this.of} is not as its class says: ${this.issues.map(({ message }) => message).join("; ")}`
  }
}

/**
 * The one error of clients of sockets; its cases are in `reason`.
 *
 * @category errors
 * @since 0.1.0
 */
export class LiveSocketError extends Schema.TaggedError<LiveSocketError>("effect-cqrs/websocket/LiveSocketError")(
  "LiveSocketError",
  { reason: Schema.Union([ConnectionLost, NotConnected, Refused, LogReset, Undecodable]) }
) {
  override get message(): string {
    return this.reason.message
  }
}
