/** What goes over the wire: one procedure per message class. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import { LiveError } from "../../../application/LiveError.ts"
import { LiveEvent } from "../../../application/LiveEvent.ts"
import { Actor } from "../../../domain/Actor.ts"
import * as DispatchError from "../../../domain/DispatchError.ts"
import * as FieldIssue from "../../../domain/FieldIssue.ts"
import type * as Message from "../../../domain/Message.ts"
import { Position } from "../../../domain/Position.ts"
import { TenantId } from "../../../domain/TenantId.ts"
import { ExpectedVersion } from "../../../ports/EventStoreError.ts"
import { Receipt } from "../../../ports/Receipt.ts"

/** Whatever a client says of these is kept with events: it has limits. */
const Text = Schema.NonEmptyString.check(Schema.isMaxLength(200))

/** A message and what travels with it, as the server reads it. */
export const Envelope = Schema.Struct({
  /** The message as JSON: its own class decodes it, so that every bad field is named. */
  message: Schema.Unknown,
  messageId: Schema.optionalKey(Text),
  correlationId: Schema.optionalKey(Text),
  causationId: Schema.optionalKey(Text),
  attributes: Schema.optionalKey(
    Schema.Record(Text, Schema.String.check(Schema.isMaxLength(1_000))).check(Schema.isMaxProperties(32))
  ),
  after: Schema.optionalKey(Position),
  /** What a command takes for granted of its aggregate. */
  expected: Schema.optionalKey(
    Schema.Union([ExpectedVersion, Schema.Array(Schema.Natural).check(Schema.isMaxLength(100))])
  ),
  tenant: Schema.optionalKey(TenantId.check(Schema.isMaxLength(128))),
  actor: Schema.optionalKey(Actor),
  timeoutMillis: Schema.optionalKey(Schema.Finite.check(Schema.isGreaterThan(0)))
})

export interface Envelope extends Schema.Schema.Type<typeof Envelope> {}

const decode = Schema.decodeUnknownResult(Schema.toCodecJson(Envelope), { errors: "all" })

/** An envelope from outside, or every field of it that is wrong. */
export const open = (tag: string, input: unknown): Result.Result<Envelope, DispatchError.DispatchError> =>
  Result.mapError(decode(input), ({ issue }) =>
    DispatchError.make(tag, new DispatchError.Invalid({ issues: FieldIssue.fromIssue(issue) }))
  )

/** What a client gets to know of a failure that the server did not foresee. */
export const hidden = "The server failed"

const defect = Schema.Unknown.pipe(
  Schema.encodeTo(Schema.String, {
    decode: SchemaGetter.transform((text: string): unknown => text),
    encode: SchemaGetter.transform((_: unknown) => hidden)
  })
)

/** The stream of events, as a procedure. */
export const feed = RpcGroup.make(
  Rpc.make("events", {
    payload: Schema.Unknown,
    success: Schema.Struct({ events: Schema.Array(LiveEvent), cursor: Schema.String, reset: Schema.Boolean }),
    error: Schema.Union([LiveError, DispatchError.DispatchError]),
    stream: true,
    defect
  })
)

/** What a client asks of it. */
export const Asked = Schema.Struct({
  after: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(300))),
  channels: Schema.optionalKey(Schema.Array(Text).check(Schema.isMaxLength(50)))
})

/** How the server begins to say that it has no such procedure. */
export const unknownTag = "Unknown request tag"

const empty = Receipt.make({ streams: [], position: Position.make(0) })

/** The answer of what writes nothing. */
export const unwritten = (value: unknown) => ({ value, receipt: empty })

export const nameOf = ({ kind, tag }: Message.AnyClass): string => `${kind}/${tag}`

const procedure = (message: Message.AnyClass) =>
  Rpc.make(nameOf(message), {
    payload: Schema.Unknown,
    success: Schema.Struct({ value: message.success, receipt: Receipt }),
    error: Schema.Union([message.error, DispatchError.DispatchError]),
    defect
  })

export type Procedure = ReturnType<typeof procedure>

/** The procedures of these classes. */
export const procedures = (classes: ReadonlyArray<Message.AnyClass>) => RpcGroup.make(...classes.map(procedure))
