/** A bus over a driver: what it reads, and what becomes of what it cannot read. */
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Event from "../../src/domain/Event.ts"
import type * as IntegrationEvent from "../../src/domain/IntegrationEvent.ts"
import * as Upcaster from "../../src/domain/Upcaster.ts"
import * as EventBus from "../../src/ports/EventBus.ts"
import * as EventBusDriver from "../../src/ports/EventBusDriver.ts"
import * as EventBusError from "../../src/ports/EventBusError.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"
import * as UnitOfWork from "../../src/ports/UnitOfWork.ts"
import { Broker, type Driver, type Node } from "../laws/busDriver.ts"

class Placed extends Event.Class<Placed>()("Placed", { order: Schema.String }) {}
class Placed2 extends Event.Class<Placed2>()(
  "Placed",
  { order: Schema.String, cents: Schema.Int },
  { upcasters: Upcaster.from({ order: Schema.String }).current(({ order }) => ({ order, cents: 0 })) }
) {}
class Cancelled extends Event.Class<Cancelled>()("Cancelled", { order: Schema.String }) {}

/** A bus of its own process, and its node at the broker. */
const process = (
  broker: Broker,
  options: EventBus.Options,
  change: (driver: Driver) => Driver = (driver) => driver
): Effect.Effect<{ readonly bus: EventBus.EventBus["Service"]; readonly node: Node }, never, Scope.Scope> =>
  Effect.gen(function* () {
    const opened = yield* Deferred.make<Node>()
    const layer = EventBus.layerDriver(options, (receiver) => {
      const node = broker.open(receiver)
      return Effect.as(Deferred.succeed(opened, node), change(node.driver))
    })
    const context = yield* Layer.build(layer)
    return { bus: Context.get(context, EventBus.EventBus), node: yield* Deferred.await(opened) }
  })

const acme = TenantContext.provide("acme")
const soon = Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 20)))

describe("a bus over a driver", () => {
  it.live("upcasts what comes in an older version", () =>
    Effect.gen(function* () {
      const broker = new Broker()
      const older = yield* process(broker, { events: [Placed] })
      const newer = yield* process(broker, { events: [Placed2] })
      const heard = yield* Deferred.make<Placed2>()
      yield* acme(newer.bus.subscribe(EventBus.of(Placed2), ({ event }) => Deferred.succeed(heard, event)))
      yield* acme(older.bus.publish([new Placed({ order: "o-1" })]))
      expect(yield* Deferred.await(heard)).toEqual(new Placed2({ order: "o-1", cents: 0 }))
    }).pipe(Effect.scoped)
  )

  it.live("gives what it cannot read to `unread`, counts it, and logs an unknown type once", () =>
    Effect.gen(function* () {
      const broker = new Broker()
      const problems: Array<IntegrationEvent.Unread> = []
      const { bus, node } = yield* process(broker, {
        events: [Placed],
        unread: (problem) => Effect.sync(() => problems.push(problem))
      })
      const newer = yield* process(broker, { events: [] })
      const seen: Array<string> = []
      yield* acme(bus.subscribe(EventBus.topic("**"), ({ event }) => Effect.sync(() => seen.push(event._tag))))
      const events = [new Cancelled({ order: "o-1" }), new Placed2({ order: "o-2", cents: 1 })]
      yield* acme(newer.bus.publish([...events, ...events, new Placed({ order: "o-3" })]))
      yield* soon
      node.arrive("{")
      node.arrive(JSON.stringify({ specversion: "0.3", tenant: "acme" }))
      node.arrive(JSON.stringify({ specversion: "0.3", tenant: "nobody's" }))
      yield* soon
      expect(seen).toEqual(["Placed"])
      expect(problems.map(({ _tag }) => _tag)).toEqual([
        ...Array.from({ length: 4 }, () => "UnknownContract"),
        "NotAnEnvelope",
        "NotAnEnvelope"
      ])
      expect(problems[4]).toMatchObject({ received: "{" })
      expect(lines).toHaveLength(4)
      const unread = (yield* Metric.snapshot).filter(({ id }) => id === "effect_cqrs_bus_unread_total")
      expect(unread.map(({ attributes, state }) => [attributes, state])).toEqual([
        [
          { bus: "test", problem: "UnknownContract" },
          { count: 4, incremental: true }
        ],
        [
          { bus: "test", problem: "NotAnEnvelope" },
          { count: 2, incremental: true }
        ]
      ])
    }).pipe(
      Effect.scoped,
      Effect.provideService(Metric.MetricRegistry, new Map()),
      Effect.provideService(Logger.CurrentLoggers, new Set([Logger.make(({ message }) => void lines.push(message))]))
    )
  )

  const lines: Array<unknown> = []

  it.live("refuses a subscriber of a class that it does not read", () =>
    Effect.gen(function* () {
      const { bus } = yield* process(new Broker(), { events: [Placed] })
      const exit = yield* Effect.exit(acme(bus.subscribe(EventBus.of(Placed, Cancelled), () => Effect.void)))
      expect(Exit.isFailure(exit) && String(exit.cause)).toContain('does not read "Cancelled"')
    }).pipe(Effect.scoped)
  )

  it.live("publishes nothing of what cannot be written as JSON", () =>
    Effect.gen(function* () {
      const { bus } = yield* process(new Broker(), { events: [Placed] })
      const seen: Array<string> = []
      yield* acme(bus.subscribe(EventBus.of(Placed), ({ event }) => Effect.sync(() => seen.push(event.order))))
      const broken = Object.assign(new Placed({ order: "o-2" }), { order: 2 })
      const error = yield* Effect.flip(acme(bus.publish([new Placed({ order: "o-1" }), broken])))
      expect(error.reason).toMatchObject({ _tag: "InvalidEvent", type: "Placed", issues: [{ path: "order" }] })
      yield* soon
      expect(seen).toEqual([])
    }).pipe(Effect.scoped)
  )

  it.live("asks its driver once for each tenant, for as long as somebody listens, and again after a failure", () =>
    Effect.gen(function* () {
      const asked: Array<string | undefined> = []
      let fails = true
      const { bus, node } = yield* process(new Broker(), { events: [Placed] }, (driver) => ({
        ...driver,
        listen: (tenant) => {
          asked.push(tenant)
          return fails ? Effect.fail(EventBusError.notConnected("test", "no")) : driver.listen(tenant)
        }
      }))
      const subscribe = acme(bus.subscribe(EventBus.of(Placed), () => Effect.void))
      expect(yield* Effect.flip(subscribe)).toMatchObject({ reason: { _tag: "NotConnected" } })
      fails = false
      const scope = yield* Scope.make()
      yield* Scope.provide(subscribe, scope)
      yield* Scope.provide(subscribe, scope)
      expect(asked).toEqual(["acme", "acme"])
      expect(Array.from(node.interests.keys())).toEqual(["acme"])
      yield* Scope.close(scope, Exit.void)
      expect(node.interests.size).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.live("says so when events are lost after their commit", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.map(Logger.formatStructured, ({ annotations }) => void lines.push(annotations))
      const unit = yield* UnitOfWork.UnitOfWork
      const layer = EventBus.layerDriver({ events: [Placed] }, (receiver) =>
        EventBusDriver.afterCommit<EventBusDriver.Promises>({
          ...new Broker().open(receiver).driver,
          publish: () => Effect.fail(EventBusError.notConnected("test", "no"))
        })
      )
      const { bus } = { bus: Context.get(yield* Layer.build(layer), EventBus.EventBus) }
      yield* unit
        .transaction(acme(bus.publish([new Placed({ order: "o-1" })])))
        .pipe(Effect.provideService(Logger.CurrentLoggers, new Set([logger])))
      expect(lines).toEqual([{ bus: "test", events: [expect.stringMatching(/^Placed [0-9a-f-]{36}$/)] }])
      const lost = (yield* Metric.snapshot).find(({ id }) => id === "effect_cqrs_bus_lost_total")
      expect(lost?.state).toEqual({ count: 1, incremental: true })
    }).pipe(
      Effect.scoped,
      Effect.provideService(Metric.MetricRegistry, new Map()),
      Effect.provide(UnitOfWork.layerMemory)
    )
  )

  it.live("is up, down and up again", () =>
    Effect.gen(function* () {
      const { bus, node } = yield* process(new Broker(), { events: [] })
      const check = Effect.provideService(EventBus.check, EventBus.EventBus, bus)
      expect([bus.isUp(), (yield* check).status]).toEqual([true, "up"])
      yield* node.cut
      expect([bus.isUp(), (yield* check).status]).toEqual([false, "degraded"])
      yield* Effect.sleep("60 millis")
      expect(bus.isUp()).toBe(true)
    }).pipe(Effect.scoped)
  )
})
