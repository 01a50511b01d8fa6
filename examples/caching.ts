// Cached queries: one handler run for many callers, kept answers that are never given after what they say has changed.
import { Effect, Layer, Schema } from "effect"
import { Caching, Command, CommandBus, Memory, Middleware, on, Query, QueryBus, ReadModelStore } from "effect-cqrs"
import { TenantContext } from "effect-cqrs"

const Prices = ReadModelStore.collection("prices", Schema.Int)

class PriceOf extends Query.Class<PriceOf>()("PriceOf", {
  payload: { sku: Schema.String },
  success: Schema.Option(Schema.Int)
}) {}
class SetPrice extends Command.Class<SetPrice>()("SetPrice", { payload: { sku: Schema.String, price: Schema.Int } }) {}

const Handlers = Layer.merge(
  QueryBus.handlers(
    on(PriceOf, ({ sku }) =>
      Effect.tap(Prices.get(sku), () => Effect.sync(() => console.log("worked out:", sku)))
    ).pipe(
      Middleware.use(
        Caching.cached(PriceOf, {
          ttl: "5 minutes",
          grace: "30 seconds", // given once more, while a new one is made
          absence: "10 seconds", // it is kept that there is no price, but not for long
          tags: ({ sku }) => [`sku:${sku}`]
        })
      )
    )
  ),
  CommandBus.handlers(
    on(SetPrice, ({ price, sku }) => Prices.set(sku, price)).pipe(
      Middleware.use(Caching.invalidates(SetPrice, ({ sku }) => [`sku:${sku}`]))
    )
  )
)

const program = Effect.gen(function* () {
  yield* CommandBus.execute(new SetPrice({ sku: "apple", price: 3 }))
  const ask = QueryBus.ask(new PriceOf({ sku: "apple" }))
  const answers = yield* Effect.all([ask, ask, ask], { concurrency: "unbounded" })
  console.log("three callers:", answers.map(String).join(" "))

  yield* CommandBus.execute(new SetPrice({ sku: "apple", price: 4 }))
  console.log("after the command:", String(yield* ask))

  // In another tenant nothing is known of all this.
  console.log("elsewhere:", String(yield* TenantContext.provide("globex")(ask)))

  const skus = ["apple", "pear", "plum"]
  console.log(yield* Caching.warm(skus.map((sku) => QueryBus.ask(new PriceOf({ sku })))))
})

const Live = Handlers.pipe(Layer.provideMerge(Memory.layer), Layer.merge(TenantContext.layerSingle))
await Effect.runPromise(program.pipe(Effect.provide(Live)))

// prints:
// worked out: apple
// three callers: some(3) some(3) some(3)
// worked out: apple
// after the command: some(4)
// worked out: apple
// elsewhere: none()
// worked out: pear
// worked out: plum
// { asked: 3, failed: 0, of: 3 }
