/**
 * What all memory layers share: one exclusive, fiber-reentrant transaction over their data, with savepoints.
 *
 * A transaction writes into overlays that nobody else sees; committing folds them into the layer below, and at the bottom
 * into the data itself, in one synchronous step. Rolling back drops them.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"

export class Transaction {
  readonly parent: Transaction | undefined
  readonly journal: Journal
  readonly overlays = new Map<Overlaid, unknown>()
  readonly hooks: Array<Effect.Effect<void>> = []
  closed = false
  committed = false
  constructor(journal: Journal, parent: Transaction | undefined) {
    this.journal = journal
    this.parent = parent
  }
}

/** Data that a transaction can overlay; `fold` is given the overlay it keeps under itself and the layer below. */
export interface Overlaid {
  // A method, so that each kind of data names its own kind of overlay.
  fold(overlay: unknown, below: Transaction | undefined): void
}

const CurrentTransaction: Context.Reference<Transaction | undefined> = Context.Reference<Transaction | undefined>(
  "effect-cqrs/ports/internal/CurrentTransaction",
  { defaultValue: () => undefined }
)

export class Journal {
  private readonly lock = Semaphore.makeUnsafe(1)
  private active: Transaction | undefined = undefined
  /** Those who keep what was folded from a stream, and must forget it when an event at this version counts no longer, or again. */
  readonly folding = new Set<
    (transaction: Transaction | undefined, tenant: string, stream: string, version: number) => void
  >()

  /** The open transaction this fiber runs in, if it is one of this journal's; a fiber may outlive the one it began in. */
  current(fiber: Fiber.Fiber<unknown, unknown>): Transaction | undefined {
    let transaction = fiber.getRef(CurrentTransaction)
    while (transaction !== undefined && (transaction.closed || transaction.journal !== this))
      transaction = transaction.parent
    return transaction
  }

  /** Runs a synchronous write: at once inside a transaction or when none is open, otherwise after the open one. */
  write<A, E>(
    f: (transaction: Transaction | undefined, fiber: Fiber.Fiber<unknown, unknown>) => Exit.Exit<A, E>
  ): Effect.Effect<A, E> {
    return Effect.withFiber((fiber) => {
      const transaction = this.current(fiber)
      if (transaction !== undefined || this.active === undefined) return f(transaction, fiber)
      return this.lock.withPermits(1)(Effect.suspend(() => f(undefined, fiber)))
    })
  }

  read<A>(f: (transaction: Transaction | undefined, fiber: Fiber.Fiber<unknown, unknown>) => A): Effect.Effect<A> {
    return Effect.withFiber((fiber) => Effect.succeed(f(this.current(fiber), fiber)))
  }

  transaction<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.withFiber((fiber) => {
      const parent = this.current(fiber)
      const transaction = new Transaction(this, parent)
      const run = this.run(self, transaction)
      if (parent !== undefined) return run
      // What waits for the commit runs after the lock is free, and whatever happens to this fiber in between.
      return Effect.onExit(this.lock.withPermits(1)(run), () =>
        transaction.committed ? Effect.forEach(transaction.hooks, (hook) => hook, { discard: true }) : Effect.void
      )
    })
  }

  /** Runs after the outermost commit, or at once when no transaction is open; a rollback forgets it. */
  afterCommit(hook: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const transaction = this.current(fiber)
      return transaction === undefined ? hook : Effect.sync(() => void transaction.hooks.push(hook))
    })
  }

  private run<A, E, R>(self: Effect.Effect<A, E, R>, transaction: Transaction): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      if (transaction.parent === undefined) this.active = transaction
      return Effect.onExit(Effect.provideService(self, CurrentTransaction, transaction), (exit) =>
        Effect.sync(() => {
          transaction.closed = true
          if (transaction.parent === undefined) this.active = undefined
          if (Exit.isFailure(exit)) return
          for (const [data, overlay] of transaction.overlays) data.fold(overlay, transaction.parent)
          transaction.parent?.hooks.push(...transaction.hooks)
          transaction.committed = true
        })
      )
    })
  }
}

/** A map whose changes belong to the transaction that makes them. */
export class JournalMap<K, V> implements Overlaid {
  private readonly base = new Map<K, V>()

  get(transaction: Transaction | undefined, key: K): V | undefined {
    for (let layer = transaction; layer !== undefined; layer = layer.parent) {
      const overlay = this.overlay(layer)
      if (overlay?.has(key)) return overlay.get(key)
    }
    return this.base.get(key)
  }

  set(transaction: Transaction | undefined, key: K, value: V | undefined): void {
    if (transaction !== undefined) {
      const overlay = this.overlay(transaction) ?? new Map<K, V | undefined>()
      overlay.set(key, value)
      transaction.overlays.set(this, overlay)
    } else if (value === undefined) this.base.delete(key)
    else this.base.set(key, value)
  }

  /** Whether this transaction sees nothing here, and has removed nothing. */
  isEmpty(transaction: Transaction | undefined): boolean {
    for (let layer = transaction; layer !== undefined; layer = layer.parent) {
      if (this.overlay(layer) !== undefined) return false
    }
    return this.base.size === 0
  }

  /** All entries that this transaction sees; those it has changed come last. */
  entries(transaction: Transaction | undefined): Iterable<[K, V]> {
    if (transaction === undefined) return this.base
    const all = new Map(this.entries(transaction.parent))
    for (const [key, value] of this.overlay(transaction) ?? []) {
      if (value === undefined) all.delete(key)
      else all.set(key, value)
    }
    return all
  }

  fold(overlay: ReadonlyMap<K, V | undefined>, below: Transaction | undefined): void {
    for (const [key, value] of overlay) this.set(below, key, value)
  }

  private overlay(transaction: Transaction): Map<K, V | undefined> | undefined
  private overlay(transaction: Transaction): unknown {
    return transaction.overlays.get(this)
  }
}

/** The journal that the memory layers of one program share: layers of one reference are built once. */
export class MemoryJournal extends Context.Service<MemoryJournal, Journal>()(
  "effect-cqrs/ports/internal/MemoryJournal"
) {}

export const layer: Layer.Layer<MemoryJournal> = Layer.sync(MemoryJournal, () => new Journal())
