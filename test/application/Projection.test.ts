import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import {
  CheckpointStore,
  DispatchError,
  Event,
  EventStore,
  Memory,
  Position,
  Projection,
  ReadModelStore,
  StorageFailure,
  StreamName,
  SystemContext,
  TenantContext,
  UnitOfWork,
  Upcaster
} from "../../src/index.ts"
import { logging } from "./logged.ts"
import { ticking } from "./ticking.ts"

class Sold extends Event.Class<Sold>()("Sold", { sku: Schema.String }) {}
class Returned extends Event.Class<Returned>()("Returned", { sku: Schema.String }) {}
class Other extends Event.Class<Other>()("Other", {}) {}
class Refused extends Schema.TaggedError<Refused>()("Refused", { sku: Schema.String }) {}

const Sales = ReadModelStore.collection("sales", Schema.Int)
const change = (sku: string, by: number) => Sales.update(sku, (count) => Option.getOrElse(count, () => 0) + by)

const SalesBySku = Projection.make("sales", {
  events: [Sold, Returned],
  on: { Sold: ({ sku }) => change(sku, 1), Returned: ({ sku }) => change(sku, -1) },
  batchSize: 3
})

const append = (...events: ReadonlyArray<Event.Any>) =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    store.append({ stream: StreamName.make("Shop", "1"), expected: "any", events })
  )
const sold = (...skus: ReadonlyArray<string>) => skus.map((sku) => new Sold({ sku }))
const sales = Effect.map(Sales.list(), (all) => Object.fromEntries(all.map(({ document, id }) => [id, document])))
const checkpoint = (name: string) => Effect.flatMap(CheckpointStore.CheckpointStore, (store) => store.load(name))

const Stores = Layer.mergeAll(Memory.layer, TenantContext.layerSingle, SystemContext.layer("test"))

const during =
  <E, R>(running: Effect.Effect<never, E, R>) =>
  <A, E2, R2>(self: Effect.Effect<A, E2, R2>) =>
    Effect.raceFirst(self, running)

describe("a projection in the background", () => {
  it.effect("handles each of its events once, and lets a reader wait for what was written", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        yield* append(...sold("apple", "pear", "apple"), new Other(), new Returned({ sku: "pear" }))
        const receipt = yield* append(...sold("apple"))
        yield* Projection.waitFor(SalesBySku, receipt)
        const first = yield* sales
        yield* Projection.waitFor(SalesBySku, yield* append(new Other()))
        yield* Projection.waitFor(SalesBySku, yield* append(...sold("fig")))
        return [first, yield* sales]
      })
      const Live = Projection.layer(SalesBySku).pipe(Layer.provideMerge(Stores))
      expect(yield* program.pipe(Effect.provide(Live))).toEqual([
        { apple: 3, pear: 0 },
        { apple: 3, pear: 0, fig: 1 }
      ])
    })
  )

  it.effect("gives its handlers an instance of the user's class, of today's version, with all that the log knows", () =>
    Effect.gen(function* () {
      class Old extends Event.Class<Old>()("Priced", { euros: Schema.Int }) {}
      class Priced extends Event.Class<Priced>()(
        "Priced",
        { cents: Schema.BigInt },
        { upcasters: Upcaster.from({ euros: Schema.Int }).current(({ euros }) => ({ cents: BigInt(euros) * 100n })) }
      ) {
        get euros(): bigint {
          return this.cents / 100n
        }
      }
      const seen = Deferred.makeUnsafe<unknown>()
      const Prices = Projection.make("prices", {
        events: [Priced],
        on: {
          Priced: (event, recorded) =>
            Deferred.succeed(seen, [event.euros, recorded.event === event, recorded.stream, recorded.schemaVersion])
        }
      })
      const program = Effect.andThen(append(new Old({ euros: 3 })), Deferred.await(seen))
      const running = program.pipe(during(Projection.run(Prices)), Effect.provide(Stores))
      expect(yield* running).toEqual([3n, true, "Shop-1", 1])
    })
  )

  it.effect("runs each handler as the tenant of its event", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        yield* append(...sold("a", "b")).pipe(TenantContext.provide("acme"))
        const last = yield* append(...sold("a")).pipe(TenantContext.provide("globex"))
        yield* Projection.waitFor(SalesBySku, last)
        return [
          yield* sales.pipe(TenantContext.provide("acme")),
          yield* sales.pipe(TenantContext.provide("globex")),
          yield* sales
        ]
      })
      const running = program.pipe(during(Projection.run(SalesBySku)), Effect.provide(Stores))
      expect(yield* running).toEqual([{ a: 1, b: 1 }, { a: 1 }, {}])
    })
  )

  it.effect("that runs twice at once takes each event into account once", () =>
    Effect.gen(function* () {
      const Slow = Projection.make("sales", {
        events: [Sold],
        on: { Sold: ({ sku }) => Effect.andThen(Effect.yieldNow, change(sku, 1)) },
        batchSize: 2
      })
      const program = Effect.gen(function* () {
        yield* append(...sold("a", "b", "c", "a", "b", "c", "a", "b", "c"))
        const runs = yield* Effect.all([1, 2, 3].map(() => Effect.forkChild(Projection.run(Slow))))
        yield* Projection.waitFor(Slow, yield* append(...sold("a", "b", "c", "a", "b", "c", "a", "b", "c")))
        for (const sku of ["a", "b", "c", "a", "b", "c"]) yield* append(...sold(sku))
        yield* Projection.waitFor(Slow, yield* append(...sold("d")))
        expect(runs.map((run) => run.pollUnsafe())).toEqual([undefined, undefined, undefined])
        yield* Fiber.interruptAll(runs)
        return yield* sales
      })
      expect(yield* program.pipe(Effect.provide(Stores))).toEqual({ a: 8, b: 8, c: 8, d: 1 })
    })
  )

  it.effect("takes each event into account once when it is stopped in the middle of a page and started again", () =>
    Effect.gen(function* () {
      const stuck = Deferred.makeUnsafe<void>()
      let hangs = true
      const Hanging = Projection.make("sales", {
        events: [Sold],
        on: {
          Sold: ({ sku }) =>
            Effect.gen(function* () {
              yield* change(sku, 1)
              if (sku !== "c" || !hangs) return
              hangs = false
              yield* Deferred.succeed(stuck, undefined)
              return yield* Effect.never
            })
        }
      })
      const program = Effect.gen(function* () {
        const receipt = yield* append(...sold("a", "b", "c"))
        yield* Deferred.await(stuck).pipe(during(Projection.run(Hanging)))
        const between = yield* sales
        yield* Projection.waitFor(Hanging, receipt).pipe(during(Projection.run(Hanging)))
        return [between, yield* sales]
      })
      expect(yield* program.pipe(Effect.provide(Stores))).toEqual([{}, { a: 1, b: 1, c: 1 }])
    })
  )
})

describe("a handler that fails", () => {
  const failing = (times: number) => {
    let failed = 0
    return Projection.make("sales", {
      events: [Sold],
      on: {
        Sold: ({ sku }) =>
          Effect.andThen(
            change(sku, 1),
            Effect.suspend(() => (sku === "bad" && failed++ < times ? Effect.fail(new Refused({ sku })) : Effect.void))
          )
      },
      retries: 3,
      batchSize: 3
    })
  }

  it.effect("rolls its page back; tried again, each event takes effect once", () =>
    Effect.gen(function* () {
      const Shaky = failing(3)
      const program = Effect.gen(function* () {
        yield* Projection.waitFor(Shaky, yield* append(...sold("a", "b", "c", "d", "bad", "e")))
        return yield* sales
      })
      const running = program.pipe(during(Projection.run(Shaky)), ticking, Effect.provide(Stores))
      expect(yield* running).toEqual({ a: 1, b: 1, c: 1, d: 1, bad: 1, e: 1 })
    })
  )

  it.effect("stops the projection with its error after `retries`; what was committed stays, the page is undone", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        yield* append(...sold("a", "b", "c", "d", "bad", "e"))
        const error = yield* Effect.flip(Projection.run(failing(100)))
        return [error, yield* sales, yield* checkpoint("sales")]
      })
      expect(yield* program.pipe(ticking, Effect.provide(Stores))).toEqual([
        new Refused({ sku: "bad" }),
        { a: 1, b: 1, c: 1 },
        3
      ])
    })
  )

  it.effect("in a layer is logged, and the program goes on", () =>
    Effect.gen(function* () {
      const { capture, lines } = logging()
      const program = Effect.gen(function* () {
        yield* append(...sold("bad"))
        while (!lines.some(({ level }) => level === "Error")) yield* Effect.yieldNow
        return yield* sales
      })
      const Live = Projection.layer(failing(100)).pipe(Layer.provideMerge(Stores))
      expect(yield* program.pipe(ticking, Effect.provide(Live), capture)).toEqual({})
      expect(lines.map(({ message }) => message)).toEqual([
        ...Array<string>(4).fill("sales: the handler failed"),
        "The projection sales has stopped"
      ])
      expect(lines[0]?.annotations).toEqual({ projection: "sales" })
    })
  )

  it.effect("because its storage does not answer is tried until it does, and takes effect once", () =>
    Effect.gen(function* () {
      let left = 30
      const failure = new ReadModelStore.ReadModelError({
        reason: StorageFailure.make({ operation: "set", retryable: true, cause: "connection lost" })
      })
      const Flaky = Projection.make("sales", {
        events: [Sold],
        on: {
          Sold: ({ sku }) =>
            Effect.andThen(
              change(sku, 1),
              Effect.suspend(() => (left-- > 0 ? Effect.fail(failure) : Effect.void))
            )
        },
        retries: 1
      })
      const program = Effect.gen(function* () {
        yield* Projection.waitFor(Flaky, yield* append(...sold("a", "b")), { timeout: "1 hour" })
        return yield* sales
      })
      const running = program.pipe(during(Projection.run(Flaky)), ticking, Effect.provide(Stores))
      expect(yield* running).toEqual({ a: 1, b: 1 })
    })
  )
})

describe("waitFor", () => {
  const at = { position: Position.make(7) }

  it.effect("gives up after 5 seconds, or what it is told, with a typed error", () =>
    Effect.gen(function* () {
      const after = (limit: number, options?: { readonly timeout: "30 millis" }) =>
        Effect.gen(function* () {
          const fiber = yield* Effect.forkChild(Effect.flip(Projection.waitFor(SalesBySku, at, options)))
          yield* TestClock.adjust(limit - 1)
          expect(fiber.pollUnsafe()).toBeUndefined()
          yield* TestClock.adjust(1)
          return yield* Fiber.join(fiber)
        }).pipe(Effect.provide(Stores))
      const timeout = (afterMillis: number) =>
        DispatchError.make(
          "sales",
          new DispatchError.Behind({ projection: "sales", wanted: 7, reached: 0, afterMillis })
        )
      expect(yield* after(5000)).toEqual(timeout(5000))
      expect(yield* after(30, { timeout: "30 millis" })).toEqual(timeout(30))
    })
  )

  it.effect("inside a unit of work is refused at once: what it waits for is handled after the commit", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const unit = yield* UnitOfWork.UnitOfWork
        const error = yield* unit.transaction(Effect.flip(Projection.waitFor(SalesBySku, at)))
        yield* unit.transaction(Projection.waitFor(SalesBySku, { position: Position.start }))
        return error
      })
      expect(yield* program.pipe(Effect.provide(Stores))).toEqual(
        DispatchError.make("sales", new DispatchError.WaitsForItself({ projection: "sales", wanted: 7 }))
      )
    })
  )

  it.effect("does not wait for position 0, that of a receipt of nothing", () =>
    Effect.gen(function* () {
      yield* Projection.waitFor(SalesBySku, { position: Position.start }).pipe(Effect.provide(Stores))
    })
  )
})
