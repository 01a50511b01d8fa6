/** Events as the bytes that clients get. */
import * as Schema from "effect/Schema"
import { Position } from "../../../domain/Position.ts"
import type { Stored } from "../../../domain/RecordedEvent.ts"

/** An event on the wire: neither whose it is nor who caused it. */
export const Wire = Schema.Struct({
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

const encoder = new TextEncoder()

// What is in the ring is one object for all clients, and its bytes go when it goes.
const encoded = new WeakMap<Stored, Uint8Array>()

/** The bytes of an event, made once for all who get the same. */
export const event = (stored: Stored): Uint8Array => {
  const known = encoded.get(stored)
  if (known !== undefined) return known
  const { data, id, position, recordedAt, schemaVersion, stream, tags, type, version } = stored
  const wire: typeof Wire.Type = { position, stream, version, id, type, schemaVersion, tags, recordedAt, data }
  const bytes = encoder.encode(`id: ${position}\ndata: ${JSON.stringify(wire)}\n\n`)
  encoded.set(stored, bytes)
  return bytes
}

/** Where the client is, also when nothing came that it may see. */
export const cursor = (position: Position): Uint8Array =>
  encoder.encode(`id: ${position}\nevent: cursor\ndata: ${position}\n\n`)

/** The log does not reach to where the client was. */
export const reset = (position: Position): Uint8Array =>
  encoder.encode(`id: ${position}\nevent: reset\ndata: ${position}\n\n`)

/** When to connect again. */
export const retry = (millis: number): Uint8Array => encoder.encode(`retry: ${Math.round(millis)}\n\n`)
