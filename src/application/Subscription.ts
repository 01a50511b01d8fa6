/**
 * Reading the log as it grows: catch up, then go on live, without a gap between the two.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type * as Decoding from "../domain/Decoding.ts"
import * as Event from "../domain/Event.ts"
import * as Position from "../domain/Position.ts"
import * as RecordedEvent from "../domain/RecordedEvent.ts"
import type { Stored } from "../domain/RecordedEvent.ts"
import { category, type StreamName } from "../domain/StreamName.ts"
import { type CheckpointError, CheckpointStore } from "../ports/CheckpointStore.ts"
import { EventStore } from "../ports/EventStore.ts"
import type { Page } from "../ports/EventStoreDriver.ts"
import type { EventStoreError, EventUndecodable } from "../ports/EventStoreError.ts"
import type { SystemContext } from "../ports/SystemContext.ts"
import * as TenantContext from "../ports/TenantContext.ts"
import * as Decoded from "./internal/decoding.ts"
import * as Flow from "./internal/flow.ts"
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
  readonly categories: ReadonlyArray<string> | undefined
  readonly tags: ReadonlyArray<string> | undefined
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
 * `categories`, `tags` (at least one of them) and `tenants` narrow which events are handled. For many processes, keys, parked
 * events and effects that happen exactly once there is `Consumer`.
 *
 * A handler that fails is tried again `retries` times (5 when absent) with growing pauses, from the start of the page; then
 * the subscription stops with its error. A storage that does not answer is waited for; every try is logged.
 *
 * An event that cannot be decoded stops the subscription as well, with `EventUndecodable`: position, stream, version, type and
 * what is wrong. With `undecodable` it is given to that instead, and passed over when that succeeds: to log it, to keep it
 * elsewhere, or to skip it for all readers with `StreamAdmin.skip`.
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
export const make = <const Classes extends ReadonlyArray<Event.AnyClass<Decoding.Kind>>, E, R, E2 = never, R2 = never>(
  name: string,
  options: {
    readonly events: Classes
    readonly handle: (recorded: RecordedEvent.RecordedEvent<Event.Of<Classes>>) => Effect.Effect<unknown, E, R>
    readonly categories?: ReadonlyArray<string> | undefined
    readonly tags?: ReadonlyArray<string> | undefined
    readonly tenants?: ReadonlyArray<string> | undefined
    readonly batchSize?: number | undefined
    readonly retries?: number | undefined
    /** What to do with an event that cannot be decoded, as its tenant; afterwards it is passed over. */
    readonly undecodable?: ((failure: EventUndecodable, stored: Stored) => Effect.Effect<unknown, E2, R2>) | undefined
  }
): Subscription<E | E2, Exclude<R | R2 | Event.ServicesOf<Classes>, TenantContext.TenantContext>> => {
  const decode = RecordedEvent.decoder(options.events)
  const tries = new Flow.Tries()
  const handle = (recorded: RecordedEvent.RecordedEvent<Event.Of<Classes>>) => {
    const handled = Reader.asEvent(
      recorded,
      Effect.suspend(() => options.handle(recorded))
    )
    return Effect.withFiber((fiber): typeof handled => {
      const recorder = Flow.recorderOf(fiber)
      return recorder === undefined ? handled : tries.record(recorder, name, [recorded], handled)
    })
  }
  const { categories, tags, undecodable } = options
  const tenants = options.tenants === undefined ? undefined : new Set(options.tenants)
  // What a handler fails with is its own, be it that it could not decode something.
  type Services = Exclude<R | R2 | Event.ServicesOf<Classes>, TenantContext.TenantContext>
  type Handling = Effect.Effect<unknown, E | E2 | EventStoreError, Services>
  const handleOrPass = (stored: Stored, pass: NonNullable<typeof undecodable>): Handling =>
    Effect.flatMap(Effect.result(Decoded.decodeAll(decode, stored)), (decoded): Handling => {
      if (Result.isSuccess(decoded)) return Effect.forEach(decoded.success, handle, { discard: true })
      const { reason } = decoded.failure
      return reason._tag === "EventUndecodable"
        ? TenantContext.provide(stored.tenant)(pass(reason, stored))
        : Effect.fail(decoded.failure)
    })
  return {
    name,
    events: Event.types(options.events),
    categories,
    tags,
    batchSize: options.batchSize ?? 100,
    retries: options.retries ?? 5,
    handlePage: (page) =>
      Effect.forEach(
        tenants === undefined ? page.events : page.events.filter(({ tenant }) => tenants.has(tenant)),
        (stored): Handling =>
          undecodable === undefined ? Decoded.forEach(decode, stored, handle) : handleOrPass(stored, undecodable),
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
      categories: self.categories,
      tags: self.tags,
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
 * **Details**
 *
 * `stream`, `categories` and `tags` (at least one of them) narrow which events these are.
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
  readonly stream?: StreamName | undefined
  readonly categories?: ReadonlyArray<string> | undefined
  readonly tags?: ReadonlyArray<string> | undefined
  readonly after?: Position.Position | undefined
  readonly batchSize?: number | undefined
}): Stream.Stream<
  RecordedEvent.RecordedEvent<Event.Of<Classes>>,
  EventStoreError,
  EventStore | TenantContext.TenantContext | Event.ServicesOf<Classes>
> => {
  const { after: start = Position.start, batchSize: limit = 500, categories, events, tags } = options
  const types = Event.types(events)
  return options.stream === undefined
    ? pages(events, start, (store, after) => store.readAll({ after, limit, types, categories, tags }))
    : ofStream(events, options.stream, { after: start, limit, types: new Set(types), categories, tags })
}

/**
 * All tenants' events of these classes as a stream, as {@link stream} is for one tenant. Each says whose it is.
 *
 * @category streaming
 * @since 0.1.0
 */
export const streamAll = <const Classes extends ReadonlyArray<Event.AnyClass<Decoding.Kind>>>(options: {
  readonly events: Classes
  readonly categories?: ReadonlyArray<string> | undefined
  readonly tags?: ReadonlyArray<string> | undefined
  readonly after?: Position.Position | undefined
  readonly batchSize?: number | undefined
}): Stream.Stream<
  RecordedEvent.RecordedEvent<Event.Of<Classes>>,
  EventStoreError,
  EventStore | SystemContext | Exclude<Event.ServicesOf<Classes>, TenantContext.TenantContext>
> => {
  const { after: start = Position.start, batchSize: limit = 500, categories, events, tags } = options
  const types = Event.types(events)
  return pages(events, start, (store, after) => store.readAllTenants({ after, limit, types, categories, tags }))
}

/** Page after page, and never a pause while there is one. */
const pages = <const Classes extends ReadonlyArray<Event.AnyClass<Decoding.Kind>>, R>(
  classes: Classes,
  start: Position.Position,
  read: (store: EventStore["Service"], after: Position.Position) => Effect.Effect<Page, EventStoreError, R>
) => {
  const decode = RecordedEvent.decoder(classes)
  return Stream.paginate(start, (after) =>
    Effect.gen(function* () {
      const store = yield* EventStore
      const page = yield* read(store, after)
      if (page.cursor === after) yield* store.changed(after)
      const events = yield* Effect.forEach(page.events, (stored) => Decoded.decodeAll(decode, stored))
      return [events.flat(), Option.some(page.cursor)] as const
    })
  )
}

interface Within {
  readonly after: Position.Position
  readonly limit: number
  readonly types: ReadonlySet<string>
  readonly categories: ReadonlyArray<string> | undefined
  readonly tags: ReadonlyArray<string> | undefined
}

/** The events of one stream, which are in their order as soon as they are committed, wherever the mark is. */
const ofStream = <const Classes extends ReadonlyArray<Event.AnyClass<Decoding.Kind>>>(
  classes: Classes,
  name: StreamName,
  { after, categories, limit, tags, types }: Within
) => {
  const decode = RecordedEvent.decoder(classes)
  const fits = (stored: Stored) =>
    stored.position > after &&
    types.has(stored.type) &&
    (categories === undefined || categories.includes(category(name))) &&
    (tags === undefined || stored.tags.some((tag) => tags.includes(tag)))
  return Stream.paginate(1, (fromVersion) =>
    Effect.gen(function* () {
      const store = yield* EventStore
      // Taken before looking: what comes after that passes it.
      const mark = yield* store.mark
      const found = yield* store.readStream(name, { fromVersion, limit })
      const last = found.at(-1)
      if (last === undefined) yield* store.changed(mark)
      const events = yield* Effect.forEach(found.filter(fits), (stored) => Decoded.decodeAll(decode, stored))
      return [events.flat(), Option.some(last === undefined ? fromVersion : last.version + 1)] as const
    })
  )
}
