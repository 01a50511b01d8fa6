/** Two processes of one program, in one: a bus, and the bus of another process, which can be cut off. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as EventBus from "../../src/ports/EventBus.ts"
import * as EventBusLaws from "../../src/testing/EventBusLaws.ts"

/** `cut` runs with what the other process has. */
export const layer = <R, E, E2>(
  process: Layer.Layer<EventBus.EventBus | R, E>,
  cut: Effect.Effect<unknown, E2, R>
): Layer.Layer<EventBusLaws.Elsewhere, E> =>
  Layer.effect(
    EventBusLaws.Elsewhere,
    Effect.map(Layer.build(process), (context) => ({
      bus: Context.get(context, EventBus.EventBus),
      cut: Effect.orDie(Effect.asVoid(Effect.provideContext(cut, context)))
    }))
    // It says when it was cut off, and it is here.
  ).pipe(Layer.provide(Logger.layer([])))
