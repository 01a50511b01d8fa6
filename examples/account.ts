// Opens an account, deposits if it is open, keeps balances as a read model, and asks for one.
import { Effect, Layer, Option, Result, Schema } from "effect"
import { Aggregate, Command, CommandBus, Event, Memory, on, Projection, Query, QueryBus } from "effect-cqrs"
import { ReadModelStore, Repository, TenantContext } from "effect-cqrs"

class Opened extends Event.Class<Opened>()("Opened", {}) {}
class Deposited extends Event.Class<Deposited>()("Deposited", { amount: Schema.Int }) {}
class NotOpen extends Schema.TaggedError<NotOpen>()("NotOpen", { id: Schema.String }) {}
const payload = { id: Schema.String, amount: Schema.Int.check(Schema.isGreaterThan(0)) }
class Open extends Command.Class<Open>()("Open", { payload: { id: Schema.String } }) {}
class Deposit extends Command.Class<Deposit>()("Deposit", { payload, error: NotOpen }) {}
const success = Schema.Option(Schema.Int)
class Balance extends Query.Class<Balance>()("Balance", { payload: { id: Schema.String }, success }) {}

const Account = Aggregate.make("Account", { events: [Opened, Deposited], initial: false }).evolve(
  (isOpen, event) => isOpen || event._tag === "Opened"
)
const open = (_: Open, isOpen: boolean) => Result.succeed(isOpen ? [] : [new Opened()])
const deposit = ({ amount, id }: Deposit, isOpen: boolean) =>
  isOpen ? Result.succeed([new Deposited({ amount })]) : Result.fail(new NotOpen({ id }))

const Balances = ReadModelStore.collection("balances", Schema.Int)
const add = ({ amount }: Deposited, { stream }: { readonly stream: string }) =>
  Balances.update(stream, (sum) => Option.getOrElse(sum, () => 0) + amount)
const BalanceList = Projection.make("balances", { events: [Deposited], on: { Deposited: add } })

const Commands = CommandBus.handlers(
  on(Open, (command) => Repository.execute(Account, command.id, command, open)),
  on(Deposit, (command) => Repository.execute(Account, command.id, command, deposit))
)
const Queries = QueryBus.handlers(on(Balance, ({ id }) => Balances.get(Account.stream(id))))
const Stores = Projection.layerInline(BalanceList).pipe(Layer.provideMerge(Memory.layer))
const Live = Layer.mergeAll(Commands, Queries, TenantContext.layerSingle).pipe(Layer.provide(Stores))
const program = Effect.gen(function* () {
  yield* CommandBus.execute(new Open({ id: "ada" }))
  yield* CommandBus.execute(new Deposit({ id: "ada", amount: 42 }))
  return yield* QueryBus.ask(new Balance({ id: "ada" }))
})
console.log(Option.getOrThrow(await Effect.runPromise(program.pipe(Effect.provide(Live)))))
// prints:
// 42
