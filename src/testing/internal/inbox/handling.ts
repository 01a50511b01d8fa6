/**
 * Laws about which messages are handled, of every inbox.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Position from "../../../domain/Position.ts"
import type * as Inbox from "../../../ports/Inbox.ts"
import type { InboxError } from "../../../ports/InboxError.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import type { UnitOfWorkError } from "../../../ports/UnitOfWork.ts"
import * as Assert from "../../Assert.ts"
import * as Law from "../../Law.ts"
import { count, unkeepable } from "../samples.ts"
import { type Options, race, racing, unique } from "../world.ts"

/** How a kind of inbox handles messages, each of which is its own key. */
export interface Kind<R> {
  readonly once: <A, E>(
    consumer: string,
    handler: (key: Inbox.Key) => Effect.Effect<A, E>
  ) => (
    key: Inbox.Key
  ) => Effect.Effect<Option.Option<A>, E | InboxError | UnitOfWorkError, R | TenantContext.TenantContext>
  readonly position: (
    consumer: string,
    source: string,
    segment: number
  ) => Effect.Effect<Position.Position, InboxError, R>
}

/** A consumer of one's own, and what it has handled. */
export interface Desk<R> {
  readonly consumer: string
  readonly handled: Array<string>
  readonly handle: (
    key: Inbox.Key,
    effect?: Effect.Effect<void, string>,
    consumer?: string
  ) => Effect.Effect<Option.Option<string>, string | InboxError | UnitOfWorkError, R | TenantContext.TenantContext>
}

export const at = (position: number, segment = 0, source = "log"): Inbox.Key => ({
  source,
  segment,
  position: Position.make(position)
})

const nameOf = (key: Inbox.Key) => ("id" in key ? key.id : `${key.source}/${key.segment}/${key.position}`)

/** Declares laws about a consumer of one's own, as a tenant of its own. */
export const laws =
  <R>(kind: Kind<R>) =>
  <A, E, R2>(
    name: string,
    body: (desk: Desk<R>) => Effect.Effect<A, E, R2>,
    options?: Options
  ): Law.Law<Exclude<R2, TenantContext.TenantContext>> =>
    Law.make(
      name,
      () =>
        Effect.gen(function* () {
          const token = yield* unique
          const handled: Array<string> = []
          const desk: Desk<R> = {
            consumer: `law-${token}`,
            handled,
            handle: (key, effect = Effect.void, consumer = `law-${token}`) =>
              kind.once(consumer, (one) =>
                Effect.map(effect, () => {
                  handled.push(nameOf(one))
                  return nameOf(one)
                })
              )(key)
          }
          return yield* TenantContext.provide(`law-${token}`)(body(desk))
        }),
      options
    )

/** What is promised with a transaction and without. */
export const common = <R>(kind: Kind<R>): ReadonlyArray<Law.Law<Exclude<R, TenantContext.TenantContext>>> => {
  const law = laws(kind)
  return [
    law("a message is handled once for its id, and its value is answered", (desk) =>
      Effect.gen(function* () {
        Assert.equal(yield* desk.handle({ id: "é 1" }), Option.some("é 1"))
        Assert.equal(yield* desk.handle({ id: "é 1" }), Option.none())
        Assert.equal(yield* desk.handle({ id: "É 1" }), Option.some("É 1"))
        Assert.equal(yield* desk.handle({ id: "é 1" }), Option.none())
        Assert.equal(desk.handled, ["é 1", "É 1"])
      })
    ),
    law("a message is handled when it is further in its segment than any before, or dropped", (desk) =>
      Effect.gen(function* () {
        for (const position of [3, 3, 2, 7, 5, 8]) yield* desk.handle(at(position))
        Assert.equal(desk.handled, ["log/0/3", "log/0/7", "log/0/8"])
        Assert.equal(yield* kind.position(desk.consumer, "log", 0), Position.make(8))
        Assert.equal(yield* kind.position(desk.consumer, "log", 1), Position.start)
        yield* desk.handle(at(0, 4))
        Assert.equal(desk.handled.length, 3, "nothing is before the first position")
        yield* desk.handle(at(Number.MAX_SAFE_INTEGER, 4))
        Assert.equal(yield* kind.position(desk.consumer, "log", 4), Position.make(Number.MAX_SAFE_INTEGER))
      })
    ),
    law("consumers, tenants, sources and segments have messages of their own", (desk) =>
      Effect.gen(function* () {
        const { consumer } = desk
        yield* desk.handle({ id: "a" })
        yield* TenantContext.provide(`${consumer}-other`)(desk.handle({ id: "a" }))
        for (const key of [at(1), at(1, 1), at(1, 0, "other"), at(1, 0, "Log")]) yield* desk.handle(key)
        Assert.equal(desk.handled, ["a", "a", "log/0/1", "log/1/1", "other/0/1", "Log/0/1"])
        for (const key of [{ id: "a" }, at(1)]) yield* desk.handle(key, Effect.void, `${consumer}2`)
        Assert.equal(desk.handled.slice(6), ["a", "log/0/1"])
      })
    ),
    law("a message whose handler fails, dies or is interrupted is not noted, and may come again", (desk) =>
      Effect.gen(function* () {
        for (const key of [{ id: "a" }, at(5)]) {
          const before = desk.handled.length
          yield* Effect.flip(desk.handle(key, Effect.fail("no")))
          yield* Effect.exit(desk.handle(key, Effect.die(new Error("a bug"))))
          const stopped = yield* Effect.forkChild(desk.handle(key, Effect.never))
          yield* Effect.sleep("20 millis")
          yield* Fiber.interrupt(stopped)
          Assert.equal(desk.handled.length, before)
          yield* desk.handle(key)
          yield* desk.handle(key)
          Assert.equal(desk.handled.length, before + 1)
        }
        Assert.equal(yield* kind.position(desk.consumer, "log", 0), Position.make(5))
      })
    ),
    law(
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
    ),
    law("what no storage can keep is InvalidKey, and is not handled", (desk) =>
      Effect.gen(function* () {
        const long = "x".repeat(513)
        const texts = [...unkeepable.map(([, text]) => text), "", long]
        for (const text of texts) {
          for (const key of [{ id: text }, at(1, 0, text)]) {
            const { consumer, issues } = yield* Assert.fails(desk.handle(key), "InvalidKey")
            Assert.equal([consumer, issues.length], [desk.consumer, 1])
          }
        }
        for (const segment of [-1, 0.5, Number.NaN, 2 ** 31]) {
          yield* Assert.fails(desk.handle(at(1, segment)), "InvalidKey")
        }
        Assert.equal(desk.handled, [])
      })
    )
  ]
}
