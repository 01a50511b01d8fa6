// Tests without a runner: decisions as given, when, then; projections on memory; another handler in place of the real one.
import { Effect, Layer, Option, Result, Schema } from "effect"
import { Aggregate, Command, CommandBus, Event, IdGenerator, Memory, on, Projection } from "effect-cqrs"
import { ReadModelStore, Repository, TenantContext } from "effect-cqrs"
import { Assert, DeciderSpec, EventStoreLaws, Law, ProjectionSpec } from "effect-cqrs/testing"

class Deposited extends Event.Class<Deposited>()("Deposited", { amount: Schema.Int }) {}
class Withdrawn extends Event.Class<Withdrawn>()("Withdrawn", { amount: Schema.Int }) {}
class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { balance: Schema.Int }) {}
class Withdraw extends Command.Class<Withdraw>()("Withdraw", {
  payload: { account: Schema.String, amount: Schema.Int },
  error: Overdrawn
}) {}

const Account = Aggregate.make("Account", { events: [Deposited, Withdrawn], initial: 0 }).evolve({
  Deposited: (balance, { amount }) => balance + amount,
  Withdrawn: (balance, { amount }) => balance - amount
})
const withdraw = ({ amount }: Withdraw, balance: number) =>
  amount > balance ? Result.fail(new Overdrawn({ balance })) : Result.succeed([new Withdrawn({ amount })])

// A decision is a pure function: its tests are values.
const rich = DeciderSpec.given(Account, [new Deposited({ amount: 100 })])
rich
  .when(new Withdraw({ account: "a", amount: 30 }), withdraw)
  .thenEvents([new Withdrawn({ amount: 30 })])
  .thenState(70)
rich.when(new Withdraw({ account: "a", amount: 101 }), withdraw).thenFails(new Overdrawn({ balance: 100 }))
console.log("decisions: as specified")

// A projection is given events and read by a query.
const Balances = ReadModelStore.collection("balances", Schema.Int)
const add = (stream: string, amount: number) =>
  Balances.update(stream, (balance) => Option.getOrElse(balance, () => 0) + amount)
const BalanceList = Projection.make("balances", {
  events: Account.events,
  on: {
    Deposited: ({ amount }, { stream }) => add(stream, amount),
    Withdrawn: ({ amount }, { stream }) => add(stream, -amount)
  }
})
const projected = ProjectionSpec.given(BalanceList, [
  ["Account-a", new Deposited({ amount: 100 })],
  ["Account-a", new Withdrawn({ amount: 30 })]
]).thenReads(Balances.list(), [{ id: "Account-a", document: 70 }])
await Effect.runPromise(projected)
console.log("projection: as specified")

// A whole program runs on memory; any service, and any handler, can be another one in a test.
const Handlers = CommandBus.handlers(
  on(Withdraw, (command) => Repository.execute(Account, command.account, command, withdraw))
)
const Generous = CommandBus.override(on(Withdraw, () => Effect.void))
const attempt = Effect.result(CommandBus.execute(new Withdraw({ account: "poor", amount: 1 })))
const program = Effect.gen(function* () {
  Assert.isTrue(Result.isFailure(yield* attempt), "an empty account gives nothing")
  Assert.isTrue(Result.isSuccess(yield* Effect.provide(attempt, Generous)), "the override lets everybody withdraw")
})
const Live = Layer.mergeAll(
  Handlers.pipe(Layer.provide(Memory.layer)),
  TenantContext.layerSingle,
  IdGenerator.layerSequential
)
await Effect.runPromise(program.pipe(Effect.provide(Live)))
console.log("program: as specified")

// An adapter of your own is right when it keeps the published laws of its port.
const some = EventStoreLaws.laws.slice(0, 3)
const report = await Effect.runPromise(Law.checkAll(some).pipe(Effect.provide(Memory.layer)))
console.log(`laws: ${report.held.length} held, ${report.broken.length} broken`)

// prints:
// decisions: as specified
// projection: as specified
// program: as specified
// laws: 3 held, 0 broken
