// @effect-diagnostics missingEffectContext:off
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Result, Schema, Stream } from "effect"
import {
  Aggregate,
  Event,
  EventStore,
  EventStoreError,
  Fold,
  Memory,
  Projection,
  ReadModelStore,
  Repository,
  StreamName,
  Subscription,
  SystemContext,
  TenantContext,
  Upcaster
} from "../../src/index.ts"
import { ticking } from "../application/ticking.ts"

// What is in the log: written by the code of an earlier release.
class OrderPlaced1 extends Event.Class<OrderPlaced1>()("OrderPlaced", { total: Schema.Int, card: Schema.String }) {}
class OrderPaid1 extends Event.Class<OrderPaid1>()("OrderPayed", { amount: Schema.Int }) {}
class OrderTouched extends Event.Class<OrderTouched>()("OrderTouched", {}) {}

const placed1 = { total: Schema.Int, card: Schema.String }

class OrderPlaced extends Event.Class<OrderPlaced>()(
  "OrderPlaced",
  { total: Schema.Int },
  { upcasters: Upcaster.from(placed1).current(({ total }) => ({ total })) }
) {}
class CardGiven extends Event.Class<CardGiven>()(
  "CardGiven",
  { card: Schema.String },
  { upcasters: Upcaster.partOf("OrderPlaced", placed1).currentMany(({ card }) => (card === "" ? [] : [{ card }])) }
) {}
class OrderPaid extends Event.Class<OrderPaid>()(
  "OrderPaid",
  { amount: Schema.Int },
  { upcasters: Upcaster.formerly("OrderPayed", { amount: Schema.Int }).current(({ amount }) => ({ amount })) }
) {}

const events = [OrderPlaced, CardGiven, OrderPaid, Event.retired("OrderTouched")] as const
const Order = Aggregate.make("Order", { events, initial: "" }).evolve({
  OrderPlaced: (text, { total }) => `${text}placed ${total}; `,
  CardGiven: (text, { card }) => `${text}card ${card}; `,
  OrderPaid: (text, { amount }) => `${text}paid ${amount}; `
})

const old = [new OrderPlaced1({ total: 7, card: "4711" }), new OrderTouched(), new OrderPaid1({ amount: 7 })]
const Stores = Layer.mergeAll(Memory.layer, TenantContext.layerSingle, SystemContext.layer("test"))
const append = (stream: StreamName.StreamName, ...all: ReadonlyArray<Event.Any>) =>
  Effect.flatMap(EventStore.EventStore, (store) => store.append({ stream, expected: "any", events: all }))

describe("an aggregate of old events", () => {
  it.effect("is loaded from all that they have become, at the version that is stored", () =>
    Effect.gen(function* () {
      yield* append(Order.stream("1"), ...old)
      const loaded = yield* Repository.load(Order, "1")
      expect([loaded.state, loaded.version]).toEqual(["placed 7; card 4711; paid 7; ", 3])
      const pay = (amount: number) => Result.succeed([new OrderPaid({ amount })])
      const committed = yield* Repository.execute(Order, "1", 5, pay)
      expect([committed.state, committed.version]).toEqual([`${loaded.state}paid 5; `, 4])
      expect((yield* Repository.load(Order, "1")).state).toBe(committed.state)
    }).pipe(Effect.provide(Stores))
  )

  it.effect("is the same when folded live, by stream and by page of the log", () =>
    Effect.gen(function* () {
      yield* append(Order.stream("1"), ...old)
      yield* append(StreamName.make("Other", "1"), new OrderTouched())
      const byStream = yield* Projection.live(Order, { stream: Order.stream("1") })
      expect([byStream, yield* Projection.live(Order, {})]).toEqual([
        "placed 7; card 4711; paid 7; ",
        "placed 7; card 4711; paid 7; "
      ])
    }).pipe(Effect.provide(Stores))
  )

  it.effect("is refused where an event is not known", () =>
    Effect.gen(function* () {
      const Short = Aggregate.make("Order", { events: [OrderPlaced, OrderPaid], initial: 0 }).evolve((n) => n + 1)
      yield* append(Short.stream("1"), ...old)
      const error = yield* Effect.flip(Repository.load(Short, "1"))
      expect(error.reason).toMatchObject({ _tag: "EventUndecodable", type: "OrderTouched", version: 2 })
    }).pipe(Effect.provide(Stores))
  )
})

const Log = ReadModelStore.collection("log", Schema.String)
const note = (what: string) => Effect.flatMap(Log.list(), (all) => Log.set(String(all.length), what))
const noted = Effect.map(Log.list(), (all) => all.map(({ document }) => document))

describe("readers of the log", () => {
  const Notes = Projection.make("notes", {
    events,
    on: {
      OrderPlaced: ({ total }, { position }) => note(`${position} placed ${total}`),
      CardGiven: ({ card }, { position }) => note(`${position} card ${card}`),
      OrderPaid: ({ amount }, { type }) => note(`${type} paid ${amount}`)
    }
  })
  const Cards = Projection.make("cards", { events: [CardGiven], on: { CardGiven: ({ card }) => note(card) } })

  it("name the types that they read", () => {
    expect(Notes.events).toEqual(["OrderPlaced", "CardGiven", "OrderPaid", "OrderPayed", "OrderTouched"])
    expect(Cards.events).toEqual(["CardGiven", "OrderPlaced"])
    const watch = Subscription.make("watch", { events: [CardGiven], handle: () => Effect.void })
    expect(watch.events).toEqual(["CardGiven", "OrderPlaced"])
  })

  it.effect("project each event of today, under its own name", () =>
    Effect.gen(function* () {
      const receipt = yield* append(Order.stream("1"), ...old, new OrderPaid({ amount: 1 }))
      yield* Effect.raceFirst(Projection.waitFor(Notes, receipt), Projection.run(Notes))
      expect(yield* noted).toEqual(["1 placed 7", "1 card 4711", "OrderPayed paid 7", "OrderPaid paid 1"])
    }).pipe(Effect.provide(Stores))
  )

  it.effect("project a part alone, and pass what has none", () =>
    Effect.gen(function* () {
      yield* append(Order.stream("1"), ...old, new OrderPlaced({ total: 9 }))
      const receipt = yield* append(
        Order.stream("2"),
        new OrderPlaced1({ total: 1, card: "" }),
        new CardGiven({ card: "2" })
      )
      yield* Effect.raceFirst(Projection.waitFor(Cards, receipt), Projection.run(Cards))
      expect(yield* noted).toEqual(["4711", "2"])
    }).pipe(Effect.provide(Stores))
  )

  it.effect("project inside the append, what is written today", () =>
    Effect.gen(function* () {
      yield* append(Order.stream("1"), new OrderPlaced({ total: 9 }), new CardGiven({ card: "3" }))
      expect(yield* noted).toEqual(["1 placed 9", "2 card 3"])
    }).pipe(Effect.provide(Projection.layerInline(Notes).pipe(Layer.provideMerge(Stores))))
  )

  it.effect("handle and stream each of them, with the position of the stored one", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const done = yield* Deferred.make<void>()
      const watch = Subscription.make("watch", {
        events,
        handle: ({ event, position }) => {
          seen.push(`${position} ${event._tag}`)
          return event._tag === "OrderPaid" ? Deferred.succeed(done, undefined) : Effect.void
        }
      })
      yield* append(Order.stream("1"), ...old)
      yield* Effect.raceFirst(Deferred.await(done), Subscription.run(watch))
      const streamed = yield* Subscription.stream({ events }).pipe(
        Stream.take(3),
        Stream.map(({ event, position }) => `${position} ${event._tag}`),
        Stream.runCollect
      )
      expect(seen).toEqual(["1 OrderPlaced", "1 CardGiven", "3 OrderPaid"])
      expect(streamed).toEqual(seen)
    }).pipe(Effect.provide(Stores))
  )
})

class Rates extends Context.Service<
  Rates,
  { readonly at: (day: string) => Effect.Effect<number, string, TenantContext.TenantContext> }
>()("Rates") {}

describe("an upcaster that needs services", () => {
  class Priced1 extends Event.Class<Priced1>()("Priced", { dollars: Schema.Int, day: Schema.String }) {}
  class Priced extends Event.Class<Priced>()(
    "Priced",
    { euros: Schema.Int },
    {
      upcasters: Upcaster.from({ dollars: Schema.Int, day: Schema.String })
        .nextEffect({ dollars: Schema.Int, rate: Schema.Int }, ({ day, dollars }) =>
          Effect.gen(function* () {
            const rates = yield* Rates
            const rate = yield* rates.at(day)
            return rate === 0 ? [] : { dollars, rate }
          })
        )
        .currentMany(({ dollars, rate }) => [{ euros: dollars }, { euros: dollars * rate }])
    }
  ) {}
  class Sold extends Event.Class<Sold>()("Sold", {}) {}
  const Price = Aggregate.make("Price", { events: [Priced, Sold], initial: [0] }).evolve({
    Priced: (all, { euros }) => [...all, euros],
    Sold: (all) => [...all, -1]
  })
  const rate = (day: string) => Number(day.slice(-1))
  const Fixed = Layer.succeed(Rates, { at: (day) => Effect.succeed(rate(day)) })
  const history = [
    new Priced1({ dollars: 5, day: "day 3" }),
    new Sold(),
    new Priced1({ dollars: 6, day: "day 0" }),
    new Priced({ euros: 8 }),
    new Priced1({ dollars: 7, day: "day 2" }),
    new Sold()
  ]
  const expected = [0, 5, 15, -1, 8, 7, 14, -1]

  it("shows in the types of all that reads", () => {
    type Wants<T> = Effect.Services<T>
    const load = Repository.load(Price, "1")
    const execute = Repository.execute(Price, "1", 1, () => Result.succeed([]))
    expectTypeOf<Wants<typeof load>>().toEqualTypeOf<EventStore.EventStore | TenantContext.TenantContext | Rates>()
    expectTypeOf<Wants<typeof execute>>().toEqualTypeOf<EventStore.EventStore | TenantContext.TenantContext | Rates>()
    const project = Projection.make("p", {
      events: Price.events,
      on: { Priced: () => Effect.void, Sold: () => Effect.void }
    })
    expectTypeOf(project).toExtend<Projection.Projection<unknown, Rates>>()
    const without = Projection.make("p", { events: [Sold], on: { Sold: () => Effect.void } })
    expectTypeOf(without).toExtend<Projection.Projection<never, never>>()
    expectTypeOf(Subscription.make("s", { events: [Priced], handle: () => Effect.void })).toExtend<
      Subscription.Subscription<never, Rates>
    >()
    expectTypeOf(load).not.toExtend<
      Effect.Effect<unknown, unknown, EventStore.EventStore | TenantContext.TenantContext>
    >()
  })

  it.effect("gets them in whatever reads, and keeps the order of the log", () =>
    Effect.gen(function* () {
      const receipt = yield* append(Price.stream("1"), ...history)
      expect((yield* Repository.load(Price, "1")).state).toEqual(expected)
      expect(yield* Projection.live(Price, { stream: Price.stream("1") })).toEqual(expected)
      expect(yield* Projection.live(Price, {})).toEqual(expected)
      const euros = Projection.make("euros", {
        events: Price.events,
        on: { Priced: ({ euros }) => note(String(euros)), Sold: () => note("-1") }
      })
      yield* Effect.raceFirst(Projection.waitFor(euros, receipt), Projection.run(euros))
      expect(["0", ...(yield* noted)].map(Number)).toEqual(expected)
      const streamed = yield* Subscription.stream({ events: [Priced] }).pipe(Stream.take(5), Stream.runCollect)
      expect(streamed.map(({ event }) => event.euros)).toEqual([5, 15, 8, 7, 14])
      const add = (n: number) => Result.succeed([new Priced({ euros: n })])
      expect((yield* Repository.execute(Price, "1", 3, add)).state).toEqual([...expected, 3])
    }).pipe(Effect.provide([Stores, Fixed]))
  )

  it.effect("asks them as the tenant whose event it is", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const rates = Rates.of({
        at: () => Effect.map(TenantContext.TenantContext, ({ id }) => asked.push(id))
      })
      yield* append(Price.stream("1"), ...history.slice(0, 1)).pipe(TenantContext.provide("acme"))
      const receipt = yield* append(Price.stream("1"), ...history.slice(0, 1)).pipe(TenantContext.provide("globex"))
      const quiet = Projection.make("quiet", { events: [Priced], on: { Priced: () => Effect.void } })
      yield* Effect.raceFirst(Projection.waitFor(quiet, receipt), Projection.run(quiet)).pipe(
        Effect.provideService(Rates, rates)
      )
      expect(asked).toEqual(["acme", "globex"])
    }).pipe(Effect.provide([Memory.layer, SystemContext.layer("test")]))
  )

  it.effect("fails a load like a storage that does not answer, with the cause for logs", () =>
    Effect.gen(function* () {
      yield* append(Price.stream("1"), ...history)
      const rates = Rates.of({ at: () => Effect.fail("no rates today") })
      const error = yield* Effect.flip(Repository.load(Price, "1")).pipe(Effect.provideService(Rates, rates))
      expect(error).toBeInstanceOf(EventStoreError.EventStoreError)
      expect(error.reason).toMatchObject({
        _tag: "StorageFailure",
        operation: "upcast Priced of version 1",
        retryable: true
      })
      expect(error.reason.cause).toBe("no rates today")
    }).pipe(Effect.provide(Stores))
  )

  it.effect("is waited for by a projection, which loses nothing", () =>
    Effect.gen(function* () {
      let asked = 0
      const rates = Rates.of({ at: (day) => (++asked < 4 ? Effect.fail("not yet") : Effect.succeed(rate(day))) })
      const euros = Projection.make("euros", {
        events: [Priced],
        retries: 0,
        on: { Priced: ({ euros }) => note(String(euros)) }
      })
      const receipt = yield* append(Price.stream("1"), ...history)
      const running = yield* Effect.forkChild(Projection.run(euros).pipe(Effect.provideService(Rates, rates)))
      yield* ticking(Projection.waitFor(euros, receipt, { timeout: "1 hour" }))
      yield* Fiber.interrupt(running)
      expect((yield* noted).map(Number)).toEqual([5, 15, 8, 7, 14])
    }).pipe(Effect.provide(Stores))
  )

  it.effect("may still give what does not fit, which is refused", () =>
    Effect.gen(function* () {
      const rates = Rates.of({ at: () => Effect.succeed(0.5) })
      yield* append(Price.stream("1"), ...history)
      const loaded = yield* Effect.exit(Repository.load(Price, "1")).pipe(Effect.provideService(Rates, rates))
      expect(Exit.isFailure(loaded) && JSON.stringify(loaded)).toContain("EventUndecodable")
    }).pipe(Effect.provide(Stores))
  )

  it.effect("reads a long stream of them without growing the stack", () =>
    Effect.gen(function* () {
      const counted = Fold.make({ events: [Priced], initial: 0 }).evolve((n) => n + 1)
      const stream = Price.stream("long")
      yield* append(stream, ...Array.from({ length: 5_000 }, () => new Priced1({ dollars: 1, day: "day 1" })))
      expect(yield* Projection.live(counted, { stream })).toBe(10_000)
    }).pipe(Effect.provide([Stores, Fixed]))
  )
})
