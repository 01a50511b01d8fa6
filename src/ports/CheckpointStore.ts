/**
 * How far each reader of the log has come.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Position from "../domain/Position.ts"
import * as Journal from "./internal/Journal.ts"
import { StorageFailure } from "./StorageFailure.ts"

/**
 * Another run of the same reader moved the checkpoint: whatever was done since must be rolled back.
 *
 * @category errors
 * @since 0.1.0
 */
export class CheckpointConflict extends Schema.TaggedError<CheckpointConflict>("effect-cqrs/CheckpointConflict")(
  "CheckpointConflict",
  { name: Schema.String, expected: Schema.Natural, actual: Schema.Natural }
) {
  override get message(): string {
    return `The checkpoint ${this.name} is at ${this.actual}, expected ${this.expected}: another run moved it`
  }
}

/**
 * The one error of `CheckpointStore`.
 *
 * @category errors
 * @since 0.1.0
 */
export class CheckpointError extends Schema.TaggedError<CheckpointError>("effect-cqrs/CheckpointError")(
  "CheckpointError",
  { reason: Schema.Union([CheckpointConflict, StorageFailure]) }
) {
  override get message(): string {
    return this.reason.message
  }
}

/**
 * The checkpoints of subscriptions and projections, by name.
 *
 * **Details**
 *
 * - `load` answers with the position up to which a reader has handled everything; the start of the log when it never ran.
 * - `save` moves it from one position to another, and only if it still is at the first: of two runs of one reader only one
 *   goes on. Inside a unit of work it commits with the writes of the handler, which makes their effect exactly once.
 * - `remove` lets the reader start from the beginning.
 * - `passed` waits until a reader has handled everything up to a position. It is woken by commits of this process at once,
 *   and by those of others when the adapter hears of them, or looks.
 *
 * @category services
 * @since 0.1.0
 */
export class CheckpointStore extends Context.Service<
  CheckpointStore,
  {
    readonly load: (name: string) => Effect.Effect<Position.Position, CheckpointError>
    readonly save: (
      name: string,
      from: Position.Position,
      to: Position.Position
    ) => Effect.Effect<void, CheckpointError>
    readonly remove: (name: string) => Effect.Effect<void, CheckpointError>
    readonly passed: (name: string, position: Position.Position) => Effect.Effect<void, CheckpointError>
  }
>()("effect-cqrs/ports/CheckpointStore") {}

/**
 * What an adapter implements; `make` adds the waiting.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Driver {
  readonly load: (name: string) => Effect.Effect<Position.Position, CheckpointError>
  readonly save: (name: string, from: Position.Position, to: Position.Position) => Effect.Effect<void, CheckpointError>
  readonly remove: (name: string) => Effect.Effect<void, CheckpointError>
  readonly afterCommit: (hook: Effect.Effect<void>) => Effect.Effect<void>
  /** How to tell other processes of what was saved; absent when there can be none, or no way. */
  readonly signals?: Signals | undefined
  /** How often to look for what other processes saved; absent when there can be none. */
  readonly pollInterval: Duration.Input | undefined
}

/**
 * How processes tell each other that a checkpoint has moved; hints, which may be lost.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Signals {
  /** Called after the commit. */
  readonly tell: (name: string) => void
  /** Called when somebody begins to wait in this process. */
  readonly listen: () => void
  /** Is given what to do when another process has told. */
  readonly onHeard: (hear: (name: string) => void) => void
}

interface Waiter {
  readonly position: Position.Position
  latch: Latch.Latch
}

/**
 * The checkpoint store over an adapter's driver.
 *
 * @category adapters
 * @since 0.1.0
 */
export const make = (driver: Driver): CheckpointStore["Service"] => {
  const waiting = new Map<string, Set<Waiter>>()

  const wake = (name: string, to?: Position.Position) => {
    for (const waiter of waiting.get(name) ?? []) {
      // What is not far enough is not worth a look.
      if (to !== undefined && to < waiter.position) continue
      const { latch } = waiter
      waiter.latch = Latch.makeUnsafe(false)
      latch.openUnsafe()
    }
  }
  driver.signals?.onHeard((name) => wake(name))

  const announce = (name: string, to: Position.Position) =>
    Effect.sync(() => {
      wake(name, to)
      driver.signals?.tell(name)
    })

  const poll = driver.pollInterval === undefined ? Effect.never : Effect.sleep(driver.pollInterval)

  // The latch is taken before looking: a save between the look and the wait has opened it.
  const look = (waiter: Waiter, name: string): Effect.Effect<void, CheckpointError> =>
    Effect.suspend(() => {
      const { latch, position } = waiter
      return Effect.flatMap(driver.load(name), (at) =>
        at >= position ? Effect.void : Effect.andThen(Effect.race(latch.await, poll), look(waiter, name))
      )
    })

  const passed = (name: string, position: Position.Position): Effect.Effect<void, CheckpointError> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const waiter = { position, latch: Latch.makeUnsafe(false) }
        const waiters = waiting.get(name) ?? new Set()
        waiting.set(name, waiters.add(waiter))
        driver.signals?.listen()
        return waiter
      }),
      (waiter) => look(waiter, name),
      (waiter) =>
        Effect.sync(() => {
          const waiters = waiting.get(name)
          waiters?.delete(waiter)
          if (waiters?.size === 0) waiting.delete(name)
        })
    )

  return {
    load: driver.load,
    // However the save ends: who is interrupted cannot tell whether it was saved, and those who wait look for themselves.
    save: (name, from, to) => Effect.ensuring(driver.save(name, from, to), driver.afterCommit(announce(name, to))),
    remove: driver.remove,
    passed
  }
}

/**
 * Checkpoints in memory.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<CheckpointStore> = Layer.effect(
  CheckpointStore,
  Effect.map(Journal.MemoryJournal, (journal) => {
    const positions = new Journal.JournalMap<string, Position.Position>()
    return make({
      load: (name) => journal.read((transaction) => positions.get(transaction, name) ?? Position.start),
      save: (name, from, to) =>
        journal.write((transaction) => {
          const actual = positions.get(transaction, name) ?? Position.start
          if (actual !== from) {
            return Exit.fail(new CheckpointError({ reason: new CheckpointConflict({ name, expected: from, actual }) }))
          }
          positions.set(transaction, name, to)
          return Exit.void
        }),
      remove: (name) =>
        journal.write((transaction) => {
          positions.set(transaction, name, undefined)
          return Exit.void
        }),
      afterCommit: (hook) => journal.afterCommit(hook),
      pollInterval: undefined
    })
  })
).pipe(Layer.provide(Journal.layer))
