/** What is certain of an answer. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Position from "../../../domain/Position.ts"
import { EventStore } from "../../../ports/EventStore.ts"

/**
 * What an answer holds for certain that is begun now. Who asks may name a position that nothing has reached, and others must
 * not be given an old answer for it; who has no log at hand is believed.
 */
export const held = (services: Context.Context<never>, after: Position.Position): Effect.Effect<Position.Position> => {
  const store = Context.getOrUndefined(services, EventStore)
  if (store === undefined || after === Position.start) return Effect.succeed(after)
  return Effect.catch(store.mark, (error) =>
    Effect.as(
      Effect.logDebug("The mark of the log could not be read; an answer is kept without it", error),
      Position.start
    )
  )
}
