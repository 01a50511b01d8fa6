/** Events as the bytes that clients get. */
import * as Effect from "effect/Effect"
import type { Stored } from "../../../domain/RecordedEvent.ts"
import type { TenantId } from "../../../domain/TenantId.ts"
import * as LiveEvent from "../../../application/LiveEvent.ts"
import type { LiveError } from "../../../application/LiveError.ts"
import type { LiveTokens } from "../../../application/LiveTokens.ts"

const encoder = new TextEncoder()

type Known = Map<TenantId, Uint8Array>

// What is in the ring is one object for all clients, and its bytes go when it goes. A broadcast event has as many cursors as
// there are tenants.
const byTokens = new WeakMap<LiveTokens, WeakMap<Stored, Known>>()

/** The bytes of events, each made once for all clients of a tenant that get the same. */
export const events = (tokens: LiveTokens, tenant: TenantId) => {
  const all = byTokens.get(tokens) ?? new WeakMap<Stored, Known>()
  byTokens.set(tokens, all)
  const known = (stored: Stored) => all.get(stored)?.get(tenant)
  const encode = (stored: Stored): Effect.Effect<Uint8Array, LiveError> => {
    const before = known(stored)
    if (before !== undefined) return Effect.succeed(before)
    return Effect.map(tokens.cursor(tenant, stored.position), (cursor) => {
      const bytes = encoder.encode(`id: ${cursor}\ndata: ${LiveEvent.encode(stored)}\n\n`)
      const entry: Known = all.get(stored) ?? new Map()
      all.set(stored, entry.set(tenant, bytes))
      return bytes
    })
  }
  const rest = (batch: ReadonlyArray<Stored>, most: number, frames: Array<Uint8Array>, size: number): Encoding => {
    const next = batch[frames.length]
    if (next === undefined) return Effect.succeed(frames)
    const add = (bytes: Uint8Array) => {
      if (frames.length > 0 && size + bytes.length > most) return Effect.succeed(frames)
      frames.push(bytes)
      return rest(batch, most, frames, size + bytes.length)
    }
    return Effect.flatMap(encode(next), add)
  }
  return (batch: ReadonlyArray<Stored>, most: number): Encoding => {
    const frames: Array<Uint8Array> = []
    let size = 0
    for (const stored of batch) {
      const bytes = known(stored)
      if (bytes === undefined) return rest(batch, most, frames, size)
      size += bytes.length
      if (frames.length > 0 && size > most) break
      frames.push(bytes)
    }
    return Effect.succeed(frames)
  }
}

/** The frames of the first of some events, as many as fit, and at least one. */
type Encoding = Effect.Effect<ReadonlyArray<Uint8Array>, LiveError>

/** A frame with a name, after which the client goes on from a cursor. */
export const named = (event: "connected" | "cursor" | "reset", cursor: string, data: unknown): Uint8Array =>
  encoder.encode(`id: ${cursor}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`)

/** An event of no cursor. */
export const message = (data: unknown, id: string | undefined): Uint8Array =>
  encoder.encode(`${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`)

/** When to connect again. */
export const retry = (millis: number): Uint8Array => encoder.encode(`retry: ${Math.round(millis)}\n\n`)

/** What says nothing, and keeps a connection open. */
export const comment: Uint8Array = encoder.encode(":\n\n")
