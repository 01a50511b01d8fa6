// A consumer handles every event in the order of its key, in as many processes as there are; what it cannot handle it keeps.
import { Effect, Layer, Logger, Option, Schema } from "effect"
import { Consumer, ConsumerStore, Event, EventStore, Memory, ParkedStore, ReadModelStore } from "effect-cqrs"
import { StreamName, SystemContext, TenantContext } from "effect-cqrs"

class OrderPlaced extends Event.Class<OrderPlaced>()("OrderPlaced", { sku: Schema.String }) {}

const Stock = ReadModelStore.collection("stock", Schema.Int)

// What the handler writes commits together with the checkpoint: each order is counted exactly once.
const Shipping = Consumer.make("shipping", {
  events: [OrderPlaced],
  retry: { times: 2, base: "10 millis", later: [] },
  on: {
    OrderPlaced: ({ sku }) =>
      sku === "" ? Effect.fail("nothing to ship") : Stock.update(sku, (count) => Option.getOrElse(count, () => 0) + 1)
  }
})

const program = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const place = (id: string, ...skus: ReadonlyArray<string>) =>
    store.append({
      stream: StreamName.make("Order", id),
      expected: "any",
      events: skus.map((sku) => new OrderPlaced({ sku }))
    })
  yield* place("ada", "apple", "", "pear")
  yield* place("bob", "apple", "apple")

  // Ada's second order cannot be handled: it is kept, and so is what comes after it. Bob's orders go on.
  const parked = yield* ParkedStore.ParkedStore
  while ((yield* parked.count("shipping")) < 2) yield* Effect.sleep("10 millis")
  const kept = yield* parked.list("shipping")
  console.log(kept.map(({ key, position, status }) => `${position} ${key} ${status}`))

  // Somebody corrects it; the rest of Ada's orders follow by themselves.
  const [first] = kept
  if (first !== undefined) yield* parked.edit(first, { sku: "plum" })
  while ((yield* parked.count("shipping")) > 0) yield* Effect.sleep("10 millis")
  console.log(yield* Stock.list())

  const { segments, state } = yield* Effect.flatMap(ConsumerStore.ConsumerStore, (consumers) =>
    consumers.inspect("shipping")
  )
  console.log(state, segments.length)
})

const Live = Consumer.layer(Shipping).pipe(
  Layer.provide(SystemContext.layer("shipping works for all tenants")),
  // What the log says of the failures is not for this output.
  Layer.provideMerge(Layer.mergeAll(Memory.layer, TenantContext.layerSingle, Logger.layer([])))
)
await Effect.runPromise(program.pipe(Effect.provide(Live)))

// prints:
// [ '2 default/Order-ada parked', '3 default/Order-ada waiting' ]
// [
//   { id: 'apple', document: 3 },
//   { id: 'pear', document: 1 },
//   { id: 'plum', document: 1 }
// ]
// { status: 'running' } 16
