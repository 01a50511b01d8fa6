import { expect, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Lease, LeaseError, StorageFailure, TenantContext } from "../../src/index.ts"

/** The clock of a test, on a wall that can be set. */
const settable = Effect.map(Clock.Clock, (clock) => {
  let by = 0
  const wall: Clock.Clock = {
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + by,
    currentTimeMillis: Effect.sync(() => wall.currentTimeMillisUnsafe()),
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe() + BigInt(by) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => wall.currentTimeNanosUnsafe()),
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) => clock.sleep(duration)
  }
  return { wall, set: (millis: number) => void (by += millis) }
})

for (const [when, millis] of [
  ["back", -3_600_000],
  ["forward", 3_600_000]
] as const) {
  it.effect(`a lease that cannot be renewed is lost in time when the clock is set ${when}`, () =>
    Effect.gen(function* () {
      const { set, wall } = yield* settable
      const right = yield* Lease.Lease
      const reason = StorageFailure.make({ operation: "Lease.renew", retryable: true, cause: "no answer" })
      const cutOff = { ...right, renew: () => Effect.fail(new LeaseError.LeaseError({ reason })) }
      const working = yield* Effect.flip(Lease.hold("a", { ttl: "30 seconds" })(() => Effect.never)).pipe(
        Effect.provideService(Lease.Lease, cutOff),
        Effect.provideService(Clock.Clock, wall),
        Effect.forkChild
      )
      yield* TestClock.adjust("5 seconds")
      set(millis)
      yield* TestClock.adjust("31 seconds")
      expect(working.pollUnsafe()).toBeDefined()
      expect((yield* Fiber.join(working)).reason._tag).toBe("LeaseLost")
    }).pipe(Effect.provide([Lease.layerMemory, TenantContext.layerSingle]))
  )
}
