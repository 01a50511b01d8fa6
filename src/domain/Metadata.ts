/**
 * What travels with every message and is kept with every event.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Actor from "./Actor.ts"

/**
 * The metadata that is stored with an event, as JSON.
 *
 * **Details**
 *
 * - `correlationId`: the same for everything that one request set in motion.
 * - `causationId`: the id of the message that led to this one; absent at the root.
 * - `occurredAt`: the caller's clock when it happened, in milliseconds since 1970; the store adds its own time of recording.
 * - `traceparent`: the W3C trace context of the span in which it happened.
 * - `attributes`: free, searchable pairs.
 *
 * Id, type, schema version, tenant and stream of an event are columns of their own: see `RecordedEvent`.
 *
 * @category models
 * @since 0.1.0
 */
export const Metadata = Schema.Struct({
  correlationId: Schema.String,
  causationId: Schema.optionalKey(Schema.String),
  occurredAt: Schema.Int,
  actor: Schema.optionalKey(Actor.Actor),
  traceparent: Schema.optionalKey(Schema.String),
  attributes: Schema.optionalKey(Schema.Record(Schema.String, Schema.String))
})

/**
 * @category models
 * @since 0.1.0
 */
export interface Metadata extends Schema.Schema.Type<typeof Metadata> {}
