// A projection makes a read model of events: in the background, exactly once, and a reader can wait for its own writes.
import { Effect, Layer, Option, Result, Schema } from "effect"
import { Aggregate, Command, CommandBus, Event, Memory, on, Projection, ReadModelStore, Repository } from "effect-cqrs"
import { SystemContext, TenantContext } from "effect-cqrs"

class Deposited extends Event.Class<Deposited>()("Deposited", { amount: Schema.Int }) {}
class Deposit extends Command.Class<Deposit>()("Deposit", { payload: { id: Schema.String, amount: Schema.Int } }) {}

const Account = Aggregate.make("Account", { events: [Deposited], initial: 0 }).evolve({
  Deposited: (sum, { amount }) => sum + amount
})

const Handlers = CommandBus.handlers(
  on(Deposit, (command) =>
    Repository.execute(Account, command.id, command, ({ amount }) => Result.succeed([new Deposited({ amount })]))
  )
)

const Balances = ReadModelStore.collection("balances", Schema.Int)
const BalanceList = Projection.make("balances", {
  events: [Deposited],
  on: {
    Deposited: ({ amount }, { stream }) =>
      Balances.update(stream, (balance) => Option.getOrElse(balance, () => 0) + amount)
  }
})

const program = Effect.gen(function* () {
  yield* CommandBus.execute(new Deposit({ id: "ada", amount: 40 }))
  const { receipt } = yield* CommandBus.dispatch(new Deposit({ id: "ada", amount: 2 }))

  // The receipt says how far the read model must have come to hold what was just written.
  yield* Projection.waitFor(BalanceList, receipt)
  console.log("read model:", yield* Balances.list())

  // The same without a read model: folded from the stream when it is asked for.
  console.log("live:", yield* Projection.live(Account, { stream: Account.stream("ada") }))
})

const Live = Layer.merge(Handlers, Projection.layer(BalanceList)).pipe(
  Layer.provide(SystemContext.layer("projections read all tenants")),
  Layer.provideMerge(Layer.merge(Memory.layer, TenantContext.layerSingle))
)
await Effect.runPromise(program.pipe(Effect.provide(Live)))

// prints:
// read model: [ { id: 'Account-ada', document: 42 } ]
// live: 42
