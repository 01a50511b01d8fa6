import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { Bulkhead, Command, CommandBus, Middleware, on, TenantContext } from "../../src/index.ts"

const started = { startImmediately: true } as const

describe("a bulkhead", () => {
  it.effect("lets so many run, so many wait, and refuses the rest", () =>
    Effect.gen(function* () {
      const bulkhead = Bulkhead.make({ name: "b", limit: 2, queue: 1 })
      const gate = yield* Deferred.make<void>()
      const calls = []
      for (let n = 0; n < 3; n++) calls.push(yield* Effect.forkChild(bulkhead.protect(Deferred.await(gate)), started))
      expect(yield* bulkhead.status).toEqual({ running: 2, waiting: 1 })
      expect(yield* Effect.flip(bulkhead.protect(Effect.void))).toMatchObject({
        _tag: "Overloaded",
        bulkhead: "b",
        running: 2,
        waiting: 1
      })
      yield* Deferred.succeed(gate, undefined)
      for (const call of calls) yield* Fiber.join(call)
      expect(yield* bulkhead.status).toEqual({ running: 0, waiting: 0 })
    })
  )

  it.effect("lets keys take turns, and within a key the first go first", () =>
    Effect.gen(function* () {
      const bulkhead = Bulkhead.make({ name: "b", limit: 1 })
      const gate = yield* Deferred.make<void>()
      const ran: Array<string> = []
      const holder = yield* Effect.forkChild(bulkhead.protect(Deferred.await(gate)), started)
      const calls = [holder]
      for (const call of ["a1", "a2", "a3", "b1", "c1", "b2", "a4"]) {
        const run = bulkhead.protect(
          Effect.sync(() => void ran.push(call)),
          call.slice(0, 1)
        )
        calls.push(yield* Effect.forkChild(run, started))
      }
      yield* Deferred.succeed(gate, undefined)
      for (const call of calls) yield* Fiber.join(call)
      expect(ran).toEqual(["a1", "b1", "c1", "a2", "b2", "a3", "a4"])
    })
  )

  it.effect("gives the place of who fails, dies or is interrupted to the next", () =>
    Effect.gen(function* () {
      const bulkhead = Bulkhead.make({ name: "b", limit: 1, queue: 1 })
      for (const ends of [Effect.fail("no"), Effect.die("bug"), Effect.interrupt]) {
        yield* Effect.exit(bulkhead.protect(ends))
      }
      const holder = yield* Effect.forkChild(bulkhead.protect(Effect.never), started)
      const waits = yield* Effect.forkChild(bulkhead.protect(Effect.void), started)
      yield* Fiber.interrupt(waits)
      const next = yield* Effect.forkChild(bulkhead.protect(Effect.succeed("in")), started)
      yield* Fiber.interrupt(holder)
      expect(yield* Fiber.join(next)).toBe("in")
      expect(yield* bulkhead.status).toEqual({ running: 0, waiting: 0 })
    })
  )

  it.effect("loses no place, whenever those who come are interrupted", () =>
    Effect.gen(function* () {
      const bulkhead = Bulkhead.make({ name: "b", limit: 2, queue: 4 })
      let [most, running] = [0, 0]
      const work = Effect.acquireUseRelease(
        Effect.sync(() => void (most = Math.max(most, ++running))),
        () => Effect.andThen(Effect.yieldNow, Effect.yieldNow),
        () => Effect.sync(() => void running--)
      )
      for (let steps = 0; steps < 60; steps++) {
        const calls = yield* Effect.forEach(["a", "b", "a", "c", "b", "a"], (key) =>
          Effect.forkChild(Effect.exit(bulkhead.protect(work, key)))
        )
        for (let step = 0; step < steps % 12; step++) yield* Effect.yieldNow
        for (const [n, call] of calls.entries()) if ((n + steps) % 3 !== 0) yield* Fiber.interrupt(call)
        for (const call of calls) yield* Fiber.await(call)
        expect(yield* bulkhead.status).toEqual({ running: 0, waiting: 0 })
      }
      expect(most).toBe(2)
    })
  )

  it.effect("answers a message that finds no room with a DispatchError", () =>
    Effect.gen(function* () {
      class Work extends Command.Class<Work>()("Work", { payload: {} }) {}
      const bulkhead = Bulkhead.make({ name: "b", limit: 1, queue: 0 })
      const gate = yield* Deferred.make<void>()
      const Handlers = CommandBus.handlers(
        on(Work, () => Deferred.await(gate)).pipe(Middleware.use(Bulkhead.middleware(bulkhead)))
      )
      yield* Effect.gen(function* () {
        const first = yield* Effect.forkChild(CommandBus.execute(new Work()), started)
        const second = yield* Effect.exit(CommandBus.execute(new Work()))
        expect(Exit.isFailure(second) && second.cause.reasons).toMatchObject([
          { error: { of: "Work", reason: { _tag: "Overloaded", running: 1 } } }
        ])
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(first)
      }).pipe(Effect.provide([Handlers, TenantContext.layerSingle]))
    })
  )
})
