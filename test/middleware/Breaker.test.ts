import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Metric, Schema } from "effect"
import { TestClock } from "effect/testing"
import {
  Breaker,
  Command,
  CommandBus,
  DispatchError,
  EventStoreError,
  Middleware,
  on,
  StorageFailure,
  TenantContext
} from "../../src/index.ts"

const good = Effect.succeed("good")
const bad = Effect.fail("bad")

/** What calls come to, in order: their answer, their error, or that they were refused. */
const outcomes = (breaker: Breaker.Breaker, ...calls: ReadonlyArray<Effect.Effect<string, string>>) =>
  Effect.forEach(calls, (call) =>
    Effect.match(breaker.protect(call), {
      onSuccess: (value) => value,
      onFailure: (error) => (typeof error === "string" ? error : `refused for ${error.retryAfterMillis}`)
    })
  )

const stateOf = (breaker: Breaker.Breaker) => Effect.map(breaker.status, ({ state }) => state)

describe("a breaker", () => {
  it.effect("opens after 5 failures in 10 seconds, when not said otherwise, and lets one through after 30 to see", () =>
    Effect.gen(function* () {
      const breaker = Breaker.make({ name: "b" })
      expect(yield* outcomes(breaker, bad, bad, good, bad, bad)).toEqual(["bad", "bad", "good", "bad", "bad"])
      yield* TestClock.adjust("10 seconds")
      // The first are just young enough still.
      expect(yield* outcomes(breaker, bad, good)).toEqual(["bad", "refused for 30000"])
      yield* TestClock.adjust("29999 millis")
      expect(yield* outcomes(breaker, good)).toEqual(["refused for 1"])
      yield* TestClock.adjust("1 millis")
      expect(yield* outcomes(breaker, good)).toEqual(["good"])
      expect(yield* breaker.status).toEqual({ state: "Closed", since: 40_000, rejected: 2 })
    })
  )

  it.effect("stays closed when failures are further apart", () =>
    Effect.gen(function* () {
      const breaker = Breaker.make({ name: "b", trip: Breaker.failures(2, "10 seconds") })
      for (let n = 0; n < 5; n++) {
        yield* outcomes(breaker, bad)
        yield* TestClock.adjust("10001 millis")
      }
      expect(yield* stateOf(breaker)).toBe("Closed")
    })
  )

  it.effect("counts failures in a row, or the share of them", () =>
    Effect.gen(function* () {
      const inRow = Breaker.make({ name: "b", trip: Breaker.consecutive(2) })
      yield* outcomes(inRow, bad, good, bad, good)
      expect(yield* stateOf(inRow)).toBe("Closed")
      yield* outcomes(inRow, bad, bad)
      expect(yield* stateOf(inRow)).toBe("Open")

      const share = Breaker.make({ name: "b", trip: Breaker.rate(0.5, { calls: 4, minimum: 3 }) })
      yield* outcomes(share, bad, bad)
      expect(yield* stateOf(share)).toBe("Closed")
      yield* outcomes(share, good, good, good)
      // Of the last four, one.
      expect(yield* stateOf(share)).toBe("Closed")
      yield* outcomes(share, bad, bad)
      expect(yield* stateOf(share)).toBe("Open")
    })
  )

  it.effect("closes when all that are let through succeed, and opens again when one fails", () =>
    Effect.gen(function* () {
      const breaker = Breaker.make({ name: "b", trip: Breaker.consecutive(1), openFor: "1 second", probes: 2 })
      yield* outcomes(breaker, bad)
      yield* TestClock.adjust("1 second")
      expect(yield* outcomes(breaker, good)).toEqual(["good"])
      expect(yield* stateOf(breaker)).toBe("HalfOpen")
      expect(yield* outcomes(breaker, bad, good)).toEqual(["bad", "refused for 1000"])
      yield* TestClock.adjust("1 second")
      yield* outcomes(breaker, good, good)
      expect(yield* stateOf(breaker)).toBe("Closed")
    })
  )

  it.effect("lets no more through at a time than it needs to see, and not for ever the same", () =>
    Effect.gen(function* () {
      const breaker = Breaker.make({ name: "b", trip: Breaker.consecutive(1), openFor: "1 second" })
      yield* outcomes(breaker, bad)
      yield* TestClock.adjust("1 second")
      const hangs = yield* Effect.forkChild(breaker.protect(Effect.never), { startImmediately: true })
      expect(yield* outcomes(breaker, good)).toEqual(["refused for 1000"])
      yield* TestClock.adjust("1 second")
      expect(yield* outcomes(breaker, good)).toEqual(["good"])
      expect(yield* stateOf(breaker)).toBe("Closed")
      // What it comes to so late changes nothing.
      yield* Fiber.interrupt(hangs)
      expect(yield* stateOf(breaker)).toBe("Closed")
    })
  )

  it.effect("is not held open by a clock that was set back", () =>
    Effect.gen(function* () {
      const breaker = Breaker.make({ name: "b", trip: Breaker.consecutive(1), openFor: "30 seconds", probes: 2 })
      yield* TestClock.setTime(10_000_000)
      expect(yield* outcomes(breaker, bad, good)).toEqual(["bad", "refused for 30000"])
      yield* TestClock.setTime(5_000_000)
      expect(yield* outcomes(breaker, good, good)).toEqual(["good", "good"])
      expect(yield* stateOf(breaker)).toBe("Closed")
    })
  )

  it.effect("counts an interrupted call for nothing, and lets another through in its place", () =>
    Effect.gen(function* () {
      const breaker = Breaker.make({ name: "b", trip: Breaker.consecutive(1), openFor: "1 second" })
      yield* Fiber.interrupt(yield* Effect.forkChild(breaker.protect(Effect.never), { startImmediately: true }))
      expect(yield* stateOf(breaker)).toBe("Closed")
      yield* outcomes(breaker, bad)
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(yield* Effect.forkChild(breaker.protect(Effect.never), { startImmediately: true }))
      expect(yield* stateOf(breaker)).toBe("HalfOpen")
      expect(yield* outcomes(breaker, good)).toEqual(["good"])
    })
  )

  it.effect("does not count what a call comes to that began before", () =>
    Effect.gen(function* () {
      const breaker = Breaker.make({ name: "b", trip: Breaker.consecutive(1), openFor: "1 second" })
      const late = (ends: Effect.Effect<string, string>) =>
        Effect.forkChild(Effect.exit(breaker.protect(Effect.delay(ends, "1500 millis"))), { startImmediately: true })
      const [lateGood, lateBad] = [yield* late(good), yield* late(bad)]
      yield* outcomes(breaker, bad)
      yield* TestClock.adjust("1500 millis")
      yield* Fiber.join(lateGood)
      yield* Fiber.join(lateBad)
      expect(yield* breaker.status).toMatchObject({ state: "Open", since: 0 })
      expect(yield* outcomes(breaker, good)).toEqual(["good"])
    })
  )

  it.effect("counts defects always, and of the errors those that it is told", () =>
    Effect.gen(function* () {
      const breaker = Breaker.make({ name: "b", trip: Breaker.consecutive(1), isFailure: (error) => error !== "bad" })
      yield* outcomes(breaker, bad, bad)
      expect(yield* stateOf(breaker)).toBe("Closed")
      yield* Effect.exit(breaker.protect(Effect.die("bug")))
      expect(yield* stateOf(breaker)).toBe("Open")
      yield* breaker.reset
      yield* Effect.exit(breaker.protect(Effect.fail("worse")))
      expect(yield* stateOf(breaker)).toBe("Open")
    })
  )

  it.effect("shows in metrics what it does", () =>
    Effect.gen(function* () {
      const breaker = Breaker.make({ name: "seen", trip: Breaker.consecutive(1), openFor: "1 second" })
      yield* outcomes(breaker, bad, good, good)
      const of = (id: string, attributes = {}) =>
        Effect.map(Metric.snapshot, (all) =>
          all.flatMap((one) =>
            one.id === id && one.attributes?.["breaker"] === "seen" ? [{ state: one.state, ...attributes }] : []
          )
        )
      expect(yield* of("effect_cqrs_breaker_state")).toMatchObject([{ state: { value: 2 } }])
      expect(yield* of("effect_cqrs_breaker_rejections_total")).toMatchObject([{ state: { count: 2 } }])
      expect(yield* of("effect_cqrs_breaker_transitions_total")).toMatchObject([{ state: { count: 1 } }])
    })
  )
})

describe("a breaker around handlers", () => {
  class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}
  class Work extends Command.Class<Work>()("Work", { payload: {}, error: Refused }) {}
  const lost = new EventStoreError.EventStoreError({
    reason: StorageFailure.make({ operation: "append", retryable: true, cause: "lost" })
  })
  const conflict = new EventStoreError.EventStoreError({
    reason: new EventStoreError.VersionConflict({ stream: "A-1", expected: 1, actual: 2 })
  })

  const after = (breaker: Breaker.Breaker, error: Refused | EventStoreError.EventStoreError) =>
    Effect.gen(function* () {
      const Handlers = CommandBus.handlers(
        on(Work, () => Effect.fail(error)).pipe(Middleware.use(Breaker.middleware(breaker)))
      )
      return yield* Effect.flip(CommandBus.execute(new Work())).pipe(
        Effect.andThen(Effect.flip(CommandBus.execute(new Work()))),
        Effect.provide([Handlers, TenantContext.layerSingle])
      )
    })

  it.effect("leaves refusals and lost races alone, and opens for what does not work", () =>
    Effect.gen(function* () {
      const make = () => Breaker.make({ name: "b", trip: Breaker.consecutive(1) })
      expect(yield* after(make(), new Refused())).toBeInstanceOf(Refused)
      expect(yield* after(make(), conflict)).toMatchObject({ reason: { _tag: "Conflict" } })
      const refused = yield* after(make(), lost)
      expect(refused).toBeInstanceOf(DispatchError.DispatchError)
      expect(refused).toMatchObject({ of: "Work", reason: { _tag: "CircuitOpen", retryAfterMillis: 30_000 } })
      const told = Breaker.make({ name: "b", trip: Breaker.consecutive(1), isFailure: () => true })
      expect(yield* after(told, new Refused())).toMatchObject({ reason: { _tag: "CircuitOpen" } })
    })
  )
})
