/** An event store whose appends run projections in their own transaction. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Stored } from "../../domain/RecordedEvent.ts"
import { EventStore } from "../../ports/EventStore.ts"
import type { Append } from "../../ports/EventStoreDriver.ts"
import { EventStoreError, projectionFailed } from "../../ports/EventStoreError.ts"
import { ProjectionStore } from "../../ports/ProjectionStore.ts"
import { ReadModelError } from "../../ports/ReadModelStore.ts"
import type { AppendReceipt } from "../../ports/Receipt.ts"
import type { TenantContext } from "../../ports/TenantContext.ts"
import { UnitOfWork } from "../../ports/UnitOfWork.ts"
import { HandlerRegistry } from "../HandlerRegistry.ts"
import { survive } from "./reader.ts"

/** What this needs to know of a projection. */
interface Inline<out E, out R> {
  readonly name: string
  readonly version: number
  readonly setup: Effect.Effect<unknown, E, R>
  readonly events: ReadonlyArray<string>
  readonly handle: (page: ReadonlyArray<Stored>) => Effect.Effect<void, E, R>
}

/** The store there is, with these projections inside each append of their events. */
export const projecting = <E, R>(
  projections: ReadonlyArray<Inline<E, R>>
): Effect.Effect<
  EventStore["Service"],
  never,
  R | EventStore | UnitOfWork | ProjectionStore | HandlerRegistry | Scope.Scope
> =>
  Effect.gen(function* () {
    const store = yield* EventStore
    const unit = yield* UnitOfWork
    const context = yield* Effect.context<R>()
    const registry = yield* HandlerRegistry
    const versions = yield* ProjectionStore
    for (const self of projections) {
      yield* registry.addReader({ kind: "projection", name: self.name, events: self.events })
      // Before the first append: who is known to run inline is not rebuilt meanwhile.
      yield* Effect.orDie(survive(self, versions.register(self.name, self.version, { inline: true })))
      yield* Effect.orDie(survive(self, unit.transaction(self.setup)))
    }
    const wanted = new Set(projections.flatMap((projection) => projection.events))
    const concerned = (append: Append) => append.events.some((event) => wanted.has(event._tag))

    const handleIn = (stored: ReadonlyArray<Stored>) => (projection: Inline<E, R>) => {
      const page = stored.filter(({ type }) => projection.events.includes(type))
      return page.length === 0 ? Effect.void : Effect.mapError(projection.handle(page), failedIn(projection.name))
    }

    // What was appended is read again, inside the transaction: only the store knows ids, positions and times.
    const project = (append: Append, receipt: AppendReceipt) =>
      store.readStream(append.stream, { fromVersion: receipt.version - append.events.length + 1 }).pipe(
        Effect.flatMap((stored) => Effect.forEach(projections, handleIn(stored), { discard: true })),
        Effect.updateContext((caller: Context.Context<TenantContext>) => Context.merge(context, caller))
      )

    const together = <A>(appending: Effect.Effect<A, EventStoreError, TenantContext>) =>
      Effect.catchTag(unit.transaction(appending), "UnitOfWorkError", (error) =>
        Effect.fail(new EventStoreError({ reason: error.reason }))
      )

    return {
      ...store,
      append: (append) =>
        concerned(append)
          ? together(Effect.tap(store.append(append), (receipt) => project(append, receipt)))
          : store.append(append),
      appendAll: (appends) =>
        appends.some(concerned)
          ? together(
              Effect.tap(store.appendAll(appends), (receipts) =>
                Effect.forEach(
                  receipts,
                  (receipt, index) => {
                    const append = appends[index]
                    return append !== undefined && concerned(append) ? project(append, receipt) : Effect.void
                  },
                  { discard: true }
                )
              )
            )
          : store.appendAll(appends)
    }
  })

const failedIn =
  (projection: string) =>
  (cause: unknown): EventStoreError => {
    if (cause instanceof EventStoreError) return cause
    return cause instanceof ReadModelError && cause.reason._tag === "StorageFailure"
      ? new EventStoreError({ reason: cause.reason })
      : new EventStoreError({ reason: projectionFailed(projection, cause) })
  }
