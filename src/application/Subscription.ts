/**
 * Reading the log as it grows: catch up, then go on live, without a gap between the two.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as Decoding from "../domain/Decoding.ts"
import * as Event from "../domain/Event.ts"
import * as Position from "../domain/Position.ts"
import * as RecordedEvent from "../domain/RecordedEvent.ts"
import { type CheckpointError, CheckpointStore } from "../ports/CheckpointStore.ts"
import { EventStore } from "../ports/EventStore.ts"
import type { Page } from "../ports/EventStoreDriver.ts"
import type { EventStoreError } from "../ports/EventStoreError.ts"
import type { TenantContext } from "../ports/TenantContext.ts"
import * as Decoded from "./internal/decoding.ts"
import * as Reader from "./internal/reader.ts"

/**
 * A named reader of the log with a handler for each event.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subscription<out E, out R> {
  readonly name: string
  readonly events: ReadonlyArray<string>
  /** Handles a page, one event after the other. */
  readonly handlePage: (page: Page) => Effect.Effect<void, E | EventStoreError, R>
  readonly batchSize: number
  readonly retries: number
}

/**
 * Declares a subscription.
 *
 * **Details**
 *
 * Every event of the given classes is handled at least once, in the order of the log, as the tenant it belongs to and with
 * the event as cause: a command that the handler sends has its id as causation and its correlation id. The checkpoint moves
 * after each page of `batchSize` events (100 when absent); after a crash the page is handled again.
 *
 * A handler that fails is tried again `retries` times (5 when absent) with growing pauses, from the start of the page; then
 * the subscription stops with its error. A storage that does not answer is waited for; every try is logged.
 *
 * **Example** (Handling events as they come)
 *
 * ```ts
 * import { Event, EventStore, Memory, StreamName, Subscription, SystemContext, TenantContext } from "effect-cqrs"
 * import * as Deferred from "effect/Deferred"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * class Started extends Event.Class<Started>()("Started", {}) {}
 * const seen = Deferred.makeUnsafe<string>()
 *
 * const Watch = Subscription.make("watch", {
 *   events: [Started],
 *   handle: ({ stream }) => Deferred.succeed(seen, stream)
 * })
 *
 * const program = Effect.gen(function* () {
 *   const store = yield* EventStore.EventStore
 *   yield* store.append({ stream: StreamName.make("Job", "1"), expected: "none", events: [new Started()] })
 *   return yield* Deferred.await(seen)
 * })
 *
 * const Live = Subscription.layer(Watch).pipe(
 *   Layer.provide(SystemContext.layer("watching jobs")),
 *   Layer.provideMerge(Memory.layer)
 * )
 * await Effect.runPromise(program.pipe(Effect.provide([Live, TenantContext.layerSingle]))) // => "Job-1"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const Classes extends ReadonlyArray<Event.AnyClass<Decoding.Kind>>, E, R>(
  name: string,
  options: {
    readonly events: Classes
    readonly handle: (recorded: RecordedEvent.RecordedEvent<Event.Of<Classes>>) => Effect.Effect<unknown, E, R>
    readonly batchSize?: number | undefined
    readonly retries?: number | undefined
  }
): Subscription<E, Exclude<R | Event.ServicesOf<Classes>, TenantContext>> => {
  const decode = RecordedEvent.decoder(options.events)
  return {
    name,
    events: Event.types(options.events),
    batchSize: options.batchSize ?? 100,
    retries: options.retries ?? 5,
    handlePage: (page) =>
      Effect.forEach(
        page.events,
        (stored) =>
          Decoded.forEach(decode, stored, (recorded) =>
            Reader.asEvent(
              recorded,
              Effect.suspend(() => options.handle(recorded))
            )
          ),
        { discard: true }
      )
  }
}

/**
 * Runs a subscription from its checkpoint on, for ever, or until its handler fails for good.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <E, R>(
  self: Subscription<E, R>
): Effect.Effect<never, E | EventStoreError | CheckpointError, R | Reader.ReaderServices> =>
  Effect.flatMap(CheckpointStore, (checkpoints) =>
    Reader.run({
      kind: "subscription",
      name: self.name,
      types: self.events,
      batchSize: self.batchSize,
      retries: self.retries,
      handle: (page, from) => Effect.andThen(self.handlePage(page), checkpoints.save(self.name, from, page.cursor))
    })
  )

/**
 * Runs a subscription in the background of a program, until the program ends. If it stops with an error, that is logged.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <E, R>(self: Subscription<E, R>): Layer.Layer<never, never, R | Reader.ReaderServices> =>
  Reader.layerOf({ kind: "subscription", name: self.name, events: self.events }, run(self))

/**
 * The tenant's events of these classes as a stream: first those after `after` (all when absent), then each as it is
 * appended. It never ends, and never skips an event that commits late.
 *
 * **Example** (The first two)
 *
 * ```ts
 * import { Event, EventStore, Memory, StreamName, Subscription, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 * import * as Stream from "effect/Stream"
 *
 * class Added extends Event.Class<Added>()("Added", { n: Schema.Int }) {}
 *
 * const program = Effect.gen(function* () {
 *   const store = yield* EventStore.EventStore
 *   const events = [new Added({ n: 1 }), new Added({ n: 2 }), new Added({ n: 3 })]
 *   yield* store.append({ stream: StreamName.make("Sum", "1"), expected: "none", events })
 *   const firstTwo = Subscription.stream({ events: [Added] }).pipe(Stream.take(2), Stream.map(({ event }) => event.n))
 *   return yield* Stream.runCollect(firstTwo)
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide([Memory.layer, TenantContext.layerSingle]))) // => [1, 2]
 * ```
 *
 * @category streaming
 * @since 0.1.0
 */
export const stream = <const Classes extends ReadonlyArray<Event.AnyClass<Decoding.Kind>>>(options: {
  readonly events: Classes
  readonly after?: Position.Position | undefined
  readonly batchSize?: number | undefined
}): Stream.Stream<
  RecordedEvent.RecordedEvent<Event.Of<Classes>>,
  EventStoreError,
  EventStore | TenantContext | Event.ServicesOf<Classes>
> => {
  const decode = RecordedEvent.decoder(options.events)
  const types = Event.types(options.events)
  const limit = options.batchSize ?? 500
  return Stream.paginate(options.after ?? Position.start, (after) =>
    Effect.gen(function* () {
      const store = yield* EventStore
      const page = yield* store.readAll({ after, limit, types })
      if (page.cursor === after) yield* store.changed(after)
      const events = yield* Effect.forEach(page.events, (stored) => Decoded.decodeAll(decode, stored))
      return [events.flat(), Option.some(page.cursor)] as const
    })
  )
}
