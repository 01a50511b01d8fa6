/**
 * Writes that commit together or not at all.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Journal from "./internal/Journal.ts"
import * as Receipt from "./Receipt.ts"
import { StorageFailure } from "./StorageFailure.ts"

/**
 * The transaction itself failed: it could not begin or commit, and nothing of it was kept.
 *
 * **Gotchas**
 *
 * When the connection is lost while committing, a database may have committed all the same: whoever tries again must be
 * able to tell, by an expected version or a message id.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnitOfWorkError extends Schema.TaggedError<UnitOfWorkError>("effect-cqrs/UnitOfWorkError")(
  "UnitOfWorkError",
  {
    reason: StorageFailure
  }
) {
  override get message(): string {
    return this.reason.message
  }
}

/**
 * Makes many writes one: appended events, inline projections, read models and checkpoints.
 *
 * **Details**
 *
 * - `transaction` commits when the effect succeeds and rolls back when it fails, dies or is interrupted. Inside another
 *   transaction it is a savepoint: its failure undoes its own writes, and the outer one may go on.
 * - `afterCommit` runs an effect once the outermost transaction has committed, or at once outside of one.
 * - `isOpen` tells whether the running fiber is inside a transaction that has not ended.
 *
 * Every port of the same storage takes part, by the fiber that runs. Nobody else sees a write before it is committed.
 *
 * **Gotchas**
 *
 * The memory store runs one transaction at a time, and a writer outside waits for it: never wait, inside a transaction, for
 * another fiber's write.
 *
 * **Example** (Two writes, one failure, nothing kept)
 *
 * ```ts
 * import { Memory, ReadModelStore, TenantContext, UnitOfWork } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * const Notes = ReadModelStore.collection("notes", Schema.String)
 *
 * const program = Effect.gen(function* () {
 *   const unit = yield* UnitOfWork.UnitOfWork
 *   yield* unit.transaction(Notes.set("a", "kept"))
 *   yield* Effect.ignore(unit.transaction(Effect.andThen(Notes.set("b", "lost"), Effect.fail("no"))))
 *   return (yield* Notes.list()).map((note) => note.id)
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide([Memory.layer, TenantContext.layerSingle]))) // => ["a"]
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class UnitOfWork extends Context.Service<
  UnitOfWork,
  {
    readonly transaction: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | UnitOfWorkError, R>
    readonly afterCommit: (hook: Effect.Effect<void>) => Effect.Effect<void>
    readonly isOpen: Effect.Effect<boolean>
  }
>()("effect-cqrs/ports/UnitOfWork") {}

/**
 * Units of work over the memory layers of one program.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<UnitOfWork> = Layer.effect(
  UnitOfWork,
  Effect.map(Journal.MemoryJournal, (journal) => ({
    transaction: <A, E, R>(self: Effect.Effect<A, E, R>) => journal.transaction(Receipt.forgetOnFailure(self)),
    afterCommit: (hook: Effect.Effect<void>) => journal.afterCommit(hook),
    isOpen: journal.read((transaction) => transaction !== undefined)
  }))
).pipe(Layer.provide(Journal.layer))
