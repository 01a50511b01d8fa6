import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import * as Cache from "../../src/middleware/Cache.ts"
import * as Caching from "../../src/middleware/Caching.ts"
import * as Memory from "../../src/ports/Memory.ts"
import * as QueryCache from "../../src/ports/QueryCache.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"
import { UnitOfWork } from "../../src/ports/UnitOfWork.ts"

const Pair = Schema.Struct({ from: Schema.String, to: Schema.String })
class NoRate extends Schema.TaggedError<NoRate>("NoRate")("NoRate", { to: Schema.String }) {}

type Options = Partial<
  Omit<Cache.Options<typeof Pair.Type, number, NoRate, NoRate, never>, "key" | "success" | "error">
>

/** Rates that count how often they are looked up. */
const make = (options: Options = {}) => {
  const calls = { count: 0 }
  const rates = Cache.make("rates", {
    key: Pair,
    success: Schema.Finite,
    error: NoRate,
    lookup: () => Effect.sync(() => ++calls.count),
    beta: 0,
    ...options
  })
  return { calls, rates }
}

const live = Layer.mergeAll(Memory.layer, TenantContext.layerSingle)
const euros = { from: "EUR", to: "USD" }
const pounds = { from: "GBP", to: "USD" }

describe("kept values", () => {
  it.effect("are looked up once, by tenant and key, whatever order its fields have", () => {
    const { rates } = make({ ttl: "10 seconds" })
    return Effect.gen(function* () {
      expect([yield* rates.get(euros), yield* rates.get({ to: "USD", from: "EUR" })]).toEqual([1, 1])
      expect(yield* rates.get(pounds)).toBe(2)
      expect(yield* TenantContext.provide("other")(rates.get(euros))).toBe(3)
      yield* TestClock.adjust("11 seconds")
      expect(yield* rates.get(euros)).toBe(4)
    }).pipe(Effect.provide(live))
  })

  it.effect("are looked up once for all that ask at the same time", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { calls, rates } = make({ lookup: () => Effect.as(Deferred.await(gate), ++calls.count) })
      const all = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(rates.get(euros)))
      yield* Effect.yieldNow
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Effect.forEach(all, Fiber.join)).toEqual([1, 1, 1])
    }).pipe(Effect.provide(live))
  )

  it.effect("are peeked at without being looked up", () => {
    const { calls, rates } = make()
    return Effect.gen(function* () {
      expect([yield* rates.peek(euros), calls.count]).toEqual([Option.none(), 0])
      yield* rates.get(euros)
      expect(yield* rates.peek(euros)).toEqual(Option.some(1))
      expect([yield* rates.peek(pounds), calls.count]).toEqual([Option.none(), 1])
      expect(yield* rates.get(pounds)).toBe(2)
    }).pipe(Effect.provide(live))
  })

  it.effect("are set in place of what is kept, and of what is being looked up", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { rates } = make({ lookup: () => Effect.as(Deferred.await(gate), 1) })
      const before = yield* Effect.forkChild(rates.get(euros))
      yield* Effect.yieldNow
      expect(yield* rates.set(euros, 2)).toBe(true)
      expect(yield* rates.get(euros)).toBe(2)
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(before)).toBe(1)
      expect(yield* rates.get(euros)).toBe(2)
      expect(yield* rates.set(euros, 3)).toBe(true)
      expect(yield* rates.get(euros)).toBe(3)
      // Not as the schema says.
      expect(yield* rates.set(euros, Number.NaN)).toBe(false)
      expect(yield* rates.peek(euros)).toEqual(Option.none())
    }).pipe(Effect.provide(live))
  )

  it.effect("are deleted one by one, by tag, by pattern and all of a name, in one tenant", () => {
    const { rates } = make({ tags: ({ from }) => [`currency:${from}`] })
    const others = Cache.make("other", { key: Schema.String, success: Schema.Finite, lookup: () => Effect.succeed(0) })
    const kept = Effect.map(
      Effect.all([
        rates.peek(euros),
        rates.peek(pounds),
        others.peek("a"),
        TenantContext.provide("x")(rates.peek(euros))
      ]),
      (all) => all.map(Option.isSome)
    )
    const fill = Effect.all([rates.get(euros), rates.get(pounds), others.get("a")])
    return Effect.gen(function* () {
      yield* TenantContext.provide("x")(rates.get(euros))
      yield* fill
      yield* rates.delete(euros)
      expect(yield* kept).toEqual([false, true, true, true])
      yield* fill
      yield* Caching.invalidate(["currency:GBP"])
      expect(yield* kept).toEqual([true, false, true, true])
      yield* fill
      yield* Caching.invalidate(["values:other:*"])
      expect(yield* kept).toEqual([true, true, false, true])
      yield* fill
      yield* rates.clear
      expect(yield* kept).toEqual([false, false, true, true])
    }).pipe(Effect.provide(live))
  })

  it.effect("hold errors only when that is asked", () => {
    const failing = (options: Options) => {
      let count = 0
      const { rates } = make({
        lookup: ({ to }) => Effect.suspend(() => (count++, Effect.fail(new NoRate({ to })))),
        ...options
      })
      return Effect.gen(function* () {
        expect(yield* Effect.flip(rates.get(euros))).toEqual(new NoRate({ to: "USD" }))
        expect(yield* Effect.flip(rates.get(euros))).toEqual(new NoRate({ to: "USD" }))
        expect(yield* rates.peek(euros)).toEqual(Option.none())
        return count
      }).pipe(Effect.provide(Layer.fresh(live)))
    }
    return Effect.gen(function* () {
      expect(yield* failing({})).toBe(2)
      expect(yield* failing({ errors: "1 minute" })).toBe(1)
    })
  })

  it.effect("are looked up in a unit of work, and set and deleted after its commit or never", () => {
    const { rates } = make()
    return Effect.gen(function* () {
      const unit = yield* UnitOfWork
      yield* rates.set(euros, 100)
      yield* unit.transaction(
        Effect.gen(function* () {
          expect(yield* rates.get(euros)).toBe(1)
          expect(yield* rates.set(euros, 200)).toBe(true)
          expect(yield* rates.peek(euros)).toEqual(Option.some(100))
        })
      )
      expect(yield* rates.get(euros)).toBe(200)
      yield* Effect.ignore(unit.transaction(Effect.andThen(rates.set(euros, 300), Effect.fail("no"))))
      yield* Effect.ignore(unit.transaction(Effect.andThen(rates.delete(euros), Effect.fail("no"))))
      expect(yield* rates.get(euros)).toBe(200)
    }).pipe(Effect.provide(live))
  })

  it.effect("that have a key which is none are looked up, and not kept", () => {
    const { calls, rates } = make()
    const wrong = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Any))('{"from":1}')
    return Effect.gen(function* () {
      expect([yield* rates.get(wrong), yield* rates.get(wrong), yield* rates.set(wrong, 7)]).toEqual([1, 2, false])
      yield* rates.delete(wrong)
      expect([yield* rates.peek(wrong), calls.count]).toEqual([Option.none(), 2])
    }).pipe(Effect.provide(live))
  })

  it.effect("with long keys are apart", () => {
    const long = Cache.make("long", { key: Schema.String, success: Schema.String, lookup: Effect.succeed })
    const key = "k".repeat(300)
    return Effect.gen(function* () {
      expect([yield* long.get(`${key}1`), yield* long.get(`${key}2`)]).toEqual([`${key}1`, `${key}2`])
      yield* long.delete(`${key}1`)
      expect([yield* long.peek(`${key}1`), yield* long.peek(`${key}2`)]).toEqual([
        Option.none(),
        Option.some(`${key}2`)
      ])
    }).pipe(Effect.provide(live))
  })

  it.effect("are in one cache for each that is provided", () => {
    const { rates } = make()
    return Effect.gen(function* () {
      const other = Context.get(yield* Layer.build(Layer.fresh(QueryCache.layerMemory)), QueryCache.QueryCache)
      yield* rates.get(euros)
      expect(yield* Effect.provideService(rates.get(euros), QueryCache.QueryCache, other)).toBe(2)
      expect(yield* rates.get(euros)).toBe(1)
    }).pipe(Effect.provide(live))
  })
})
