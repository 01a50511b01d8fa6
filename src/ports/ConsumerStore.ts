/**
 * Who handles which part of the log, and how far each part has come.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Driver } from "./ConsumerStoreDriver.ts"
import * as Journal from "./internal/Journal.ts"
import { makeMemory } from "./internal/memoryConsumerStore.ts"

/**
 * The segments of consumers: who owns them, and their checkpoints.
 *
 * **Details**
 *
 * - `open` makes a consumer known with so many segments after a position, which is the first of its
 *   trail unless it is the start of the log; one that is known stays as it is.
 * - `beat` says that a worker lives until `lease` from now, renews what it owns, and tells what it should own. Time is the
 *   storage's own: the clocks of workers do not matter.
 * - `claim` takes up to `limit` segments that nobody owns or whose lease has run out, each with a new token, which is greater
 *   than any before. It takes none while the consumer does not run.
 * - `commit` moves the checkpoint of a segment from one position to another, and is `Fenced` when the token is no longer that
 *   of the owner or the position is another. Inside a unit of work it commits with what the handler wrote, so nothing that a
 *   former owner does is kept. What `to` does not give is left as it is.
 * - `release` gives one segment back, `leave` all of a worker.
 * - `split` halves a segment and `merge` joins it with its other half, under new tokens without an owner. No event of either
 *   is handled again: what one half was ahead is remembered.
 * - `setState` stops a consumer, or lets it go on. What is being handled at that moment may still commit.
 * - `reset` puts checkpoints elsewhere, under new tokens without an owner.
 * - `remove` forgets a consumer with its segments.
 *
 * @category services
 * @since 0.1.0
 */
export class ConsumerStore extends Context.Service<ConsumerStore, Driver>()("effect-cqrs/ports/ConsumerStore") {}

/**
 * Consumers in memory, on the journal of the other memory layers; time is the program's clock.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<ConsumerStore> = Layer.effect(
  ConsumerStore,
  Effect.map(Journal.MemoryJournal, makeMemory)
).pipe(Layer.provide(Journal.layer))
