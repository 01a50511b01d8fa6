import { describe, expect, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Random, Schema } from "effect"
import { TestClock } from "effect/testing"
import {
  Command,
  CommandBus,
  DispatchError,
  EventStoreError,
  Introspection,
  type Message,
  Middleware,
  on,
  Resilience,
  StorageFailure,
  TenantContext
} from "../../src/index.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", { try: Schema.Int }) {}
class Work extends Command.Class<Work>()("Work", { payload: {}, success: Schema.Int, error: Refused }) {}

const conflict = new EventStoreError.EventStoreError({
  reason: new EventStoreError.VersionConflict({ stream: "Cart-1", expected: 1, actual: 2 })
})
const nestedConflict = DispatchError.make(
  "Other",
  new DispatchError.Conflict({ stream: "Cart-1", expected: 1, actual: 2 })
)
const lost = new EventStoreError.EventStoreError({
  reason: StorageFailure.make({ operation: "append", retryable: true, cause: "lost" })
})

type Failure = Refused | EventStoreError.EventStoreError | DispatchError.DispatchError

/** A handler that fails so many times, and when it ran. */
const failing = (times: number, error: (tries: number) => Failure) => {
  const at: Array<number> = []
  const handler = on(Work, () =>
    Effect.flatMap(Clock.currentTimeMillis, (now): Effect.Effect<number, Failure> => {
      const tries = at.push(now)
      return tries <= times ? Effect.fail(error(tries)) : Effect.succeed(tries)
    })
  )
  return { at, handler }
}

/** The pauses between tries, in a world where chance always says this. */
const run = (
  handler: ReturnType<typeof failing>,
  middleware: Middleware.Middleware<Message.Any, DispatchError.DispatchError>,
  random = 0.5
) =>
  Effect.gen(function* () {
    const Handlers = CommandBus.handlers(handler.handler.pipe(Middleware.use(middleware)))
    const fiber = yield* CommandBus.execute(new Work()).pipe(
      Effect.result,
      Effect.provide(Layer.merge(Handlers, TenantContext.layerSingle)),
      Effect.provideService(Random.Random, { nextDoubleUnsafe: () => random, nextIntUnsafe: () => 0 }),
      Effect.forkChild
    )
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust("1 millis")
    const result = yield* Fiber.join(fiber)
    return { result, pauses: handler.at.slice(1).map((time, n) => time - (handler.at[n] ?? 0)) }
  })

const refused = (tries: number) => new Refused({ try: tries })

describe("retry", () => {
  it.effect(
    "runs the handler again, 3 times and a second apart when not said otherwise, each pause twice the last",
    () =>
      Effect.gen(function* () {
        const always = failing(100, refused)
        const { pauses, result } = yield* run(always, Resilience.retry({ while: () => true }))
        expect(always.at).toHaveLength(4)
        expect(result).toMatchObject({ _tag: "Failure", failure: new Refused({ try: 4 }) })
        expect(pauses.map((pause, n) => pause >= 800 * 2 ** n && pause <= 1000 * 2 ** n)).toEqual([true, true, true])
      })
  )

  it.effect("ends with the first success", () =>
    Effect.gen(function* () {
      const twice = failing(2, refused)
      const { result } = yield* run(twice, Resilience.retry({ while: () => true, times: 5, delay: "10 millis" }))
      expect(result).toMatchObject({ _tag: "Success", success: 3 })
      expect(twice.at).toHaveLength(3)
    })
  )

  it.effect("runs again only what `while` accepts", () =>
    Effect.gen(function* () {
      const mixed = failing(100, (tries) => (tries < 3 ? lost : new Refused({ try: tries })))
      const isStorage = (error: unknown) => error === lost
      const { result } = yield* run(mixed, Resilience.retry({ while: isStorage, times: 9, delay: 1 }))
      expect(result).toMatchObject({ failure: new Refused({ try: 3 }) })
    })
  )

  it.effect.each([0, 0.5, 0.999])("never pauses longer than maxDelay, whatever the jitter: %d", (random) =>
    Effect.gen(function* () {
      const always = failing(100, refused)
      const options = { while: () => true, times: 8, delay: "10 millis", maxDelay: "50 millis" } as const
      const { pauses } = yield* run(always, Resilience.retry(options), random)
      expect(pauses).toHaveLength(8)
      // The clock of this test goes on by whole milliseconds.
      expect(Math.max(...pauses)).toBeLessThanOrEqual(51)
      expect(Math.min(...pauses.slice(3))).toBeGreaterThanOrEqual(40)
    })
  )

  it.effect("is jittered: callers that fail together do not come back together", () =>
    Effect.gen(function* () {
      const pausesAt = (random: number) =>
        Effect.map(
          run(failing(100, refused), Resilience.retry({ while: () => true, delay: "9 millis" }), random),
          ({ pauses }) => pauses
        )
      const [low, high] = [yield* pausesAt(0), yield* pausesAt(0.999)]
      expect(low.every((pause, n) => pause < (high[n] ?? 0))).toBe(true)
    })
  )

  it.effect("never runs a handler again that died", () =>
    Effect.gen(function* () {
      let calls = 0
      const Handlers = CommandBus.handlers(
        on(Work, () => Effect.suspend(() => (calls++, Effect.die("bug")))).pipe(
          Middleware.use(Resilience.retry({ while: () => true }))
        )
      )
      yield* Effect.exit(CommandBus.execute(new Work())).pipe(Effect.provide([Handlers, TenantContext.layerSingle]))
      expect(calls).toBe(1)
    })
  )
})

describe("retryOnConflict", () => {
  it.effect("runs a handler again that lost a race, its own or a nested command's", () =>
    Effect.gen(function* () {
      for (const error of [conflict, nestedConflict]) {
        const racing = failing(3, () => error)
        expect((yield* run(racing, Resilience.retryOnConflict())).result).toMatchObject({ success: 4 })
        expect((racing.at[3] ?? 0) - (racing.at[0] ?? 0)).toBeLessThan(60)
      }
    })
  )

  it.effect("gives up after 3, or what it is told, with a Conflict", () =>
    Effect.gen(function* () {
      const [always, once] = [failing(100, () => conflict), failing(100, () => conflict)]
      const gaveUp = { failure: { _tag: "DispatchError", of: "Work", reason: { _tag: "Conflict", actual: 2 } } }
      expect((yield* run(always, Resilience.retryOnConflict())).result).toMatchObject(gaveUp)
      expect((yield* run(once, Resilience.retryOnConflict({ times: 1 }))).result).toMatchObject(gaveUp)
      expect([always.at.length, once.at.length]).toEqual([4, 2])
    })
  )

  it.effect("leaves every other failure alone", () =>
    Effect.gen(function* () {
      for (const error of [
        lost,
        new Refused({ try: 1 }),
        DispatchError.make("X", new DispatchError.Gone({ stream: "s" }))
      ]) {
        const other = failing(100, () => error)
        yield* run(other, Resilience.retryOnConflict())
        expect(other.at).toHaveLength(1)
      }
    })
  )
})

describe("timeout", () => {
  it.effect("interrupts a handler that takes too long, and says how long it had", () =>
    Effect.gen(function* () {
      let interrupted = false
      const Handlers = CommandBus.handlers(
        on(Work, () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (interrupted = true)))).pipe(
          Middleware.use(Resilience.timeout("1500 millis"))
        )
      )
      const fiber = yield* CommandBus.execute(new Work()).pipe(
        Effect.flip,
        Effect.provide([Handlers, TenantContext.layerSingle]),
        Effect.forkChild
      )
      yield* TestClock.adjust("1499 millis")
      expect(fiber.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust("1 millis")
      expect(yield* Fiber.join(fiber)).toEqual(
        DispatchError.make("Work", new DispatchError.Timeout({ afterMillis: 1500, waitingFor: "the handler" }))
      )
      expect(interrupted).toBe(true)
    })
  )

  it.effect("lets a handler through that is in time, with its answer or its error", () =>
    Effect.gen(function* () {
      const answered = failing(0, refused)
      const failed = failing(1, refused)
      const limit = Resilience.timeout("1 second")
      expect((yield* run(answered, limit)).result).toMatchObject({ success: 1 })
      expect((yield* run(failed, limit)).result).toMatchObject({ failure: new Refused({ try: 1 }) })
    })
  )

  it.effect("outside of a retry is for all tries, inside of it for each", () =>
    Effect.gen(function* () {
      const slow = () => {
        let tries = 0
        const handler = on(Work, () =>
          Effect.suspend(() =>
            ++tries < 3 ? Effect.andThen(Effect.sleep(60), Effect.fail(refused(tries))) : Effect.succeed(tries)
          )
        )
        return handler
      }
      const retry = Resilience.retry({ while: () => true, delay: 1 })
      const outcome = (Handlers: Layer.Layer<CommandBus.Handler<"Work">, unknown>) =>
        Effect.gen(function* () {
          const fiber = yield* CommandBus.execute(new Work()).pipe(
            Effect.result,
            Effect.provide(Layer.merge(Handlers, TenantContext.layerSingle)),
            Effect.forkChild
          )
          while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust("1 millis")
          return (yield* Fiber.join(fiber))._tag
        })
      const limit = Resilience.timeout("100 millis")
      const outside = CommandBus.handlers(slow().pipe(Middleware.use(retry), Middleware.use(limit)))
      const inside = CommandBus.handlers(slow().pipe(Middleware.use(limit), Middleware.use(retry)))
      expect([yield* outcome(outside), yield* outcome(inside)]).toEqual(["Failure", "Success"])
    })
  )
})

it.effect("introspection shows every setting in words", () =>
  Effect.gen(function* () {
    const Handlers = CommandBus.handlers(
      on(Work, () => Effect.succeed(1)).pipe(
        Middleware.use(Resilience.retry({ while: () => true })),
        Middleware.use(Resilience.retryOnConflict({ times: 9 })),
        Middleware.use(Resilience.timeout("90 seconds"))
      )
    )
    const { messages } = yield* Introspection.describe.pipe(Effect.provide(Handlers))
    expect(messages[0]?.middleware).toEqual([
      { name: "timeout", policy: { duration: "1m 30s" } },
      { name: "retryOnConflict", policy: { times: 9, delay: "5ms", maxDelay: "100ms" } },
      { name: "retry", policy: { times: 3, delay: "1s", maxDelay: "10s" } }
    ])
  })
)
