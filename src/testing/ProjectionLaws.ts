/**
 * What projections in the background promise over any set of ports, as laws: of rebuilding, above all.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import * as Projection from "../application/Projection.ts"
import * as Rebuild from "../application/Rebuild.ts"
import { ProjectionStore } from "../ports/ProjectionStore.ts"
import { UnitOfWork } from "../ports/UnitOfWork.ts"
import * as Assert from "./Assert.ts"
import { count } from "./internal/samples.ts"
import { law, type Ports, type View } from "./internal/projections/world.ts"
import { race } from "./internal/world.ts"
import type * as Law from "./Law.ts"

const sumOf = (numbers: ReadonlyArray<number>): number => numbers.reduce((a, b) => a + b, 0)

const view = (version: number, numbers: ReadonlyArray<number>): View => ({
  version,
  count: numbers.length,
  sum: sumOf(numbers)
})

const builds = law("a rebuild makes what a fold of the log makes, and the projection goes on from there", (world) =>
  Effect.gen(function* () {
    const [old, next] = [world.projection(1), world.projection(2)]
    const receipt = yield* world.append(...count(12))
    yield* Effect.raceFirst(Projection.waitFor(old, receipt), Projection.run(old))
    Assert.equal(yield* world.read, view(1, count(12)))
    const progress = yield* Rebuild.run(next)
    Assert.equal([progress.phase, progress.handled, progress.generation], ["done", 12, 2])
    Assert.equal(yield* world.read, view(2, count(12)))
    const more = yield* world.append(13, 14)
    yield* Effect.raceFirst(Projection.waitFor(next, more), Projection.run(next))
    Assert.equal(yield* world.read, view(2, count(14)))
    yield* Rebuild.run(next)
    Assert.equal(yield* world.read, view(2, count(14)))
  })
)

const whileWriting = law(
  "during a rebuild everything goes on: readers see one whole version, and no event is lost or handled twice",
  (world) =>
    Effect.gen(function* () {
      const projection = world.projection(1, { batchSize: 3 })
      const next = world.projection(2, { batchSize: 3 })
      const numbers = count(60)
      yield* world.append(...numbers.slice(0, 20))
      const swapped = yield* Ref.make(false)
      // Two processes of each version: those of the second wait for the swap.
      const runners = yield* Effect.forkChild(
        Effect.raceAllFirst(
          [projection, projection, next, next].map((one) => Projection.run(one, { onNewVersion: "wait" }))
        )
      )
      const watching = yield* Effect.forkChild(
        Effect.gen(function* () {
          let last: View | undefined
          while (true) {
            const seen = yield* world.read
            if (last !== undefined) {
              const now = Assert.defined(seen, "what was there is gone")
              Assert.isTrue(now.version >= last.version, `version ${now.version} was read after ${last.version}`)
              Assert.isTrue(now.count >= last.count, `${now.count} events were read after ${last.count}`)
            }
            if (seen !== undefined) Assert.equal(seen.sum, sumOf(numbers.slice(0, seen.count)))
            last = seen
            if ((yield* Ref.get(swapped)) && last?.count === numbers.length) return last
            yield* Effect.sleep("1 millis")
          }
        })
      )
      const writing = yield* Effect.forkChild(
        Effect.forEach(numbers.slice(20), (n) => Effect.tap(world.append(n), Effect.sleep("1 millis")))
      )
      yield* Rebuild.run(next)
      yield* Ref.set(swapped, true)
      const receipts = yield* Fiber.join(writing)
      yield* Projection.waitFor(next, Assert.defined(receipts.at(-1), "the last receipt"), { timeout: "20 seconds" })
      Assert.equal(yield* Fiber.join(watching), view(2, numbers))
      yield* Fiber.interrupt(runners)
    }),
  { timeout: "40 seconds" }
)

const oneAtATime = law(
  "of many who rebuild one projection at once one does, and the others are refused with RebuildRunning",
  (world) =>
    Effect.gen(function* () {
      const next = world.projection(2, { batchSize: 1 })
      yield* world.append(...count(3))
      const first = yield* Effect.forkChild(Rebuild.run(next, { eventsPerSecond: 10 }))
      const building = (yield* ProjectionStore).find(world.name)
      while ((yield* building)?.building === undefined) yield* Effect.sleep("1 millis")
      const refused = yield* race(count(3).map(() => Effect.flip(Rebuild.run(next))))
      for (const error of refused) {
        Assert.equal(error._tag === "ProjectionStoreError" && error.reason._tag, "RebuildRunning")
      }
      yield* Fiber.join(first)
      Assert.equal(yield* world.read, view(2, count(3)))
    })
)

const goesOn = law("a rebuild that was interrupted goes on where it was, and handles no event twice", (world) =>
  Effect.gen(function* () {
    let batches = 0
    const stuck = Deferred.makeUnsafe<void>()
    const hanging = world.projection(2, {
      batchSize: 2,
      around: (write) =>
        Effect.suspend(() =>
          ++batches === 3
            ? Effect.andThen(Deferred.succeed(stuck, undefined), Effect.andThen(write, Effect.never))
            : write
        )
    })
    yield* world.append(...count(9))
    yield* Effect.raceFirst(Effect.asVoid(Rebuild.run(hanging)), Deferred.await(stuck))
    Assert.equal(yield* world.read, undefined)
    let first: number | undefined
    const going = world.projection(2, {
      batchSize: 2,
      around: (write, n) => Effect.suspend(() => ((first ??= n), write))
    })
    yield* Rebuild.run(going)
    Assert.equal(first, 5, "the first event of the second try")
    Assert.equal(yield* world.read, view(2, count(9)))
  })
)

const beginsAnew = law("a rebuild whose handlers failed leaves what is read, and the next one begins anew", (world) =>
  Effect.gen(function* () {
    const old = world.projection(1)
    const receipt = yield* world.append(...count(8))
    yield* Effect.raceFirst(Projection.waitFor(old, receipt), Projection.run(old))
    const failing = world.projection(2, {
      batchSize: 2,
      around: (write, n) => (n === 5 ? Effect.die(new Error("not five")) : write)
    })
    yield* Effect.exit(Rebuild.run(failing))
    Assert.equal(yield* world.read, view(1, count(8)))
    yield* Rebuild.run(world.projection(2))
    Assert.equal(yield* world.read, view(2, count(8)))
  })
)

const cancelled = law("who is cancelled is told RebuildLost, and what is read stays", (world) =>
  Effect.gen(function* () {
    const next = world.projection(2, { batchSize: 1 })
    yield* world.append(...count(8))
    Assert.equal(yield* Rebuild.cancel(next), false)
    const running = yield* Effect.forkChild(Effect.flip(Rebuild.run(next, { eventsPerSecond: 20 })))
    while (((yield* Projection.status(next)).rebuild?.position ?? 0) === 0) yield* Effect.sleep("1 millis")
    Assert.equal(yield* Rebuild.cancel(next), true)
    const error = yield* Fiber.join(running)
    Assert.equal(error._tag === "ProjectionStoreError" && error.reason._tag, "RebuildLost")
    Assert.equal(yield* world.read, undefined)
    Assert.equal((yield* (yield* ProjectionStore).find(world.name))?.retired, [])
  })
)

const waits = law("who waits for a position waits for it across a swap", (world) =>
  Effect.gen(function* () {
    const [old, next] = [world.projection(1), world.projection(2)]
    yield* Effect.raceFirst(Projection.waitFor(old, yield* world.append(1)), Projection.run(old))
    const receipt = yield* world.append(2, 3)
    const waiting = yield* Effect.forkChild(
      Effect.andThen(Projection.waitFor(next, receipt, { timeout: "10 seconds" }), world.read)
    )
    yield* Effect.sleep("10 millis")
    yield* Rebuild.run(next)
    Assert.equal(yield* Fiber.join(waiting), view(2, count(3)))
  })
)

const drops = law("what was replaced is dropped when it is due, and what is read is not", (world) =>
  Effect.gen(function* () {
    const store = yield* ProjectionStore
    const next = world.projection(2)
    yield* world.append(...count(4))
    const retired = Effect.map(store.find(world.name), (found) => found?.retired.map((one) => one.generation))
    yield* Rebuild.run(next, { dropAfter: "when asked" })
    Assert.equal(yield* retired, [2])
    Assert.equal(yield* Rebuild.drop(next, "due"), [])
    Assert.equal(yield* Rebuild.drop(next), [2])
    yield* Rebuild.run(next, { dropAfter: 0 })
    Assert.equal(yield* retired, [])
    Assert.equal(yield* world.read, view(2, count(4)))
  })
)

const takesOver = law("a runner of a new version builds it, and runners of the old one stop writing", (world) =>
  Effect.gen(function* () {
    const [old, next] = [world.projection(1), world.projection(2)]
    yield* Effect.raceFirst(Projection.waitFor(old, yield* world.append(1, 2)), Projection.run(old))
    const both = yield* Effect.forkChild(Effect.raceFirst(Projection.run(old), Projection.run(next)))
    const store = yield* ProjectionStore
    while ((yield* store.find(world.name))?.version !== 2) yield* Effect.sleep("2 millis")
    for (const n of [3, 4, 5]) yield* Projection.waitFor(next, yield* world.append(n), { timeout: "10 seconds" })
    Assert.equal(yield* world.read, view(2, count(5)))
    const status = yield* Projection.status(next)
    Assert.equal([status.state, status.version, status.generation, status.lag.positions], ["following", 2, 2, 0])
    Assert.equal((yield* Projection.status(old)).state, "outdated")
    yield* Fiber.interrupt(both)
  })
)

const refuses = law(
  "a rebuild inside a unit of work, of what owns nothing, or of what runs inline is refused",
  (world) =>
    Effect.gen(function* () {
      const unit = yield* UnitOfWork
      const next = world.projection(2)
      const inside = yield* unit.transaction(Effect.flip(Rebuild.run(next)))
      Assert.equal(inside._tag === "RebuildRefused" && inside.why, "in a unit of work")
      yield* (yield* ProjectionStore).register(world.name, 1, { inline: true })
      const inline = yield* Effect.flip(Rebuild.run(next))
      Assert.equal(inline._tag === "RebuildRefused" && inline.why, "runs inline")
      const nothing = yield* Effect.flip(Rebuild.run({ ...next, collections: [] }))
      Assert.equal(nothing._tag === "RebuildRefused" && nothing.why, "owns nothing")
    })
)

const tells = law("a rebuild tells how far it has come, and ends with the swap", (world) =>
  Effect.gen(function* () {
    const receipt = yield* world.append(...count(10))
    const told = yield* Stream.runCollect(Rebuild.stream(world.projection(2), { batchSize: 4 }))
    const last = Assert.defined(told.at(-1), "the last of what was told")
    Assert.equal([last.phase, last.handled, last.position >= receipt.position], ["done", 10, true])
    const handled = told.map((progress) => progress.handled)
    Assert.equal(
      handled,
      handled.toSorted((a, b) => a - b)
    )
  })
)

/**
 * The laws of projections in the background, over ports that take part in one unit of work.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<Ports>> = [
  builds,
  whileWriting,
  oneAtATime,
  goesOn,
  beginsAnew,
  cancelled,
  waits,
  drops,
  takesOver,
  refuses,
  tells
]
