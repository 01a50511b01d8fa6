// What a group's handler is given, and what a group asks of the program.
// @effect-diagnostics floatingEffect:off missingEffectContext:off missingLayerContext:off
import { expectTypeOf } from "@effect/vitest"
import { Context, Effect, type Layer, Schema } from "effect"
import { Event, EventGroups, type SystemContext, TenantContext } from "../../src/index.ts"

class Placed extends Event.Class<Placed>()("Placed", { total: Schema.Int }) {}
class Shipped extends Event.Class<Shipped>()("Shipped", {}) {}
class Mailer extends Context.Service<Mailer, { readonly send: Effect.Effect<void> }>()("Mailer") {}

const group = { log: "shop", group: "mails", events: [Placed, Shipped] } as const

const single = EventGroups.layer({
  ...group,
  handle: ({ event }) => {
    expectTypeOf(event).toEqualTypeOf<Placed | Shipped>()
    return Effect.andThen(
      TenantContext.TenantContext,
      Effect.flatMap(Mailer, ({ send }) => send)
    )
  }
})
// The tenant is the event's own, so a group does not ask for one.
expectTypeOf<Layer.Services<typeof single>>().toEqualTypeOf<
  EventGroups.EventGroups | SystemContext.SystemContext | Mailer
>()

const many = EventGroups.layer({
  ...group,
  handleBatch: (deliveries) => {
    expectTypeOf(deliveries).toEqualTypeOf<ReadonlyArray<EventGroups.Delivery<Placed | Shipped>>>()
    return Effect.flatMap(Mailer, ({ send }) => send)
  }
})
expectTypeOf<Layer.Services<typeof many>>().toEqualTypeOf<
  EventGroups.EventGroups | SystemContext.SystemContext | Mailer
>()

// @ts-expect-error: is not assignable to parameter of type 'Subscription
EventGroups.layer(group)
// @ts-expect-error: is not assignable to parameter of type 'Subscription
EventGroups.layer({ ...group, handle: () => Effect.void, handleBatch: () => Effect.void })
// @ts-expect-error: Property 'total' does not exist on type 'Shipped'
EventGroups.layer({ ...group, handle: ({ event }) => Effect.succeed(event.total) })
