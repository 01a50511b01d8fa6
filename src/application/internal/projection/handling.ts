/** How a projection's handlers are given what is stored: one event after the other, or all of a tenant's at once. */
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Event from "../../../domain/Event.ts"
import type { RecordedEvent, Stored } from "../../../domain/RecordedEvent.ts"
import type { TenantId } from "../../../domain/TenantId.ts"
import { granted, SideEffects } from "../../../ports/SideEffects.ts"
import { TenantContext } from "../../../ports/TenantContext.ts"
import * as Decoded from "../decoding.ts"
import * as Reader from "../reader.ts"

type Recorded = RecordedEvent<Event.Any>
type Handle = (event: Event.Any, recorded: Recorded) => Effect.Effect<unknown, unknown, unknown>
type HandleBatch = (batch: Arr.NonEmptyReadonlyArray<Recorded>) => Effect.Effect<unknown, unknown, unknown>
type Decode = Decoded.Decode<Event.Any, unknown>

/** Each event by itself, as its tenant and with itself as the cause of what is done. */
export const oneByOne = (decode: Decode, on: Readonly<Record<string, Handle>>) => {
  const handlers = new Map(Object.entries(on))
  const handleOne = (recorded: Recorded) => {
    const handle = handlers.get(recorded.event._tag)
    return handle === undefined
      ? Effect.void
      : Reader.asEvent(
          recorded,
          Effect.suspend(() => handle(recorded.event, recorded))
        )
  }
  return (page: ReadonlyArray<Stored>): Effect.Effect<void, unknown, unknown> =>
    Effect.forEach(page, (stored) => Decoded.forEach(decode, stored, handleOne), { discard: true })
}

/** All of a page that are one tenant's, in their order, tenant by tenant. */
export const together =
  (decode: Decode, handle: HandleBatch) =>
  (page: ReadonlyArray<Stored>): Effect.Effect<void, unknown, unknown> =>
    Effect.gen(function* () {
      const tenants = new Map<TenantId, Arr.NonEmptyArray<Recorded>>()
      const add = (recorded: Recorded) => {
        const batch = tenants.get(recorded.tenant)
        if (batch === undefined) tenants.set(recorded.tenant, [recorded])
        else batch.push(recorded)
      }
      for (const stored of page) {
        const decoded = decode(stored)
        if (decoded._tag === "Success") add(decoded.success)
        else (yield* Decoded.decodeAll(() => decoded, stored)).forEach(add)
      }
      for (const [id, batch] of tenants) {
        yield* Effect.provideService(
          Effect.suspend(() => handle(batch)),
          TenantContext,
          { id }
        )
      }
    })

/** Each event by itself, with leave to do what is not done again. */
export const reacting = (decode: Decode, react: (recorded: Recorded) => Effect.Effect<unknown, unknown, unknown>) => {
  const reactTo = (recorded: Recorded) =>
    Reader.asEvent(
      recorded,
      Effect.suspend(() => react(recorded))
    )
  return (page: ReadonlyArray<Stored>): Effect.Effect<void, unknown, unknown> =>
    Effect.provideService(
      Effect.forEach(page, (stored) => Decoded.forEach(decode, stored, reactTo), { discard: true }),
      SideEffects,
      granted
    )
}
