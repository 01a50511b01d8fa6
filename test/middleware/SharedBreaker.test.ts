import { expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"
import { Breaker, Command, CommandBus, Middleware, on, Policy, SharedBreaker, TenantContext } from "../../src/index.ts"

const two = Effect.gen(function* () {
  const options = { name: "bank", trip: Breaker.consecutive(2), openFor: "10 seconds" } as const
  return [yield* SharedBreaker.make(options), yield* SharedBreaker.make(options)] as const
})
const memory = CircuitBreaker.layerStoreMemory()
const bad = Effect.fail("bad")

it.effect("opens and closes for all who share it, and lets one through to see", () =>
  Effect.gen(function* () {
    const [here, there] = yield* two
    expect(yield* Effect.flip(here.protect(bad))).toBe("bad")
    expect(yield* Effect.flip(there.protect(bad))).toBe("bad")
    for (const one of [here, there]) {
      expect(yield* Effect.flip(one.protect(Effect.void))).toMatchObject({
        _tag: "CircuitOpen",
        breaker: "bank",
        retryAfterMillis: 10_000
      })
    }
    yield* TestClock.adjust("10 seconds")
    const probe = yield* Effect.forkChild(here.protect(Effect.delay(Effect.succeed("good"), "1 second")), {
      startImmediately: true
    })
    expect(yield* Effect.flip(there.protect(Effect.void))).toMatchObject({ _tag: "CircuitOpen", retryAfterMillis: 0 })
    yield* TestClock.adjust("1 second")
    expect(yield* Fiber.join(probe)).toBe("good")
    expect(yield* there.protect(Effect.succeed("in"))).toBe("in")
  }).pipe(Effect.provide(memory))
)

it.effect("keeps another breaker's refusals and every defect as they are", () =>
  Effect.gen(function* () {
    const [here] = yield* two
    const other = new CircuitBreaker.CircuitBreakerError({ reason: new CircuitBreaker.CircuitHalfOpen({ key: "k" }) })
    expect(yield* Effect.flip(here.protect(Effect.fail(other)))).toBe(other)
    const died = yield* Effect.exit(here.protect(Effect.die("bug")))
    expect(JSON.stringify(died)).toContain("bug")
    expect(yield* Effect.flip(here.protect(Effect.void))).toMatchObject({ _tag: "CircuitOpen" })
  }).pipe(Effect.provide(memory))
)

it.effect("is a part of a policy like any breaker", () =>
  Effect.gen(function* () {
    class Work extends Command.Class<Work>()("Work", { payload: {} }) {}
    const [here, there] = yield* two
    yield* Effect.ignore(there.protect(bad))
    yield* Effect.ignore(there.protect(bad))
    const Handlers = CommandBus.handlers(
      on(Work, () => Effect.void).pipe(Middleware.use(Policy.make({ breaker: here })))
    )
    const refused = yield* Effect.flip(CommandBus.execute(new Work())).pipe(
      Effect.provide(Layer.merge(Handlers, TenantContext.layerSingle))
    )
    expect(refused).toMatchObject({ of: "Work", reason: { _tag: "CircuitOpen" } })
  }).pipe(Effect.provide(memory))
)
