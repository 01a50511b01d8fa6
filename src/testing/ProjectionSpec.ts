/**
 * Tests of read models: given these events, then a query reads this.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Projection from "../application/Projection.ts"
import type * as Event from "../domain/Event.ts"
import * as Position from "../domain/Position.ts"
import * as StreamName from "../domain/StreamName.ts"
import { EventStore } from "../ports/EventStore.ts"
import type { EventStoreError } from "../ports/EventStoreError.ts"
import * as Memory from "../ports/Memory.ts"
import * as TenantContext from "../ports/TenantContext.ts"
import { UnitOfWork, type UnitOfWorkError } from "../ports/UnitOfWork.ts"
import * as Assert from "./Assert.ts"

/**
 * An event and the stream it happened in.
 *
 * @category models
 * @since 0.1.0
 */
export type Happened = readonly [stream: string, event: Event.Any]

/**
 * What a spec provides: all ports in memory, and a tenant.
 *
 * @category models
 * @since 0.1.0
 */
export type Provided = Layer.Success<typeof Memory.layer> | TenantContext.TenantContext

/**
 * Events that a projection has handled.
 *
 * @category models
 * @since 0.1.0
 */
export interface Given<out E, out R> {
  /**
   * Dies unless the query reads this. Each spec has ports of its own, in memory; what else handlers or query require stays
   * required.
   */
  readonly thenReads: <A, QE, QR>(
    query: Effect.Effect<A, QE, QR>,
    expected: NoInfer<A>
  ) => Effect.Effect<void, E | QE | EventStoreError | UnitOfWorkError, Exclude<R | QR, Provided>>
}

/**
 * Starts from events, in the order they happened. They are appended to a store and read from it, so that handlers get what
 * they would get: upcast, with positions, versions and metadata. Events of other types pass by, as they do in a program.
 *
 * **Example** (The titles of tasks that are left)
 *
 * ```ts
 * import { Event, Projection, ReadModelStore } from "effect-cqrs"
 * import { ProjectionSpec } from "effect-cqrs/testing"
 * import * as Effect from "effect/Effect"
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
 * const spec = ProjectionSpec.given(TaskTitles, [
 *   ["Task-1", new TaskCreated({ title: "Write" })],
 *   ["Task-2", new TaskCreated({ title: "Read" })],
 *   ["Task-1", new TaskDeleted()]
 * ])
 * await Effect.runPromise(spec.thenReads(Titles.list(), [{ id: "Task-2", document: "Read" }])) // => undefined
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const given = <E, R>(
  projection: Projection.Projection<E, R>,
  history: ReadonlyArray<Happened>
): Given<E, R> => ({
  thenReads: (query, expected) =>
    Effect.gen(function* () {
      yield* happen(history)
      yield* handle(projection)
      Assert.equal(yield* query, expected, `What is read after ${projection.name} has handled ${history.length} events`)
    }).pipe(Effect.provide([Memory.layer, TenantContext.layerSingle], { local: true }))
})

const happen = (history: ReadonlyArray<Happened>) =>
  Effect.flatMap(EventStore, (store) =>
    Effect.forEach(
      history,
      ([stream, event]) => store.append({ stream: StreamName.fromString(stream), expected: "any", events: [event] }),
      { discard: true }
    )
  )

/** All pages, each in a transaction, as the projection would handle them in a program. */
const handle = <E, R>(projection: Projection.Projection<E, R>) =>
  Effect.gen(function* () {
    const store = yield* EventStore
    const unit = yield* UnitOfWork
    let after = Position.start
    while (true) {
      const page = yield* store.readAll({ after, limit: projection.batchSize, types: projection.events })
      yield* unit.transaction(projection.handle(page.events))
      if (page.cursor >= page.mark) return
      after = page.cursor
    }
  })
