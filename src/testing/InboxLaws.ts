/**
 * What every inbox promises, as laws.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Inbox from "../ports/Inbox.ts"
import { UnitOfWork } from "../ports/UnitOfWork.ts"
import * as Assert from "./Assert.ts"
import * as claims from "./internal/inbox/claiming.ts"
import { at, common, type Kind, laws as lawsOf } from "./internal/inbox/handling.ts"
import type * as Law from "./Law.ts"

const kind: Kind<Inbox.Inbox | UnitOfWork> = {
  once: (consumer, handler) => Inbox.once(consumer, (key: Inbox.Key) => key)(handler),
  position: (consumer, source, segment) =>
    Effect.flatMap(Inbox.Inbox, (inbox) => inbox.position(consumer, source, segment))
}

const law = lawsOf(kind)

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

const purged = law("what was noted is remembered for as long as it is to be", (desk) =>
  Effect.gen(function* () {
    yield* desk.handle({ id: "a" })
    yield* desk.handle(at(1))
    yield* (yield* Inbox.Inbox).purge(Duration.days(1))
    Assert.equal([yield* desk.handle({ id: "a" }), yield* desk.handle(at(1))], [Option.none(), Option.none()])
  })
)

/**
 * The laws of `Inbox` over a storage with units of work.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<Inbox.Inbox | UnitOfWork>> = [...common(kind), together, purged]

/**
 * The laws of `ClaimingInbox`: those of `Inbox` that need no transaction, and those about claims.
 *
 * @category laws
 * @since 0.1.0
 */
export const claiming: ReadonlyArray<Law.Law<Inbox.ClaimingInbox>> = claims.laws
