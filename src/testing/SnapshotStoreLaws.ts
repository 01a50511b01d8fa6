/**
 * What every store of snapshots promises, as laws.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { EventStore } from "../ports/EventStore.ts"
import type { SnapshotStore } from "../ports/SnapshotStore.ts"
import { StreamAdmin } from "../ports/StreamAdmin.ts"
import { UnitOfWork } from "../ports/UnitOfWork.ts"
import * as Assert from "./Assert.ts"
import * as keeping from "./internal/snapshotStore/keeping.ts"
import { noted } from "./internal/samples.ts"
import { law } from "./internal/snapshotStore/shelf.ts"
import type * as Law from "./Law.ts"

/**
 * The laws of `SnapshotStore`.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<SnapshotStore>> = keeping.laws

const committed = law("what a transaction saves and removes is seen within, and kept when it succeeds", (shelf) =>
  Effect.gen(function* () {
    const { store } = shelf
    const unit = yield* UnitOfWork
    const [first, second] = [shelf.snapshot(1, "first"), shelf.snapshot(2, "second", shelf.stream("2"))]
    yield* store.save(first)
    yield* unit.transaction(
      Effect.gen(function* () {
        yield* store.remove(first.stream)
        yield* store.save(second)
        Assert.equal(yield* store.load(first.stream), Option.none())
        Assert.equal(yield* store.load(second.stream), Option.some(second))
      })
    )
    Assert.equal(yield* store.load(first.stream), Option.none())
    Assert.equal(yield* store.load(second.stream), Option.some(second))
  })
)

const rolledBack = law("what a transaction saves and removes is gone when it fails", (shelf) =>
  Effect.gen(function* () {
    const { store } = shelf
    const unit = yield* UnitOfWork
    const [first, second] = [shelf.snapshot(1, "first"), shelf.snapshot(2, "second", shelf.stream("2"))]
    yield* store.save(first)
    const within = Effect.gen(function* () {
      yield* store.save(shelf.snapshot(9, "changed"))
      yield* store.remove(first.stream)
      yield* store.save(second)
      return yield* Effect.fail("no")
    })
    yield* Effect.flip(unit.transaction(within))
    Assert.equal(yield* store.load(first.stream), Option.some(first))
    Assert.equal(yield* store.load(second.stream), Option.none())
    // An inner one undoes its own.
    yield* unit.transaction(Effect.andThen(store.save(second), Effect.flip(unit.transaction(within))))
    Assert.equal(yield* store.load(first.stream), Option.some(first))
    Assert.equal(yield* store.load(second.stream), Option.some(second))
  })
)

const refused = law("a snapshot that is refused within a transaction leaves it usable", (shelf) =>
  Effect.gen(function* () {
    const unit = yield* UnitOfWork
    const right = shelf.snapshot(1, "right")
    yield* unit.transaction(
      Effect.gen(function* () {
        yield* Assert.fails(shelf.store.save({ ...right, version: 0 }), "InvalidSnapshot")
        yield* shelf.store.save(right)
      })
    )
    Assert.equal(yield* shelf.store.load(right.stream), Option.some(right))
  })
)

const forgets = law("skipping an event, or undoing it, forgets the snapshot that it is in, and no other", (shelf) =>
  Effect.gen(function* () {
    const { store } = shelf
    const admin = yield* StreamAdmin
    const events = yield* EventStore
    const [stream, other] = [shelf.stream(), shelf.stream("other")]
    for (const name of [stream, other]) {
      yield* events.append({ stream: name, expected: "none", events: noted(1, 2, 3, 4) })
      yield* store.save(shelf.snapshot(3, name, name))
    }
    const kept = Option.some(shelf.snapshot(3, stream, stream))
    yield* admin.skip({ stream, version: 4 }, "a law")
    yield* admin.unskip({ stream, version: 4 })
    Assert.equal(yield* store.load(stream), kept, "after one that it is not in")
    yield* Effect.flip(
      (yield* UnitOfWork).transaction(Effect.andThen(admin.skip({ stream, version: 2 }, "a law"), Effect.fail("no")))
    )
    Assert.equal(yield* store.load(stream), kept, "after one that was rolled back")
    yield* admin.skip({ stream, version: 3 }, "a law")
    Assert.equal(yield* store.load(stream), Option.none(), "after it was skipped")
    yield* store.save(shelf.snapshot(3, stream, stream))
    yield* admin.unskip({ stream, version: 3 })
    Assert.equal(yield* store.load(stream), Option.none(), "after that was undone")
    Assert.equal(yield* store.load(other), Option.some(shelf.snapshot(3, other, other)))
  })
)

/**
 * The laws of a snapshot store beside the `StreamAdmin` of the same storage.
 *
 * @category laws
 * @since 0.1.0
 */
export const administered: ReadonlyArray<Law.Law<SnapshotStore | EventStore | StreamAdmin | UnitOfWork>> = [forgets]

/**
 * The laws of a snapshot store that takes part in the transactions of `UnitOfWork`.
 *
 * @category laws
 * @since 0.1.0
 */
export const transactional: ReadonlyArray<Law.Law<SnapshotStore | UnitOfWork>> = [committed, rolledBack, refused]

const afterwards = law("what a transaction saves and removes is there once it has succeeded", (shelf) =>
  Effect.gen(function* () {
    const { store } = shelf
    const unit = yield* UnitOfWork
    const [first, second] = [shelf.snapshot(1, "first"), shelf.snapshot(2, "second", shelf.stream("2"))]
    yield* store.save(first)
    yield* unit.transaction(Effect.andThen(store.remove(first.stream), store.save(second)))
    Assert.equal(yield* store.load(first.stream), Option.none())
    Assert.equal(yield* store.load(second.stream), Option.some(second))
  })
)

/**
 * The laws of a snapshot store beside the transactions of another storage: it writes what they have committed.
 *
 * @category laws
 * @since 0.1.0
 */
export const beside: ReadonlyArray<Law.Law<SnapshotStore | UnitOfWork>> = [afterwards, rolledBack, refused]
