/**
 * Laws about one transaction: all of it is kept, or nothing.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Position from "../../../domain/Position.ts"
import { ReadModelStore } from "../../../ports/ReadModelStore.ts"
import * as Receipt from "../../../ports/Receipt.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count, noted } from "../samples.ts"
import { last } from "../world.ts"
import { law, type Stores } from "./stores.ts"

const together = law(
  "what a transaction writes to several stores is kept when it succeeds, and its value is answered",
  (place) =>
    Effect.gen(function* () {
      const value = yield* place.unit.transaction(Effect.andThen(place.write(1), Effect.as(place.write(2), "value")))
      Assert.equal(value, "value")
      yield* place.standsAt(2, "after the commit")
      Assert.equal(yield* place.unit.transaction(Effect.succeed(undefined)), undefined)
    })
)

const failures = law("a transaction that fails keeps nothing, and fails with the same error", (place) =>
  Effect.gen(function* () {
    yield* place.write(1)
    const error = { _tag: "Refused", because: "it had to be" } as const
    const failed = yield* Effect.exit(place.unit.transaction(Effect.andThen(place.write(2), Effect.fail(error))))
    Assert.isTrue(Exit.isFailure(failed), "the transaction succeeded")
    Assert.isTrue(
      failed.cause.reasons.some((reason) => Cause.isFailReason(reason) && reason.error === error),
      `it failed with something else: ${Cause.pretty(failed.cause)}`
    )
    yield* place.standsAt(1, "after the failure")
    yield* place.unit.transaction(place.write(2))
    yield* place.standsAt(2, "after a second try")
  })
)

const defects = law("a transaction that dies keeps nothing, and dies with the same defect", (place) =>
  Effect.gen(function* () {
    yield* place.write(1)
    const defect = new Error("a bug")
    const died = yield* Effect.exit(place.unit.transaction(Effect.andThen(place.write(2), Effect.die(defect))))
    Assert.isTrue(Exit.isFailure(died), "the transaction succeeded")
    Assert.isTrue(
      died.cause.reasons.some((reason) => Cause.isDieReason(reason) && reason.defect === defect),
      `it died of something else: ${Cause.pretty(died.cause)}`
    )
    yield* place.standsAt(1, "after the defect")
    yield* place.write(2)
  })
)

const interruptions = law("a transaction that is interrupted keeps nothing", (place) =>
  Effect.gen(function* () {
    yield* place.write(1)
    const written = yield* Deferred.make<void>()
    const fiber = yield* place
      .write(2)
      .pipe(
        Effect.andThen(Deferred.succeed(written, undefined)),
        Effect.andThen(Effect.never),
        place.unit.transaction,
        Effect.forkChild
      )
    yield* Deferred.await(written)
    yield* Fiber.interrupt(fiber)
    yield* place.standsAt(1, "after the interruption")
    yield* place.write(2)
    yield* place.standsAt(2, "after another write")
  })
)

const own = law("a transaction sees what it has written", (place) =>
  Effect.gen(function* () {
    yield* place.write(1)
    yield* place.unit.transaction(
      Effect.gen(function* () {
        yield* place.write(2)
        yield* place.standsAt(2, "within the transaction")
        yield* place.documents.update("2", () => 22)
        yield* place.documents.remove("1")
        Assert.equal(yield* place.documents.list(), [{ id: "2", document: 22 }])
        const { actual } = yield* Assert.fails(
          place.world.append(place.world.stream(), "none", noted(3)),
          "VersionConflict"
        )
        Assert.equal(actual, 2)
      })
    )
    Assert.equal(yield* place.documents.list(), [{ id: "2", document: 22 }])
  })
)

const changes = law(
  "removed documents, cleared collections, removed checkpoints and tombstones come back with a rollback",
  (place) =>
    Effect.gen(function* () {
      const store = yield* ReadModelStore
      yield* place.write(1)
      yield* place.write(2)
      const all = Effect.gen(function* () {
        yield* place.documents.remove("1")
        yield* store.clear(place.documents.name)
        yield* place.documents.set("3", 3)
        yield* place.checkpoints.remove(place.reader)
        yield* place.world.store.tombstone(place.world.stream(), "any")
        return yield* place.standing
      })
      const seen = { events: [], version: 2, documents: ["3"], checkpoint: 0 }
      const within = yield* Effect.flip(place.unit.transaction(Effect.flatMap(all, Effect.fail)))
      Assert.equal(within, seen, "within the transaction")
      yield* place.standsAt(2, "after the rollback")
      yield* place.unit.transaction(all)
      Assert.equal(yield* place.standing, seen, "after the commit")
    })
)

const refusals = law("what is refused within a transaction leaves it usable, and all else is kept", (place) =>
  Effect.gen(function* () {
    const { world } = place
    yield* place.unit.transaction(
      Effect.gen(function* () {
        yield* place.write(1)
        yield* Assert.fails(world.append(world.stream(), "none", noted(9)), "VersionConflict")
        const both = [
          { stream: world.stream("other"), expected: "any", events: noted(9) },
          { stream: world.stream(), expected: 7, events: noted(9) }
        ] as const
        yield* Assert.fails(world.store.appendAll(both), "VersionConflict")
        yield* Assert.fails(world.store.tombstone(world.stream(), 9), "VersionConflict")
        yield* Assert.fails(place.documents.set("\0", 9), "InvalidDocument")
        const elsewhere = place.checkpoints.save(place.reader, Position.make(9), Position.make(10))
        yield* Assert.fails(elsewhere, "CheckpointConflict")
        yield* place.write(2)
      })
    )
    yield* place.standsAt(2, "after the commit")
    Assert.equal((yield* world.store.streamState(world.stream("other"))).version, 0)
  })
)

const unlogged = law("the log never holds what was rolled back, and has no hole where it was in its stream", (place) =>
  Effect.gen(function* () {
    const { unit, world } = place
    const receipts: Array<Receipt.AppendReceipt> = []
    for (const n of count(12)) {
      const stream = world.stream(n % 2)
      const append = world.append(stream, "any", noted(n))
      if (n % 3 === 0) yield* Effect.flip(unit.transaction(Effect.andThen(append, Effect.fail("no"))))
      else receipts.push(yield* unit.transaction(append))
    }
    Assert.equal(
      (yield* world.log(last(receipts))).map(({ data, position, stream, version }) => ({
        data,
        position,
        stream,
        version
      })),
      [1, 2, 4, 5, 7, 8, 10, 11].map((n, index) => ({
        data: { n },
        position: receipts[index]?.position,
        stream: world.stream(n % 2),
        version: Math.floor(index / 2) + 1
      }))
    )
  })
)

const tenants = law("a transaction spans the tenants that it writes for", (place) =>
  Effect.gen(function* () {
    const asOther = TenantContext.provide(place.world.otherTenant)
    const stream = place.world.stream()
    const both = Effect.andThen(
      place.world.append(stream, "any", noted(1)),
      asOther(place.world.append(stream, "any", noted(2)))
    )
    yield* Effect.flip(place.unit.transaction(Effect.andThen(both, Effect.fail("no"))))
    Assert.equal(yield* place.world.data(stream), [])
    Assert.equal(yield* asOther(place.world.data(stream)), [])
    yield* place.unit.transaction(both)
    Assert.equal(yield* place.world.data(stream), [{ n: 1 }])
    Assert.equal(yield* asOther(place.world.data(stream)), [{ n: 2 }])
  })
)

const receipts = law("the receipts of what was rolled back are forgotten", (place) =>
  Effect.gen(function* () {
    const { unit, world } = place
    const collected: Array<Receipt.AppendReceipt> = []
    const append = (n: number) => world.append(world.stream(n), "none", noted(n))
    const kept = yield* Effect.gen(function* () {
      const first = yield* append(1)
      yield* Effect.flip(unit.transaction(Effect.andThen(append(2), Effect.fail("no"))))
      const more = yield* unit.transaction(
        Effect.gen(function* () {
          const outer = yield* append(3)
          yield* Effect.flip(unit.transaction(Effect.andThen(append(4), Effect.fail("no"))))
          return [outer, yield* unit.transaction(append(5))]
        })
      )
      yield* Effect.flip(unit.transaction(Effect.andThen(unit.transaction(append(6)), Effect.fail("no"))))
      return [first, ...more]
    }).pipe(Effect.provideService(Receipt.Collector, collected))
    Assert.equal(collected, kept)
  })
)

export const laws: ReadonlyArray<Law.Law<Stores>> = [
  together,
  failures,
  defects,
  interruptions,
  own,
  changes,
  refusals,
  unlogged,
  tenants,
  receipts
]
