/**
 * Read models: what queries read, made of events.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as DispatchError from "../domain/DispatchError.ts"
import type * as Decoding from "../domain/Decoding.ts"
import * as Event from "../domain/Event.ts"
import type * as Fold from "../domain/Fold.ts"
import * as Position from "../domain/Position.ts"
import * as RecordedEvent from "../domain/RecordedEvent.ts"
import type { StreamName } from "../domain/StreamName.ts"
import { type CheckpointError, CheckpointStore } from "../ports/CheckpointStore.ts"
import { EventStore } from "../ports/EventStore.ts"
import type { EventStoreError } from "../ports/EventStoreError.ts"
import type { TenantContext } from "../ports/TenantContext.ts"
import { UnitOfWork, type UnitOfWorkError } from "../ports/UnitOfWork.ts"
import type { Handler } from "./CommandBus.ts"
import * as HandlerRegistry from "./HandlerRegistry.ts"
import * as Decoded from "./internal/decoding.ts"
import { projecting } from "./internal/inline.ts"
import * as Reader from "./internal/reader.ts"

/**
 * One function per event; each may use whatever takes part in the transaction it runs in.
 *
 * @category models
 * @since 0.1.0
 */
export type Handlers<E extends Event.Any> = {
  readonly [Tag in E["_tag"]]: (
    event: Extract<E, { readonly _tag: Tag }>,
    recorded: RecordedEvent.RecordedEvent<Extract<E, { readonly _tag: Tag }>>
  ) => Effect.Effect<unknown, unknown, unknown>
}

/**
 * A named projection: from events to changes of a read model.
 *
 * @category models
 * @since 0.1.0
 */
export interface Projection<out E, out R> {
  readonly name: string
  readonly events: ReadonlyArray<string>
  readonly batchSize: number
  readonly retries: number
  /** Handles one stored event as its tenant. */
  readonly apply: (stored: RecordedEvent.Stored) => Effect.Effect<void, E | EventStoreError, R>
}

/**
 * How the handlers of a projection can fail.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type ErrorOf<H> = {
  [K in keyof H]: H[K] extends (...args: never) => Effect.Effect<infer _A, infer E, infer _R> ? E : never
}[keyof H]

/**
 * What the handlers of a projection require.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type ServicesOf<H> = {
  [K in keyof H]: H[K] extends (...args: never) => Effect.Effect<infer _A, infer _E, infer R> ? R : never
}[keyof H]

/**
 * The read side cannot write the log: handlers that could are no handlers.
 *
 * @category models
 * @since 0.1.0
 */
export type ReadOnly<H> =
  Extract<ServicesOf<H>, EventStore | { readonly [K in keyof Handler<string>]: unknown }> extends never
    ? unknown
    : "A projection's handlers must not require EventStore or a command's handler: the read side cannot write the log"

/**
 * Declares a projection: a handler for each of its events, which the compiler checks to be all of them.
 *
 * **Details**
 *
 * The same projection can run in two ways:
 *
 * - {@link layer}: in the background. Pages of events (`batchSize`, 500 when absent) and the checkpoint commit in one
 *   transaction, so each event takes effect exactly once. A page that fails is tried again `retries` times (5 when absent)
 *   with growing pauses; then the projection stops where it is, and says so in the log.
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
  const H extends Handlers<Event.Of<Classes>>
>(
  name: string,
  options: {
    readonly events: Classes
    readonly on: H & ReadOnly<H>
    readonly batchSize?: number | undefined
    readonly retries?: number | undefined
  }
): Projection<ErrorOf<H>, Exclude<ServicesOf<H> | Event.ServicesOf<Classes>, TenantContext>>
export function make(name: string, options: AnyOptions): Projection<unknown, unknown> {
  const decode = RecordedEvent.decoder(options.events)
  const handlers = new Map(Object.entries(options.on))
  return {
    name,
    events: Event.types(options.events),
    batchSize: options.batchSize ?? 500,
    retries: options.retries ?? 5,
    apply: (stored) =>
      Effect.asVoid(
        Decoded.forEach(decode, stored, (recorded) => {
          const handle = handlers.get(recorded.event._tag)
          return handle === undefined
            ? Effect.void
            : Reader.asEvent(
                recorded,
                Effect.suspend(() => handle(recorded.event, recorded))
              )
        })
      )
  }
}

interface AnyOptions {
  readonly events: ReadonlyArray<Event.AnyClass<Decoding.Kind>>
  readonly on: Readonly<
    Record<
      string,
      (event: Event.Any, recorded: RecordedEvent.RecordedEvent<Event.Any>) => Effect.Effect<unknown, unknown, unknown>
    >
  >
  readonly batchSize?: number | undefined
  readonly retries?: number | undefined
}

/**
 * Runs a projection from its checkpoint on, for ever, or until a handler fails for good.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <E, R>(
  self: Projection<E, R>
): Effect.Effect<
  never,
  E | EventStoreError | CheckpointError | UnitOfWorkError,
  R | UnitOfWork | Reader.ReaderServices
> =>
  Effect.gen(function* () {
    const checkpoints = yield* CheckpointStore
    const unit = yield* UnitOfWork
    return yield* Reader.run({
      kind: "projection",
      name: self.name,
      types: self.events,
      batchSize: self.batchSize,
      retries: self.retries,
      handle: (page, from) => {
        const save = checkpoints.save(self.name, from, page.cursor)
        return page.events.length === 0
          ? save
          : unit.transaction(Effect.andThen(Effect.forEach(page.events, self.apply, { discard: true }), save))
      }
    })
  })

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
export const layer = <E, R>(
  self: Projection<E, R>
): Layer.Layer<never, never, R | UnitOfWork | Reader.ReaderServices> =>
  Reader.layerOf({ kind: "projection", name: self.name, events: self.events }, run(self))

/**
 * Runs projections inside each append: an event store whose appends commit with the read models, or not at all.
 *
 * **Gotchas**
 *
 * Provide it between the stores and the program (`Layer.provideMerge(Memory.layer)`). A handler that fails
 * rolls the append back, and the caller gets an `EventStoreError` with reason `ProjectionFailed`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerInline = <E, R>(
  ...projections: ReadonlyArray<Projection<E, R>>
): Layer.Layer<EventStore, never, R | EventStore | UnitOfWork> =>
  Layer.effect(EventStore, projecting(projections)).pipe(Layer.provide(HandlerRegistry.layer))

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

/**
 * Waits until a background projection has handled everything up to a position: the token in a command's receipt.
 *
 * **Details**
 *
 * A projection that is still behind after `timeout` (5 seconds when absent) is a `DispatchError` with reason `Timeout`.
 *
 * **Gotchas**
 *
 * Do not wait inside the transaction whose commit you are waiting for: it cannot come.
 *
 * @category waiting
 * @since 0.1.0
 */
export const waitFor = (
  self: { readonly name: string },
  position: { readonly position: Position.Position },
  options?: { readonly timeout?: Duration.Input | undefined }
): Effect.Effect<void, CheckpointError | DispatchError.DispatchError, CheckpointStore> => {
  const timeout = Duration.fromInputUnsafe(options?.timeout ?? "5 seconds")
  return Effect.flatMap(CheckpointStore, (checkpoints) => checkpoints.passed(self.name, position.position)).pipe(
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () =>
        Effect.fail(
          DispatchError.make(
            self.name,
            new DispatchError.Timeout({
              afterMillis: Duration.toMillis(timeout),
              waitingFor: `projection ${self.name}`
            })
          )
        )
    })
  )
}
