/** A projection in the background: batches of events and the checkpoint in one transaction. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Position from "../../../domain/Position.ts"
import type { Stored } from "../../../domain/RecordedEvent.ts"
import { checkpointOf, closed } from "../../../ports/ProjectionTarget.ts"
import { type CheckpointError, CheckpointStore } from "../../../ports/CheckpointStore.ts"
import { EventStore } from "../../../ports/EventStore.ts"
import type { Page } from "../../../ports/EventStoreDriver.ts"
import type { EventStoreError } from "../../../ports/EventStoreError.ts"
import { ProjectionStore, type ProjectionStoreError, type Registration } from "../../../ports/ProjectionStore.ts"
import { UnitOfWork, type UnitOfWorkError } from "../../../ports/UnitOfWork.ts"
import { isConflict, persist, type ReaderServices, survive } from "../reader.ts"
import { Ahead } from "./ahead.ts"
import * as Measures from "./measures.ts"

/** What running needs to know of a projection. */
export interface Runnable<out E, out R> {
  readonly name: string
  readonly version: number
  readonly events: ReadonlyArray<string>
  readonly batchSize: number
  readonly linger: Duration.Duration
  readonly retries: number
  /** Makes ready what the handlers write into; what is there already stays. */
  readonly setup: Effect.Effect<unknown, E, R>
  readonly handle: (page: ReadonlyArray<Stored>) => Effect.Effect<void, E, R>
}

/** What running fails with beside the handlers' own errors, and what it needs beside their services. */
export type RunError = EventStoreError | CheckpointError | UnitOfWorkError | ProjectionStoreError
export type RunServices = UnitOfWork | ProjectionStore | ReaderServices

/** What a projection does while what is read is of another version of its definition. */
export type Otherwise<E, R> = (registration: Registration) => Effect.Effect<void, E, R>

/** From the checkpoint on, for ever, or until a handler fails for good. */
export const run = <E, R, E2, R2>(
  self: Runnable<E, R>,
  otherwise: Otherwise<E2, R2>
): Effect.Effect<never, E | E2 | RunError, R | R2 | RunServices> =>
  Effect.gen(function* () {
    const projections = yield* ProjectionStore
    const unit = yield* UnitOfWork
    const measures = Measures.of(self.name)
    let isReady = false
    yield* survive(self, projections.register(self.name, self.version))
    // The registration is locked meanwhile: two processes that create one table at once hinder each other.
    const setup = unit.transaction(Effect.andThen(projections.fail(self.name, undefined), self.setup))
    while (true) {
      const registration = yield* survive(self, projections.register(self.name, self.version))
      if (registration.version !== self.version) {
        yield* otherwise(registration)
        continue
      }
      if (!isReady) yield* persist(self, survive(self, setup))
      isReady = true
      yield* follow(self, registration.generation, measures)
    }
  }).pipe(
    Effect.tapError((error) => noteFailure(self.name, error)),
    Effect.annotateLogs({ projection: self.name })
  )

/** Handles all there is for one version that is read, until somebody else moves its checkpoint. */
const follow = <E, R>(
  self: Runnable<E, R>,
  generation: number,
  measures: Measures.Measures
): Effect.Effect<void, E | RunError, R | RunServices> =>
  Effect.gen(function* () {
    const store = yield* EventStore
    const checkpoints = yield* CheckpointStore
    const unit = yield* UnitOfWork
    const checkpoint = checkpointOf(self.name, generation)
    const ahead = new Ahead(self.events, self.batchSize)
    let cursor = yield* survive(self, checkpoints.load(checkpoint))
    while (cursor !== closed) {
      const page = yield* survive(self, nextPage(self, ahead, cursor))
      if (page.cursor === cursor) {
        yield* measures.standing(page)
        yield* survive(self, store.changed(cursor))
        continue
      }
      const save = checkpoints.save(checkpoint, cursor, page.cursor)
      const handled = page.events.length === 0 ? save : unit.transaction(Effect.andThen(self.handle(page.events), save))
      const tried = Effect.tapError(handled, (error) => (isConflict(error) ? Effect.void : measures.failed))
      const [took, moved] = yield* persist(self, survive(self, tried)).pipe(
        Effect.as(true),
        Effect.catchIf(isConflict, () => Effect.succeed(false)),
        Effect.timed
      )
      if (!moved) return
      yield* measures.handled(page, took)
      cursor = page.cursor
    }
  })

/** A batch, for which it waits a little when it would not be full. */
const nextPage = <E, R>(
  self: Runnable<E, R>,
  ahead: Ahead,
  after: Position.Position
): Effect.Effect<Page, EventStoreError, ReaderServices> =>
  Effect.gen(function* () {
    const page = yield* Effect.suspend(() => ahead.next(after))
    const count = page.events.length
    if (count === 0 || count >= self.batchSize || Duration.toMillis(self.linger) === 0) return page
    yield* Effect.sleep(self.linger)
    return yield* ahead.again(after)
  })

const noteFailure = (name: string, error: unknown): Effect.Effect<void, never, ProjectionStore> =>
  Effect.flatMap(ProjectionStore, (projections) => projections.fail(name, describe(error))).pipe(Effect.ignoreCause)

const describe = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error)
