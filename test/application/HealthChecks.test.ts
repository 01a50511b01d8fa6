import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { HealthChecks } from "../../src/index.ts"

const run = Effect.flatMap(HealthChecks.HealthChecks, (checks) => checks.run)

describe("HealthChecks", () => {
  it.effect("asks once for all who ask at the same time, and again after a second", () => {
    let asked = 0
    const slow = Effect.delay(
      Effect.sync(() => void asked++),
      "100 millis"
    )
    return Effect.gen(function* () {
      const all = yield* Effect.forkChild(Effect.all([run, run, run], { concurrency: "unbounded" }))
      yield* TestClock.adjust("100 millis")
      for (const { checks } of yield* Fiber.join(all)) {
        expect(checks).toEqual([{ name: "slow", status: "up", reason: undefined, millis: 100 }])
      }
      yield* run
      expect(asked).toBe(1)
      yield* TestClock.adjust("1 second")
      const again = yield* Effect.forkChild(run)
      yield* TestClock.adjust("100 millis")
      yield* Fiber.join(again)
      expect(asked).toBe(2)
    }).pipe(Effect.provide(Layer.provideMerge(HealthChecks.register("slow", slow), HealthChecks.layer)))
  })

  it.effect("logs what changes, with its reason", () => {
    const logged: Array<string> = []
    const logger = Logger.make(({ message }) => void logged.push(String(message)))
    let status: HealthChecks.Status = "up"
    const check = Effect.sync(() => ({ status, reason: status === "up" ? undefined : "it rains" }))
    const Live = Layer.provideMerge(HealthChecks.register("roof", check), HealthChecks.layer)
    return Effect.gen(function* () {
      for (const next of ["up", "down", "down", "degraded", "up"] as const) {
        status = next
        yield* run
        yield* TestClock.adjust("2 seconds")
      }
      expect(logged).toEqual(["roof is down: it rains", "roof is degraded: it rains", "roof is up"])
    }).pipe(Effect.provide(Layer.merge(Live, Logger.layer([logger]))))
  })

  it.effect("forgets a check whose layer is gone", () =>
    Effect.gen(function* () {
      const checks = yield* HealthChecks.HealthChecks
      const both = HealthChecks.register("gone", Effect.fail("no")).pipe(
        Layer.provide(Layer.succeed(HealthChecks.HealthChecks, checks))
      )
      expect((yield* Effect.provide(checks.run, both)).status).toBe("down")
      yield* TestClock.adjust("2 seconds")
      expect(yield* checks.run).toEqual({ status: "up", checks: [] })
    }).pipe(Effect.provide(HealthChecks.layer))
  )
})
