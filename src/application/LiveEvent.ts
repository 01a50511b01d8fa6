/**
 * An event as clients get it: without its metadata and tenant, which stay at the server.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Event from "../domain/Event.ts"
import type * as FieldIssue from "../domain/FieldIssue.ts"
import { Position } from "../domain/Position.ts"
import * as RecordedEvent from "../domain/RecordedEvent.ts"
import * as StreamName from "../domain/StreamName.ts"
import * as TenantId from "../domain/TenantId.ts"

/**
 * The form of an event on the wire; `data` is what is stored.
 *
 * @category models
 * @since 0.1.0
 */
export const LiveEvent = Schema.Struct({
  position: Position,
  stream: Schema.String,
  version: Schema.Int,
  id: Schema.String,
  type: Schema.String,
  schemaVersion: Schema.Int,
  tags: Schema.Array(Schema.String),
  recordedAt: Schema.Finite,
  data: Schema.Unknown
})

/**
 * @category models
 * @since 0.1.0
 */
export interface LiveEvent extends Schema.Schema.Type<typeof LiveEvent> {}

/**
 * An event that a client has decoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface Received<out E> extends Omit<RecordedEvent.RecordedEvent<E>, "metadata" | "tenant"> {}

// What is in memory is one object for all clients, and its text goes when it goes.
const encoded = new WeakMap<RecordedEvent.Stored, string>()

/**
 * What clients get of a stored event.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = ({
  data,
  id,
  position,
  recordedAt,
  schemaVersion,
  stream,
  tags,
  type,
  version
}: RecordedEvent.Stored): LiveEvent => ({
  position,
  stream,
  version,
  id,
  type,
  schemaVersion,
  tags,
  recordedAt,
  data
})

/**
 * A stored event as JSON text on one line, made once for all who get the same event.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode = (stored: RecordedEvent.Stored): string => {
  const known = encoded.get(stored)
  if (known !== undefined) return known
  const text = JSON.stringify(make(stored))
  encoded.set(stored, text)
  return text
}

/**
 * Reads events of the given classes as they came; anything else is refused with what is wrong.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decoder = <const Classes extends ReadonlyArray<Event.AnyClass>>(
  classes: Classes
): ((input: unknown) => Result.Result<Received<Event.Of<Classes>>, ReadonlyArray<FieldIssue.FieldIssue>>) => {
  const decodeEvent = RecordedEvent.decoder(classes)
  const decodeWire = Schema.decodeUnknownResult(LiveEvent)
  return (input) => {
    const wire = decodeWire(input)
    if (Result.isFailure(wire)) return Result.fail([{ path: "", message: String(wire.failure) }])
    const stream = StreamName.StreamName.make(wire.success.stream)
    const metadata = { correlationId: "", occurredAt: wire.success.recordedAt }
    const decoded = decodeEvent({ ...wire.success, stream, tenant: TenantId.make("default"), metadata })
    return Result.map(decoded, ({ metadata: _, tenant: __, ...received }): Received<Event.Of<Classes>> => received)
  }
}
