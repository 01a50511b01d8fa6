import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Result, Schema } from "effect"
import {
  Aggregate,
  Command,
  CommandBus,
  Event,
  EventStore,
  EventStoreError,
  Memory,
  on,
  Position,
  Projection,
  ReadModelStore,
  Repository,
  StorageFailure,
  StreamName,
  TenantContext,
  UnitOfWork
} from "../../src/index.ts"

class Sold extends Event.Class<Sold>()("Sold", { sku: Schema.String }) {}
class Priced extends Event.Class<Priced>()("Priced", { sku: Schema.String }) {}
class Other extends Event.Class<Other>()("Other", {}) {}
class Refused extends Schema.TaggedError<Refused>()("Refused", { sku: Schema.String }) {}

const Sales = ReadModelStore.collection("sales", Schema.Int)
const Log = ReadModelStore.collection("log", Schema.String)

const storageFailure = StorageFailure.make({ operation: "set", retryable: true, cause: "lost" })

const SalesBySku = Projection.make("sales", {
  events: [Sold],
  on: {
    Sold: ({ sku }) =>
      Effect.gen(function* () {
        yield* Sales.update(sku, (count) => Option.getOrElse(count, () => 0) + 1)
        if (sku === "bad") return yield* new Refused({ sku })
        if (sku === "lost") return yield* new ReadModelStore.ReadModelError({ reason: storageFailure })
        if (sku === "dead") return yield* Effect.die("bug")
      })
  }
})
const Everything = Projection.make("everything", {
  events: [Sold, Priced],
  on: {
    Sold: ({ sku }, { id, position, version }) => Log.set(`${position}`, `sold ${sku} ${version} ${id.length}`),
    Priced: ({ sku }, { position, version }) => Log.set(`${position}`, `priced ${sku} ${version}`)
  }
})

const Live = Layer.merge(Projection.layerInline(SalesBySku, Everything), TenantContext.layerSingle).pipe(
  Layer.provideMerge(Memory.layer)
)

const shop = (id: string) => StreamName.make("Shop", id)
const append = (id: string, ...events: ReadonlyArray<Event.Any>) =>
  Effect.flatMap(EventStore.EventStore, (store) => store.append({ stream: shop(id), expected: "any", events }))
const sold = (sku: string) => new Sold({ sku })

const sales = Effect.map(Sales.list(), (all) => Object.fromEntries(all.map(({ document, id }) => [id, document])))
const log = Effect.map(Log.list(), (all) => all.map(({ document }) => document))
const written = Effect.flatMap(EventStore.EventStore, (store) =>
  Effect.map(store.readAll({ after: Position.start, limit: 100 }), ({ events }) => events.map(({ data }) => data))
)
const everything = Effect.all({ sales, log, written })
const nothing = { sales: {}, log: [], written: [] }

describe("an inline projection", () => {
  it.effect("has been there when the append answers", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        yield* append("1", sold("apple"), new Other(), new Priced({ sku: "apple" }))
        const receipt = yield* append("1", sold("apple"), sold("pear"))
        return [receipt, yield* sales, yield* log]
      })
      expect(yield* program.pipe(Effect.provide(Live))).toEqual([
        { stream: "Shop-1", version: 5, position: 5 },
        { apple: 2, pear: 1 },
        ["sold apple 1 36", "priced apple 3", "sold apple 4 36", "sold pear 5 36"]
      ])
    })
  )

  it.effect("rolls the append back when it fails, and is named with its cause for logs", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const error = yield* Effect.flip(append("1", new Priced({ sku: "fig" }), sold("apple"), sold("bad")))
        return [error, yield* everything]
      })
      const [error, after] = yield* program.pipe(Effect.provide(Live))
      expect(error).toEqual(
        new EventStoreError.EventStoreError({ reason: new EventStoreError.ProjectionFailed({ projection: "sales" }) })
      )
      expect(error).toMatchObject({ reason: { cause: new Refused({ sku: "bad" }) } })
      expect(after).toEqual(nothing)
    })
  )

  it.effect("rolls the append back when it dies", () =>
    Effect.gen(function* () {
      const program = Effect.andThen(Effect.exit(append("1", sold("apple"), sold("dead"))), everything)
      expect(yield* program.pipe(Effect.provide(Live))).toEqual(nothing)
    })
  )

  it.effect("says StorageFailure when its storage failed: trying again can help", () =>
    Effect.gen(function* () {
      const program = Effect.all([Effect.flip(append("1", sold("lost"))), everything])
      expect(yield* program.pipe(Effect.provide(Live))).toEqual([
        new EventStoreError.EventStoreError({ reason: storageFailure }),
        nothing
      ])
    })
  )

  it.effect("commits or rolls back with appendAll", () =>
    Effect.gen(function* () {
      const all = (...skus: ReadonlyArray<string>) =>
        Effect.flatMap(EventStore.EventStore, (store) =>
          store.appendAll(
            skus.map((sku) => ({
              stream: shop(sku),
              expected: "none" as const,
              events: sku === "none" ? [] : [sold(sku), new Other()]
            }))
          )
        )
      const program = Effect.gen(function* () {
        const error = yield* Effect.flip(all("a", "none", "bad", "c"))
        const between = yield* everything
        const receipts = yield* all("a", "none", "c")
        return [error.reason._tag, between, receipts, yield* sales]
      })
      expect(yield* program.pipe(Effect.provide(Live))).toEqual([
        "ProjectionFailed",
        nothing,
        [
          { stream: "Shop-a", version: 2, position: 2 },
          { stream: "Shop-none", version: 0, position: 0 },
          { stream: "Shop-c", version: 2, position: 4 }
        ],
        { a: 1, c: 1 }
      ])
    })
  )

  it.effect("leaves appends of other events alone", () =>
    Effect.gen(function* () {
      const program = Effect.andThen(append("1", new Other()), everything)
      expect(yield* program.pipe(Effect.provide(Live))).toEqual({ ...nothing, written: [{}] })
    })
  )

  it.effect("runs as the caller's tenant", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        yield* append("1", sold("a")).pipe(TenantContext.provide("acme"))
        return [yield* sales, yield* sales.pipe(TenantContext.provide("acme"))]
      })
      expect(yield* program.pipe(Effect.provide(Live))).toEqual([{}, { a: 1 }])
    })
  )

  it.effect("is a part of the transaction around it", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const { transaction } = yield* UnitOfWork.UnitOfWork
        yield* Effect.ignore(transaction(Effect.andThen(append("1", sold("a")), new Refused({ sku: "" }))))
        const undone = yield* everything
        // The failed append is a savepoint of its own; what stands around it goes on.
        yield* transaction(
          Effect.gen(function* () {
            yield* append("1", sold("a"))
            yield* Effect.ignore(append("1", sold("b"), sold("bad")))
            yield* append("1", sold("c"))
          })
        )
        return [undone, yield* sales, (yield* written).length]
      })
      expect(yield* program.pipe(Effect.provide(Live))).toEqual([nothing, { a: 1, c: 1 }, 2])
    })
  )

  it.effect("is told of nothing that lost a race", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* append("1", sold("a"))
        const late = store.append({ stream: shop("1"), expected: "none", events: [sold("b")] })
        return [(yield* Effect.flip(late)).reason._tag, yield* sales]
      })
      expect(yield* program.pipe(Effect.provide(Live))).toEqual(["VersionConflict", { a: 1 }])
    })
  )

  it.effect("uses the caller's services before those of its layer", () =>
    Effect.gen(function* () {
      class Prefix extends Context.Service<Prefix, string>()("test/Prefix") {}
      const Prefixed = Projection.make("prefixed", {
        events: [Sold],
        on: { Sold: ({ sku }) => Effect.flatMap(Prefix, (prefix) => Log.set(sku, prefix)) }
      })
      const Prefixing = Layer.merge(Projection.layerInline(Prefixed), TenantContext.layerSingle).pipe(
        Layer.provideMerge(Memory.layer),
        Layer.provide(Layer.succeed(Prefix, "layer"))
      )
      const program = Effect.gen(function* () {
        yield* append("1", sold("a"))
        yield* append("1", sold("b")).pipe(Effect.provideService(Prefix, "call"))
        return yield* log
      })
      expect(yield* program.pipe(Effect.provide(Prefixing))).toEqual(["layer", "call"])
    })
  )
})

describe("through repository and bus", () => {
  class Sell extends Command.Class<Sell>()("Sell", { payload: { sku: Schema.String } }) {}
  class SellAgain extends Command.Class<SellAgain>()("SellAgain", { payload: {} }) {}
  const Shop = Aggregate.make("Shop", { events: [Sold], initial: 0 }).evolve((count) => count + 1)
  const sell = (sku: string) => Repository.execute(Shop, "1", sku, () => Result.succeed([sold(sku)]))
  const Handlers = CommandBus.handlers(
    on(Sell, ({ sku }) => sell(sku)),
    on(SellAgain, () => Effect.andThen(Effect.ignore(sell("bad")), sell("good")))
  ).pipe(Layer.provideMerge(Live))

  it.effect("a failing projection is a Storage error that names it", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(CommandBus.execute(new Sell({ sku: "bad" }))).pipe(Effect.provide(Handlers))
      expect(error).toMatchObject({
        reason: { _tag: "Storage", operation: "projection sales", retryable: false },
        cause: { reason: { cause: { _tag: "Refused" } } }
      })
    })
  )

  it.effect("the receipt has nothing of an append that the projection undid", () =>
    Effect.gen(function* () {
      const { receipt } = yield* CommandBus.dispatch(new SellAgain()).pipe(Effect.provide(Handlers))
      expect(receipt).toEqual({ streams: [{ stream: "Shop-1", version: 1 }], position: 1 })
    })
  )
})
