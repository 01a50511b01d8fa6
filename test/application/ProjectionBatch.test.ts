import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import {
  Event,
  EventStore,
  Memory,
  Projection,
  ReadModelStore,
  StreamName,
  SystemContext,
  TenantContext,
  Upcaster
} from "../../src/index.ts"
import { ticking } from "./ticking.ts"

class Sold extends Event.Class<Sold>()("Sold", { sku: Schema.String }) {}
class Returned extends Event.Class<Returned>()("Returned", { sku: Schema.String }) {}
class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

const Stores = Layer.mergeAll(Memory.layer, TenantContext.layerSingle, SystemContext.layer("test"))

const append = (...events: ReadonlyArray<Event.Any>) =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    store.append({ stream: StreamName.make("Shop", "1"), expected: "any", events })
  )
const sold = (...skus: ReadonlyArray<string>) => skus.map((sku) => new Sold({ sku }))

const Batches = ReadModelStore.collection("batches", Schema.Array(Schema.String))
const note = (sku: string, batch: ReadonlyArray<string>) =>
  Batches.update(sku, (before) => [...Option.getOrElse(before, () => []), batch.join(" ")])
const noting = (options?: Projection.Options) =>
  Projection.batched("batches", {
    ...options,
    events: [Sold, Returned],
    handle: (batch) =>
      note(
        "all",
        batch.map(({ event }) => `${event._tag === "Sold" ? "+" : "-"}${event.sku}`)
      )
  })
const noted = Effect.map(
  Batches.get("all"),
  Option.getOrElse((): ReadonlyArray<string> => [])
)

describe("a handler of batches", () => {
  it.effect("gets what there is, in order, at most `batchSize` events at a time, each once", () =>
    Effect.gen(function* () {
      const Noting = noting({ batchSize: 3 })
      const program = Effect.gen(function* () {
        const receipt = yield* append(...sold("a", "b", "c", "d"), new Returned({ sku: "a" }), ...sold("e", "f"))
        yield* Effect.raceFirst(Projection.waitFor(Noting, receipt), Projection.run(Noting))
        return yield* noted
      })
      expect(yield* program.pipe(Effect.provide(Stores))).toEqual(["+a +b +c", "+d -a +e", "+f"])
    })
  )

  it.effect("gets one tenant's at a time, as this tenant", () =>
    Effect.gen(function* () {
      const Noting = noting()
      const program = Effect.gen(function* () {
        yield* append(...sold("a")).pipe(TenantContext.provide("acme"))
        yield* append(...sold("b")).pipe(TenantContext.provide("globex"))
        const receipt = yield* append(...sold("c")).pipe(TenantContext.provide("acme"))
        yield* Effect.raceFirst(Projection.waitFor(Noting, receipt), Projection.run(Noting))
        return [
          yield* noted.pipe(TenantContext.provide("acme")),
          yield* noted.pipe(TenantContext.provide("globex")),
          yield* noted
        ]
      })
      expect(yield* program.pipe(Effect.provide(Stores))).toEqual([["+a +c"], ["+b"], []])
    })
  )

  it.effect("that fails is given the same batch again, and takes effect once", () =>
    Effect.gen(function* () {
      let left = 2
      const Shaky = Projection.batched("batches", {
        events: [Sold],
        handle: (batch) =>
          Effect.andThen(
            note(
              "all",
              batch.map(({ event }) => event.sku)
            ),
            Effect.suspend(() => (left-- > 0 ? Effect.fail(new Refused()) : Effect.void))
          )
      })
      const program = Effect.gen(function* () {
        const receipt = yield* append(...sold("a", "b"))
        yield* Effect.raceFirst(Projection.waitFor(Shaky, receipt), Projection.run(Shaky))
        return yield* noted
      })
      expect(yield* program.pipe(ticking, Effect.provide(Stores))).toEqual(["a b"])
    })
  )

  it.effect("waits as long as `linger` for more, and not when the batch is full", () =>
    Effect.gen(function* () {
      const Noting = noting({ batchSize: 3, linger: "1 second" })
      const program = Effect.gen(function* () {
        yield* append(...sold("a", "b", "c"))
        yield* Effect.forkChild(Projection.run(Noting))
        yield* Projection.waitFor(Noting, yield* append(new Returned({ sku: "a" })), { timeout: "1 hour" }).pipe(
          Effect.forkChild
        )
        while ((yield* noted).length < 1) yield* Effect.yieldNow
        const full = yield* noted
        yield* TestClock.adjust("999 millis")
        const receipt = yield* append(new Returned({ sku: "b" }))
        const before = yield* noted
        yield* TestClock.adjust("1 millis")
        yield* Projection.waitFor(Noting, receipt)
        return [full, before, yield* noted]
      })
      expect(yield* program.pipe(Effect.scoped, Effect.provide(Stores))).toEqual([
        ["+a +b +c"],
        ["+a +b +c"],
        ["+a +b +c", "-a -b"]
      ])
    })
  )

  it.effect("gets what an event's history makes of it", () =>
    Effect.gen(function* () {
      class Old extends Event.Class<Old>()("Priced", { euros: Schema.Int }) {}
      class Priced extends Event.Class<Priced>()(
        "Priced",
        { cents: Schema.Int },
        { upcasters: Upcaster.from({ euros: Schema.Int }).current(({ euros }) => ({ cents: euros * 100 })) }
      ) {}
      const Prices = Projection.batched("prices", {
        events: [Priced],
        handle: (batch) =>
          note(
            "all",
            batch.map(({ event }) => String(event.cents))
          )
      })
      const Live = Layer.merge(Projection.layerInline(Prices), TenantContext.layerSingle).pipe(
        Layer.provideMerge(Memory.layer)
      )
      const program = Effect.andThen(append(new Old({ euros: 3 }), new Old({ euros: 4 })), noted)
      // Inline, all events of one append are one batch.
      expect(yield* program.pipe(Effect.provide(Live))).toEqual(["300 400"])
    })
  )
})
