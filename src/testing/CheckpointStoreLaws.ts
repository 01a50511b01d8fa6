/**
 * What every checkpoint store promises, as laws.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Position from "../domain/Position.ts"
import { CheckpointConflict, CheckpointStore } from "../ports/CheckpointStore.ts"
import { UnitOfWork } from "../ports/UnitOfWork.ts"
import * as Assert from "./Assert.ts"
import { count } from "./internal/samples.ts"
import { interruptedAfter, type Options, race, racing, unique } from "./internal/world.ts"
import * as Law from "./Law.ts"

/** A law about a reader of its own. */
const law = <A, E, R>(
  name: string,
  body: (checkpoints: CheckpointStore["Service"], reader: string) => Effect.Effect<A, E, R>,
  options?: Options
): Law.Law<R | CheckpointStore> =>
  Law.make(
    name,
    () =>
      Effect.gen(function* () {
        return yield* body(yield* CheckpointStore, `law-${yield* unique}`)
      }),
    options
  )

const at = Position.make

const unknown = law("a reader that never ran is at the start of the log", (checkpoints, reader) =>
  Effect.gen(function* () {
    Assert.equal(yield* checkpoints.load(reader), Position.start)
  })
)

const saves = law("a checkpoint moves from where it is to where it is put", (checkpoints, reader) =>
  Effect.gen(function* () {
    let from = Position.start
    for (const to of [at(1), at(2), at(700), at(Number.MAX_SAFE_INTEGER), at(3)]) {
      yield* checkpoints.save(reader, from, to)
      Assert.equal(yield* checkpoints.load(reader), to)
      from = to
    }
  })
)

const stays = law("a checkpoint can be saved where it is", (checkpoints, reader) =>
  Effect.gen(function* () {
    yield* checkpoints.save(reader, Position.start, Position.start)
    Assert.equal(yield* checkpoints.load(reader), Position.start)
    yield* checkpoints.save(reader, Position.start, at(5))
    yield* checkpoints.save(reader, at(5), at(5))
    Assert.equal(yield* checkpoints.load(reader), at(5))
  })
)

const conflicts = law(
  "a checkpoint that is elsewhere is not moved, and CheckpointConflict says where it is",
  (checkpoints, reader) =>
    Effect.gen(function* () {
      const refused = (from: Position.Position, actual: Position.Position) =>
        Effect.gen(function* () {
          const conflict = yield* Assert.fails(checkpoints.save(reader, from, at(99)), "CheckpointConflict")
          Assert.equal(conflict, new CheckpointConflict({ name: reader, expected: from, actual }))
          Assert.equal(yield* checkpoints.load(reader), actual)
        })
      yield* refused(at(1), Position.start)
      yield* checkpoints.save(reader, Position.start, at(10))
      for (const from of [Position.start, at(9), at(11)]) yield* refused(from, at(10))
    })
)

const names = law("readers have checkpoints of their own", (checkpoints, reader) =>
  Effect.gen(function* () {
    const readers = [reader, `${reader} `, `${reader}a`, `${reader}A`, `${reader}é`, `${reader}%`]
    for (const [index, name] of readers.entries()) yield* checkpoints.save(name, Position.start, at(index + 1))
    for (const [index, name] of readers.entries()) Assert.equal(yield* checkpoints.load(name), at(index + 1), name)
  })
)

const removes = law("a reader whose checkpoint was removed starts from the beginning", (checkpoints, reader) =>
  Effect.gen(function* () {
    const other = `${reader}-other`
    yield* checkpoints.remove(reader)
    yield* checkpoints.save(reader, Position.start, at(10))
    yield* checkpoints.save(other, Position.start, at(10))
    yield* checkpoints.remove(reader)
    Assert.equal(yield* checkpoints.load(reader), Position.start)
    Assert.equal(yield* checkpoints.load(other), at(10))
    const { actual } = yield* Assert.fails(checkpoints.save(reader, at(10), at(11)), "CheckpointConflict")
    Assert.equal(actual, 0)
    yield* checkpoints.save(reader, Position.start, at(3))
    Assert.equal(yield* checkpoints.load(reader), at(3))
  })
)

const oneRun = law(
  "of many runs of one reader exactly one moves the checkpoint, and the others learn where it is",
  (checkpoints, reader) =>
    Effect.gen(function* () {
      let from = Position.start
      for (const round of count(8)) {
        const results = yield* race(
          count(12).map((run) => {
            const to = at(round * 100 + run)
            return Effect.map(Effect.result(checkpoints.save(reader, from, to)), (result) => ({ result, to }))
          })
        )
        const [winner, ...others] = results.filter(({ result }) => Result.isSuccess(result))
        Assert.equal(others.length, 0, `round ${round}: how many more have won`)
        const moved = Assert.defined(winner, `round ${round}: nobody has won`).to
        for (const { result } of results) {
          if (Result.isFailure(result)) {
            const conflict = new CheckpointConflict({ name: reader, expected: from, actual: moved })
            Assert.equal(result.failure.reason, conflict)
          }
        }
        Assert.equal(yield* checkpoints.load(reader), moved)
        from = moved
      }
    }),
  racing
)

const there = law("`passed` completes at once for what was handled before", (checkpoints, reader) =>
  Effect.gen(function* () {
    yield* checkpoints.passed(reader, Position.start)
    yield* checkpoints.save(reader, Position.start, at(10))
    for (const position of [Position.start, at(9), at(10)]) yield* checkpoints.passed(reader, position)
  })
)

const waits = law(
  "`passed` waits until the reader has handled everything up to a position, and no longer",
  (checkpoints, reader) =>
    Effect.gen(function* () {
      const passed: Array<number> = []
      const waiting = (position: number) =>
        Effect.forkChild(
          Effect.andThen(
            checkpoints.passed(reader, at(position)),
            Effect.sync(() => passed.push(position))
          )
        )
      const [early, second, late] = [yield* waiting(5), yield* waiting(10), yield* waiting(15)]
      const twin = yield* waiting(10)
      yield* Effect.sleep("20 millis")
      Assert.equal(passed, [], "what is passed before anything is handled")
      yield* checkpoints.save(reader, Position.start, at(4))
      yield* Effect.sleep("20 millis")
      Assert.equal(passed, [], "what is passed at 4")
      yield* checkpoints.save(reader, at(4), at(12))
      yield* Fiber.joinAll([early, second, twin])
      yield* Effect.sleep("20 millis")
      Assert.equal(
        passed.toSorted((a, b) => a - b),
        [5, 10, 10],
        "what is passed at 12"
      )
      yield* checkpoints.save(reader, at(12), at(15))
      yield* Fiber.join(late)
    })
)

const apart = law("`passed` waits for its own reader alone", (checkpoints, reader) =>
  Effect.gen(function* () {
    const waiting = yield* Effect.forkChild(checkpoints.passed(reader, at(1)))
    yield* Effect.sleep("5 millis")
    yield* checkpoints.save(`${reader}-other`, Position.start, at(9))
    yield* Effect.sleep("20 millis")
    Assert.isTrue(waiting.pollUnsafe() === undefined, "another reader's checkpoint let it pass")
    yield* checkpoints.save(reader, Position.start, at(1))
    yield* Fiber.join(waiting)
  })
)

const gone = law("who no longer waits leaves the others waiting", (checkpoints, reader) =>
  Effect.gen(function* () {
    const first = yield* Effect.forkChild(checkpoints.passed(reader, at(1)))
    const second = yield* Effect.forkChild(checkpoints.passed(reader, at(1)))
    yield* Effect.sleep("5 millis")
    yield* Fiber.interrupt(first)
    yield* checkpoints.save(reader, Position.start, at(1))
    yield* Fiber.join(second)
    const third = yield* Effect.forkChild(checkpoints.passed(reader, at(2)))
    yield* Effect.sleep("5 millis")
    yield* checkpoints.save(reader, at(1), at(2))
    yield* Fiber.join(third)
  })
)

const lost = law("`passed` misses no save that comes while it begins to wait", (checkpoints, reader) =>
  Effect.gen(function* () {
    for (const n of count(30)) {
      const waiting = checkpoints.passed(reader, at(n))
      yield* Effect.all([waiting, checkpoints.save(reader, at(n - 1), at(n)), waiting], { concurrency: "unbounded" })
    }
  })
)

const interrupted = law("`passed` is woken by every save, wherever who saves is interrupted", (checkpoints, reader) =>
  Effect.gen(function* () {
    for (const steps of count(40)) {
      const name = `${reader}-${steps}`
      const waiting = yield* Effect.forkChild(checkpoints.passed(name, at(1)))
      yield* Effect.sleep("1 millis")
      yield* interruptedAfter(checkpoints.save(name, Position.start, at(1)), steps)
      yield* (yield* checkpoints.load(name)) === at(1) ? Fiber.join(waiting) : Fiber.interrupt(waiting)
    }
  })
)

const afterCommit = law(
  "a checkpoint that a transaction moves is there once it has succeeded, and stays where it is when it fails",
  (checkpoints, reader) =>
    Effect.gen(function* () {
      const unit = yield* UnitOfWork
      yield* unit.transaction(checkpoints.save(reader, Position.start, at(5)))
      Assert.equal(yield* checkpoints.load(reader), at(5))
      yield* Effect.flip(unit.transaction(Effect.andThen(checkpoints.save(reader, at(5), at(9)), Effect.fail("no"))))
      Assert.equal(yield* checkpoints.load(reader), at(5))
      const conflict = yield* Assert.fails(
        unit.transaction(checkpoints.save(reader, at(4), at(9))),
        "CheckpointConflict"
      )
      Assert.equal([conflict.expected, conflict.actual], [4, 5])
      const waiting = yield* Effect.forkChild(checkpoints.passed(reader, at(9)))
      yield* unit.transaction(checkpoints.save(reader, at(5), at(9)))
      yield* Fiber.join(waiting)
      Assert.equal(yield* checkpoints.load(reader), at(9))
    })
)

/**
 * The laws of a checkpoint store beside the transactions of another storage: it moves when they have committed, so what they
 * wrote may be written again and is never left out.
 *
 * @category laws
 * @since 0.1.0
 */
export const beside: ReadonlyArray<Law.Law<CheckpointStore | UnitOfWork>> = [afterCommit]

/**
 * The laws of `CheckpointStore`; what takes part in a transaction is in `UnitOfWorkLaws`.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<CheckpointStore>> = [
  unknown,
  saves,
  stays,
  conflicts,
  names,
  removes,
  oneRun,
  there,
  waits,
  apart,
  gone,
  lost,
  interrupted
]
