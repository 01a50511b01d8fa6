// Decision 4: whose data a program touches is in its type.
// @effect-diagnostics floatingEffect:off missingEffectContext:off missingEffectError:off missingLayerContext:off
import { expectTypeOf } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import {
  Aggregate,
  Event,
  EventBus,
  type EventStore,
  type EventStoreDriver,
  type EventStoreError,
  Memory,
  Position,
  Projection,
  ReadModelStore,
  Repository,
  StreamName,
  Subscription,
  SystemContext,
  TenantContext
} from "../../src/index.ts"
import { build, run } from "./run.ts"

class Noted extends Event.Class<Noted>()("Noted", {}) {}
const Note = Aggregate.make("Note", { events: [Noted], initial: 0 }).evolve((n) => n + 1)
const Notes = ReadModelStore.collection("notes", Schema.String)
const stream = StreamName.make("Note", "1")

declare const store: EventStore.EventStore["Service"]
type Tenant = TenantContext.TenantContext
type Services<T> = Effect.Services<T>

const append = store.append({ stream, expected: "any", events: [new Noted()] })
const readAll = store.readAll({ after: Position.start, limit: 1 })
expectTypeOf<Services<typeof append>>().toEqualTypeOf<Tenant>()
expectTypeOf<Services<typeof readAll>>().toEqualTypeOf<Tenant>()
expectTypeOf<Services<ReturnType<typeof store.readStream>>>().toEqualTypeOf<Tenant>()
expectTypeOf<Services<ReturnType<typeof store.streamState>>>().toEqualTypeOf<Tenant>()
expectTypeOf<Services<ReturnType<typeof store.appendAll>>>().toEqualTypeOf<Tenant>()
expectTypeOf<Services<ReturnType<typeof store.tombstone>>>().toEqualTypeOf<Tenant>()
const load = Repository.load(Note, "1")
expectTypeOf<Services<typeof load>>().toEqualTypeOf<Tenant | EventStore.EventStore>()
const live = Projection.live(Note, { stream })
expectTypeOf<Services<typeof live>>().toEqualTypeOf<Tenant | EventStore.EventStore>()
expectTypeOf<Services<ReturnType<typeof Notes.list>>>().toEqualTypeOf<Tenant | ReadModelStore.ReadModelStore>()

run(append.pipe(TenantContext.provide("acme")))
run(append.pipe(Effect.provide(TenantContext.layerSingle)))
// @ts-expect-error: Type 'TenantContext' is not assignable to type 'never'
run(append)
// @ts-expect-error: Type 'TenantContext' is not assignable to type 'never'
run(Repository.load(Note, "1").pipe(Effect.provide(Memory.layer)))
// @ts-expect-error: Type 'TenantContext' is not assignable to type 'never'
run(Notes.get("1").pipe(Effect.provide(Memory.layer)))

// Reading across tenants is a leave of its own; a tenant's is not enough.
const across = store.readAllTenants({ after: Position.start, limit: 1 })
expectTypeOf(across).toEqualTypeOf<
  Effect.Effect<EventStoreDriver.Page, EventStoreError.EventStoreError, SystemContext.SystemContext>
>()
run(across.pipe(SystemContext.provide("nightly export")))
// @ts-expect-error: Type 'SystemContext' is not assignable to type 'never'
run(across.pipe(TenantContext.provide("acme")))

// Readers of the log need the leave; their handlers get each event's tenant and require none.
const Watch = Subscription.make("watch", { events: [Noted], handle: () => Notes.set("1", "seen") })
expectTypeOf(Watch).toEqualTypeOf<
  Subscription.Subscription<ReadModelStore.ReadModelError, ReadModelStore.ReadModelStore>
>()
const List = Projection.make("list", { events: [Noted], on: { Noted: () => Notes.set("1", "seen") } })
expectTypeOf(List).toEqualTypeOf<Projection.Projection<ReadModelStore.ReadModelError, ReadModelStore.ReadModelStore>>()
build(
  Layer.merge(Subscription.layer(Watch), Projection.layer(List)).pipe(
    Layer.provide(Memory.layer),
    Layer.provide(SystemContext.layer("test"))
  )
)
// @ts-expect-error: Type 'SystemContext' is not assignable to type 'never'
build(Subscription.layer(Watch).pipe(Layer.provide(Memory.layer)))
// @ts-expect-error: Type 'SystemContext' is not assignable to type 'never'
build(Projection.layer(List).pipe(Layer.provide(Memory.layer)))

// An inline projection runs as the caller: it needs no leave.
build(Projection.layerInline(List).pipe(Layer.provide(Memory.layer)))

declare const bus: EventBus.EventBus["Service"]
const subscribed = Effect.scoped(bus.subscribe(EventBus.of(Noted), () => Notes.list()))
expectTypeOf<Services<typeof subscribed>>().toEqualTypeOf<Tenant | ReadModelStore.ReadModelStore>()
const subscribedToAll = Effect.scoped(bus.subscribeAll(EventBus.of(Noted), () => Notes.list()))
expectTypeOf<Services<typeof subscribedToAll>>().toEqualTypeOf<
  SystemContext.SystemContext | ReadModelStore.ReadModelStore
>()
