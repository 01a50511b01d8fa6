import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import {
  Command,
  CommandBus,
  Consumer,
  Event,
  EventStore,
  Flow,
  FlowRecorder,
  FlowRecording,
  Flows,
  FlowStore,
  Memory,
  MessageContext,
  on,
  Outbox,
  OutboxMessage,
  Position,
  Projection,
  ReadModelStore,
  Relay,
  StreamName,
  Subscription,
  SystemContext,
  TenantContext,
  TenantId
} from "../../src/index.ts"

class Placed extends Event.Class<Placed>()("Placed", { n: Schema.Int }) {}
class Billed extends Event.Class<Billed>()("Billed", {}) {}
class Place extends Command.Class<Place>()("Place", { payload: { n: Schema.Int } }) {}
class Bill extends Command.Class<Bill>()("Bill", { payload: {} }) {}
class Mail extends OutboxMessage.Class<Mail>()("Mail", { to: Schema.String }) {}

const order = (n: number) => StreamName.make("Order", String(n))
const append = (stream: StreamName.StreamName, event: Event.Any) =>
  Effect.flatMap(EventStore.EventStore, (store) => store.append({ stream, expected: "any", events: [event] }))

const Commands = CommandBus.handlers(
  on(Place, ({ n }) => append(order(n), new Placed({ n }))),
  on(Bill, () => append(StreamName.make("Bill", "1"), new Billed()))
).pipe(Layer.provide(CommandBus.middleware(FlowRecording.middleware)))

const Stores = FlowRecorder.layer({ linger: 0 }).pipe(Layer.provideMerge(Memory.layer))
const Workers = Layer.mergeAll(SystemContext.layer("tests"), TenantContext.layerSingle, Logger.layer([]))

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
const isHandler = / handler (.*)/g

/** Waits until the flow is this text, or its handlers are these lines, and stays so. */
const settles = (expected: string | ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { flush } = yield* FlowRecorder.FlowRecorder
    const look = Effect.gen(function* () {
      yield* flush
      const text = Flow.toText((yield* Flows.of("r-1")).flow).replace(/in \d+ ms/g, "in time")
      return typeof expected === "string"
        ? text
        : Array.from(text.matchAll(isHandler), ([, line = ""]) => line).toSorted(byText)
    })
    const isThere = (found: unknown) => JSON.stringify(found) === JSON.stringify(expected)
    yield* Effect.delay(look, "2 millis").pipe(
      Effect.repeat({ until: isThere }),
      Effect.timeout("8 seconds"),
      Effect.ignore
    )
    yield* Effect.sleep("20 millis")
    expect(yield* look).toEqual(expected)
  })

const place = (n = 1, correlationId = "r-1") =>
  CommandBus.execute(new Place({ n })).pipe(MessageContext.provide({ correlationId }))

const failsOnce = () => {
  let calls = 0
  return Effect.suspend(() => (++calls === 1 ? Effect.fail("down") : Effect.void))
}

describe("a recorded flow", () => {
  it.live("goes from a command by its event and a consumer to the next command and its event", () => {
    const Billing = Consumer.make("billing", {
      events: [Placed],
      on: { Placed: () => CommandBus.execute(new Bill()) }
    })
    const Live = Consumer.layer(Billing).pipe(Layer.provideMerge(Commands), Layer.provideMerge(Stores))
    return Effect.gen(function* () {
      yield* place()
      yield* settles(`flow r-1
└─ command Place: succeeded in time
   └─ event Placed (Order-1@1)
      ├─ handler billing: succeeded in time
      └─ command Bill: succeeded in time
         └─ event Billed (Bill-1@1)`)
    }).pipe(Effect.provide(Live.pipe(Layer.provideMerge(Workers))))
  })

  it.live.each([true, false])("counts the attempts of a consumer's handler, transactional: %s", (transactional) => {
    const down = failsOnce()
    const Mails = Consumer.make("mails", {
      events: [Placed],
      transactional,
      retry: { base: "1 millis" },
      on: { Placed: ({ n }) => (n === 2 ? down : Effect.void) }
    })
    const Live = Consumer.layer(Mails).pipe(Layer.provideMerge(Commands), Layer.provideMerge(Stores))
    return Effect.gen(function* () {
      for (const n of [1, 2, 3]) yield* place(n)
      yield* settles(["mails: succeeded in time", "mails: succeeded in time", "mails: succeeded in time, attempt 2"])
    }).pipe(Effect.provide(Live.pipe(Layer.provideMerge(Workers))))
  })

  it.live("counts on where a parked event is handled again, and has what compensates by itself", () => {
    const down = failsOnce()
    const retry = { times: 1, later: ["1 millis"] } as const
    const Parks = Consumer.make("parks", { events: [Placed], retry, on: { Placed: () => down } })
    const Compensates = Consumer.make("compensates", {
      events: [Placed],
      retry: { times: 2, base: "1 millis" },
      on: { Placed: () => Effect.fail("no") },
      compensate: () => Effect.void
    })
    const Live = Layer.mergeAll(Consumer.layer(Parks), Consumer.layer(Compensates)).pipe(
      Layer.provideMerge(Commands),
      Layer.provideMerge(Stores)
    )
    return Effect.gen(function* () {
      yield* place()
      yield* settles([
        "compensates (compensating): succeeded in time, attempt 2",
        "compensates: refused with string in time, attempt 2",
        "parks: succeeded in time, attempt 2"
      ])
    }).pipe(Effect.provide(Live.pipe(Layer.provideMerge(Workers))))
  })

  it.live("has each event of a batch, as its own tenant's", () => {
    const Batch = Consumer.make("batch", { events: [Placed], handleBatch: () => Effect.void })
    const Live = Consumer.layer(Batch).pipe(Layer.provideMerge(Commands), Layer.provideMerge(Stores))
    return Effect.gen(function* () {
      yield* place(1)
      yield* place(2)
      yield* TenantContext.provide("acme")(place(1))
      yield* settles(["batch: succeeded in time", "batch: succeeded in time"])
      expect((yield* TenantContext.provide("acme")(Flows.of("r-1"))).steps.length).toBe(3)
    }).pipe(Effect.provide(Live.pipe(Layer.provideMerge(Workers))))
  })

  it.live("has projections in the background and inline, what they react with, and subscriptions", () => {
    const down = failsOnce()
    const Counts = ReadModelStore.collection("counts", Schema.Int)
    const set = Counts.set("all", 1)
    const Background = Projection.make("background", {
      events: [Placed],
      on: { Placed: ({ n }) => Effect.andThen(set, n === 1 ? down : Effect.void) },
      react: () => Effect.void
    })
    const Batched = Projection.batched("batched", { events: [Placed], handle: () => set })
    const Inline = Projection.make("inline", { events: [Placed], on: { Placed: () => set } })
    const Watch = Subscription.make("watch", { events: [Placed], handle: () => Effect.void })
    const Live = Layer.mergeAll(
      Projection.layer(Background),
      Projection.layer(Batched),
      Subscription.layer(Watch)
    ).pipe(
      Layer.provideMerge(Commands),
      Layer.provideMerge(Projection.layerInline(Inline).pipe(Layer.provideMerge(Stores)))
    )
    return Effect.gen(function* () {
      // The reaction begins with what is recorded after its first start.
      const warm = Effect.andThen(place(2, "r-0"), Effect.delay(Flows.of("r-0"), "10 millis"))
      yield* Effect.repeat(warm, { until: ({ steps }) => steps.some(({ name }) => name.includes("reacting")) })
      yield* place()
      yield* settles([
        "background (reacting): succeeded in time",
        "background: succeeded in time, attempt 2",
        "batched: succeeded in time",
        "inline: succeeded in time",
        "watch: succeeded in time"
      ])
    }).pipe(Effect.provide(Live.pipe(Layer.provideMerge(Workers))))
  })

  it.live("has the messages of an outbox, and what their delivery causes", () => {
    const Mails = Relay.make("default", { messages: [Mail], on: { Mail: () => CommandBus.execute(new Bill()) } })
    const Live = Relay.layer(Mails).pipe(Layer.provideMerge(Commands), Layer.provideMerge(Stores))
    return Effect.gen(function* () {
      yield* Outbox.enqueue(new Mail({ to: "ada" })).pipe(
        MessageContext.provide({ correlationId: "r-1", messageId: "m" })
      )
      yield* settles(`flow r-1
└─ unknown cause m
   └─ message Mail (default): succeeded in time
      └─ command Bill: succeeded in time
         └─ event Billed (Bill-1@1)`)
    }).pipe(Effect.provide(Live.pipe(Layer.provideMerge(Workers))))
  })

  it.live("does not have the handlers of events that are old", () => {
    const Mails = Consumer.make("mails", { events: [Placed], on: { Placed: () => Effect.void } })
    const Old = FlowRecorder.layer({ linger: 0, maxAge: 0 }).pipe(Layer.provideMerge(Memory.layer))
    const Live = Commands.pipe(Layer.provideMerge(Old), Layer.provideMerge(Workers))
    return Effect.gen(function* () {
      yield* place()
      yield* Effect.sleep("5 millis")
      yield* Effect.gen(function* () {
        yield* Effect.sleep("200 millis")
        yield* settles([])
      }).pipe(Effect.provide(Consumer.layer(Mails)))
    }).pipe(Effect.provide(Live))
  })
})

describe("Flows", () => {
  const tenant = TenantId.make("default")
  const record = (count: number) =>
    Effect.flatMap(FlowStore.FlowStore, (store) =>
      store.record(
        Array.from({ length: count }, (_, n) => ({
          tenant,
          correlationId: "r-1",
          step: {
            id: String(n).padStart(6, "0"),
            kind: "event" as const,
            name: "N",
            at: n,
            causationId: n === 0 ? undefined : String(n - 1).padStart(6, "0")
          }
        }))
      )
    )

  it.effect("reads all pages of a flow, and says where it is cut off", () =>
    Effect.gen(function* () {
      yield* record(10_500)
      const all = yield* Flows.of("r-1", { limit: 20_000 })
      expect([all.steps.length, all.truncated]).toEqual([10_500, false])
      const cut = yield* Flows.of("r-1")
      expect([cut.steps.length, cut.truncated]).toEqual([10_000, true])
      expect(yield* Flows.of("r-1", { limit: 1 })).toMatchObject({ steps: [{ name: "N" }], truncated: true })
      expect(yield* Flows.of("r-2")).toEqual({
        flow: { correlationId: "r-2", roots: [] },
        steps: [],
        truncated: false
      })
    }).pipe(Effect.provide([Memory.layer, TenantContext.layerSingle]))
  )

  it.effect("adds events of the log that nobody has recorded", () =>
    Effect.gen(function* () {
      const inFlow = MessageContext.provide({ correlationId: "r-1", messageId: "c" })
      const { position } = yield* inFlow(append(order(1), new Placed({ n: 1 })))
      yield* append(order(1), new Placed({ n: 2 }))
      yield* TenantContext.provide("acme")(inFlow(append(order(1), new Placed({ n: 3 }))))
      for (let n = 0; n < 1100; n++) yield* append(order(2), new Placed({ n }))
      yield* inFlow(append(order(3), new Placed({ n: 4 })))
      expect((yield* Flows.of("r-1")).steps).toEqual([])
      const text = Effect.map(Flows.withLog("r-1"), ({ flow }) => Flow.toText(flow))
      expect(yield* text).toBe(
        "flow r-1\n└─ unknown cause c\n   ├─ event Placed (Order-1@1)\n   └─ event Placed (Order-3@1)"
      )
      const later = yield* Flows.withLog("r-1", { after: position })
      expect(later.steps.map(({ place }) => place)).toEqual(["Order-3@1"])
      const cut = yield* Flows.withLog("r-1", { limit: 1 })
      expect([cut.steps.length, cut.truncated]).toEqual([1, true])
      expect((yield* Flows.withLog("r-1", { after: Position.make(1_000_000) })).steps).toEqual([])
    }).pipe(Effect.provide([Memory.layer, TenantContext.layerSingle]))
  )
})
