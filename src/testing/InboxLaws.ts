/**
 * What every inbox promises, as laws.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Position from "../domain/Position.ts"
import * as Inbox from "../ports/Inbox.ts"
import * as TenantContext from "../ports/TenantContext.ts"
import { UnitOfWork } from "../ports/UnitOfWork.ts"
import * as Assert from "./Assert.ts"
import { count, unkeepable } from "./internal/samples.ts"
import { type Options, race, racing, unique } from "./internal/world.ts"
import * as Law from "./Law.ts"

/** A consumer of one's own, and what it has handled. */
interface Desk {
  readonly inbox: Inbox.Inbox["Service"]
  readonly consumer: string
  readonly handled: Array<string>
  readonly handle: (
    key: Inbox.Key,
    effect?: Effect.Effect<void, string>
  ) => Effect.Effect<Option.Option<string>, unknown, Inbox.Inbox | UnitOfWork | TenantContext.TenantContext>
}

const nameOf = (key: Inbox.Key) => ("id" in key ? key.id : `${key.source}/${key.segment}/${key.position}`)

const law = <A, E, R>(
  name: string,
  body: (desk: Desk) => Effect.Effect<A, E, R>,
  options?: Options
): Law.Law<Exclude<R, TenantContext.TenantContext> | Inbox.Inbox> =>
  Law.make(
    name,
    () =>
      Effect.gen(function* () {
        const token = yield* unique
        const handled: Array<string> = []
        const consumer = `law-${token}`
        const desk: Desk = {
          inbox: yield* Inbox.Inbox,
          consumer,
          handled,
          handle: (key, effect = Effect.void) =>
            Inbox.once(
              consumer,
              (one: Inbox.Key) => one
            )((one) =>
              Effect.as(
                Effect.tap(effect, () => Effect.sync(() => handled.push(nameOf(one)))),
                nameOf(one)
              )
            )(key)
        }
        return yield* TenantContext.provide(`law-${token}`)(body(desk))
      }),
    options
  )

const at = (position: number, segment = 0, source = "log"): Inbox.Key => ({
  source,
  segment,
  position: Position.make(position)
})

const byId = law("a message is handled once for its id, and its value is answered", (desk) =>
  Effect.gen(function* () {
    Assert.equal(yield* desk.handle({ id: "é 1" }), Option.some("é 1"))
    Assert.equal(yield* desk.handle({ id: "é 1" }), Option.none())
    Assert.equal(yield* desk.handle({ id: "É 1" }), Option.some("É 1"))
    Assert.equal(yield* desk.handle({ id: "é 1" }), Option.none())
    Assert.equal(desk.handled, ["é 1", "É 1"])
  })
)

const byPosition = law("a message is handled when it is further in its segment than any before, or dropped", (desk) =>
  Effect.gen(function* () {
    for (const position of [3, 3, 2, 7, 5, 8]) yield* desk.handle(at(position))
    Assert.equal(desk.handled, ["log/0/3", "log/0/7", "log/0/8"])
    Assert.equal(yield* desk.inbox.position(desk.consumer, "log", 0), Position.make(8))
    Assert.equal(yield* desk.inbox.position(desk.consumer, "log", 1), Position.start)
    yield* desk.handle(at(0, 4))
    Assert.equal(desk.handled.length, 3, "nothing is before the first position")
    yield* desk.handle(at(Number.MAX_SAFE_INTEGER, 4))
    Assert.equal(yield* desk.inbox.position(desk.consumer, "log", 4), Position.make(Number.MAX_SAFE_INTEGER))
  })
)

const apart = law("consumers, tenants, sources and segments have messages of their own", (desk) =>
  Effect.gen(function* () {
    const { consumer, inbox } = desk
    yield* desk.handle({ id: "a" })
    yield* TenantContext.provide(`${consumer}-other`)(desk.handle({ id: "a" }))
    for (const key of [at(1), at(1, 1), at(1, 0, "other"), at(1, 0, "Log")]) yield* desk.handle(key)
    Assert.equal(desk.handled, ["a", "a", "log/0/1", "log/1/1", "other/0/1", "Log/0/1"])
    const { id: tenant } = yield* TenantContext.TenantContext
    Assert.equal(yield* inbox.take(tenant, `${consumer}2`, "a"), true)
    Assert.equal(yield* inbox.advance(`${consumer}2`, "log", 0, Position.make(1)), true)
  })
)

const failures = law("a message whose handler fails or dies is not noted, and may come again", (desk) =>
  Effect.gen(function* () {
    for (const key of [{ id: "a" }, at(5)]) {
      const before = desk.handled.length
      yield* Effect.flip(desk.handle(key, Effect.fail("no")))
      yield* Effect.exit(desk.handle(key, Effect.die(new Error("a bug"))))
      Assert.equal(desk.handled.length, before)
      yield* desk.handle(key)
      yield* desk.handle(key)
      Assert.equal(desk.handled.length, before + 1)
    }
    Assert.equal(yield* desk.inbox.position(desk.consumer, "log", 0), Position.make(5))
  })
)

const together = law("what was noted in a transaction that is rolled back is forgotten", (desk) =>
  Effect.gen(function* () {
    const unit = yield* UnitOfWork
    const both = Effect.andThen(desk.handle({ id: "a" }), desk.handle(at(5)))
    yield* Effect.flip(unit.transaction(Effect.andThen(both, Effect.fail("no"))))
    yield* unit.transaction(
      Effect.gen(function* () {
        yield* both
        yield* Effect.flip(unit.transaction(Effect.andThen(desk.handle({ id: "b" }), Effect.fail("no"))))
        Assert.equal(yield* desk.handle({ id: "a" }), Option.none(), "what the transaction sees of itself")
      })
    )
    yield* both
    yield* desk.handle({ id: "b" })
    Assert.equal(desk.handled, ["a", "log/0/5", "a", "log/0/5", "b", "b"])
  })
)

const many = law(
  "of many that have the same message at the same time one handles it, though others fail",
  (desk) =>
    Effect.gen(function* () {
      for (const round of count(5)) {
        const before = desk.handled.length
        for (const key of [{ id: `m${round}` }, at(round)]) {
          yield* race(
            count(8).map((n) =>
              Effect.exit(
                desk.handle(
                  key,
                  Effect.andThen(Effect.sleep("1 millis"), n % 2 === 0 ? Effect.void : Effect.fail("no"))
                )
              )
            )
          )
        }
        Assert.equal(desk.handled.slice(before), [`m${round}`, `log/0/${round}`])
      }
    }),
  racing
)

const purged = law("what was noted is remembered for as long as it is to be", (desk) =>
  Effect.gen(function* () {
    yield* desk.handle({ id: "a" })
    yield* desk.handle(at(1))
    yield* desk.inbox.purge(Duration.days(1))
    Assert.equal([yield* desk.handle({ id: "a" }), yield* desk.handle(at(1))], [Option.none(), Option.none()])
  })
)

const refused = law("what no storage can keep is InvalidKey, and is not handled", (desk) =>
  Effect.gen(function* () {
    const long = "x".repeat(513)
    const texts = [...unkeepable.map(([, text]) => text), "", long]
    for (const text of texts) {
      for (const key of [{ id: text }, at(1, 0, text)]) {
        const run = Inbox.once(desk.consumer, (one: Inbox.Key) => one)(() => Effect.sync(() => desk.handled.push("")))
        const { consumer, issues } = yield* Assert.fails(run(key), "InvalidKey")
        Assert.equal([consumer, issues.length], [desk.consumer, 1])
      }
    }
    for (const segment of [-1, 0.5, Number.NaN, 2 ** 31]) {
      const run = Inbox.once(desk.consumer, (one: Inbox.Key) => one)(() => Effect.void)
      yield* Assert.fails(run(at(1, segment)), "InvalidKey")
    }
    Assert.equal(desk.handled, [])
  })
)

/**
 * The laws of `Inbox` over a storage with units of work.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<Inbox.Inbox | UnitOfWork>> = [
  byId,
  byPosition,
  apart,
  failures,
  together,
  many,
  purged,
  refused
]
