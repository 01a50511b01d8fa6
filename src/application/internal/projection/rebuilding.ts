/** Builds a new version of a projection beside the one that is read, and swaps the two. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Position from "../../../domain/Position.ts"
import { CheckpointError, CheckpointStore } from "../../../ports/CheckpointStore.ts"
import { EventStore } from "../../../ports/EventStore.ts"
import type { Page } from "../../../ports/EventStoreDriver.ts"
import * as IdGenerator from "../../../ports/IdGenerator.ts"
import { type Builder, type Building, ProjectionStore, ProjectionStoreError } from "../../../ports/ProjectionStore.ts"
import {
  checkpointOf,
  closed,
  collectionOf,
  ProjectionTarget,
  tableOf,
  type Target
} from "../../../ports/ProjectionTarget.ts"
import { type ReadModelError, ReadModelStore } from "../../../ports/ReadModelStore.ts"
import { UnitOfWork, type UnitOfWorkError } from "../../../ports/UnitOfWork.ts"
import { isConflict, persist, survive } from "../reader.ts"
import { Ahead } from "./ahead.ts"
import type { RunError, Runnable, RunServices } from "./running.ts"

/** What rebuilding needs to know of a projection. */
export interface Rebuildable<out E, out R> extends Runnable<E, R> {
  readonly collections: ReadonlyArray<string>
  readonly tables: ReadonlyArray<string>
}

export interface Options {
  readonly batchSize: number
  /** At most so many events a second. */
  readonly eventsPerSecond: number
  readonly lease: Duration.Duration
  readonly dropAfter: Duration.Duration | undefined
}

/** How far a rebuild has come. */
export interface Progress {
  readonly projection: string
  readonly generation: number
  readonly phase: "building" | "swapping" | "done"
  readonly handled: number
  readonly position: Position.Position
  readonly mark: Position.Position
  readonly eventsPerSecond: number
  readonly remaining: Duration.Duration | undefined
}

export type RebuildFailure = RunError | ReadModelError
export type RebuildServices = RunServices | ReadModelStore

export const rebuild = <E, R>(
  self: Rebuildable<E, R>,
  options: Options,
  report: (progress: Progress) => Effect.Effect<void>
): Effect.Effect<Progress, E | RebuildFailure, R | RebuildServices> =>
  Effect.gen(function* () {
    const projections = yield* ProjectionStore
    const owner = yield* IdGenerator.next
    const { lease } = options
    yield* survive(self, projections.register(self.name, self.version))
    yield* dropRetired(self, "due")
    const building = yield* survive(self, projections.begin(self.name, { version: self.version, owner, lease }))
    const rebuilder = new Rebuilder(self, options, building, report, yield* Clock.currentTimeMillis)
    // Given up, it is there at once for whoever goes on; otherwise only when the lease runs out.
    return yield* Effect.onExit(rebuilder.run(), (exit) =>
      Exit.isSuccess(exit) ? Effect.void : Effect.ignore(projections.release(self.name, rebuilder.builder))
    )
  }).pipe(Effect.annotateLogs({ projection: self.name }))

class Rebuilder<E, R> {
  readonly self: Rebuildable<E, R>
  readonly options: Options
  readonly report: (progress: Progress) => Effect.Effect<void>
  readonly builder: Builder
  readonly target: Target
  readonly checkpoint: string
  readonly startedAt: number
  readonly handledBefore: number
  handled: number
  position = Position.start
  mark = Position.start
  begunAt = Position.start

  constructor(
    self: Rebuildable<E, R>,
    options: Options,
    { generation, handled, owner }: Building,
    report: (progress: Progress) => Effect.Effect<void>,
    startedAt: number
  ) {
    const { collections, name, tables } = self
    this.self = self
    this.options = options
    this.report = report
    this.builder = { owner, generation }
    this.target = { projection: name, generation, collections, tables }
    this.checkpoint = builderOf(name, generation)
    this.startedAt = startedAt
    this.handledBefore = handled
    this.handled = handled
  }

  run(): Effect.Effect<Progress, E | RebuildFailure, R | RebuildServices> {
    const { builder, self } = this
    return Effect.raceFirst(this.build(), this.keepLease()).pipe(
      // What handlers have failed at is of no use to handlers that do not: the next try begins anew.
      Effect.tapError((error) => (isOurs(error) ? Effect.void : Effect.ignore(cancel(self, builder))))
    )
  }

  private build(): Effect.Effect<Progress, E | RebuildFailure, R | RebuildServices> {
    const { self } = this
    return Effect.gen({ self: this }, function* () {
      const checkpoints = yield* CheckpointStore
      const unit = yield* UnitOfWork
      yield* persist(self, survive(self, unit.transaction(this.targeted(self.setup))))
      this.position = yield* survive(self, checkpoints.load(this.checkpoint))
      this.begunAt = this.position
      const ahead = new Ahead(self.events, this.options.batchSize)
      while (true) {
        const page = yield* survive(
          self,
          Effect.suspend(() => ahead.next(this.position))
        )
        this.mark = page.mark
        if (page.cursor !== this.position) {
          const handled = persist(self, survive(self, unit.transaction(this.handle(page, this.position))))
          if (!(yield* unlessMoved(handled))) {
            yield* this.lookAgain()
            continue
          }
          this.position = page.cursor
          this.handled += page.events.length
          yield* this.tell("building")
          yield* this.throttle()
        }
        if (this.position < page.mark) continue
        yield* this.tell("swapping")
        if (yield* unlessMoved(persist(self, survive(self, this.swap())))) return yield* this.finished()
        yield* this.lookAgain()
      }
    })
  }

  /** Somebody else has moved a checkpoint: the runner of what is read, which does no harm, or another builder. */
  private lookAgain() {
    const { builder, options, self } = this
    return Effect.gen({ self: this }, function* () {
      const projections = yield* ProjectionStore
      const checkpoints = yield* CheckpointStore
      yield* survive(self, projections.renew(self.name, builder, { handled: this.handled, lease: options.lease }))
      this.position = yield* survive(self, checkpoints.load(this.checkpoint))
    })
  }

  private page(after: Position.Position) {
    const { options, self } = this
    return Effect.flatMap(EventStore, (store) =>
      store.readAllTenants({ after, limit: options.batchSize, types: self.events })
    )
  }

  private targeted<A, E2, R2>(effect: Effect.Effect<A, E2, R2>): Effect.Effect<A, E2, R2> {
    return Effect.provideService(effect, ProjectionTarget, this.target)
  }

  /** Handles a page and moves the builder's checkpoint. */
  private handle(page: Page, from: Position.Position) {
    return Effect.flatMap(CheckpointStore, (checkpoints) =>
      Effect.andThen(
        page.events.length === 0 ? Effect.void : this.targeted(this.self.handle(page.events)),
        checkpoints.save(this.checkpoint, from, page.cursor)
      )
    )
  }

  /**
   * Catches up with the version that is read and takes its place, in one transaction. Its checkpoint is closed first, so that
   * its runner waits, and finds itself replaced: what it has handled is then in the new version, and nothing after it is lost.
   */
  private swap(): Effect.Effect<void, E | RebuildFailure, R | RebuildServices> {
    const { builder, checkpoint, options, self } = this
    const swapping = Effect.gen({ self: this }, function* () {
      const checkpoints = yield* CheckpointStore
      const projections = yield* ProjectionStore
      const documents = yield* ReadModelStore
      // Before the checkpoint: its runner writes into tables first, and then moves it.
      yield* projections.lockTables(self.tables)
      const registration = yield* projections.register(self.name, self.version)
      const replaced = checkpointOf(self.name, registration.generation)
      const reached = yield* checkpoints.load(replaced)
      yield* checkpoints.save(replaced, reached, closed)
      let position = this.position
      let handled = 0
      while (position < reached) {
        const page = yield* this.page(position)
        if (page.cursor === position) break
        yield* this.handle(page, position)
        position = page.cursor
        handled += page.events.length
      }
      yield* checkpoints.save(checkpoint, position, closed)
      yield* checkpoints.save(checkpointOf(self.name, builder.generation), Position.start, position)
      for (const name of self.collections) yield* documents.exchange(name, collectionOf(name, builder.generation))
      yield* projections.finish(self.name, builder, { dropAfter: options.dropAfter })
      // Last, because readers wait from here on; and in their order, which is what depends on something before that.
      const pairs = self.tables.map((name) => [name, tableOf(name, builder.generation)] as const)
      yield* projections.exchangeTables(pairs.reverse())
      return { handled, position }
    })
    return Effect.gen({ self: this }, function* () {
      const unit = yield* UnitOfWork
      const { handled, position } = yield* unit.transaction(swapping)
      this.position = position
      this.handled += handled
    })
  }

  private finished() {
    const { options, self } = this
    return Effect.gen({ self: this }, function* () {
      const due = options.dropAfter
      if (due !== undefined && Duration.toMillis(due) === 0) yield* Effect.ignore(dropRetired(self, "due"))
      return yield* this.tell("done")
    })
  }

  private keepLease(): Effect.Effect<never, ProjectionStoreError, ProjectionStore> {
    const { builder, options, self } = this
    return Effect.gen({ self: this }, function* () {
      const projections = yield* ProjectionStore
      while (true) {
        yield* Effect.sleep(Duration.millis(Duration.toMillis(options.lease) / 3))
        yield* survive(self, projections.renew(self.name, builder, { handled: this.handled, lease: options.lease }))
      }
    })
  }

  private throttle(): Effect.Effect<void> {
    const { eventsPerSecond } = this.options
    return Number.isFinite(eventsPerSecond)
      ? Effect.flatMap(Clock.currentTimeMillis, (now) => {
          const due = this.startedAt + ((this.handled - this.handledBefore) / eventsPerSecond) * 1000
          return due > now ? Effect.sleep(Duration.millis(due - now)) : Effect.void
        })
      : Effect.void
  }

  private tell(phase: Progress["phase"]): Effect.Effect<Progress> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const seconds = Math.max(now - this.startedAt, 1) / 1000
      const positions = (this.position - this.begunAt) / seconds
      const left = Math.max(0, this.mark - this.position)
      const progress: Progress = {
        projection: this.self.name,
        generation: this.builder.generation,
        phase,
        handled: this.handled,
        position: this.position,
        mark: Position.max(this.mark, this.position),
        eventsPerSecond: (this.handled - this.handledBefore) / seconds,
        remaining: left === 0 ? Duration.zero : positions > 0 ? Duration.seconds(left / positions) : undefined
      }
      return Effect.as(this.report(progress), progress)
    })
  }
}

/** Whether somebody else moved a checkpoint is no failure. */
const unlessMoved = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<boolean, E, R> =>
  Effect.catchIf(Effect.as(effect, true), isConflict, () => Effect.succeed(false))

/** Whether it is the rebuild that failed, and not a handler. */
const isOurs = (error: unknown): boolean => error instanceof ProjectionStoreError || error instanceof CheckpointError

/** The checkpoint of a version while it is built. */
export const builderOf = (name: string, generation: number): string => `${name}@${generation} (building)`

/** What there is of a projection besides its handlers. */
type Own = Pick<Rebuildable<never, never>, "name" | "collections" | "tables">

/** Gives up what is being built: by this builder, or by whoever builds. */
export const cancel = (
  self: Own,
  by?: Builder
): Effect.Effect<boolean, RebuildFailure, ProjectionStore | CheckpointStore | UnitOfWork | ReadModelStore> =>
  Effect.gen(function* () {
    const projections = yield* ProjectionStore
    const checkpoints = yield* CheckpointStore
    const unit = yield* UnitOfWork
    const given = yield* unit
      .transaction(
        Effect.gen(function* () {
          const building = (yield* projections.find(self.name))?.building
          if (building === undefined || (by !== undefined && building.owner !== by.owner)) return false
          const checkpoint = builderOf(self.name, building.generation)
          yield* checkpoints.save(checkpoint, yield* checkpoints.load(checkpoint), closed)
          return (yield* projections.cancel(self.name)) === building.generation
        })
      )
      .pipe(Effect.retry({ while: isConflict, times: 100 }))
    if (given) yield* dropRetired(self, "due")
    return given
  })

/** Drops what was replaced or given up: all of it, or what is due. */
export const dropRetired = (
  self: Own,
  which: "all" | "due"
): Effect.Effect<
  ReadonlyArray<number>,
  ProjectionStoreError | ReadModelError | UnitOfWorkError,
  ProjectionStore | UnitOfWork | ReadModelStore
> =>
  Effect.gen(function* () {
    const projections = yield* ProjectionStore
    const documents = yield* ReadModelStore
    const unit = yield* UnitOfWork
    const registration = yield* projections.find(self.name)
    const now = yield* Clock.currentTimeMillis
    const generations = (registration?.retired ?? [])
      .filter(({ dropAfter }) => which === "all" || (dropAfter !== undefined && dropAfter <= now))
      .map(({ generation }) => generation)
    for (const generation of generations) {
      yield* unit.transaction(
        Effect.gen(function* () {
          for (const name of self.collections) yield* documents.clear(collectionOf(name, generation))
          yield* projections.dropTables(self.tables.map((name) => tableOf(name, generation)).reverse())
          yield* projections.dropped(self.name, generation)
        })
      )
    }
    return generations
  })
