/** Appending after what others appended meanwhile, where the order between them makes no difference. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Aggregate } from "../../domain/Aggregate.ts"
import type * as Decoding from "../../domain/Decoding.ts"
import type * as Event from "../../domain/Event.ts"
import type { StreamName } from "../../domain/StreamName.ts"
import type { EventStore } from "../../ports/EventStore.ts"
import type { EventStoreError } from "../../ports/EventStoreError.ts"
import type { TenantContext } from "../../ports/TenantContext.ts"
import * as Decoded from "./decoding.ts"

/** Where a stream stands after what others appended. */
export interface Merged<State> {
  readonly state: State
  readonly version: number
}

/**
 * The state and the version that new events can be appended at without deciding again; nothing when one of the events since
 * `version` does not commute with one of them.
 */
export const merge = <Name extends string, State, E extends Event.Any, K extends Decoding.Kind>(
  aggregate: Aggregate<Name, State, E, K>,
  store: EventStore["Service"],
  stream: StreamName,
  { state, version }: Merged<State>,
  events: ReadonlyArray<E>
): Effect.Effect<Merged<State> | undefined, EventStoreError, TenantContext | Decoding.Services<K>> => {
  const { commuting, evolve, joins } = aggregate
  if (commuting.pairs.length === 0) return Effect.succeed(undefined)
  return Effect.flatMap(store.readStream(stream, { ...Decoded.whole, fromVersion: version + 1 }), (between) => {
    const reached = between.at(-1)?.version ?? version
    // What is joined is not known from a part of the stream.
    const isJoined = between.some(({ type }) => joins.some(({ parts }) => parts.some(({ tag }) => tag === type)))
    if (isJoined) return Effect.succeed(undefined)
    let commutes = true
    const noting = {
      ...aggregate,
      initial: state,
      evolve: (before: State, event: E) => {
        commutes = commutes && events.every(({ _tag }) => commuting.has(event._tag, _tag))
        return commutes ? evolve(before, event) : before
      }
    }
    const folded = Decoded.andThen(Decoded.foldStream(noting, between), (merged) =>
      Effect.succeed(commutes ? { state: merged, version: reached } : undefined)
    )
    // What cannot be decoded is told by who loads the whole stream to decide again.
    return Effect.map(Effect.result(folded), (result) => (Result.isSuccess(result) ? result.success : undefined))
  })
}
