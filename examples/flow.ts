// From a correlation id to what one request has set in motion: commands, events, handlers, how they ended.
import { Effect, Layer, Logger, Schema } from "effect"
import { Command, CommandBus, Consumer, Event, EventStore, Memory, MessageContext, on, StreamName } from "effect-cqrs"
import { Flow, FlowRecorder, FlowRecording, Flows, SystemContext, TenantContext } from "effect-cqrs"

class OrderPlaced extends Event.Class<OrderPlaced>()("OrderPlaced", { order: Schema.String }) {}
class Billed extends Event.Class<Billed>()("Billed", {}) {}
class NoFunds extends Schema.TaggedError<NoFunds>()("NoFunds", {}) {}

class PlaceOrder extends Command.Class<PlaceOrder>()("PlaceOrder", { payload: { order: Schema.String } }) {}
class Bill extends Command.Class<Bill>()("Bill", { payload: { order: Schema.String }, error: NoFunds }) {}

const append = (stream: StreamName.StreamName, event: Event.Any) =>
  Effect.flatMap(EventStore.EventStore, (store) => store.append({ stream, expected: "any", events: [event] }))

let tries = 0
const Commands = CommandBus.handlers(
  on(PlaceOrder, ({ order }) => append(StreamName.make("Order", order), new OrderPlaced({ order }))),
  // The first time there is not enough on the account.
  on(Bill, ({ order }) =>
    Effect.gen(function* () {
      if (++tries === 1) return yield* new NoFunds()
      return yield* append(StreamName.make("Bill", order), new Billed())
    })
  )
).pipe(Layer.provide(CommandBus.middleware(FlowRecording.middleware)))

const Billing = Consumer.make("billing", {
  events: [OrderPlaced],
  retry: { base: "5 millis" },
  on: { OrderPlaced: ({ order }) => CommandBus.execute(new Bill({ order })) }
})

const program = Effect.gen(function* () {
  yield* CommandBus.execute(new PlaceOrder({ order: "7" })).pipe(MessageContext.provide({ correlationId: "request-1" }))

  // What is recorded is written in the background.
  const { flush } = yield* FlowRecorder.FlowRecorder
  const look = Effect.andThen(flush, Flows.of("request-1"))
  const { flow } = yield* Effect.repeat(Effect.delay(look, "5 millis"), { until: ({ steps }) => steps.length === 6 })
  console.log(Flow.toText(flow).replaceAll(/ in \d+ ms/g, ""))
})

const Live = Consumer.layer(Billing).pipe(
  Layer.provideMerge(Commands),
  Layer.provideMerge(FlowRecorder.layer()),
  Layer.provideMerge(Layer.mergeAll(Memory.layer, TenantContext.layerSingle, SystemContext.layer("billing"))),
  // What the log says of the first try has its time.
  Layer.provideMerge(Logger.layer([]))
)
await Effect.runPromise(Effect.provide(program, Live))

// prints:
// flow request-1
// └─ command PlaceOrder: succeeded
//    └─ event OrderPlaced (Order-7@1)
//       ├─ command Bill: refused with NoFunds
//       ├─ handler billing: succeeded, attempt 2
//       └─ command Bill: succeeded
//          └─ event Billed (Bill-7@1)
