/**
 * Laws about transactions within transactions, and about what waits for the outermost commit.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Position from "../../../domain/Position.ts"
import * as ReadModelStore from "../../../ports/ReadModelStore.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count, noted } from "../samples.ts"
import { interruptedAfter } from "../world.ts"
import { law, type Place, type Stores } from "./stores.ts"

/** The three ways in which a transaction can end badly. */
const endings: ReadonlyArray<readonly [how: string, ending: Effect.Effect<never, string>]> = [
  ["fails", Effect.fail("no")],
  ["dies", Effect.die(new Error("a bug"))],
  ["interrupts itself", Effect.interrupt]
]

const inner = endings.map(([how, ending]) =>
  law(`a transaction within another that ${how} undoes its own writes, and the outer one goes on`, (place) =>
    Effect.gen(function* () {
      const { unit } = place
      yield* unit.transaction(
        Effect.gen(function* () {
          yield* place.write(1)
          yield* Effect.exit(unit.transaction(Effect.andThen(place.write(2), ending)))
          yield* place.standsAt(1, "in the outer transaction")
          yield* place.write(2)
          yield* unit.transaction(place.write(3))
          yield* place.standsAt(3, "in the outer transaction, after more")
        })
      )
      yield* place.standsAt(3, "after the commit")
      yield* place.write(4)
    })
  )
)

const outer = endings.map(([how, ending]) =>
  law(`a transaction within another that ${how} afterwards is undone with it`, (place) =>
    Effect.gen(function* () {
      const { unit } = place
      yield* place.write(1)
      yield* Effect.exit(
        unit.transaction(
          Effect.gen(function* () {
            yield* unit.transaction(place.write(2))
            yield* place.write(3)
            yield* unit.transaction(unit.transaction(place.write(4)))
            return yield* ending
          })
        )
      )
      yield* place.standsAt(1, "after the rollback")
      yield* place.write(2)
    })
  )
)

const deep = law("of transactions in one another, each undoes what is within it", (place) =>
  Effect.gen(function* () {
    const { unit } = place
    yield* unit.transaction(
      Effect.gen(function* () {
        yield* place.write(1)
        yield* Effect.flip(
          unit.transaction(
            Effect.gen(function* () {
              yield* place.write(2)
              yield* unit.transaction(place.write(3))
              yield* Effect.flip(unit.transaction(Effect.andThen(place.write(4), Effect.fail("no"))))
              yield* place.standsAt(3, "in the middle")
              return yield* Effect.fail("no")
            })
          )
        )
        yield* place.standsAt(1, "outside of the middle")
        yield* unit.transaction(place.write(2))
      })
    )
    yield* place.standsAt(2, "after the commit")
  })
)

/** Notes a name after the commit. */
const noting = (place: Place, ran: Array<string>, name: string) =>
  place.unit.afterCommit(Effect.sync(() => void ran.push(name)))

const once = law("what waits for the commit runs once, after it, and sees what was committed", (place) =>
  Effect.gen(function* () {
    const ran: Array<number> = []
    const look = place.world.store.streamState(place.world.stream()).pipe(
      Effect.map(({ version }) => void ran.push(version)),
      Effect.orDie
    )
    const hook = yield* Effect.map(Effect.context<Effect.Services<typeof look>>(), (context) =>
      Effect.provideContext(look, context)
    )
    yield* place.unit.transaction(
      Effect.gen(function* () {
        yield* place.unit.afterCommit(hook)
        yield* place.write(1)
        yield* Effect.sleep("5 millis")
        Assert.equal(ran, [], "before the commit")
        yield* place.write(2)
      })
    )
    Assert.equal(ran, [2], "after the commit")
    yield* place.unit.transaction(place.write(3))
    Assert.equal(ran, [2], "after another commit")
  })
)

const never = law("what waits for a commit that does not come never runs", (place) =>
  Effect.gen(function* () {
    const ran: Array<string> = []
    for (const [how, ending] of endings) {
      yield* Effect.exit(place.unit.transaction(Effect.andThen(noting(place, ran, how), ending)))
    }
    yield* place.unit.transaction(place.write(1))
    Assert.equal(ran, [])
  })
)

const atOnce = law("outside of a transaction, what waits for the commit runs at once", (place) =>
  Effect.gen(function* () {
    const ran: Array<string> = []
    yield* noting(place, ran, "before")
    Assert.equal(ran, ["before"])
    yield* place.unit.transaction(place.write(1))
    yield* noting(place, ran, "after")
    Assert.equal(ran, ["before", "after"])
  })
)

const outermost = law(
  "what waits within inner transactions waits for the outermost commit, unless it was undone",
  (place) =>
    Effect.gen(function* () {
      const { unit } = place
      const ran: Array<string> = []
      yield* unit.transaction(
        Effect.gen(function* () {
          yield* noting(place, ran, "outer")
          yield* unit.transaction(Effect.andThen(place.write(1), noting(place, ran, "inner")))
          yield* Effect.flip(unit.transaction(Effect.andThen(noting(place, ran, "undone"), Effect.fail("no"))))
          yield* unit.transaction(unit.transaction(noting(place, ran, "innermost")))
          Assert.equal(ran, [], "before the outermost commit")
        })
      )
      Assert.equal(ran, ["outer", "inner", "innermost"])
      yield* Effect.flip(
        unit.transaction(Effect.andThen(unit.transaction(noting(place, ran, "undone")), Effect.fail("no")))
      )
      Assert.equal(ran, ["outer", "inner", "innermost"])
    })
)

const passed = law(
  "who waits for a checkpoint passes with the commit, and not with a save that is rolled back",
  (place) =>
    Effect.gen(function* () {
      const waiting = yield* Effect.forkChild(place.checkpoints.passed(place.reader, Position.make(1)))
      yield* Effect.sleep("5 millis")
      yield* Effect.flip(place.unit.transaction(Effect.andThen(place.write(1), Effect.fail("no"))))
      yield* Effect.sleep("20 millis")
      Assert.isTrue(waiting.pollUnsafe() === undefined, "it passed with a save that was rolled back")
      yield* place.unit.transaction(place.write(1))
      yield* Fiber.join(waiting)
    })
)

const changed = law("who waits for the log to change wakes with the commit", (place) =>
  Effect.gen(function* () {
    const { store } = place.world
    for (const version of [0, 1, 2]) {
      const mark = yield* store.mark
      const waiting = yield* Effect.forkChild(store.changed(mark))
      yield* Effect.sleep("2 millis")
      yield* place.unit.transaction(place.world.append(place.world.stream(), version, noted(version)))
      yield* Fiber.join(waiting)
    }
  })
)

const open = law("a fiber knows whether it is inside a transaction that has not ended", ({ unit }) =>
  Effect.gen(function* () {
    Assert.equal(yield* unit.isOpen, false, "outside")
    const gate = Deferred.makeUnsafe<void>()
    const [inside, nested, after, outliving] = yield* unit.transaction(
      Effect.gen(function* () {
        const inside = yield* unit.isOpen
        const nested = yield* unit.transaction(unit.isOpen)
        const after = yield* unit.isOpen
        const outliving = yield* Effect.forkDetach(Effect.andThen(Deferred.await(gate), unit.isOpen))
        return [inside, nested, after, outliving] as const
      })
    )
    Assert.equal([inside, nested, after], [true, true, true])
    Assert.equal(yield* unit.isOpen, false, "afterwards")
    yield* Deferred.succeed(gate, undefined)
    Assert.equal(yield* Fiber.join(outliving), false, "in a fiber that outlives it")
  })
)

const exchanged = law("an exchange of collections is undone with its transaction", (place) =>
  Effect.gen(function* () {
    const store = yield* ReadModelStore.ReadModelStore
    yield* place.documents.set("1", 1)
    const exchange = store.exchange(place.documents.name, `${place.documents.name}x`)
    yield* Effect.flip(place.unit.transaction(Effect.andThen(exchange, Effect.fail("no"))))
    Assert.equal((yield* place.documents.list()).length, 1)
    yield* place.unit.transaction(exchange)
    Assert.equal((yield* place.documents.list()).length, 0)
  })
)

const interrupted = law("what waits for a commit runs if it comes, wherever the transaction is interrupted", (place) =>
  Effect.gen(function* () {
    const ran: Array<string> = []
    const transaction = (id: string) =>
      place.unit.transaction(Effect.andThen(noting(place, ran, id), place.documents.set(id, 1)))
    // Early and step by step, and then over the time that a round trip may take.
    for (const steps of count(60)) yield* interruptedAfter(transaction(`step ${steps}`), steps)
    for (const time of count(30)) yield* Effect.timeoutOption(transaction(`time ${time}`), `${time * 200} micros`)
    const kept = (yield* place.documents.list()).map(({ id }) => id)
    Assert.equal(new Set(ran), new Set(kept), "the hooks that ran and what was committed")
    Assert.equal(ran.length, kept.length, "how often the hooks ran")
  })
)

export const laws: ReadonlyArray<Law.Law<Stores>> = [
  ...inner,
  ...outer,
  deep,
  once,
  never,
  atOnce,
  outermost,
  open,
  exchanged,
  interrupted,
  passed,
  changed
]
