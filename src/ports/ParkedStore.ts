/**
 * Events that could not be handled, and those of the same key after them: kept in order until they can.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Journal from "./internal/Journal.ts"
import { makeMemory } from "./internal/memoryParkedStore.ts"
import type { Driver } from "./ParkedStoreDriver.ts"

/**
 * The parked events of consumers, in sequences by key.
 *
 * **Details**
 *
 * The first event of a sequence that is neither handled nor skipped is its head; the others wait for it.
 *
 * - `add` keeps events, all or none; it fails with `ParkingFull` when a limit would be passed. One that is kept stays as it is.
 * - `keys` are the keys of a segment that have a head; `due` the heads that can be handled now, those of lower positions
 *   first: a head is due at its time, or, when it came to be head by what happened to those before it, at once.
 * - `settle` forgets an event that was handled, `failed` keeps what became of another attempt.
 * - `replay` makes the fitting heads due now, with their attempts forgotten, and answers with how many they are. The owner of
 *   their segment handles them and what comes after them, in order.
 * - `edit` gives an event other contents and makes it due, when it is the head; what was stored in the log stays as it is.
 * - `skip` leaves an event out, for a reason that is kept with it.
 * - `count` is how many wait to be handled, all together.
 *
 * Inside a unit of work everything commits with the rest. `settle`, `failed`, `edit` and `skip` fail with `NotParked` for what
 * does not wait to be handled.
 *
 * @category services
 * @since 0.1.0
 */
export class ParkedStore extends Context.Service<ParkedStore, Driver>()("effect-cqrs/ports/ParkedStore") {}

/**
 * Parked events in memory, on the journal of the other memory layers; time is the program's clock.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<ParkedStore> = Layer.effect(
  ParkedStore,
  Effect.map(Journal.MemoryJournal, makeMemory)
).pipe(Layer.provide(Journal.layer))
