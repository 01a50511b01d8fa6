/**
 * Read models: what queries read, made of events.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as DispatchError from "../domain/DispatchError.ts"
import type * as Decoding from "../domain/Decoding.ts"
import * as Event from "../domain/Event.ts"
import type * as Message from "../domain/Message.ts"
import type * as Position from "../domain/Position.ts"
import * as RecordedEvent from "../domain/RecordedEvent.ts"
import type { CheckpointError } from "../ports/CheckpointStore.ts"
import { EventStore } from "../ports/EventStore.ts"
import type { EventStoreError } from "../ports/EventStoreError.ts"
import type { ProjectionStore } from "../ports/ProjectionStore.ts"
import { ProjectionTarget, tableOf } from "../ports/ProjectionTarget.ts"
import * as Receipt from "../ports/Receipt.ts"
import type { SideEffects } from "../ports/SideEffects.ts"
import type { TenantContext } from "../ports/TenantContext.ts"
import type { UnitOfWork } from "../ports/UnitOfWork.ts"
import * as Middleware from "../middleware/Middleware.ts"
import * as HandlerRegistry from "./HandlerRegistry.ts"
import { projecting } from "./internal/inline.ts"
import * as Handling from "./internal/projection/handling.ts"
import type {
  BatchHandler,
  ErrorOf,
  Handlers,
  Options,
  Reacting,
  ReadOnly,
  ReadOnlyReaction,
  ServicesOf
} from "./internal/projection/options.ts"
import * as Background from "./internal/projection/background.ts"
import * as Waiting from "./internal/projection/waiting.ts"
import * as Reader from "./internal/reader.ts"

/**
 * A named projection: from events to changes of a read model.
 *
 * @category models
 * @since 0.1.0
 */
export interface Projection<out E, out R, out X = never> {
  readonly name: string
  readonly version: number
  readonly events: ReadonlyArray<string>
  readonly batchSize: number
  readonly linger: Duration.Duration
  readonly retries: number
  readonly collections: ReadonlyArray<string>
  readonly tables: ReadonlyArray<string>
  readonly setup: Effect.Effect<unknown, E, R>
  /** Does what handling must not do again, once what is read holds it; handles each event as its tenant. */
  readonly react:
    | ((page: ReadonlyArray<RecordedEvent.Stored>) => Effect.Effect<void, E | EventStoreError, X>)
    | undefined
  /** Handles stored events in their order, each as its tenant. */
  readonly handle: (page: ReadonlyArray<RecordedEvent.Stored>) => Effect.Effect<void, E | EventStoreError, R>
}

export type {
  BatchHandler,
  ErrorOf,
  Handlers,
  Options,
  Reacting,
  ReadOnly,
  ReadOnlyReaction,
  ServicesOf
} from "./internal/projection/options.ts"

/**
 * Declares a projection: a handler for each of its events, which the compiler checks to be all of them.
 *
 * **Details**
 *
 * The same projection can run in two ways:
 *
 * - {@link layer}: in the background. Pages of events and the checkpoint commit in one transaction, so each event takes
 *   effect exactly once. A page that fails is tried again with growing pauses; then the projection stops where it is, and
 *   says so in the log.
 * - {@link layerInline}: inside the transaction that appends. The read model is never behind, and a handler that fails
 *   makes the append fail.
 *
 * Handlers run as the event's tenant. In Postgres they write tables with `SqlClient` in the same transaction; the
 * collections of `ReadModelStore` work everywhere.
 *
 * **Example** (Titles of tasks)
 *
 * ```ts
 * import { Event, EventStore, Memory, Projection, ReadModelStore, StreamName, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Schema from "effect/Schema"
 *
 * class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", { title: Schema.String }) {}
 * class TaskDeleted extends Event.Class<TaskDeleted>()("TaskDeleted", {}) {}
 *
 * const Titles = ReadModelStore.collection("titles", Schema.String)
 * const TaskTitles = Projection.make("task-titles", {
 *   events: [TaskCreated, TaskDeleted],
 *   on: {
 *     TaskCreated: ({ title }, { stream }) => Titles.set(stream, title),
 *     TaskDeleted: (_, { stream }) => Titles.remove(stream)
 *   }
 * })
 *
 * const program = Effect.gen(function* () {
 *   const store = yield* EventStore.EventStore
 *   const events = [new TaskCreated({ title: "Write" })]
 *   yield* store.append({ stream: StreamName.make("Task", "1"), expected: "none", events })
 *   return yield* Titles.list()
 * })
 *
 * const Live = Projection.layerInline(TaskTitles).pipe(Layer.provideMerge(Memory.layer))
 * await Effect.runPromise(program.pipe(Effect.provide([Live, TenantContext.layerSingle]))) // => [{ id: "Task-1", document: "Write" }]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export function make<
  const Classes extends ReadonlyArray<Event.AnyClass<Decoding.Kind>>,
  const H extends Handlers<Event.Of<Classes>>,
  E = never,
  R = never,
  XE = never,
  X = never
>(
  name: string,
  options: Options<E, R> &
    Reacting<Event.Of<Classes>, XE, X> &
    ReadOnlyReaction<X> & { readonly events: Classes; readonly on: H & ReadOnly<H> }
): Projection<
  ErrorOf<H> | E | XE,
  Exclude<ServicesOf<H> | Event.ServicesOf<Classes>, TenantContext> | R,
  Exclude<X, TenantContext | SideEffects>
>
export function make(name: string, options: Erased & { readonly on: Parameters<typeof Handling.oneByOne>[2] }) {
  return define(name, options, Handling.oneByOne(name, RecordedEvent.decoder(options.events), options.on))
}

/**
 * Declares a projection with one handler for many events at once, so that many rows are one statement.
 *
 * **Details**
 *
 * The handler gets what there is, up to `batchSize` events: in the order of the log, all of one tenant and as this tenant. It
 * runs in the transaction that moves the checkpoint, like the handlers of {@link make}. Where events of several tenants come
 * in one page, it is called for each of them in turn.
 *
 * **Example** (One write for many events)
 *
 * ```ts
 * import { Event, EventStore, Memory, Projection, ReadModelStore, StreamName, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Option from "effect/Option"
 * import * as Schema from "effect/Schema"
 *
 * class Sold extends Event.Class<Sold>()("Sold", { amount: Schema.Int }) {}
 *
 * const Revenue = ReadModelStore.collection("revenue", Schema.Int)
 * const Sum = Projection.batched("revenue", {
 *   events: [Sold],
 *   handle: (batch) => {
 *     const sum = batch.reduce((total, { event }) => total + event.amount, 0)
 *     return Revenue.update("all", (before) => Option.getOrElse(before, () => 0) + sum)
 *   }
 * })
 *
 * const program = Effect.gen(function* () {
 *   const store = yield* EventStore.EventStore
 *   const events = [2, 3, 7].map((amount) => new Sold({ amount }))
 *   yield* store.append({ stream: StreamName.make("Shop", "1"), expected: "none", events })
 *   return yield* Revenue.list()
 * })
 *
 * const Live = Projection.layerInline(Sum).pipe(Layer.provideMerge(Memory.layer))
 * await Effect.runPromise(program.pipe(Effect.provide([Live, TenantContext.layerSingle]))) // => [{ id: "all", document: 12 }]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export function batched<
  const Classes extends ReadonlyArray<Event.AnyClass<Decoding.Kind>>,
  const H extends BatchHandler<Event.Of<Classes>>,
  E = never,
  R = never,
  XE = never,
  X = never
>(
  name: string,
  options: Options<E, R> &
    Reacting<Event.Of<Classes>, XE, X> &
    ReadOnlyReaction<X> & { readonly events: Classes; readonly handle: H & ReadOnly<{ readonly handle: H }> }
): Projection<
  ErrorOf<{ readonly handle: H }> | E | XE,
  Exclude<ServicesOf<{ readonly handle: H }> | Event.ServicesOf<Classes>, TenantContext> | R,
  Exclude<X, TenantContext | SideEffects>
>
export function batched(name: string, options: Erased & { readonly handle: Parameters<typeof Handling.together>[2] }) {
  return define(name, options, Handling.together(name, RecordedEvent.decoder(options.events), options.handle))
}

interface Erased extends Options<unknown, unknown>, Reacting<Event.Any, unknown, unknown> {
  readonly events: ReadonlyArray<Event.AnyClass<Decoding.Kind>>
}

const define = (
  name: string,
  options: Erased,
  handle: Projection<unknown, unknown, unknown>["handle"]
): Projection<unknown, unknown, unknown> => ({
  name,
  version: options.version ?? 1,
  events: Event.types(options.events),
  batchSize: options.batchSize ?? 500,
  linger: Duration.fromInputUnsafe(options.linger ?? Duration.zero),
  retries: options.retries ?? 5,
  collections: (options.collections ?? []).map((collection) => collection.name),
  tables: options.tables ?? [],
  setup: options.setup ?? Effect.void,
  react:
    options.react === undefined
      ? undefined
      : Handling.reacting(name, RecordedEvent.decoder(options.events), options.react),
  handle
})

/**
 * The name under which the running handler, or `setup`, has a table of its projection: its own name, or another while a new
 * version is being built.
 *
 * **Details**
 *
 * Whoever reads uses the table's own name, which always is that of one complete version.
 *
 * **Gotchas**
 *
 * A table that is not among the projection's `tables` is a defect while a new version is being built: writing into it would
 * change what is read.
 *
 * @category tables
 * @since 0.1.0
 */
export const table = (name: string): Effect.Effect<string> =>
  Effect.flatMap(ProjectionTarget, (target) => {
    if (target === undefined) return Effect.succeed(name)
    return target.tables.includes(name)
      ? Effect.succeed(tableOf(name, target.generation))
      : Effect.die(
          new Error(`${name} is not among the tables of ${target.projection}: a rebuild would write into what is read`)
        )
  })

/**
 * How a projection runs in the background.
 *
 * @category models
 * @since 0.1.0
 */
export interface Running {
  /**
   * What to do when what is read was made by a lower `version` of the definition: build it anew, beside the old one, which is
   * the default, or leave it to a rebuild elsewhere. Meanwhile runners of the lower version go on.
   */
  readonly onNewVersion?: "rebuild" | "wait" | undefined
}

/**
 * Runs a projection from its checkpoint on, for ever, or until a handler fails for good.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <E, R, X>(
  self: Projection<E, R, X>,
  options?: Running
): Effect.Effect<never, E | Background.RunFailure, R | X | Background.RunNeeds> =>
  Background.run(self, options?.onNewVersion ?? "rebuild")

/**
 * Runs a projection in the background of a program, until the program ends. If it stops with an error, that is logged.
 *
 * **Details**
 *
 * Two processes may run the same projection: only one of them moves the checkpoint, and what the other did is rolled back.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <E, R, X>(
  self: Projection<E, R, X>,
  options?: Running
): Layer.Layer<never, never, R | X | Background.RunNeeds> =>
  Reader.layerOf({ kind: "projection", name: self.name, events: self.events }, run(self, options))

/**
 * Runs projections inside each append: an event store whose appends commit with the read models, or not at all.
 *
 * **Gotchas**
 *
 * Provide it between the stores and the program (`Layer.provideMerge(Memory.layer)`). A handler that fails
 * rolls the append back, and the caller gets an `EventStoreError` with reason `ProjectionFailed`. A `setup` that fails for
 * another reason than its storage is a defect of the layer. What runs inline cannot be rebuilt.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerInline = <E, R>(
  ...projections: ReadonlyArray<Projection<E, R>>
): Layer.Layer<EventStore, never, R | EventStore | UnitOfWork | ProjectionStore> =>
  Layer.effect(EventStore, projecting(projections)).pipe(Layer.provide(HandlerRegistry.layer))

export { live } from "./internal/projection/live.ts"
export { status, type Status } from "./internal/projection/status.ts"

/**
 * Waits until what is read of a background projection holds everything up to a position: the token in a command's receipt.
 *
 * **Details**
 *
 * It is woken by the commit that it waits for. A projection that is still behind after `timeout` (5 seconds when absent) is a
 * `DispatchError` with reason `Behind`, which says what was wanted and what was reached.
 *
 * **Gotchas**
 *
 * Inside a unit of work it fails at once, with reason `WaitsForItself`: what is written there is handled after its commit.
 *
 * @category waiting
 * @since 0.1.0
 */
export const waitFor = (
  self: { readonly name: string },
  receipt: { readonly position: Position.Position },
  options?: { readonly timeout?: Duration.Input | undefined }
): Effect.Effect<void, CheckpointError | DispatchError.DispatchError, Waiting.WaitServices> =>
  Waiting.waitFor(self.name, receipt.position, Duration.fromInputUnsafe(options?.timeout ?? "5 seconds"))

/**
 * Lets queries read what their callers have written: a middleware that waits for projections, for as long as {@link waitFor}
 * does, when the call says after what it is to read.
 *
 * **Details**
 *
 * `QueryBus.ask(query, { after: receipt })` says so for one query, and `Receipt.after(receipt)` for all that an effect asks.
 * A call that says nothing waits for nothing.
 *
 * **Example** (A query that reads its caller's writes)
 *
 * ```ts no-check part of docs/guide/read-your-writes.md
 * const Queries = QueryBus.handlers(on(ListTasks, list).pipe(Middleware.use(Projection.readingWrites([TaskList]))))
 * yield* QueryBus.ask(new ListTasks(), { after: receipt })
 * ```
 *
 * @category waiting
 * @since 0.1.0
 */
export const readingWrites = (
  projections: ReadonlyArray<{ readonly name: string }>,
  options?: { readonly timeout?: Duration.Input | undefined }
): Middleware.Middleware<Message.Any, CheckpointError | DispatchError.DispatchError, Waiting.WaitServices> => {
  const timeout = Duration.fromInputUnsafe(options?.timeout ?? "5 seconds")
  const names = projections.map(({ name }) => name)
  return Middleware.lift(
    "readingWrites",
    (effect) =>
      Effect.flatMap(Receipt.After, (after) =>
        after === undefined
          ? effect
          : Effect.andThen(
              Effect.forEach(names, (name) => Waiting.waitFor(name, after.position, timeout), { discard: true }),
              effect
            )
      ),
    { projections: names, timeoutMillis: Duration.toMillis(timeout) }
  )
}
