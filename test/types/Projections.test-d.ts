// A projection handles each of its events and cannot write the log.
// @effect-diagnostics floatingEffect:off missingEffectContext:off missingEffectError:off missingLayerContext:off
import { expectTypeOf } from "@effect/vitest"
import { Context, Effect, Schema, type Stream } from "effect"
import {
  Command,
  CommandBus,
  type DispatchError,
  Event,
  EventStore,
  type EventStoreError,
  Projection,
  Query,
  QueryBus,
  ReadModelStore,
  Rebuild,
  type RecordedEvent,
  type SideEffects,
  StreamName,
  Subscription,
  type TenantContext
} from "../../src/index.ts"

class Opened extends Event.Class<Opened>()("Opened", { by: Schema.String }) {}
class Closed extends Event.Class<Closed>()("Closed", {}) {}
class Notify extends Command.Class<Notify>()("Notify", { payload: {} }) {}
class Price extends Query.Class<Price>()("Price", { payload: {}, success: Schema.Int }) {}
class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

const events = [Opened, Closed] as const
const Titles = ReadModelStore.collection("titles", Schema.String)
const nothing = () => Effect.void

// Each handler has its own event, typed, and its envelope.
const List = Projection.make("list", {
  events,
  on: {
    Opened: (event, recorded) => {
      expectTypeOf(event).toEqualTypeOf<Opened>()
      expectTypeOf(recorded).toEqualTypeOf<RecordedEvent.RecordedEvent<Opened>>()
      return Titles.set(recorded.stream, event.by)
    },
    Closed: () => Effect.fail(new Refused())
  }
})
expectTypeOf(List).toEqualTypeOf<
  Projection.Projection<Refused | ReadModelStore.ReadModelError, ReadModelStore.ReadModelStore>
>()

// A batch is of all its events, and never empty.
const Counting = Projection.batched("counting", {
  events,
  handle: (batch) => {
    expectTypeOf(batch[0].event).toEqualTypeOf<Opened | Closed>()
    return Titles.set(batch[0].stream, String(batch.length))
  }
})
expectTypeOf(Counting).toEqualTypeOf<
  Projection.Projection<ReadModelStore.ReadModelError, ReadModelStore.ReadModelStore>
>()

// Queries may be asked: they cannot write.
const Asking = Projection.make("asking", { events: [Closed], on: { Closed: () => QueryBus.ask(new Price()) } })
expectTypeOf(Asking).toEqualTypeOf<Projection.Projection<DispatchError.DispatchError, QueryBus.Handler<"Price">>>()

// @ts-expect-error: Property 'Closed' is missing in type
Projection.make("list", { events, on: { Opened: nothing } })
// @ts-expect-error: Property 'by' does not exist on type 'Closed'
Projection.make("list", { events, on: { Opened: nothing, Closed: ({ by }) => Titles.remove(by) } })
// @ts-expect-error: Type 'number' is not assignable to type 'Effect<unknown, unknown, unknown>'
Projection.make("list", { events, on: { Opened: nothing, Closed: () => 1 } })

const append = Effect.flatMap(EventStore.EventStore, (store) =>
  store.append({ stream: StreamName.make("Task", "1"), expected: "any", events: [] })
)
// @ts-expect-error: A projection's handlers must not require EventStore or a command's handler: the read side cannot write the log
Projection.make("list", { events, on: { Opened: nothing, Closed: () => append } })
// @ts-expect-error: A projection's handlers must not require EventStore or a command's handler: the read side cannot write the log
Projection.make("list", { events, on: { Opened: nothing, Closed: () => CommandBus.execute(new Notify()) } })
// @ts-expect-error: A projection's handlers must not require EventStore or a command's handler: the read side cannot write the log
Projection.batched("list", { events, handle: () => append })
// @ts-expect-error: Type 'number' is not assignable to type 'Effect<unknown, unknown, unknown>'
Projection.batched("list", { events, handle: () => 1 })

// What must not be done again is for `react`: running needs what it requires, and rebuilding does not.
class Mailer extends Context.Service<
  Mailer,
  { readonly send: (to: string) => Effect.Effect<void, Refused, SideEffects.SideEffects> }
>()("Mailer") {}
const send = Effect.flatMap(Mailer, (mailer) => mailer.send("ada@example.com"))
const Mailing = Projection.make("mailing", {
  events,
  collections: [Titles],
  on: { Opened: ({ by }, { stream }) => Titles.set(stream, by), Closed: nothing },
  react: ({ event }) => {
    expectTypeOf(event).toEqualTypeOf<Opened | Closed>()
    return send
  }
})
expectTypeOf(Mailing).toEqualTypeOf<
  Projection.Projection<Refused | ReadModelStore.ReadModelError, ReadModelStore.ReadModelStore, Mailer>
>()
expectTypeOf<Extract<Effect.Services<ReturnType<typeof runMailing>>, Mailer>>().toEqualTypeOf<Mailer>()
expectTypeOf<Extract<Effect.Services<ReturnType<typeof rebuildMailing>>, Mailer>>().toEqualTypeOf<never>()
const runMailing = () => Projection.run(Mailing)
const rebuildMailing = () => Rebuild.run(Mailing)

// @ts-expect-error: A projection's handlers must not require SideEffects, because a rebuild runs them again: do it in `react`
Projection.make("list", { events, on: { Opened: nothing, Closed: () => send } })
// @ts-expect-error: A projection's handlers must not require SideEffects, because a rebuild runs them again: do it in `react`
Projection.batched("list", { events, handle: () => send })
// @ts-expect-error: A projection's reaction must not require EventStore or a command's handler: use a Subscription
Projection.make("list", { events, on: { Opened: nothing, Closed: nothing }, react: () => append })
// @ts-expect-error: Type 'Mailer' is not assignable to type 'never'
Projection.layerInline(Mailing)

// A subscription may do all of that: it reacts.
const Reacting = Subscription.make("reacting", {
  events,
  handle: ({ event }) => {
    expectTypeOf(event).toEqualTypeOf<Opened | Closed>()
    return Effect.andThen(append, CommandBus.execute(new Notify()))
  }
})
expectTypeOf(Reacting).toEqualTypeOf<
  Subscription.Subscription<
    EventStoreError.EventStoreError | DispatchError.DispatchError,
    EventStore.EventStore | CommandBus.Handler<"Notify">
  >
>()
expectTypeOf(Subscription.stream({ events })).toEqualTypeOf<
  Stream.Stream<
    RecordedEvent.RecordedEvent<Opened | Closed>,
    EventStoreError.EventStoreError,
    EventStore.EventStore | TenantContext.TenantContext
  >
>()
