import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Metric, Option, Schema } from "effect"
import {
  Event,
  EventStore,
  Memory,
  Projection,
  ProjectionStore,
  ReadModelStore,
  Rebuild,
  type SideEffects,
  StreamName,
  SystemContext,
  TenantContext
} from "../../src/index.ts"
import { logging } from "./logged.ts"
import { ticking } from "./ticking.ts"

class Sold extends Event.Class<Sold>()("Sold", { sku: Schema.String }) {}
class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

class Mailer extends Context.Service<
  Mailer,
  { readonly send: (text: string) => Effect.Effect<void, never, SideEffects.SideEffects> }
>()("Mailer") {}

const Sales = ReadModelStore.collection("sales", Schema.Int)

const SalesBySku = Projection.make("sales", {
  events: [Sold],
  collections: [Sales],
  on: { Sold: ({ sku }) => Sales.update(sku, (count) => Option.getOrElse(count, () => 0) + 1) },
  react: ({ event, tenant }) =>
    Effect.gen(function* () {
      const count = Option.getOrThrow(yield* Sales.get(event.sku))
      yield* (yield* Mailer).send(`${tenant} ${event.sku} ${count}`)
    })
})

const append = (...skus: ReadonlyArray<string>) =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    store.append({
      stream: StreamName.make("Shop", "1"),
      expected: "any",
      events: skus.map((sku) => new Sold({ sku }))
    })
  )

const Stores = Layer.mergeAll(Memory.layer, TenantContext.layerSingle, SystemContext.layer("test"))

const mailing = () => {
  const sent: Array<string> = []
  return { sent, layer: Layer.succeed(Mailer, { send: (text) => Effect.sync(() => void sent.push(text)) }) }
}

const until = (condition: () => boolean) =>
  Effect.gen(function* () {
    for (let turn = 0; turn < 10_000 && !condition(); turn++) yield* Effect.yieldNow
    expect(condition()).toBe(true)
  })

describe("a projection's reaction", () => {
  it.effect("gets each event once what is read holds it, and not again for a rebuild", () =>
    Effect.gen(function* () {
      const { layer, sent } = mailing()
      const program = Effect.gen(function* () {
        yield* Effect.forkChild(Projection.run(SalesBySku))
        const store = yield* ProjectionStore.ProjectionStore
        while ((yield* store.find("sales"))?.reactsAfter === undefined) yield* Effect.yieldNow
        yield* append("apple", "pear")
        yield* until(() => sent.length === 2)
        yield* append("apple").pipe(TenantContext.provide("acme"))
        yield* until(() => sent.length === 3)
        yield* Rebuild.run(SalesBySku)
        yield* append("fig")
        yield* until(() => sent.length === 4)
        return sent
      })
      expect(yield* program.pipe(Effect.provide([Stores, layer]))).toEqual([
        "default apple 1",
        "default pear 1",
        "acme apple 1",
        "default fig 1"
      ])
    })
  )

  it.effect("is not for what was there before the projection was, and goes on where it was", () =>
    Effect.gen(function* () {
      const { layer, sent } = mailing()
      const program = Effect.gen(function* () {
        yield* append("old")
        const store = yield* ProjectionStore.ProjectionStore
        const registered = Effect.gen(function* () {
          while ((yield* store.find("sales"))?.reactsAfter === undefined) yield* Effect.yieldNow
        })
        yield* Effect.raceFirst(registered, Projection.run(SalesBySku))
        yield* append("meanwhile")
        yield* Effect.raceFirst(
          until(() => sent.length === 1),
          Projection.run(SalesBySku)
        )
        return sent
      })
      expect(yield* program.pipe(Effect.provide([Stores, layer]))).toEqual(["default meanwhile 1"])
    })
  )

  it.effect("that fails is tried again with the same event, and what is read has it once", () =>
    Effect.gen(function* () {
      const tries: Array<string> = []
      const Shaky = Projection.make("sales", {
        events: [Sold],
        on: { Sold: ({ sku }) => Sales.update(sku, (count) => Option.getOrElse(count, () => 0) + 1) },
        react: ({ id }) => Effect.suspend(() => (tries.push(id) < 3 ? Effect.fail(new Refused()) : Effect.void))
      })
      const program = Effect.gen(function* () {
        const store = yield* ProjectionStore.ProjectionStore
        yield* Effect.forkChild(Projection.run(Shaky))
        while ((yield* store.find("sales"))?.reactsAfter === undefined) yield* Effect.yieldNow
        yield* append("apple")
        yield* until(() => tries.length === 3)
        return yield* Sales.get("apple")
      })
      const { capture } = logging()
      expect(yield* program.pipe(ticking, Effect.provide(Stores), capture)).toEqual(Option.some(1))
      expect(new Set(tries).size).toBe(1)
    })
  )
})

describe("a handler that writes elsewhere", () => {
  it.effect("is refused in a rebuild: it would change what is read", () =>
    Effect.gen(function* () {
      const Other = ReadModelStore.collection("other", Schema.Int)
      const Careless = Projection.make("careless", {
        events: [Sold],
        collections: [Sales],
        retries: 0,
        on: { Sold: ({ sku }) => Other.set(sku, 1) }
      })
      const program = Effect.gen(function* () {
        yield* append("apple")
        const { capture } = logging()
        const error = yield* Effect.flip(Rebuild.run(Careless).pipe(capture))
        return [error, yield* Other.list()] as const
      })
      const [error, others] = yield* program.pipe(Effect.provide(Stores))
      expect(error._tag === "ReadModelError" && error.reason._tag).toBe("InvalidDocument")
      expect(error.message).toContain("is not among the collections of careless")
      expect(others).toEqual([])
    })
  )
})

describe("how a projection stands", () => {
  it.effect("is told from anywhere: new, following, failed, and how far behind", () =>
    Effect.gen(function* () {
      const Failing = Projection.make("failing", {
        events: [Sold],
        retries: 0,
        on: { Sold: () => Effect.fail(new Refused()) }
      })
      const Following = Projection.make("following", { events: [Sold], on: { Sold: () => Effect.void } })
      const { capture } = logging()
      const program = Effect.gen(function* () {
        const fresh = yield* Projection.status(Failing)
        const receipt = yield* append("apple", "pear")
        const behind = yield* Projection.status(Failing)
        yield* Effect.flip(Projection.run(Failing).pipe(capture))
        const failed = yield* Projection.status(Failing)
        yield* Effect.raceFirst(Projection.waitFor(Following, receipt), Projection.run(Following))
        const following = yield* Projection.status(Following)
        return { fresh, behind, failed, following }
      })
      const { behind, failed, following, fresh } = yield* program.pipe(Effect.provide(Stores))
      expect([fresh.state, fresh.position, fresh.lag.positions]).toEqual(["new", 0, 0])
      expect([behind.state, behind.position, behind.lag.positions]).toEqual(["new", 0, 2])
      expect([failed.state, failed.lag.positions]).toEqual(["failed", 2])
      expect(failed.failure?.message).toContain("Refused")
      expect([following.state, following.position, following.lag.positions]).toEqual(["following", 2, 0])
    })
  )

  it.effect("is measured", () =>
    Effect.gen(function* () {
      const Measured = Projection.make("measured", { events: [Sold], batchSize: 2, on: { Sold: () => Effect.void } })
      const program = Effect.gen(function* () {
        const receipt = yield* append("a", "b", "c")
        yield* Effect.raceFirst(Projection.waitFor(Measured, receipt), Projection.run(Measured))
        for (let turn = 0; turn < 100; turn++) yield* Effect.yieldNow
        const mine = (yield* Metric.snapshot).filter(({ attributes }) => attributes?.["projection"] === "measured")
        return Object.fromEntries(mine.map(({ id, state }) => [id, state]))
      })
      const measured = yield* program.pipe(Effect.provide(Stores))
      expect(Object.keys(measured).sort()).toEqual([
        "effect_cqrs_projection_batch",
        "effect_cqrs_projection_events_total",
        "effect_cqrs_projection_lag_milliseconds",
        "effect_cqrs_projection_lag_positions",
        "effect_cqrs_projection_position"
      ])
    })
  )
})
