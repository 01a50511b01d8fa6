/** How a projection's handlers are given what is stored: one event after the other, or all of a tenant's at once. */
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Event from "../../../domain/Event.ts"
import type { RecordedEvent, Stored } from "../../../domain/RecordedEvent.ts"
import type { TenantId } from "../../../domain/TenantId.ts"
import { granted, SideEffects } from "../../../ports/SideEffects.ts"
import { TenantContext } from "../../../ports/TenantContext.ts"
import * as Decoded from "../decoding.ts"
import * as Flow from "../flow.ts"
import * as Reader from "../reader.ts"

type Recorded = RecordedEvent<Event.Any>
type Handle = (event: Event.Any, recorded: Recorded) => Effect.Effect<unknown, unknown, unknown>
type HandleBatch = (batch: Arr.NonEmptyReadonlyArray<Recorded>) => Effect.Effect<unknown, unknown, unknown>
type Decode = Decoded.Decode<Event.Any, unknown>

/** Each event by itself, as its tenant and with itself as the cause of what is done. */
export const oneByOne = (name: string, decode: Decode, on: Readonly<Record<string, Handle>>) => {
  const handlers = new Map(Object.entries(on))
  const handleOne = (recorded: Recorded) => {
    const handle = handlers.get(recorded.event._tag)
    return handle === undefined
      ? undefined
      : Reader.asEvent(
          recorded,
          Effect.suspend(() => handle(recorded.event, recorded))
        )
  }
  return each(name, decode, handleOne)
}

/** Handles each event of a page, and records how that ends when somebody records. */
const each = (
  name: string,
  decode: Decode,
  handleOne: (recorded: Recorded) => Effect.Effect<unknown, unknown, unknown> | undefined
) => {
  const tries = new Flow.Tries()
  return (page: ReadonlyArray<Stored>): Effect.Effect<void, unknown, unknown> =>
    Effect.withFiber((fiber) => {
      const recorder = Flow.recorderOf(fiber)
      const handle = (recorded: Recorded) => {
        const handled = handleOne(recorded)
        if (handled === undefined) return Effect.void
        return recorder === undefined ? handled : tries.record(recorder, name, [recorded], handled)
      }
      return Effect.forEach(page, (stored) => Decoded.forEach(decode, stored, handle), { discard: true })
    })
}

/** All of a page that are one tenant's, in their order, tenant by tenant. */
export const together = (name: string, decode: Decode, handle: HandleBatch) => {
  const tries = new Flow.Tries()
  return (page: ReadonlyArray<Stored>): Effect.Effect<void, unknown, unknown> =>
    Effect.gen(function* () {
      const recorder = yield* Effect.withFiber((fiber) => Effect.succeed(Flow.recorderOf(fiber)))
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
        const handled = Effect.provideService(
          Effect.suspend(() => handle(batch)),
          TenantContext,
          { id }
        )
        yield* recorder === undefined ? handled : tries.record(recorder, name, batch, handled)
      }
    })
}

/** Each event by itself, with leave to do what is not done again. */
export const reacting = (
  name: string,
  decode: Decode,
  react: (recorded: Recorded) => Effect.Effect<unknown, unknown, unknown>
) => {
  const reactTo = each(`${name} (reacting)`, decode, (recorded) =>
    Reader.asEvent(
      recorded,
      Effect.suspend(() => react(recorded))
    )
  )
  return (page: ReadonlyArray<Stored>): Effect.Effect<void, unknown, unknown> =>
    Effect.provideService(reactTo(page), SideEffects, granted)
}
