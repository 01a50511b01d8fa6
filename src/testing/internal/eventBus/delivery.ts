/**
 * Laws about who gets what, and in which order.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as EventBus from "../../../ports/EventBus.ts"
import * as SystemContext from "../../../ports/SystemContext.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count } from "../samples.ts"
import { Announced, aWhile, Detailed, type Hall, law, numberOf, Revoked, until } from "./listening.ts"

const everybody = law("every subscriber gets every event it wants, in the order of publishing", (hall) =>
  Effect.gen(function* () {
    const seen = yield* Effect.all(count(3).map(() => hall.numbers(EventBus.of(Announced))))
    yield* hall.publish(...hall.announced(1, 2, 3))
    for (const n of count(20, 4)) yield* hall.publish(...hall.announced(n))
    yield* until(() => seen.every((numbers) => numbers.length >= 23))
    yield* aWhile
    for (const numbers of seen) Assert.equal(numbers, count(23))
  })
)

const nobody = law("publishing nothing, or to nobody, succeeds", (hall) =>
  Effect.gen(function* () {
    yield* hall.publish()
    yield* hall.publish(...hall.announced(1, 2))
  })
)

const mixed = (hall: Hall) => [
  ...hall.announced(1),
  new Revoked({ run: hall.run, n: 2 }),
  new Detailed({ run: hall.run, n: 3 }),
  ...hall.announced(4)
]

const selecting = law("a subscriber gets what its selector accepts and nothing else", (hall) =>
  Effect.gen(function* () {
    const expected: ReadonlyArray<readonly [seen: Array<number>, numbers: ReadonlyArray<number>, what: string]> = [
      [yield* hall.numbers(EventBus.of(Announced)), [1, 4], "one class"],
      [yield* hall.numbers(EventBus.of(Revoked, Detailed)), [2, 3], "two classes"],
      [yield* hall.numbers(EventBus.topic("law.announced")), [1, 4], "law.announced"],
      [yield* hall.numbers(EventBus.topic("law.*")), [1, 2, 4], "law.*"],
      [yield* hall.numbers(EventBus.topic("*.announced.*")), [3], "*.announced.*"],
      [yield* hall.numbers(EventBus.topic("law.**")), [1, 2, 3, 4], "law.**"],
      [yield* hall.numbers(EventBus.topic("law")), [], "law"],
      [yield* hall.numbers(EventBus.topic("law?announced")), [], "law?announced"],
      [yield* hall.numbers(EventBus.where("odd", (event) => numberOf(event) % 2 === 1)), [1, 3], "a predicate"],
      [yield* hall.numbers(hall.all), [1, 2, 3, 4], "everything"]
    ]
    yield* hall.publish(...mixed(hall))
    yield* until(() => expected.every(([seen, numbers]) => seen.length >= numbers.length))
    yield* aWhile
    for (const [seen, numbers, what] of expected) Assert.equal(seen, numbers, what)
  })
)

const late = law("who subscribes later gets what is published later", (hall) =>
  Effect.gen(function* () {
    const early = yield* hall.numbers(hall.all)
    yield* hall.publish(...hall.announced(1, 2))
    yield* until(() => early.length === 2)
    const seen = yield* hall.numbers(hall.all)
    yield* hall.publish(...hall.announced(3))
    yield* until(() => seen.length > 0)
    yield* aWhile
    Assert.equal(seen, [3])
    Assert.equal(early, [1, 2, 3])
  })
)

const closed = law("a subscription ends with its scope, and no other does", (hall) =>
  Effect.gen(function* () {
    const stays = yield* hall.numbers(hall.all)
    const scope = yield* Scope.make()
    const ends = yield* Scope.provide(hall.numbers(hall.all), scope)
    yield* hall.publish(...hall.announced(1))
    yield* until(() => stays.length === 1 && ends.length === 1)
    yield* Scope.close(scope, Exit.void)
    yield* hall.publish(...hall.announced(2))
    yield* until(() => stays.length === 2)
    yield* aWhile
    Assert.equal(ends, [1])
  })
)

const tenants = law("`subscribe` sees the tenant it runs for, `subscribeAll` everybody", (hall) =>
  Effect.gen(function* () {
    const asOther = TenantContext.provide(hall.other)
    const everything: Array<readonly [tenant: string, n: number]> = []
    const mine = yield* hall.numbers(hall.all)
    const theirs = yield* asOther(hall.numbers(hall.all))
    yield* hall.bus
      .subscribeAll(hall.all, ({ event, tenant }) => Effect.sync(() => everything.push([tenant, numberOf(event)])))
      .pipe(SystemContext.provide("laws"))
    for (const n of count(4)) {
      yield* n % 2 === 0 ? asOther(hall.publish(...hall.announced(n))) : hall.publish(...hall.announced(n))
    }
    yield* until(() => mine.length >= 2 && theirs.length >= 2 && everything.length >= 4)
    yield* aWhile
    Assert.equal(mine, [1, 3])
    Assert.equal(theirs, [2, 4])
    Assert.equal(
      everything,
      count(4).map((n) => [n % 2 === 0 ? hall.other : hall.tenant, n])
    )
  })
)

const streams = law(
  "`stream` gives the tenant's events that the selector accepts, in the order of publishing",
  (hall) =>
    Effect.gen(function* () {
      const asOther = TenantContext.provide(hall.other)
      const seen: Array<number> = []
      const fiber = yield* hall.bus.stream(EventBus.of(Announced)).pipe(
        Stream.tap(({ event }) => Effect.sync(() => seen.push(event.n))),
        Stream.takeUntil(({ event }) => event.n === 10),
        Stream.runCollect,
        Effect.forkChild
      )
      // A stream listens once it runs.
      const probing = Effect.forever(Effect.andThen(hall.publish(...hall.announced(0)), Effect.sleep("2 millis")))
      const probe = yield* Effect.forkChild(probing)
      yield* until(() => seen.length > 0)
      yield* Fiber.interrupt(probe)
      for (const n of count(5)) {
        yield* asOther(hall.publish(...hall.announced(n * 100)))
        yield* hall.publish(new Revoked({ run: hall.run, n: n * 1000 }), ...hall.announced(2 * n - 1, 2 * n))
      }
      const published = (yield* Fiber.join(fiber)).filter(({ event }) => event.n > 0)
      Assert.equal(
        published.map(({ event, tenant }) => ({ event, tenant })),
        hall.announced(...count(10)).map((event) => ({ event, tenant: hall.tenant }))
      )
    })
)

export const laws: ReadonlyArray<Law.Law<EventBus.EventBus>> = [
  everybody,
  nobody,
  selecting,
  late,
  closed,
  tenants,
  streams
]
