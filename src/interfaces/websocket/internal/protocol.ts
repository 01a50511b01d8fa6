/** What goes over a socket, each message one text frame of JSON. */
import * as Schema from "effect/Schema"
import { LiveError } from "../../../application/LiveError.ts"
import { Actor } from "../../../domain/Actor.ts"
import { Position } from "../../../domain/Position.ts"
import { Receipt } from "../../../ports/Receipt.ts"

/** A client's name for a request, by which its answers are told apart. */
const Id = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(64))
const Channels = Schema.Array(Schema.String.check(Schema.isMaxLength(300))).check(
  Schema.isMinLength(1),
  Schema.isMaxLength(50)
)

const message = { _tag: Schema.String.check(Schema.isMaxLength(200)) }

/** What a client asks. */
export const Request = Schema.Union([
  Schema.Struct({
    type: Schema.Literal("subscribe"),
    id: Id,
    channels: Channels,
    /** Only events of these types. */
    types: Schema.optionalKey(Schema.Array(Schema.String).check(Schema.isMaxLength(1_000))),
    /** Where the client was; from now on when absent. */
    after: Schema.optionalKey(Schema.String),
    /** So many events come at most before one of them is acknowledged; any number when absent. */
    window: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100_000 })))
  }),
  Schema.Struct({ type: Schema.Literal("ack"), id: Id, position: Position }),
  Schema.Struct({ type: Schema.Literal("join"), id: Id, channel: Schema.String }),
  /** Ends a subscription or leaves a channel. */
  Schema.Struct({ type: Schema.Literal("leave"), id: Id }),
  Schema.Struct({ type: Schema.Literal("publish"), id: Id, channel: Schema.String, data: Schema.Unknown }),
  Schema.Struct({ type: Schema.Literal("members"), id: Id, channel: Schema.String }),
  Schema.Struct({
    type: Schema.Literal("execute"),
    id: Id,
    message: Schema.StructWithRest(Schema.Struct(message), [Schema.Record(Schema.String, Schema.Unknown)]),
    messageId: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(200)))
  }),
  Schema.Struct({
    type: Schema.Literal("ask"),
    id: Id,
    message: Schema.StructWithRest(Schema.Struct(message), [Schema.Record(Schema.String, Schema.Unknown)]),
    after: Schema.optionalKey(Position)
  }),
  Schema.Struct({ type: Schema.Literal("ping") }),
  Schema.Struct({ type: Schema.Literal("pong") })
])

export type Request = typeof Request.Type

export const decodeRequest = Schema.decodeUnknownResult(Request)

/** What a server says. `id` is the request's that it belongs to. */
export const Reply = Schema.Union([
  /** The first of all: the connection stands, and something is heard so often, in milliseconds. */
  Schema.Struct({ type: Schema.Literal("connected"), heartbeat: Schema.Finite }),
  Schema.Struct({ type: Schema.Literal("subscribed"), id: Schema.String, cursor: Schema.String, position: Position }),
  /** The client goes on after `cursor`, which is that of the last of the events. */
  Schema.Struct({
    type: Schema.Literal("events"),
    id: Schema.String,
    cursor: Schema.String,
    events: Schema.Array(Schema.Unknown)
  }),
  Schema.Struct({ type: Schema.Literal("cursor"), id: Schema.String, cursor: Schema.String, position: Position }),
  /** The log does not reach to where the client was. */
  Schema.Struct({ type: Schema.Literal("reset"), id: Schema.String, cursor: Schema.String, position: Position }),
  Schema.Struct({
    type: Schema.Literal("message"),
    id: Schema.String,
    channel: Schema.String,
    from: Schema.optionalKey(Actor),
    data: Schema.Unknown
  }),
  Schema.Struct({
    type: Schema.Literal("presence"),
    id: Schema.String,
    channel: Schema.String,
    actor: Actor,
    isHere: Schema.Boolean
  }),
  Schema.Struct({
    type: Schema.Literal("answer"),
    id: Schema.String,
    value: Schema.optionalKey(Schema.Unknown),
    receipt: Schema.optionalKey(Receipt)
  }),
  /** Of what kind an error is says `of`: of the protocol, or of the message that was sent. */
  Schema.Struct({
    type: Schema.Literal("failed"),
    id: Schema.optionalKey(Schema.String),
    of: Schema.Literals(["live", "dispatch", "message"]),
    error: Schema.Unknown
  }),
  /** The server ends the connection: come back after so many milliseconds. */
  Schema.Struct({ type: Schema.Literal("bye"), retry: Schema.Finite }),
  Schema.Struct({ type: Schema.Literal("ping") }),
  Schema.Struct({ type: Schema.Literal("pong") })
])

export type Reply = typeof Reply.Type

export const decodeReply = Schema.decodeUnknownResult(Reply)

const encodeLive = Schema.encodeSync(Schema.toCodecJson(LiveError))
export const decodeLive = Schema.decodeUnknownResult(Schema.toCodecJson(LiveError))

export const text = (reply: Reply): string => JSON.stringify(reply)

export const failed = (id: string | undefined, error: LiveError): string =>
  text({ type: "failed", of: "live", error: encodeLive(error), ...(id === undefined ? {} : { id }) })

/** Events that are JSON already. */
export const events = (id: string, cursor: string, encoded: ReadonlyArray<string>): string =>
  `{"type":"events","id":${JSON.stringify(id)},"cursor":${JSON.stringify(cursor)},"events":[${encoded.join(",")}]}`
