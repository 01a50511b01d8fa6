/**
 * How large an event may be.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"

/**
 * The most bytes of UTF-8 that the JSON of one event may take; 4 MiB unless told otherwise.
 *
 * **Details**
 *
 * Every store refuses a larger event with `EventTooLarge`, before it writes anything. Readers have no limit: what is in the
 * log can be read.
 *
 * **Example** (A stricter limit)
 *
 * ```ts
 * import { Event, EventSize, EventStore, Memory, StreamName, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Schema from "effect/Schema"
 *
 * class Noted extends Event.Class<Noted>()("Noted", { text: Schema.String }) {}
 *
 * const program = Effect.gen(function* () {
 *   const store = yield* EventStore.EventStore
 *   const events = [new Noted({ text: "x".repeat(1000) })]
 *   return yield* store.append({ stream: StreamName.make("Note", "1"), expected: "none", events })
 * }).pipe(
 *   Effect.asVoid,
 *   Effect.catchReason("EventStoreError", "EventTooLarge", ({ limit, size }) => Effect.succeed({ limit, size }))
 * )
 *
 * const layers = Layer.mergeAll(Memory.layer, TenantContext.layerSingle, EventSize.layer(100))
 * await Effect.runPromise(program.pipe(Effect.provide(layers))) // => { limit: 100, size: 1011 }
 * ```
 *
 * @category references
 * @since 0.1.0
 */
export const MaxEventBytes: Context.Reference<number> = Context.Reference<number>(
  "effect-cqrs/ports/EventSize/MaxEventBytes",
  { defaultValue: () => 4 * 1024 * 1024 }
)

/**
 * Sets the limit for what it is provided to.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (maxBytes: number): Layer.Layer<never> => Layer.succeed(MaxEventBytes, maxBytes)
