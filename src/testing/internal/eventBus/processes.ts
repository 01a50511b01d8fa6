/**
 * Laws about a bus that reaches other processes: what they hear, and what a lost connection does.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Actor from "../../../domain/Actor.ts"
import * as EventBus from "../../../ports/EventBus.ts"
import * as MessageContext from "../../../ports/MessageContext.ts"
import * as SystemContext from "../../../ports/SystemContext.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count } from "../samples.ts"
import { Announced, aWhile, Hall, law, numberOf, until } from "./listening.ts"

/**
 * The bus of another process, and how to take its connection away.
 *
 * **Details**
 *
 * `cut` completes once all connections of that bus are lost, or will not be found alive; it connects again by itself.
 *
 * @category services
 * @since 0.1.0
 */
export class Elsewhere extends Context.Service<
  Elsewhere,
  { readonly bus: EventBus.EventBus["Service"]; readonly cut: Effect.Effect<void> }
>()("effect-cqrs/testing/EventBusLaws/Elsewhere") {}

const there = (hall: Hall) => Effect.map(Elsewhere, ({ bus, cut }) => ({ cut, hall: new Hall(bus, hall.run) }))

const reached = law("every process hears what one publishes, once, in the order of publishing", (hall) =>
  Effect.gen(function* () {
    const other = yield* there(hall)
    const seen = [yield* hall.numbers(hall.all), yield* other.hall.numbers(hall.all)]
    for (const n of count(20)) yield* hall.publish(...hall.announced(n))
    yield* hall.publish(...hall.announced(...count(10, 21)))
    yield* until(() => seen.every((numbers) => numbers.length >= 30))
    yield* other.hall.publish(...hall.announced(31, 32))
    yield* until(() => seen.every((numbers) => numbers.length >= 32))
    yield* aWhile
    for (const numbers of seen) Assert.equal(numbers, count(32))
  })
)

const agreed = law("all processes hear a tenant's events in one order, whoever publishes", (hall) =>
  Effect.gen(function* () {
    const other = yield* there(hall)
    const seen = [yield* hall.numbers(hall.all), yield* other.hall.numbers(hall.all)]
    const publishing = (from: Hall, first: number) =>
      Effect.forEach(count(30, first), (n) => from.publish(...hall.announced(n)), { discard: true })
    yield* Effect.all([publishing(hall, 1), publishing(other.hall, 101)], { concurrency: 2 })
    yield* until(() => seen.every((numbers) => numbers.length >= 60))
    Assert.equal(seen[0], seen[1])
  })
)

const contents = law("in another process an event has its id, its tenant, and all that it belongs to", (hall) =>
  Effect.gen(function* () {
    const { bus } = yield* Elsewhere
    const here: Array<EventBus.Published<Announced>> = []
    const seen: Array<EventBus.Published<Announced>> = []
    const contexts: Array<readonly [tenant: string, message: string | undefined, actor: string | undefined]> = []
    yield* hall.bus.subscribe(EventBus.of(Announced), (published) => Effect.sync(() => here.push(published)))
    yield* bus
      .subscribeAll(EventBus.of(Announced), (published) =>
        Effect.gen(function* () {
          if (published.event.run !== hall.run) return
          const { actor, messageId } = yield* MessageContext.MessageContext
          contexts.push([(yield* TenantContext.TenantContext).id, messageId, actor?.id])
          seen.push(published)
        })
      )
      .pipe(SystemContext.provide("laws"))
    yield* hall.publish(...hall.announced(1)).pipe(
      MessageContext.provide({
        messageId: "m-1",
        correlationId: "c-1",
        actor: Actor.service("billing: eu"),
        attributes: { "from=&": "laws ü", empty: "" }
      })
    )
    yield* until(() => here.length > 0 && seen.length > 0)
    Assert.equal(seen, here)
    Assert.isTrue(seen[0]?.event instanceof Announced, "it is no instance of its class")
    Assert.equal(seen[0]?.metadata.actor, Actor.service("billing: eu"))
    Assert.equal(seen[0]?.metadata.attributes, { "from=&": "laws ü", empty: "" })
    Assert.equal(contexts, [[hall.tenant, seen[0]?.id, "billing: eu"]])
  })
)

const large = law("an event of 200,000 characters arrives whole, and in its place", (hall) =>
  Effect.gen(function* () {
    const other = yield* there(hall)
    const text = "äß🎈x".repeat(40_000)
    const seen: Array<string | number> = []
    yield* other.hall.bus.subscribe(hall.all, ({ event }) =>
      Effect.sync(() => seen.push("note" in event && event.note !== "" ? String(event.note) : numberOf(event)))
    )
    yield* hall.publish(...hall.announced(1), hall.noting(2, text), ...hall.announced(3))
    yield* hall.publish(...hall.announced(4))
    yield* until(() => seen.length >= 4)
    Assert.equal(
      seen.map((one) => (typeof one === "string" ? one === text : one)),
      [1, true, 3, 4]
    )
  })
)

const heardAgain = law("who was cut off hears again, nothing twice and nothing out of order", (hall) =>
  Effect.gen(function* () {
    const other = yield* there(hall)
    const seen = yield* other.hall.numbers(hall.all)
    /** Of each number, whether the other bus said that it hears when the number was published. */
    const wasUp: Array<boolean> = [false]
    const announce = Effect.suspend(() => hall.publish(...hall.announced(wasUp.push(other.hall.bus.isUp()) - 1)))
    const announcing = yield* Effect.forkChild(Effect.forever(Effect.andThen(announce, Effect.sleep("2 millis"))))
    yield* until(() => seen.length >= 5)
    for (const _ of count(2)) {
      yield* other.cut
      const last = wasUp.length
      yield* until(() => (seen.at(-1) ?? 0) > last + 20)
    }
    yield* Fiber.interrupt(announcing)
    yield* aWhile
    Assert.equal(
      seen,
      seen.toSorted((a, b) => a - b).filter((one, at, all) => one !== all[at - 1]),
      "in order, once"
    )
    const heard = new Set(seen)
    const missed = count(Math.max(...seen)).filter((n) => !heard.has(n))
    // What is lost is lost before it is noticed, and until it is up: never once it is up again.
    const wrongly = missed.filter((n) => wasUp[n] === true && wasUp[n - 1] === false)
    Assert.equal(wrongly, [], "missed once it was up again")
  })
)

const subscribed = law("who subscribes while the bus is down hears from when it is up", (hall) =>
  Effect.gen(function* () {
    const other = yield* there(hall)
    yield* other.cut
    const seen = yield* other.hall.numbers(hall.all)
    let n = 0
    const announcing = Effect.forever(
      Effect.andThen(
        Effect.suspend(() => hall.publish(...hall.announced(++n))),
        Effect.sleep("5 millis")
      )
    )
    const fiber = yield* Effect.forkChild(announcing)
    yield* until(() => seen.length >= 5)
    yield* Fiber.interrupt(fiber)
    Assert.equal(seen.slice(0, 5), count(5, seen[0]))
  })
)

const published = law("what is published over a cut is heard once, or fails with NotConnected", (hall) =>
  Effect.gen(function* () {
    const other = yield* there(hall)
    const seen = yield* hall.numbers(hall.all)
    const succeeded: Array<number> = []
    const reasons = new Set<string>()
    const publish = (n: number) =>
      Effect.map(Effect.result(other.hall.publish(...hall.announced(n))), (result) => {
        if (Result.isSuccess(result)) succeeded.push(n)
        else reasons.add(result.failure.reason._tag)
      })
    yield* publish(1)
    const cutting = yield* Effect.forkChild(Effect.delay(other.cut, "10 millis"))
    for (const n of count(30, 2)) yield* Effect.andThen(publish(n), Effect.sleep("2 millis"))
    yield* Fiber.join(cutting)
    let last = 100
    while (succeeded.at(-1) !== last) yield* Effect.andThen(publish(++last), Effect.sleep("2 millis"))
    yield* until(() => (seen.at(-1) ?? 0) >= last)
    yield* aWhile
    Assert.equal(
      seen,
      seen.toSorted((a, b) => a - b).filter((one, at, all) => one !== all[at - 1]),
      "in order, once"
    )
    Assert.equal(
      succeeded.filter((n) => !seen.includes(n)),
      [],
      "published, and not heard"
    )
    Assert.equal(
      Array.from(reasons).filter((reason) => reason !== "NotConnected"),
      []
    )
  })
)

export const laws: ReadonlyArray<Law.Law<EventBus.EventBus | Elsewhere>> = [
  reached,
  agreed,
  contents,
  large,
  heardAgain,
  subscribed,
  published
]
