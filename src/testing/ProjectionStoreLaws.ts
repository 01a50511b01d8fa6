/**
 * What every store of projections' versions promises, as laws.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { ProjectionStore } from "../ports/ProjectionStore.ts"
import { UnitOfWork } from "../ports/UnitOfWork.ts"
import * as Position from "../domain/Position.ts"
import * as Assert from "./Assert.ts"
import { count } from "./internal/samples.ts"
import { type Options, race, racing, unique } from "./internal/world.ts"
import * as Law from "./Law.ts"

type Store = ProjectionStore["Service"]

/** A law about a projection of its own. */
const law = <A, E, R>(
  name: string,
  body: (store: Store, projection: string) => Effect.Effect<A, E, R>,
  options?: Options
): Law.Law<R | ProjectionStore> =>
  Law.make(
    name,
    () =>
      Effect.gen(function* () {
        return yield* body(yield* ProjectionStore, `law-${yield* unique}`)
      }),
    options
  )

const lease = "1 minute"
const begin = (store: Store, name: string, owner: string, version = 2) => store.begin(name, { version, owner, lease })

const registers = law("a projection is known from its first registration on, at generation 1", (store, name) =>
  Effect.gen(function* () {
    Assert.equal(yield* store.find(name), undefined)
    const expected = { version: 3, generation: 1, newest: 1, retired: [] }
    Assert.equal(yield* store.register(name, 3), expected)
    Assert.equal(yield* store.register(name, 4), expected)
    Assert.equal(yield* store.find(name), expected)
    const names = (yield* store.list).map(([one]) => one)
    Assert.equal(
      names.filter((one) => one === name),
      [name]
    )
  })
)

const finishes = law("what was built is what is read, and what was replaced is retired", (store, name) =>
  Effect.gen(function* () {
    yield* store.register(name, 1)
    const { generation, handled } = yield* begin(store, name, "ada")
    Assert.equal([generation, handled], [2, 0])
    const builder = { owner: "ada", generation }
    yield* store.renew(name, builder, { handled: 7, lease })
    Assert.equal((yield* store.find(name))?.building?.handled, 7)
    Assert.equal((yield* store.find(name))?.generation, 1)
    yield* store.finish(name, builder, { dropAfter: undefined })
    const expected = { version: 2, generation: 2, newest: 2, retired: [{ generation: 2 }] }
    Assert.equal(yield* store.find(name), expected)
    yield* store.dropped(name, 2)
    Assert.equal(yield* store.find(name), { ...expected, retired: [] })
    yield* store.dropped(name, 2)
    Assert.equal((yield* begin(store, name, "ada", 3)).generation, 3)
  })
)

const refuses = law("while one owner's lease runs, others are refused with RebuildRunning", (store, name) =>
  Effect.gen(function* () {
    const { leaseUntil } = yield* begin(store, name, "ada")
    const refused = yield* Assert.fails(begin(store, name, "bob"), "RebuildRunning")
    Assert.equal([refused.projection, refused.owner, refused.leaseUntil], [name, "ada", leaseUntil])
    Assert.equal((yield* begin(store, name, "ada")).generation, 2)
  })
)

const oneOf = law(
  "of many who begin at once exactly one may, and the others learn who",
  (store, name) =>
    Effect.gen(function* () {
      const owners = count(12).map((n) => `owner ${n}`)
      const results = yield* race(owners.map((owner) => Effect.result(begin(store, name, owner))))
      const winners = owners.filter((_, index) => {
        const result = results[index]
        return result !== undefined && Result.isSuccess(result)
      })
      Assert.equal(winners.length, 1)
      for (const result of results) {
        if (Result.isFailure(result)) {
          const { reason } = result.failure
          Assert.equal(reason._tag === "RebuildRunning" && reason.owner === winners[0], true, "who builds")
        }
      }
      Assert.equal((yield* store.find(name))?.newest, 2)
    }),
  racing
)

const takesOver = law("a lease that ran out, or was given up, is the next one's, who goes on", (store, name) =>
  Effect.gen(function* () {
    const { generation } = yield* store.begin(name, { version: 2, owner: "ada", lease: "20 millis" })
    yield* store.renew(name, { owner: "ada", generation }, { handled: 5, lease: "20 millis" })
    yield* Effect.sleep("60 millis")
    const taken = yield* begin(store, name, "bob")
    Assert.equal([taken.generation, taken.handled, taken.owner], [generation, 5, "bob"])
    yield* store.release(name, { owner: "bob", generation })
    Assert.equal((yield* begin(store, name, "cy")).generation, generation)
  })
)

const loses = law("who lost a version can do nothing with it: RebuildLost", (store, name) =>
  Effect.gen(function* () {
    const { generation } = yield* store.begin(name, { version: 2, owner: "ada", lease: "20 millis" })
    yield* Effect.sleep("60 millis")
    yield* begin(store, name, "bob")
    const ada = { owner: "ada", generation }
    const lost = (builder: typeof ada) =>
      Effect.gen(function* () {
        const attempts = [
          store.renew(name, builder, { handled: 1, lease }),
          store.release(name, builder),
          store.finish(name, builder, { dropAfter: undefined })
        ]
        for (const attempt of attempts) {
          const error = yield* Assert.fails(Effect.asVoid(attempt), "RebuildLost")
          Assert.equal([error.projection, error.generation], [name, builder.generation])
        }
      })
    yield* lost(ada)
    yield* store.finish(name, { owner: "bob", generation }, { dropAfter: undefined })
    yield* lost({ owner: "bob", generation })
    yield* lost({ owner: "bob", generation: generation + 1 })
  })
)

const cancels = law(
  "what is cancelled is retired, whoever builds it, and its number is not used again",
  (store, name) =>
    Effect.gen(function* () {
      Assert.equal(yield* store.cancel(name), undefined)
      yield* begin(store, name, "ada")
      Assert.equal(yield* store.cancel(name), 2)
      const found = Assert.defined(yield* store.find(name), "the registration")
      Assert.equal([found.generation, found.building, found.retired.map((one) => one.generation)], [1, undefined, [2]])
      Assert.equal((yield* begin(store, name, "bob")).generation, 3)
    })
)

const otherVersion = law("what was begun for another version of the definition is retired", (store, name) =>
  Effect.gen(function* () {
    const { generation } = yield* begin(store, name, "ada", 2)
    yield* store.release(name, { owner: "ada", generation })
    const next = yield* begin(store, name, "bob", 3)
    Assert.equal([next.generation, next.version, next.handled], [3, 3, 0])
    Assert.equal(
      (yield* store.find(name))?.retired.map((one) => one.generation),
      [2]
    )
  })
)

const due = law("a replaced version is due when it was said, and never when nothing was said", (store, name) =>
  Effect.gen(function* () {
    const { generation, startedAt } = yield* begin(store, name, "ada")
    yield* store.finish(name, { owner: "ada", generation }, { dropAfter: "1 hour" })
    const [retired] = (yield* store.find(name))?.retired ?? []
    const hour = 3_600_000
    const left = Assert.defined(retired?.dropAfter, "when it is due") - startedAt
    Assert.isTrue(left >= hour && left < hour + 60_000, `due after ${left} ms`)
  })
)

const fails = law("a failure is kept until it is over", (store, name) =>
  Effect.gen(function* () {
    yield* store.fail(name, "unknown projections have none")
    Assert.equal(yield* store.find(name), undefined)
    yield* store.register(name, 1)
    yield* store.fail(name, "no room")
    Assert.equal((yield* store.find(name))?.failure?.message, "no room")
    yield* store.fail(name, undefined)
    Assert.equal((yield* store.find(name))?.failure, undefined)
  })
)

const reacts = law("where a reaction begins is noted once", (store, name) =>
  Effect.gen(function* () {
    yield* store.register(name, 1)
    Assert.equal(yield* store.reactAfter(name, Position.make(7)), Position.make(7))
    Assert.equal(yield* store.reactAfter(name, Position.make(9)), Position.make(7))
  })
)

const transactional = law("all of it takes part in a unit of work", (store, name) =>
  Effect.gen(function* () {
    const unit = yield* UnitOfWork
    const all = Effect.gen(function* () {
      yield* store.register(name, 1)
      const { generation } = yield* begin(store, name, "ada")
      yield* store.finish(name, { owner: "ada", generation }, { dropAfter: undefined })
      Assert.equal((yield* store.find(name))?.generation, 2, "inside")
      return yield* Effect.fail("no" as const)
    })
    yield* Effect.flip(unit.transaction(all))
    Assert.equal(yield* store.find(name), undefined)
  })
)

/**
 * The laws of `ProjectionStore`. What concerns tables is for adapters that have them.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<ProjectionStore | UnitOfWork>> = [
  registers,
  finishes,
  refuses,
  oneOf,
  takesOver,
  loses,
  cancels,
  otherVersion,
  due,
  fails,
  reacts,
  transactional
]
