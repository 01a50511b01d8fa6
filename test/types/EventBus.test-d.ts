// What a bus promises is in its layer's type, and what a program needs of it in the program's.
// @effect-diagnostics floatingEffect:off missingEffectContext:off
import { expectTypeOf } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { Event, EventBus, type EventBusDriver, TenantContext } from "../../src/index.ts"
import { run } from "./run.ts"

class Noted extends Event.Class<Noted>()("Noted", {}) {}

declare const shared: EventBusDriver.Driver<{
  readonly delivery: "at most once"
  readonly order: "all"
  readonly reach: "processes"
  readonly durable: false
  readonly transactional: false
}>

const layer = EventBus.layerDriver({ events: [Noted] }, () => Effect.succeed(shared))
expectTypeOf<Layer.Success<typeof layer>>().toEqualTypeOf<EventBus.EventBus | EventBus.AcrossProcesses>()
expectTypeOf<Layer.Success<typeof EventBus.layerMemory>>().toEqualTypeOf<
  EventBus.EventBus | EventBus.EventBusHistory | EventBus.Transactional
>()

const tellAll = Effect.flatMap(EventBus.promising(EventBus.AcrossProcesses), (bus) => bus.publish([new Noted()])).pipe(
  TenantContext.provide("acme")
)
expectTypeOf<Effect.Services<typeof tellAll>>().toEqualTypeOf<EventBus.EventBus | EventBus.AcrossProcesses>()
run(tellAll.pipe(Effect.provide(layer)))
// @ts-expect-error: Type 'AcrossProcesses' is not assignable to type 'never'
run(tellAll.pipe(Effect.provide(EventBus.layerMemory)))

const together = EventBus.promising(EventBus.Transactional, EventBus.AcrossProcesses)
expectTypeOf<Effect.Services<typeof together>>().toEqualTypeOf<
  EventBus.EventBus | EventBus.Transactional | EventBus.AcrossProcesses
>()
// @ts-expect-error: Type 'Transactional' is not assignable to type 'never'
run(together.pipe(Effect.provide(layer)))

// Where a driver's promises are not known, nothing is promised.
declare const any: EventBusDriver.Driver
const unknown = EventBus.layerDriver({ events: [] }, () => Effect.succeed(any))
expectTypeOf<Layer.Success<typeof unknown>>().toEqualTypeOf<EventBus.EventBus>()
