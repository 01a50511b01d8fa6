/**
 * Building what is read anew, while it is read.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { CheckpointError } from "../ports/CheckpointStore.ts"
import type { EventStore } from "../ports/EventStore.ts"
import type { EventStoreError } from "../ports/EventStoreError.ts"
import type { CheckpointStore } from "../ports/CheckpointStore.ts"
import { ProjectionStore, type ProjectionStoreError } from "../ports/ProjectionStore.ts"
import type { ReadModelError, ReadModelStore } from "../ports/ReadModelStore.ts"
import type { SystemContext } from "../ports/SystemContext.ts"
import { UnitOfWork, type UnitOfWorkError } from "../ports/UnitOfWork.ts"
import * as Rebuilding from "./internal/projection/rebuilding.ts"
import { survive } from "./internal/reader.ts"
import type { Projection } from "./Projection.ts"

/**
 * A projection cannot be rebuilt like this: it names nothing of its own, so that there is nothing to keep apart; or it was
 * asked for inside a unit of work, whose writes a rebuild could not see; or it runs inline, so that appends write what a swap
 * would lose.
 *
 * @category errors
 * @since 0.1.0
 */
export class RebuildRefused extends Schema.TaggedError<RebuildRefused>("effect-cqrs/RebuildRefused")("RebuildRefused", {
  projection: Schema.String,
  why: Schema.Literals(["owns nothing", "in a unit of work", "runs inline"])
}) {
  override get message(): string {
    switch (this.why) {
      case "owns nothing":
        return `The projection ${this.projection} names no collections and no tables of its own: there is nothing to build anew`
      case "in a unit of work":
        return `The projection ${this.projection} cannot be rebuilt inside a unit of work`
      case "runs inline":
        return `The projection ${this.projection} runs inside of appends, whose writes a swap could lose: build it under another name`
    }
  }
}

/**
 * How far a rebuild has come.
 *
 * **Details**
 *
 * `handled` counts the events of all tries; `position` is how far in the log it is, of `mark`. `eventsPerSecond` is of this
 * try, and `remaining` what is left at this pace; absent before there is one.
 *
 * @category models
 * @since 0.1.0
 */
export type Progress = Rebuilding.Progress

/**
 * How to rebuild.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** At most so many events in one transaction; the projection's when absent. */
  readonly batchSize?: number | undefined
  /** At most so many events a second; as fast as it can when absent. */
  readonly eventsPerSecond?: number | undefined
  /** After how long somebody else may go on when this process is gone; 15 seconds when absent. */
  readonly lease?: Duration.Input | undefined
  /**
   * How long to keep what was replaced; a minute when absent. It is dropped by the next rebuild, or when the projection's
   * runner looks, or by {@link drop}; `"when asked"` leaves it to that alone.
   */
  readonly dropAfter?: Duration.Input | "when asked" | undefined
}

/**
 * What a rebuild can fail with, beside the handlers' own errors.
 *
 * @category errors
 * @since 0.1.0
 */
export type Failure =
  | RebuildRefused
  | ProjectionStoreError
  | ReadModelError
  | EventStoreError
  | CheckpointError
  | UnitOfWorkError

/**
 * The ports a rebuild uses, beside what the handlers require.
 *
 * @category models
 * @since 0.1.0
 */
export type Services = EventStore | CheckpointStore | ReadModelStore | ProjectionStore | UnitOfWork | SystemContext

/**
 * Builds a new version of what a projection writes, beside the one that is read, and puts it in its place.
 *
 * **Details**
 *
 * The handlers get the whole log, in batches that each commit with the rebuild's own checkpoint. Meanwhile the projection
 * goes on, and so do its readers. Once it has caught up, one transaction swaps the two: whoever reads sees the old version
 * or the new one, as a whole, and no event is in neither. The projection's runner, wherever it is, goes on with the new one.
 *
 * A rebuild that is interrupted, or whose process is gone, is gone on with by the next `run`; one whose handlers failed
 * begins anew. `react` is no part of it.
 *
 * It fails with `ProjectionStoreError`: reason `RebuildRunning` while another process rebuilds the same projection,
 * `RebuildLost` when it was cancelled or taken over.
 *
 * **Gotchas**
 *
 * A projection that runs inline, in whichever process, is refused: appends that have begun write into what is read, and have
 * no position until they commit, so nothing can say whether the new version has them. Give a changed one another name, and
 * its own collections.
 *
 * **Example** (From a handler that was wrong)
 *
 * ```ts
 * import { Event, EventStore, Memory, Projection, ReadModelStore, Rebuild, StreamName } from "effect-cqrs"
 * import { SystemContext, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Schema from "effect/Schema"
 *
 * class Named extends Event.Class<Named>()("Named", { name: Schema.String }) {}
 *
 * const Names = ReadModelStore.collection("names", Schema.String)
 * const NameList = Projection.make("names", {
 *   version: 2,
 *   events: [Named],
 *   collections: [Names],
 *   on: { Named: ({ name }, { stream }) => Names.set(stream, name.toUpperCase()) }
 * })
 *
 * const program = Effect.gen(function* () {
 *   const store = yield* EventStore.EventStore
 *   const events = [new Named({ name: "Ada" })]
 *   yield* store.append({ stream: StreamName.make("Person", "1"), expected: "none", events })
 *   const { handled } = yield* Rebuild.run(NameList)
 *   return [handled, yield* Names.list()]
 * })
 *
 * const Live = Layer.mergeAll(Memory.layer, TenantContext.layerSingle, SystemContext.layer("rebuilds"))
 * await Effect.runPromise(program.pipe(Effect.provide(Live))) // => [1, [{ id: "Person-1", document: "ADA" }]]
 * ```
 *
 * @category rebuilding
 * @since 0.1.0
 */
export const run = <E, R>(
  self: Projection<E, R, unknown>,
  options?: Options
): Effect.Effect<Progress, E | Failure, R | Services> => start(self, options, () => Effect.void)

/**
 * The same as a stream of how far it has come, after each batch; it ends with the swap. Who stops reading it stops the
 * rebuild, which can be gone on with.
 *
 * @category rebuilding
 * @since 0.1.0
 */
export const stream = <E, R>(
  self: Projection<E, R, unknown>,
  options?: Options
): Stream.Stream<Progress, E | Failure, R | Services> =>
  Stream.callback<Progress, E | Failure, R | Services>(
    (queue: Queue.Queue<Progress, E | Failure | Cause.Done>) =>
      Effect.flatMap(
        start(self, options, (progress) => Effect.asVoid(Queue.offer(queue, progress))),
        () => Queue.end(queue)
      ),
    { bufferSize: 16, strategy: "sliding" }
  )

/**
 * Stops whoever rebuilds a projection and gives up what was built; tells whether there was anything.
 *
 * @category rebuilding
 * @since 0.1.0
 */
export const cancel = (
  self: Projection<unknown, unknown, unknown>
): Effect.Effect<boolean, Failure, CheckpointStore | ReadModelStore | ProjectionStore | UnitOfWork> =>
  Rebuilding.cancel(self)

/**
 * Drops versions that were replaced or given up, and tells which: those that may be dropped by now, or all.
 *
 * @category rebuilding
 * @since 0.1.0
 */
export const drop = (
  self: Projection<unknown, unknown, unknown>,
  which: "all" | "due" = "all"
): Effect.Effect<
  ReadonlyArray<number>,
  ProjectionStoreError | ReadModelError | UnitOfWorkError,
  ReadModelStore | ProjectionStore | UnitOfWork
> => Rebuilding.dropRetired(self, which)

const start = <E, R>(
  self: Projection<E, R, unknown>,
  options: Options | undefined,
  report: (progress: Progress) => Effect.Effect<void>
): Effect.Effect<Progress, E | Failure, R | Services> =>
  Effect.gen(function* () {
    const { isOpen } = yield* UnitOfWork
    const refuse = (why: RebuildRefused["why"]) => new RebuildRefused({ projection: self.name, why })
    if (self.collections.length + self.tables.length === 0) return yield* refuse("owns nothing")
    if (yield* isOpen) return yield* refuse("in a unit of work")
    const projections = yield* ProjectionStore
    const found = yield* survive(self, projections.find(self.name))
    if (found?.inline === true) return yield* refuse("runs inline")
    const dropAfter = options?.dropAfter ?? "1 minute"
    return yield* Rebuilding.rebuild(
      self,
      {
        batchSize: options?.batchSize ?? self.batchSize,
        eventsPerSecond: options?.eventsPerSecond ?? Number.POSITIVE_INFINITY,
        lease: Duration.fromInputUnsafe(options?.lease ?? "15 seconds"),
        dropAfter: dropAfter === "when asked" ? undefined : Duration.fromInputUnsafe(dropAfter)
      },
      report
    )
  })
