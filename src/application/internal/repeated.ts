/** What an execution has come to before, under its id. */
import * as Effect from "effect/Effect"
import type { Aggregate } from "../../domain/Aggregate.ts"
import type * as Decoding from "../../domain/Decoding.ts"
import type * as Event from "../../domain/Event.ts"
import type { Position } from "../../domain/Position.ts"
import type { StreamName } from "../../domain/StreamName.ts"
import type { EventStore } from "../../ports/EventStore.ts"
import type { EventStoreError } from "../../ports/EventStoreError.ts"
import type { TenantContext } from "../../ports/TenantContext.ts"
import * as Decoded from "./decoding.ts"

interface Repeated<State, E> {
  readonly stream: StreamName
  readonly state: State
  readonly version: number
  readonly events: ReadonlyArray<E>
  readonly position: Position
}

/** The state as it was then and the events that followed then; undefined when there was no such execution. */
export const repeated = <Name extends string, State, E extends Event.Any, K extends Decoding.Kind>(
  aggregate: Pick<Aggregate<Name, State, E, K>, "events" | "joins" | "initial" | "evolve" | "decode">,
  store: EventStore["Service"],
  stream: StreamName,
  id: string
): Effect.Effect<Repeated<State, E> | undefined, EventStoreError, TenantContext | Decoding.Services<K>> =>
  Effect.flatMap(store.appended(stream, id), (appended) => {
    if (appended === undefined) return Effect.undefined
    const { count, position, version } = appended
    return Effect.flatMap(store.readStream(stream, { toVersion: version }), (stored) =>
      Decoded.andThen(Decoded.foldStream(aggregate, stored), (state) =>
        Effect.map(
          Effect.forEach(
            stored.filter((event) => event.version > version - count),
            (event) => Decoded.decodeAll(aggregate.decode, event)
          ),
          (decoded) => ({ stream, state, version, position, events: decoded.flat().map(({ event }) => event) })
        )
      )
    )
  })
