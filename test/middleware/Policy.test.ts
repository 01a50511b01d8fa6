import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import {
  Actor,
  Breaker,
  Bulkhead,
  Command,
  CommandBus,
  Introspection,
  MessageContext,
  Middleware,
  on,
  Policy,
  Query,
  QueryBus,
  RateLimit,
  Resilience,
  TenantContext
} from "../../src/index.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}
class Work extends Command.Class<Work>()("Work", { payload: {}, error: Refused }) {}
class Ask extends Query.Class<Ask>()("Ask", { payload: {}, success: Schema.Int, error: Refused }) {}

const limits = RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))
const one = TenantContext.layerSingle

describe("a rate limit", () => {
  const limited = (options: RateLimit.Options) =>
    CommandBus.handlers(on(Work, () => Effect.void).pipe(Middleware.use(RateLimit.middleware(options))))
  const work = Effect.match(CommandBus.execute(new Work()), {
    onSuccess: () => "done",
    onFailure: (error) =>
      error._tag === "DispatchError" && error.reason._tag === "RateLimited" ? error.reason.retryAfterMillis : error._tag
  })

  it.effect("is of each actor of each tenant, and says when the next may come", () =>
    Effect.gen(function* () {
      const Handlers = limited({ limit: 2, window: "10 seconds" }).pipe(Layer.provide(limits))
      const as = (tenant: string, id: string, kind = Actor.user) =>
        work.pipe(MessageContext.provide({ actor: kind(id) }), TenantContext.provide(tenant))
      yield* Effect.gen(function* () {
        expect([yield* as("a", "ada"), yield* as("a", "ada")]).toEqual(["done", "done"])
        yield* TestClock.adjust("4 seconds")
        expect(yield* as("a", "ada")).toBe(6_000)
        expect([yield* as("a", "bob"), yield* as("b", "ada")]).toEqual(["done", "done"])
        expect(yield* as("a", "ada", Actor.service), "a service of that name").toBe("done")
        yield* TestClock.adjust("6 seconds")
        expect(yield* as("a", "ada")).toBe("done")
      }).pipe(Effect.provide(Handlers))
    })
  )

  it.effect("limits nobody while its store fails, or everybody when told to", () =>
    Effect.gen(function* () {
      const reason = new RateLimiter.RateLimitStoreError({ message: "gone" })
      const failing = Effect.map(RateLimiter.RateLimiter, (right) => ({
        ...right,
        consume: () => Effect.fail(new RateLimiter.RateLimiterError({ reason }))
      }))
      const broken = Layer.effect(RateLimiter.RateLimiter, failing).pipe(Layer.provide(limits))
      const options = { limit: 1, window: "1 second" } as const
      const under = (handlers: ReturnType<typeof limited>) =>
        Effect.all([work, work]).pipe(Effect.provide([Layer.provide(handlers, broken), one]))
      expect(yield* under(limited(options))).toEqual(["done", "done"])
      const strict = limited({ ...options, onStoreFailure: "refuse" })
      expect(yield* under(strict)).toEqual(["DispatchError", "DispatchError"])
    })
  )
})

describe("a hedge", () => {
  const asking = (...answers: ReadonlyArray<Effect.Effect<number, Refused>>) => {
    let calls = 0
    const Handlers = QueryBus.handlers(
      on(Ask, () => answers[calls++] ?? Effect.never).pipe(Middleware.use(Resilience.hedge({ after: "100 millis" })))
    )
    return Effect.gen(function* () {
      const fiber = yield* QueryBus.ask(new Ask()).pipe(
        Effect.result,
        Effect.provide([Handlers, one]),
        Effect.forkChild({ startImmediately: true })
      )
      yield* TestClock.adjust("10 seconds")
      return { calls, result: yield* Fiber.join(fiber) }
    })
  }
  const slow = Effect.delay(Effect.succeed(1), "1 second")
  const bad = Effect.fail(new Refused())

  it.effect("asks a second time when there is no answer in time, and hears who is first", () =>
    Effect.gen(function* () {
      expect(yield* asking(slow, Effect.succeed(2))).toMatchObject({ calls: 2, result: { success: 2 } })
      expect(yield* asking(slow, Effect.never)).toMatchObject({ calls: 2, result: { success: 1 } })
      expect(yield* asking(Effect.succeed(1))).toMatchObject({ calls: 1, result: { success: 1 } })
    })
  )

  it.effect("hears no failure but the first's", () =>
    Effect.gen(function* () {
      expect(yield* asking(slow, bad)).toMatchObject({ calls: 2, result: { success: 1 } })
      expect(yield* asking(bad)).toMatchObject({ calls: 1, result: { failure: new Refused() } })
      const late = Effect.delay(bad, "500 millis")
      expect(yield* asking(late, Effect.never)).toMatchObject({ calls: 2, result: { failure: new Refused() } })
    })
  )
})

describe("a retry", () => {
  const failing = (middleware: Middleware.Middleware) => {
    let calls = 0
    const Handlers = CommandBus.handlers(
      on(Work, () => Effect.suspend(() => (calls++, Effect.fail(new Refused())))).pipe(Middleware.use(middleware))
    )
    const run = Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.exit(CommandBus.execute(new Work())))
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(fiber)
    }).pipe(Effect.provide([Handlers, one]))
    return Effect.map(run, () => calls)
  }

  it.effect("stops when its budget is spent, also for later calls", () =>
    Effect.gen(function* () {
      const budget = Resilience.retryBudget({ tokens: 6 })
      const retry = Resilience.retry({ while: () => true, times: 5, budget })
      expect(yield* failing(retry)).toBe(3)
      expect(yield* failing(retry)).toBe(1)
      for (let n = 0; n < 50; n++) budget.earnUnsafe()
      expect(yield* failing(retry)).toBe(3)
      expect(retry.policy).toMatchObject({ times: 5, budget: { tokens: 6, ratio: 0.1 } })
    })
  )

  it.effect("comes back when it is told to, or not at all when that is too late", () =>
    Effect.gen(function* () {
      const breaker = Breaker.make({ name: "b", trip: Breaker.consecutive(1), openFor: "8 seconds" })
      yield* Effect.exit(breaker.protect(Effect.die("bug")))
      const Handlers = (maxDelay: "5 seconds" | "10 seconds") =>
        CommandBus.handlers(
          on(Work, () => Effect.void).pipe(
            Middleware.use(Breaker.middleware(breaker)),
            Middleware.use(Resilience.retry({ while: () => true, delay: "1 millis", maxDelay }))
          )
        )
      const refused = yield* Effect.flip(CommandBus.execute(new Work())).pipe(
        Effect.provide([Handlers("5 seconds"), one])
      )
      expect(refused).toMatchObject({ reason: { _tag: "CircuitOpen" } })
      const fiber = yield* CommandBus.execute(new Work()).pipe(
        Effect.provide([Handlers("10 seconds"), one]),
        Effect.forkChild({ startImmediately: true })
      )
      yield* TestClock.adjust("7999 millis")
      expect(fiber.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(fiber)
      expect(yield* breaker.status).toMatchObject({ state: "Closed", rejected: 2 })
    })
  )
})

it.effect("a fallback answers in place of what failed, with what its error and message say, and is seen", () =>
  Effect.gen(function* () {
    const Handlers = QueryBus.handlers(
      Resilience.fallback(
        on(Ask, () => Effect.fail(new Refused())),
        (error, message) => Effect.succeed(error._tag.length + message._tag.length)
      )
    )
    const { answer, program } = yield* Effect.all({
      answer: QueryBus.ask(new Ask()),
      program: Introspection.describe
    }).pipe(Effect.provide([Handlers, one]))
    expect(answer).toBe(10)
    expect(program.messages[0]?.middleware).toEqual([{ name: "fallback", policy: {} }])
  })
)

describe("a policy", () => {
  it.effect("puts what it consists of in one order, whatever that of its options", () =>
    Effect.gen(function* () {
      const breaker = Breaker.make({ name: "b", trip: Breaker.consecutive(1) })
      let calls = 0
      const policy = Policy.make({
        retry: { while: () => true, times: 2, delay: "1 millis" },
        timeout: "10 seconds",
        breaker,
        bulkhead: Bulkhead.make({ name: "b", limit: 1 }),
        rateLimit: { limit: 2, window: "1 minute" }
      })
      const Handlers = CommandBus.handlers(
        on(Work, () => Effect.suspend(() => (calls++, Effect.never))).pipe(Middleware.use(policy))
      ).pipe(Layer.provide(limits))
      const work = Effect.flip(CommandBus.execute(new Work()))
      yield* Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(work, { startImmediately: true })
        yield* TestClock.adjust("10 seconds")
        // The breaker has seen one time-out, and none of the tries.
        expect(yield* Fiber.join(fiber)).toMatchObject({ reason: { _tag: "Timeout" } })
        expect(yield* work).toMatchObject({ reason: { _tag: "CircuitOpen" } })
        // The third is one too many, which nothing further in sees.
        expect(yield* work).toMatchObject({ reason: { _tag: "RateLimited" } })
        expect([calls, (yield* breaker.status).rejected]).toEqual([1, 1])
        const { messages } = yield* Introspection.describe
        expect(Object.keys(messages[0]?.middleware[0]?.policy ?? {})).toEqual([
          "rateLimit",
          "bulkhead",
          "breaker",
          "timeout",
          "retry"
        ])
      }).pipe(Effect.provide([Handlers, one]))
    })
  )
})
