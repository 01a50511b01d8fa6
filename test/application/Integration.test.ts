import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Integration from "../../src/application/Integration.ts"
import * as Relay from "../../src/application/Relay.ts"
import * as Subscription from "../../src/application/Subscription.ts"
import * as Actor from "../../src/domain/Actor.ts"
import * as Event from "../../src/domain/Event.ts"
import * as IntegrationEvent from "../../src/domain/IntegrationEvent.ts"
import * as StreamName from "../../src/domain/StreamName.ts"
import * as Upcaster from "../../src/domain/Upcaster.ts"
import * as EventBus from "../../src/ports/EventBus.ts"
import * as EventStore from "../../src/ports/EventStore.ts"
import * as Memory from "../../src/ports/Memory.ts"
import * as MessageContext from "../../src/ports/MessageContext.ts"
import * as SystemContext from "../../src/ports/SystemContext.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"

class Placed extends Event.Class<Placed>()("Placed", { order: Schema.String, lines: Schema.Int }) {}
class Noted extends Event.Class<Noted>()("Noted", { note: Schema.String }) {}

class OrderPlaced1 extends Event.Class<OrderPlaced1>()("shop.order-placed", { order: Schema.String }) {}
class OrderPlaced2 extends Event.Class<OrderPlaced2>()(
  "shop.order-placed",
  { order: Schema.String, lines: Schema.Int },
  { upcasters: Upcaster.from({ order: Schema.String }).current(({ order }) => ({ order, lines: 1 })) }
) {}

const Shop = IntegrationEvent.translation("shop", {
  from: [Placed, Noted],
  to: [OrderPlaced1, OrderPlaced2],
  on: {
    // For as long as somebody reads the old one, both.
    Placed: ({ lines, order }) => [new OrderPlaced1({ order }), new OrderPlaced2({ order, lines })],
    Noted: () => undefined
  }
})

const Live = Layer.mergeAll(Memory.layer, SystemContext.layer("a test"))

const append = TenantContext.provide("acme")(
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const events = [new Noted({ note: "mine" }), new Placed({ order: "o-1", lines: 3 })]
    yield* store.append({ stream: StreamName.make("Order", "1"), expected: "none", events })
    return yield* store.readStream(StreamName.make("Order", "1"))
  })
).pipe(MessageContext.provide({ correlationId: "c-1" }))

describe("integration events", () => {
  it.live("go from the log through an outbox and a broker to a receiver, each once", () =>
    Effect.gen(function* () {
      const broker: Array<string> = []
      const passed = yield* Deferred.make<void>()
      yield* Layer.build(Subscription.layer(Integration.throughOutbox(Shop)))
      yield* Layer.build(
        Relay.layer(
          Relay.forward("shop", (delivery) =>
            Effect.suspend(() => {
              broker.push(JSON.stringify(IntegrationEvent.envelope("shop", delivery)))
              return broker.length === 2 ? Deferred.succeed(passed, undefined) : Effect.void
            })
          )
        )
      )
      const [, placed] = yield* append
      yield* Deferred.await(passed)

      const seen: Array<unknown> = []
      const receive = Integration.receiver("billing", {
        registry: IntegrationEvent.registry([OrderPlaced2]),
        handle: ({ envelope, event }) =>
          Effect.gen(function* () {
            const { causationId, correlationId, messageId } = yield* MessageContext.MessageContext
            const { id: tenant } = yield* TenantContext.TenantContext
            seen.push({ order: event.order, lines: event.lines })
            expect({ causationId, correlationId, messageId, tenant }).toEqual({
              causationId: placed?.id,
              correlationId: "c-1",
              messageId: envelope.id,
              tenant: "acme"
            })
            return envelope.dataversion
          }),
        unread: Effect.die
      })
      const answers = yield* Effect.forEach([...broker, ...broker], (text) => receive(JSON.parse(text)))
      expect(answers).toEqual([Option.some(1), Option.some(2), Option.none(), Option.none()])
      expect(seen).toMatchObject([
        { order: "o-1", lines: 1 },
        { order: "o-1", lines: 3 }
      ])
      expect(JSON.parse(broker[0] ?? "")).toMatchObject({
        specversion: "1.0",
        id: placed?.id,
        source: "shop",
        type: "shop.order-placed",
        dataversion: 1,
        partitionkey: "Order-1",
        sequence: String(placed?.position)
      })
    }).pipe(Effect.provide(Live))
  )

  it.live("are announced to who listens, who is not told who did it", () =>
    Effect.gen(function* () {
      const heard = yield* Deferred.make<EventBus.Published<OrderPlaced2>>()
      const bus = yield* EventBus.EventBus
      yield* TenantContext.provide("acme")(
        bus.subscribe(EventBus.of(OrderPlaced2), (published) => Deferred.succeed(heard, published))
      )
      yield* Layer.build(Subscription.layer(Integration.throughBus(Shop)))
      yield* append.pipe(MessageContext.provide({ actor: Actor.user("ada"), attributes: { secret: "yes" } }))
      const { event, metadata } = yield* Deferred.await(heard)
      expect(event.order).toBe("o-1")
      expect(Object.keys(metadata).sort()).toEqual(["causationId", "correlationId", "occurredAt"])
    }).pipe(Effect.scoped, Effect.provide(Live))
  )

  it("are read by version, or not, with all that came", () => {
    const both = IntegrationEvent.registry([OrderPlaced2, OrderPlaced1])
    const envelope = (version: number, data: unknown, type = "shop.order-placed") =>
      IntegrationEvent.envelope("shop", {
        id: "1",
        tenant: "acme",
        key: undefined,
        metadata: { correlationId: "c", occurredAt: 0 },
        message: { type, version, data }
      })
    const read = (received: unknown) => both.decode(received)
    expect(Result.getOrThrow(read(envelope(1, { order: "a" }))).event).toBeInstanceOf(OrderPlaced1)
    expect(Result.getOrThrow(read(envelope(2, { order: "a", lines: 1 }))).event).toBeInstanceOf(OrderPlaced2)
    for (const [received, tag] of [
      [envelope(3, { order: "a" }), "UnknownContract"],
      [envelope(0, { order: "a" }), "UnknownContract"],
      [envelope(1, {}, "shop.other"), "UnknownContract"],
      [envelope(2, { order: 1 }), "ContractBroken"],
      [{ type: "shop.order-placed" }, "NotAnEnvelope"],
      ["text", "NotAnEnvelope"],
      [null, "NotAnEnvelope"]
    ] as const) {
      const problem = Result.getOrThrow(Result.flip(read(received)))
      expect(problem._tag).toBe(tag)
      expect("received" in problem ? problem.received : problem.envelope).toEqual(received)
    }
  })

  it("have each tag and version once", () => {
    class Twin extends Event.Class<Twin>()("shop.order-placed", {}) {}
    expect(() => IntegrationEvent.registry([OrderPlaced1, Twin])).toThrow(
      'Two contracts read "shop.order-placed" in version 1'
    )
    class Renamed extends Event.Class<Renamed>()(
      "shop.placed",
      { order: Schema.String },
      { upcasters: Upcaster.formerly("shop.order-placed", { order: Schema.String }).current((old) => old) }
    ) {}
    expect(() => IntegrationEvent.registry([OrderPlaced1, Renamed])).toThrow("Two contracts")
  })

  it("are translated from every event, into nothing but contracts", () => {
    // @ts-expect-error there is no function for Noted
    IntegrationEvent.translation("shop", { from: [Placed, Noted], to: [OrderPlaced1], on: { Placed: () => undefined } })
    IntegrationEvent.translation("shop", {
      from: [Noted],
      to: [OrderPlaced1],
      // @ts-expect-error an event of the program is no contract
      on: { Noted: (event) => event }
    })
  })
})
