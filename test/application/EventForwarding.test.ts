import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as EventForwarding from "../../src/application/EventForwarding.ts"
import * as Actor from "../../src/domain/Actor.ts"
import * as Event from "../../src/domain/Event.ts"
import * as IntegrationEvent from "../../src/domain/IntegrationEvent.ts"
import * as StreamName from "../../src/domain/StreamName.ts"
import * as CheckpointStore from "../../src/ports/CheckpointStore.ts"
import * as EventGroups from "../../src/ports/EventGroups.ts"
import * as EventStore from "../../src/ports/EventStore.ts"
import { ForwardTarget } from "../../src/ports/ForwardTarget.ts"
import * as Memory from "../../src/ports/Memory.ts"
import * as MessageContext from "../../src/ports/MessageContext.ts"
import * as SystemContext from "../../src/ports/SystemContext.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"

class Placed extends Event.Class<Placed>()("Placed", { n: Schema.Int }) {}
class Noted extends Event.Class<Noted>()("Noted", { n: Schema.Int }) {}
class Public extends Event.Class<Public>()("shop.placed", { number: Schema.Int }) {}

const Live = Layer.mergeAll(Memory.layer, TenantContext.layerSingle, SystemContext.layer("a test"), Logger.layer([]))

const append = (id: number, ...events: ReadonlyArray<Event.Any>) =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    store.append({ stream: StreamName.make("Order", String(id)), expected: "any", events })
  )

/** What a group is given of a log. */
const seenBy = <const C extends ReadonlyArray<Event.AnyClass>>(log: string, events: C, group = "mails") =>
  Effect.gen(function* () {
    const seen: Array<EventGroups.Delivery<Event.Of<C>>> = []
    const groups = yield* EventGroups.EventGroups
    const handle = (delivery: EventGroups.Delivery<Event.Of<C>>) => Effect.sync(() => seen.push(delivery))
    yield* groups.subscribe({ log, group, events, poll: "10 millis", handle })
    return seen
  })

const until = (what: string, holds: () => boolean) =>
  Effect.gen(function* () {
    for (let tries = 0; tries < 2000 && !holds(); tries++) yield* Effect.sleep("5 millis")
    expect(holds(), what).toBe(true)
  })

const shop = (options?: Partial<EventForwarding.Options>) =>
  EventForwarding.make("shop", { events: [Placed], groups: ["mails"], ...options })

describe("forwarding", () => {
  it.live("brings the events of its classes to every group once, in the order of their streams", () =>
    Effect.gen(function* () {
      const numbers = Array.from({ length: 30 }, (_, n) => n)
      for (const n of numbers) yield* append(n % 3, new Placed({ n }), new Noted({ n }))
      yield* Effect.forkScoped(EventForwarding.run(shop({ batchSize: 7 })))
      const seen = yield* seenBy("shop", [Placed, Noted])
      yield* until("what was there arrives", () => seen.length === 30)
      for (const n of numbers) yield* append(n % 3, new Placed({ n: 30 + n }))
      yield* until("what is new arrives", () => seen.length === 60)
      for (const id of [0, 1, 2]) {
        const own = seen.filter(({ key }) => key === `default/Order-${id}`)
        expect(own.map(({ event }) => event.n)).toEqual(Array.from({ length: 20 }, (_, n) => 3 * n + id))
        expect(own.map(({ position }) => position)).toEqual(
          own.map(({ position }) => position).toSorted((a, b) => a - b)
        )
      }
    }).pipe(Effect.provide(Live))
  )

  it.live("narrows what is forwarded, and orders it by a key", () =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(EventForwarding.run(shop({ tenants: ["acme"], key: "category" })))
      const seen = yield* seenBy("shop", [Placed])
      yield* append(1, new Placed({ n: 1 }))
      const byAda = MessageContext.provide({ actor: Actor.user("ada"), attributes: { from: "a test" } })
      yield* TenantContext.provide("acme")(byAda(append(1, new Placed({ n: 2 }))))
      yield* until("the tenant's event arrives", () => seen.length > 0)
      expect(seen.map(({ event, key, tenant }) => [event.n, key, tenant])).toEqual([[2, "acme/Order", "acme"]])
      expect(seen[0]?.metadata).toMatchObject({ actor: { id: "ada", kind: "user" }, attributes: { from: "a test" } })
    }).pipe(Effect.provide(Live))
  )

  it.live("tells others what a translation makes of events, and not who did it", () =>
    Effect.gen(function* () {
      const translation = IntegrationEvent.translation("shop", {
        from: [Placed, Noted],
        to: [Public],
        on: {
          Placed: ({ n }) => [new Public({ number: n }), new Public({ number: n + 1 })],
          Noted: () => undefined
        }
      })
      const forwarding = EventForwarding.translated("public", translation, { groups: ["others"] })
      yield* Effect.forkScoped(EventForwarding.run(forwarding))
      const seen = yield* seenBy("public", [Public], "others")
      const context = { actor: Actor.user("ada"), correlationId: "c-1", attributes: { secret: "yes" } }
      yield* MessageContext.provide(context)(append(1, new Noted({ n: 1 }), new Placed({ n: 2 })))
      yield* until("both arrive", () => seen.length === 2)
      const store = yield* EventStore.EventStore
      const [, placed] = yield* store.readStream(StreamName.make("Order", "1"))
      expect(seen.map(({ event }) => event.number)).toEqual([2, 3])
      expect(seen.map(({ id }) => id)).toEqual([placed?.id, `${placed?.id}/1`])
      for (const { metadata } of seen) {
        expect(metadata).toMatchObject({ correlationId: "c-1", causationId: placed?.id })
        expect([metadata.actor, metadata.attributes]).toEqual([undefined, undefined])
      }
    }).pipe(Effect.provide(Live))
  )

  it.live("is done by one of several, and nothing is there twice or missing when that one ends", () =>
    Effect.gen(function* () {
      const first = yield* Effect.forkScoped(EventForwarding.run(shop()))
      const seen = yield* seenBy("shop", [Placed])
      yield* append(1, new Placed({ n: 0 }))
      yield* until("the first works", () => seen.length === 1)
      yield* Effect.forkScoped(EventForwarding.run(shop()))
      for (let n = 1; n <= 100; n++) {
        yield* append(n % 5, new Placed({ n }))
        if (n === 50) yield* Fiber.interrupt(first)
      }
      yield* until("all arrive", () => seen.length >= 101)
      yield* Effect.sleep("50 millis")
      expect(seen.map(({ event }) => event.n).toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: 101 }, (_, n) => n)
      )
    }).pipe(Effect.provide(Live))
  )

  it.live("keeps up to where no group needs anything any more", () =>
    Effect.gen(function* () {
      const checkpoints = yield* CheckpointStore.CheckpointStore
      const seen = yield* seenBy("shop", [Placed])
      yield* Effect.forkScoped(EventForwarding.run(shop({ groups: ["mails", "absent"] })))
      for (let n = 1; n <= 5; n++) yield* append(n, new Placed({ n }))
      yield* until("they arrive", () => seen.length === 5)
      yield* Effect.sleep("1200 millis")
      expect(yield* checkpoints.load("forwarding/shop")).toBe(0)
      yield* seenBy("shop", [Placed], "absent")
      yield* checkpoints.passed("forwarding/shop", yield* (yield* EventStore.EventStore).mark)
    }).pipe(Effect.provide(Live))
  )

  it.live("stops when the log has less than what was forwarded of it", () =>
    Effect.gen(function* () {
      yield* append(1, new Placed({ n: 1 }))
      const target = yield* ForwardTarget
      for (let segment = 0; segment < target.segments; segment++) {
        yield* target.open("shop", segment, { groups: [], floor: 99 })
      }
      const error = yield* Effect.flip(EventForwarding.run(shop()))
      expect(error).toMatchObject({ reason: { _tag: "LogWentBack", forwarded: 99, mark: 1 } })
    }).pipe(Effect.provide(Live))
  )

  it.live("stops at an event that cannot be read, and before what comes after it", () =>
    Effect.gen(function* () {
      class Broken extends Event.Class<Broken>()("Placed", { other: Schema.String }) {}
      const translation = IntegrationEvent.translation("shop", {
        from: [Broken],
        to: [Public],
        on: { Placed: () => new Public({ number: 1 }) }
      })
      yield* append(1, new Placed({ n: 1 }))
      const exit = yield* Effect.exit(
        EventForwarding.run(EventForwarding.translated("shop", translation, { groups: [] }))
      )
      expect(
        Exit.isFailure(exit) && Result.isSuccess(Exit.findError(exit)) ? Exit.findError(exit) : exit
      ).toMatchObject({
        success: { reason: { _tag: "EventUndecodable" } }
      })
    }).pipe(Effect.provide(Live))
  )
})
