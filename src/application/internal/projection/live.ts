/** Folding events on demand. */
import * as Effect from "effect/Effect"
import type * as Decoding from "../../../domain/Decoding.ts"
import * as Event from "../../../domain/Event.ts"
import type * as Fold from "../../../domain/Fold.ts"
import * as Position from "../../../domain/Position.ts"
import type * as RecordedEvent from "../../../domain/RecordedEvent.ts"
import type { StreamName } from "../../../domain/StreamName.ts"
import { EventStore } from "../../../ports/EventStore.ts"
import type { EventStoreError } from "../../../ports/EventStoreError.ts"
import type { TenantContext } from "../../../ports/TenantContext.ts"
import * as Decoded from "../decoding.ts"

/**
 * Folds events on demand: those of one stream, or all of the tenant's, that are of the fold's classes and carry at least one
 * of the tags.
 *
 * **Example** (A balance without a table)
 *
 * ```ts
 * import { Event, EventStore, Fold, Memory, Projection, StreamName, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * class Deposited extends Event.Class<Deposited>()("Deposited", { amount: Schema.Int }) {}
 * const Balance = Fold.make({ events: [Deposited], initial: 0 }).evolve({ Deposited: (sum, { amount }) => sum + amount })
 *
 * const program = Effect.gen(function* () {
 *   const store = yield* EventStore.EventStore
 *   const stream = StreamName.make("Account", "a-1")
 *   yield* store.append({ stream, expected: "none", events: [new Deposited({ amount: 5 }), new Deposited({ amount: 7 })] })
 *   return yield* Projection.live(Balance, { stream })
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide([Memory.layer, TenantContext.layerSingle]))) // => 12
 * ```
 *
 * @category live
 * @since 0.1.0
 */
export const live = <State, E extends Event.Any, K extends Decoding.Kind>(
  fold: Fold.Fold<State, E, K>,
  of: { readonly stream?: StreamName | undefined; readonly tags?: ReadonlyArray<string> | undefined }
): Effect.Effect<State, EventStoreError, EventStore | TenantContext | Decoding.Services<K>> =>
  Effect.gen(function* () {
    const store = yield* EventStore
    const types = Event.types(fold.events)
    const { stream, tags } = of
    if (stream !== undefined) {
      const known = new Set(types)
      const skip = (one: RecordedEvent.Stored, isJoined: boolean) =>
        !(isJoined || known.has(one.type)) || (tags !== undefined && !one.tags.some((tag) => tags.includes(tag)))
      const folded = Decoded.foldStream(fold, yield* store.readStream(stream), skip)
      return yield* Decoded.andThen(folded, Effect.succeed)
    }
    let state = fold.initial
    const decode: Decoded.Decode<E, Decoding.Services<K>> = fold.decode
    let after = Position.start
    while (true) {
      const page = yield* store.readAll({ after, limit: 1000, types, tags })
      for (const stored of page.events) {
        const all = yield* Decoded.decodeAll(decode, stored)
        state = all.reduce((sum, { event }) => fold.evolve(sum, event), state)
      }
      if (page.cursor >= page.mark) return state
      after = page.cursor
    }
  })
