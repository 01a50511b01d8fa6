import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { MaxEventBytes } from "../../src/ports/EventSize.ts"
import { EventStore } from "../../src/ports/EventStore.ts"
import { EventStoreError, InvalidInput } from "../../src/ports/EventStoreError.ts"
import * as EventStoreLaws from "../../src/testing/EventStoreLaws.ts"
import { controls } from "./controls.ts"

type Store = EventStore["Service"]

const wrong = controls<Store>(EventStoreLaws.laws, (make) => Layer.effect(EventStore, Effect.map(EventStore, make)))

/** Appends under another limit. */
const limited = (store: Store, change: (limit: number) => number): Store => {
  const changed = <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.flatMap(MaxEventBytes, (limit) => Effect.provideService(self, MaxEventBytes, change(limit)))
  return {
    ...store,
    append: (append) => changed(store.append(append)),
    appendAll: (appends) => changed(store.appendAll(appends))
  }
}

export const wrongEventSizes = [
  wrong("it has no limit", ["over the limit is refused", "of one is too large", "is 4 MiB unless"], (store) =>
    limited(store, () => Number.MAX_SAFE_INTEGER)
  ),
  wrong("it refuses what just fits", ["over the limit is refused", "is 4 MiB unless"], (store) =>
    limited(store, (limit) => limit - 1)
  ),
  wrong("its limit cannot be set", ["over the limit is refused"], (store) => limited(store, () => 4 * 1024 * 1024)),
  wrong("it says no more than that something is wrong", ["over the limit is refused"], (store) => ({
    ...store,
    append: (append) =>
      Effect.mapError(store.append(append), (error) =>
        error.reason._tag === "EventTooLarge"
          ? new EventStoreError({ reason: new InvalidInput({ stream: append.stream, issues: [] }) })
          : error
      )
  }))
]
