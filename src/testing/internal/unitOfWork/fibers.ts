/**
 * Laws about several fibers and transactions: which take part, which do not, and what they see of each other.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Result from "effect/Result"
import * as Position from "../../../domain/Position.ts"
import { VersionConflict } from "../../../ports/EventStoreError.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count, noted } from "../samples.ts"
import { follow, race, racing, settled } from "../world.ts"
import { law, type Stores } from "./stores.ts"

const hidden = law(
  "nobody outside sees a write before it is committed, and the mark does not pass it",
  (place) =>
    Effect.gen(function* () {
      yield* place.write(1)
      const { unit, world } = place
      const written = yield* Deferred.make<Position.Position>()
      const looked = yield* Deferred.make<void>()
      const outside = yield* Effect.forkChild(
        Effect.gen(function* () {
          const position = yield* Deferred.await(written)
          yield* place.standsAt(1, "outside, before the commit")
          const mark = yield* world.store.mark
          Assert.isTrue(mark < position, `the mark is at ${mark}, and ${position} can still appear`)
          const page = yield* world.store.readAll({ after: Position.start, limit: 100 })
          Assert.isTrue(page.events.length <= 1, "the log shows what is not committed")
          Assert.isTrue(page.cursor < position, `the cursor is at ${page.cursor}, and ${position} can still appear`)
        }).pipe(Effect.ensuring(Deferred.succeed(looked, undefined)))
      )
      yield* unit.transaction(
        Effect.gen(function* () {
          yield* place.write(2)
          const [event] = yield* world.store.readStream(world.stream(), { direction: "backward", limit: 1 })
          yield* Deferred.succeed(written, Assert.defined(event, "it does not see its own event").position)
          yield* Deferred.await(looked)
        })
      )
      yield* Fiber.join(outside)
      yield* place.standsAt(2, "after the commit")
    }),
  racing
)

const children = law("fibers that a transaction forks and waits for take part in it, side by side", (place) =>
  Effect.gen(function* () {
    const { unit, world } = place
    const side = (n: number) =>
      Effect.gen(function* () {
        yield* world.append(world.stream(n), "none", noted(n))
        yield* Effect.yieldNow
        yield* Assert.fails(world.append(world.stream(n), "none", noted(n)), "VersionConflict")
        yield* unit.transaction(place.documents.set(String(n), n))
        yield* Effect.flip(unit.transaction(Effect.andThen(place.documents.set("undone", n), Effect.fail("no"))))
        yield* world.append(world.stream(n), 1, noted(n))
      })
    const many = race(count(8).map(side))
    yield* Effect.flip(unit.transaction(Effect.andThen(many, Effect.fail("no"))))
    Assert.equal(yield* place.documents.list(), [])
    for (const n of count(8)) Assert.equal((yield* world.store.streamState(world.stream(n))).version, 0)
    yield* unit.transaction(many)
    Assert.equal(
      (yield* place.documents.list()).map(({ document }) => document),
      count(8)
    )
    for (const n of count(8)) Assert.equal(yield* world.data(world.stream(n)), [{ n }, { n }])
  })
)

const outliving = ["commits", "rolls back"].map((end) =>
  law(`a fiber that outlives its transaction, which ${end}, writes outside of it`, (place) =>
    Effect.gen(function* () {
      const { unit, world } = place
      const ended = yield* Deferred.make<void>()
      const forked = yield* Deferred.make<Fiber.Fiber<void, unknown>>()
      const later = Effect.andThen(
        Deferred.await(ended),
        Effect.gen(function* () {
          yield* world.append(world.stream("later"), "none", noted(1))
          yield* unit.transaction(place.documents.set("later", 1))
          const undone = unit.transaction(Effect.andThen(place.documents.set("undone", 1), Effect.fail("no")))
          yield* Effect.flip(undone)
        })
      )
      const inside = Effect.gen(function* () {
        yield* place.documents.set("inside", 1)
        yield* Deferred.succeed(forked, yield* Effect.forkDetach(later))
        if (end === "rolls back") return yield* Effect.fail("no")
      })
      yield* Effect.exit(unit.transaction(inside))
      yield* Deferred.succeed(ended, undefined)
      yield* Fiber.join(yield* Deferred.await(forked))
      Assert.equal(yield* world.data(world.stream("later")), [{ n: 1 }])
      Assert.equal(
        (yield* place.documents.list()).map(({ id }) => id),
        end === "commits" ? ["inside", "later"] : ["later"]
      )
    })
  )
)

const oneWins = law(
  "exactly one of many racing transactions on one stream wins, and the others keep nothing and get VersionConflict",
  (place) =>
    Effect.gen(function* () {
      const { unit, world } = place
      const stream = world.stream()
      for (const round of count(6)) {
        const results = yield* race(
          count(8).map((racer) =>
            Effect.gen(function* () {
              const id = `${round}-${racer}`
              yield* world.append(world.stream(id), "none", noted(racer))
              yield* place.documents.set(id, racer)
              return yield* world.append(stream, round - 1, noted(racer))
            }).pipe(unit.transaction, Effect.result)
          )
        )
        const won: Array<number> = []
        for (const [index, result] of results.entries()) {
          if (Result.isSuccess(result)) won.push(index + 1)
          else {
            Assert.equal(
              result.failure.reason,
              new VersionConflict({ stream, expected: round - 1, actual: round }),
              `round ${round}: the reason of a loser`
            )
          }
        }
        Assert.equal(won.length, 1, `round ${round}: how many won`)
        for (const racer of count(8)) {
          const id = `${round}-${racer}`
          const { version } = yield* world.store.streamState(world.stream(id))
          const kept = (yield* place.documents.get(id))._tag === "Some"
          const expected = won.includes(racer)
          Assert.equal({ version, kept }, { version: expected ? 1 : 0, kept: expected }, id)
        }
        Assert.equal((yield* world.data(stream)).at(-1), { n: won[0] })
      }
    }),
  racing
)

const many = law(
  "transactions that do not meet all commit",
  (place) =>
    Effect.gen(function* () {
      const { unit, world } = place
      yield* race(
        count(24).map((n) =>
          unit.transaction(
            Effect.gen(function* () {
              yield* world.append(world.stream(n), "none", noted(1))
              yield* Effect.yieldNow
              yield* world.append(world.stream(n), 1, noted(2))
              yield* place.documents.set(String(n), n)
            })
          )
        )
      )
      for (const n of count(24)) Assert.equal(yield* world.data(world.stream(n)), [{ n: 1 }, { n: 2 }])
      Assert.equal((yield* place.documents.list()).length, 24)
    }),
  racing
)

const late = law(
  "who follows the log misses nothing that commits late",
  (place) =>
    Effect.gen(function* () {
      const { unit, world } = place
      const done = yield* Ref.make<Position.Position | undefined>(undefined)
      const following = yield* Effect.forkChild(race([1, 100].map((limit) => follow(world, done, limit))))
      const slow = (n: number) =>
        Effect.gen(function* () {
          const first = yield* world.append(world.stream(`slow-${n}`), "none", noted(n))
          yield* Effect.sleep(`${(n * 7) % 20} millis`)
          yield* world.append(world.stream("common"), "any", noted(n))
          return first
        }).pipe((effect) => (n % 3 === 0 ? Effect.andThen(effect, Effect.fail("no")) : effect), unit.transaction)
      const quick = (n: number) => world.append(world.stream(`quick-${n}`), "none", noted(n))
      yield* race([
        ...count(9).map((n) => Effect.ignore(slow(n))),
        ...count(9).map((n) => Effect.andThen(Effect.sleep(`${n} millis`), quick(n)))
      ])
      const end = yield* world.append(world.stream("end"), "none", noted(0))
      yield* Ref.set(done, end.position)
      const seen = yield* Fiber.join(following)
      yield* settled(world.store, end.position)
      const whole = yield* world.log(end.position)
      Assert.equal(whole.length, 6 * 2 + 9 + 1)
      for (const events of seen) Assert.equal(events, whole, "what a follower saw and what the log holds")
    }),
  racing
)

export const laws: ReadonlyArray<Law.Law<Stores>> = [hidden, children, ...outliving, oneWins, many, late]
