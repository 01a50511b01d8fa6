/**
 * Why a client that wants to follow events live is refused.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * The server has as many connections as it takes, in all, of this tenant or of this principal.
 *
 * @category reasons
 * @since 0.1.0
 */
export class TooManyConnections extends Schema.TaggedClass<TooManyConnections>("effect-cqrs/live/TooManyConnections")(
  "TooManyConnections",
  { scope: Schema.Literals(["server", "tenant", "principal"]), limit: Schema.Int }
) {
  get message(): string {
    return `At most ${this.limit} connections for one ${this.scope}`
  }
}

/**
 * The server is shutting down: connect again, to another one.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Draining extends Schema.TaggedClass<Draining>("effect-cqrs/live/Draining")("Draining", {}) {
  get message(): string {
    return "The server is shutting down"
  }
}

/**
 * What the client says it has read up to was not said to it: it is no cursor, or one of another tenant, or forged.
 *
 * @category reasons
 * @since 0.1.0
 */
export class InvalidCursor extends Schema.TaggedClass<InvalidCursor>("effect-cqrs/live/InvalidCursor")(
  "InvalidCursor",
  { cursor: Schema.String }
) {
  get message(): string {
    return "The cursor is not one that was given to this tenant"
  }
}

/**
 * What the client names is no channel.
 *
 * @category reasons
 * @since 0.1.0
 */
export class InvalidChannel extends Schema.TaggedClass<InvalidChannel>("effect-cqrs/live/InvalidChannel")(
  "InvalidChannel",
  { channel: Schema.String }
) {
  get message(): string {
    return `"${this.channel}" is no channel`
  }
}

/**
 * The principal may not read this channel, or not send to it.
 *
 * @category reasons
 * @since 0.1.0
 */
export class ChannelDenied extends Schema.TaggedClass<ChannelDenied>("effect-cqrs/live/ChannelDenied")(
  "ChannelDenied",
  { channel: Schema.String }
) {
  get message(): string {
    return `The channel ${this.channel} is not for this principal`
  }
}

/**
 * The request comes from a page of another origin, which is not allowed.
 *
 * @category reasons
 * @since 0.1.0
 */
export class ForeignOrigin extends Schema.TaggedClass<ForeignOrigin>("effect-cqrs/live/ForeignOrigin")(
  "ForeignOrigin",
  { origin: Schema.String }
) {
  get message(): string {
    return `Requests from ${this.origin} are not allowed`
  }
}

/**
 * The ticket is forged, or its time is over.
 *
 * @category reasons
 * @since 0.1.0
 */
export class InvalidTicket extends Schema.TaggedClass<InvalidTicket>("effect-cqrs/live/InvalidTicket")(
  "InvalidTicket",
  { expired: Schema.Boolean }
) {
  get message(): string {
    return this.expired ? "The ticket's time is over" : "The ticket is not one of this server"
  }
}

/**
 * The client has as many requests open as it may have over one connection: wait for answers.
 *
 * @category reasons
 * @since 0.1.0
 */
export class TooManyRequests extends Schema.TaggedClass<TooManyRequests>("effect-cqrs/live/TooManyRequests")(
  "TooManyRequests",
  { limit: Schema.Int }
) {
  get message(): string {
    return `At most ${this.limit} requests at a time over one connection`
  }
}

/**
 * What came is no request of the protocol.
 *
 * @category reasons
 * @since 0.1.0
 */
export class InvalidRequest extends Schema.TaggedClass<InvalidRequest>("effect-cqrs/live/InvalidRequest")(
  "InvalidRequest",
  { why: Schema.String }
) {
  get message(): string {
    return `This is no request: ${this.why}`
  }
}

/**
 * What signs could not.
 *
 * @category reasons
 * @since 0.1.0
 */
export class SigningFailed extends Schema.TaggedClass<SigningFailed>("effect-cqrs/live/SigningFailed")(
  "SigningFailed",
  { why: Schema.String }
) {
  get message(): string {
    return `Cannot sign: ${this.why}`
  }
}

/**
 * The one error of live connections; its cases are in `reason`.
 *
 * @category errors
 * @since 0.1.0
 */
export class LiveError extends Schema.TaggedError<LiveError>("effect-cqrs/live/LiveError")("LiveError", {
  reason: Schema.Union([
    TooManyConnections,
    Draining,
    InvalidCursor,
    InvalidChannel,
    ChannelDenied,
    ForeignOrigin,
    InvalidTicket,
    TooManyRequests,
    InvalidRequest,
    SigningFailed
  ])
}) {
  override get message(): string {
    return this.reason.message
  }
}
