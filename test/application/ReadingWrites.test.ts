import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Result, Schema } from "effect"
import { TestClock } from "effect/testing"
import {
  Aggregate,
  Command,
  CommandBus,
  DispatchError,
  Event,
  Memory,
  Middleware,
  on,
  Projection,
  Query,
  QueryBus,
  ReadModelStore,
  Receipt,
  Repository,
  SystemContext,
  TenantContext
} from "../../src/index.ts"

class Deposited extends Event.Class<Deposited>()("Deposited", { amount: Schema.Int }) {}
class Deposit extends Command.Class<Deposit>()("Deposit", { payload: { amount: Schema.Int } }) {}
class Balance extends Query.Class<Balance>()("Balance", { payload: {}, success: Schema.Int }) {}

const Account = Aggregate.make("Account", { events: [Deposited], initial: 0 }).evolve({
  Deposited: (sum, { amount }) => sum + amount
})
const Balances = ReadModelStore.collection("balances", Schema.Int)
const BalanceList = Projection.make("balances", {
  events: [Deposited],
  on: { Deposited: ({ amount }) => Balances.update("all", (sum) => Option.getOrElse(sum, () => 0) + amount) }
})

const Commands = CommandBus.handlers(
  on(Deposit, (command) =>
    Repository.execute(Account, "1", command, ({ amount }) => Result.succeed([new Deposited({ amount })]))
  )
)
const Queries = QueryBus.handlers(
  on(Balance, () =>
    Effect.map(
      Balances.get("all"),
      Option.getOrElse(() => 0)
    )
  ).pipe(Middleware.use(Projection.readingWrites([BalanceList], { timeout: "2 seconds" })))
)
const Ports = Layer.mergeAll(Memory.layer, TenantContext.layerSingle, SystemContext.layer("test"))
const Buses = Layer.merge(Commands, Queries).pipe(Layer.provideMerge(Ports))

describe("a query that reads its caller's writes", () => {
  it.effect("waits for the receipt that it is given, or that it finds, and for none otherwise", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const first = yield* CommandBus.dispatch(new Deposit({ amount: 40 }))
        const without = yield* QueryBus.ask(new Balance())
        yield* Effect.forkChild(Projection.run(BalanceList))
        const given = yield* QueryBus.ask(new Balance(), { after: first.receipt })
        const second = yield* CommandBus.dispatch(new Deposit({ amount: 2 }))
        const found = yield* QueryBus.ask(new Balance()).pipe(Receipt.after(second.receipt))
        return [without, given, found]
      })
      expect(yield* program.pipe(Effect.provide(Buses))).toEqual([0, 40, 42])
    })
  )

  it.effect("fails with what was wanted and what was reached when it takes too long", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const { receipt } = yield* CommandBus.dispatch(new Deposit({ amount: 40 }))
        const asking = yield* Effect.forkChild(Effect.flip(QueryBus.ask(new Balance(), { after: receipt })))
        yield* TestClock.adjust("2 seconds")
        return [yield* Fiber.join(asking), receipt.position] as const
      })
      const [error, wanted] = yield* program.pipe(Effect.provide(Buses))
      const reason = new DispatchError.Behind({ projection: "balances", wanted, reached: 0, afterMillis: 2000 })
      expect(error).toEqual(DispatchError.make("balances", reason))
    })
  )
})
