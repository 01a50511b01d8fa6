/**
 * Laws about handlers that gather events, and about those whose failures are made good.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import type * as Event from "../../../domain/Event.ts"
import * as EventBus from "../../../ports/EventBus.ts"
import * as SystemContext from "../../../ports/SystemContext.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count } from "../samples.ts"
import { aWhile, law, numberOf, until } from "./listening.ts"

type Batch = ReadonlyArray<EventBus.Published<Event.Any>>

const numbersOf = (batch: Batch) => batch.map(({ event }) => numberOf(event))

const gathering = law(
  "a batching subscriber gets every event once, in order, and never more than its size at once",
  (hall) =>
    Effect.gen(function* () {
      const batches: Array<ReadonlyArray<number>> = []
      const handler = yield* EventBus.batched({ size: 7, within: "20 millis" }, (batch: Batch) =>
        Effect.andThen(
          Effect.sleep("2 millis"),
          Effect.sync(() => batches.push(numbersOf(batch)))
        )
      )
      yield* hall.bus.subscribe(hall.all, handler)
      yield* hall.publish(...hall.announced(...count(20)))
      for (const n of count(10, 21)) yield* hall.publish(...hall.announced(n))
      yield* until(() => batches.flat().length >= 30)
      yield* aWhile
      Assert.equal(batches.flat(), count(30))
      Assert.equal(
        batches.filter(({ length }) => length > 7),
        []
      )
      Assert.isTrue(batches.length < 30, "nothing was gathered")
    })
)

const timely = law("a batch that is not full is handed on when its time is over", (hall) =>
  Effect.gen(function* () {
    const batches: Array<ReadonlyArray<number>> = []
    const handler = yield* EventBus.batched({ size: 1000, within: "60 millis" }, (batch: Batch) =>
      Effect.sync(() => batches.push(numbersOf(batch)))
    )
    yield* hall.bus.subscribe(hall.all, handler)
    yield* hall.publish(...hall.announced(1, 2))
    yield* until(() => batches.length > 0)
    yield* hall.publish(...hall.announced(3))
    yield* until(() => batches.length > 1)
    Assert.equal(batches, [[1, 2], [3]])
  })
)

const flushed = law("what was gathered is handed on when the subscription ends", (hall) =>
  Effect.gen(function* () {
    const batches: Array<ReadonlyArray<number>> = []
    const seen = yield* hall.numbers(hall.all)
    let came = 0
    const scope = yield* Scope.make()
    yield* Effect.gen(function* () {
      const handler = yield* EventBus.batched({ size: 2, within: "1 hour" }, (batch: Batch) =>
        Effect.andThen(
          Effect.sleep("10 millis"),
          Effect.sync(() => batches.push(numbersOf(batch)))
        )
      )
      yield* hall.bus.subscribe(hall.all, (published) =>
        Effect.tap(handler(published), () => Effect.sync(() => came++))
      )
    }).pipe(Scope.provide(scope))
    yield* hall.publish(...hall.announced(1, 2, 3, 4, 5))
    yield* until(() => came === 5)
    yield* Scope.close(scope, Exit.void)
    Assert.equal(batches, [[1, 2], [3, 4], [5]])
    yield* hall.publish(...hall.announced(6))
    yield* until(() => seen.length === 6)
    Assert.equal(batches.flat(), count(5))
  })
)

const ofOneTenant = law("a batch is of one tenant, as which its handler runs", (hall) =>
  Effect.gen(function* () {
    const batches: Array<readonly [tenant: string, tenants: ReadonlyArray<string>, numbers: ReadonlyArray<number>]> = []
    const handler = yield* EventBus.batched({ size: 2, within: "1 hour" }, (batch: Batch) =>
      Effect.map(TenantContext.TenantContext, ({ id }) =>
        batches.push([id, batch.map(({ tenant }) => tenant), numbersOf(batch)])
      )
    )
    yield* hall.bus.subscribeAll(hall.all, handler).pipe(SystemContext.provide("laws"))
    for (const n of count(4)) {
      const publish = hall.publish(...hall.announced(n))
      yield* n % 2 === 0 ? TenantContext.provide(hall.other)(publish) : publish
    }
    yield* until(() => batches.length >= 2)
    Assert.equal(batches, [
      [hall.tenant, [hall.tenant, hall.tenant], [1, 3]],
      [hall.other, [hall.other, hall.other], [2, 4]]
    ])
  })
)

const failing = law("a batch that fails is logged, and harms no other; split, it harms no other event", (hall) =>
  Effect.gen(function* () {
    const wholes: Array<number> = []
    const singles: Array<number> = []
    const lines: Array<unknown> = []
    const noting = (into: Array<number>) => (batch: Batch) =>
      Effect.suspend(() => {
        if (numbersOf(batch).includes(2)) return Effect.fail("no")
        return Effect.sync(() => into.push(...numbersOf(batch)))
      })
    const logger = Logger.map(Logger.formatStructured, ({ annotations }) => lines.push(annotations["events"]))
    const ids: Array<string> = []
    yield* Effect.gen(function* () {
      const options = { size: 3, within: "1 hour" } as const
      const whole = yield* EventBus.batched(options, noting(wholes))
      const split = yield* EventBus.batched({ ...options, split: true }, noting(singles))
      yield* hall.bus.subscribe(hall.all, (published) =>
        Effect.andThen(
          Effect.sync(() => ids.push(published.id)),
          whole(published)
        )
      )
      yield* hall.bus.subscribe(hall.all, split)
      yield* hall.publish(...hall.announced(1, 2, 3))
      yield* hall.publish(...hall.announced(4, 5, 6))
      yield* until(() => wholes.length >= 3 && singles.length >= 5)
    }).pipe(Effect.provideService(Logger.CurrentLoggers, new Set([logger])))
    Assert.equal(wholes, [4, 5, 6])
    Assert.equal(singles, [1, 3, 4, 5, 6])
    Assert.equal(
      lines.toSorted((a, b) => String(a).length - String(b).length),
      [[ids[1]], ids.slice(0, 3)]
    )
  })
)

const madeGood = law(
  "a handler that fails is compensated with its event and its cause, and is no failure then",
  (hall) =>
    Effect.gen(function* () {
      const compensated: Array<readonly [n: number, why: string]> = []
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => void lines.push(message))
      const handler = EventBus.compensating(
        ({ event }: EventBus.Published<Event.Any>) => {
          if (numberOf(event) === 3) throw new Error("thrown")
          return numberOf(event) === 2 ? Effect.fail("failed") : Effect.void
        },
        ({ event }, cause) =>
          Effect.map(TenantContext.TenantContext, ({ id }) =>
            compensated.push([numberOf(event), `${id} ${String(Cause.squash(cause))}`])
          )
      )
      const seen = yield* hall.bus
        .subscribe(hall.all, handler)
        .pipe(Effect.andThen(hall.numbers(hall.all)), Effect.provideService(Logger.CurrentLoggers, new Set([logger])))
      yield* hall.publish(...hall.announced(1, 2, 3, 4))
      yield* until(() => seen.length >= 4 && compensated.length >= 2)
      yield* aWhile
      Assert.equal(compensated, [
        [2, `${hall.tenant} failed`],
        [3, `${hall.tenant} Error: thrown`]
      ])
      Assert.equal(lines, [])
    })
)

const bothFailed = law("a compensation that fails is logged with both causes, and the next event goes on", (hall) =>
  Effect.gen(function* () {
    const lines: Array<ReadonlyArray<string>> = []
    const handled: Array<number> = []
    const logger = Logger.make<unknown, void>(({ cause, logLevel }) => {
      if (logLevel === "Error")
        lines.push(cause.reasons.map((reason) => (Cause.isFailReason(reason) ? String(reason.error) : "")))
    })
    const handler = EventBus.compensating(
      ({ event }: EventBus.Published<Event.Any>) => {
        handled.push(numberOf(event))
        return numberOf(event) === 1 ? Effect.fail("first") : Effect.void
      },
      () => Effect.fail("second")
    )
    yield* hall.bus.subscribe(hall.all, handler).pipe(Effect.provideService(Logger.CurrentLoggers, new Set([logger])))
    yield* hall.publish(...hall.announced(1, 2))
    yield* until(() => handled.length >= 2)
    Assert.equal(handled, [1, 2])
    Assert.equal(lines, [["first", "second"]])
  })
)

export const laws: ReadonlyArray<Law.Law<EventBus.EventBus>> = [
  gathering,
  timely,
  flushed,
  ofOneTenant,
  failing,
  madeGood,
  bothFailed
]
