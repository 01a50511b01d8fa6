/**
 * What every event bus promises, as laws.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as EventBus from "../ports/EventBus.ts"
import { UnitOfWork } from "../ports/UnitOfWork.ts"
import * as Assert from "./Assert.ts"
import * as delivery from "./internal/eventBus/delivery.ts"
import * as handlers from "./internal/eventBus/handlers.ts"
import * as kinds from "./internal/eventBus/kinds.ts"
import { aWhile, law, numberOf, Revoked, until } from "./internal/eventBus/listening.ts"
import * as processes from "./internal/eventBus/processes.ts"
import { count } from "./internal/samples.ts"
import type * as Law from "./Law.ts"

export { events } from "./internal/eventBus/listening.ts"
export { Elsewhere } from "./internal/eventBus/processes.ts"

/**
 * The laws of `EventBus`. A bus over a driver must read `events`.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<EventBus.EventBus>> = [...delivery.laws, ...handlers.laws, ...kinds.laws]

/**
 * The laws of a bus that promises `AcrossProcesses`.
 *
 * @category laws
 * @since 0.1.0
 */
export const acrossProcesses: ReadonlyArray<Law.Law<EventBus.EventBus | processes.Elsewhere>> = processes.laws

const committed = law("what a transaction publishes leaves after its commit, in the order of publishing", (hall) =>
  Effect.gen(function* () {
    const unit = yield* UnitOfWork
    const seen = yield* hall.numbers(hall.all)
    yield* unit.transaction(
      Effect.gen(function* () {
        yield* hall.publish(...hall.announced(1, 2))
        yield* unit.transaction(hall.publish(...hall.announced(3)))
        yield* hall.publish(...hall.announced(4))
        yield* aWhile
        Assert.equal(seen, [], "before the commit")
      })
    )
    yield* hall.publish(...hall.announced(5))
    yield* until(() => seen.length >= 5)
    Assert.equal(seen, count(5))
  })
)

const rolledBack = law("what a transaction publishes that is rolled back never leaves", (hall) =>
  Effect.gen(function* () {
    const unit = yield* UnitOfWork
    const seen = yield* hall.numbers(hall.all)
    const undone = (n: number) => Effect.andThen(hall.publish(...hall.announced(n)), Effect.fail("no"))
    yield* Effect.flip(unit.transaction(undone(1)))
    yield* Effect.flip(
      unit.transaction(Effect.andThen(unit.transaction(hall.publish(...hall.announced(2))), undone(3)))
    )
    yield* unit.transaction(
      Effect.andThen(Effect.flip(unit.transaction(undone(4))), hall.publish(...hall.announced(5)))
    )
    yield* hall.publish(...hall.announced(6))
    yield* until(() => seen.length >= 2)
    yield* aWhile
    Assert.equal(seen, [5, 6])
  })
)

/**
 * The laws of a bus whose storage has units of work.
 *
 * @category laws
 * @since 0.1.0
 */
export const transactional: ReadonlyArray<Law.Law<EventBus.EventBus | UnitOfWork>> = [committed, rolledBack]

const remembered = law("the history holds what was published, oldest first, that the selector accepts", (hall) =>
  Effect.gen(function* () {
    const history = yield* EventBus.EventBusHistory
    yield* hall.publish(...hall.announced(1), new Revoked({ run: hall.run, n: 2 }))
    yield* hall.publish(...hall.announced(3))
    const published = yield* history.published(hall.all)
    Assert.equal(
      published.map(({ event, tenant }) => [numberOf(event), tenant]),
      count(3).map((n) => [n, hall.tenant])
    )
    const ours = EventBus.where("revoked here", (event) => event instanceof Revoked && event.run === hall.run)
    Assert.equal(
      (yield* history.published(ours)).map(({ event }) => numberOf(event)),
      [2]
    )
  })
)

const idle = law("`idle` completes when every subscriber has handled all that was published", (hall) =>
  Effect.gen(function* () {
    const history = yield* EventBus.EventBusHistory
    yield* history.idle
    const seen: Array<number> = []
    yield* hall.bus.subscribe(hall.all, ({ event }) =>
      Effect.andThen(
        Effect.sleep("3 millis"),
        Effect.sync(() => seen.push(numberOf(event)))
      )
    )
    const all = yield* hall.numbers(hall.all)
    for (const round of count(3)) {
      yield* hall.publish(...hall.announced(...count(round)))
      yield* history.idle
      Assert.equal([seen.length, all.length], [(round * (round + 1)) / 2, (round * (round + 1)) / 2])
    }
  })
)

/**
 * The laws of a bus that remembers what was published, as the one in memory does; nobody else may publish meanwhile.
 *
 * @category laws
 * @since 0.1.0
 */
export const history: ReadonlyArray<Law.Law<EventBus.EventBus | EventBus.EventBusHistory>> = [remembered, idle]
