import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as StreamName from "../../src/domain/StreamName.ts"
import { type Snapshot, SnapshotStore } from "../../src/ports/SnapshotStore.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"
import * as SnapshotStoreLaws from "../../src/testing/SnapshotStoreLaws.ts"
import { controls } from "./controls.ts"

type Store = SnapshotStore["Service"]

const wrong = controls<Store>(
  [
    ...SnapshotStoreLaws.laws,
    ...SnapshotStoreLaws.transactional,
    ...SnapshotStoreLaws.administered,
    ...SnapshotStoreLaws.beside
  ],
  (make) => Layer.effect(SnapshotStore, Effect.map(SnapshotStore, make))
)

const changed = (store: Store, change: (snapshot: Snapshot) => Snapshot): Store => ({
  ...store,
  save: (snapshot) => store.save(change(snapshot))
})

export const wrongSnapshotStores = [
  wrong("one tenant's snapshots are everybody's", ["neither sees nor changes"], (store) => {
    const all = TenantContext.provide("all")
    return {
      load: (stream) => all(store.load(stream)),
      save: (snapshot) => all(store.save(snapshot)),
      remove: (stream) => all(store.remove(stream))
    }
  }),
  wrong("a tenant removes everybody's snapshot", ["neither sees nor changes"], (store) => ({
    ...store,
    remove: (stream) =>
      Effect.flatMap(TenantContext.TenantContext, ({ id }) =>
        Effect.andThen(store.remove(stream), store.remove(stream).pipe(TenantContext.provide(id.slice(0, -1))))
      )
  })),
  wrong("what was saved last stays", ["the newest stays", "at the same time"], (store) => ({
    ...store,
    save: (snapshot) => Effect.andThen(store.remove(snapshot.stream), store.save(snapshot))
  })),
  wrong("what was saved first stays", ["the newest stays", "comes back as it was"], (store) => ({
    ...store,
    save: (snapshot) =>
      Effect.flatMap(store.load(snapshot.stream), (found) =>
        Option.isSome(found) ? Effect.void : store.save(snapshot)
      )
  })),
  wrong("at the same version the first stays", ["the newest stays"], (store) => ({
    ...store,
    save: (snapshot) =>
      Effect.flatMap(store.load(snapshot.stream), (found) =>
        Option.isSome(found) && found.value.version === snapshot.version ? Effect.void : store.save(snapshot)
      )
  })),
  wrong("it looks first and saves later", ["at the same time"], (store) => ({
    ...store,
    save: (snapshot) =>
      Effect.flatMap(store.load(snapshot.stream), (found) =>
        Option.isSome(found) && found.value.version > snapshot.version
          ? Effect.void
          : Effect.andThen(Effect.yieldNow, Effect.andThen(store.remove(snapshot.stream), store.save(snapshot)))
      )
  })),
  wrong("removing does nothing", ["a removed snapshot is gone"], (store) => ({ ...store, remove: () => Effect.void })),
  wrong("streams are of one case", ["streams have snapshots of their own"], (store) => ({
    ...store,
    load: (stream) =>
      Effect.map(
        store.load(StreamName.fromString(stream.toLowerCase())),
        Option.map((snapshot) => ({ ...snapshot, stream }))
      ),
    save: (snapshot) => store.save({ ...snapshot, stream: StreamName.fromString(snapshot.stream.toLowerCase()) })
  })),
  wrong("the event is forgotten", ["comes back as it was"], (store) =>
    changed(store, (snapshot) => ({ ...snapshot, event: "00000000-0000-4000-8000-000000000000" }))
  ),
  wrong("the schema is cut", ["comes back as it was"], (store) =>
    changed(store, (snapshot) => ({ ...snapshot, schema: snapshot.schema.slice(0, 100) }))
  ),
  wrong("the time is kept in seconds", ["comes back as it was"], (store) =>
    changed(store, (snapshot) => ({ ...snapshot, takenAt: Math.floor(snapshot.takenAt / 1000) * 1000 }))
  ),
  wrong("texts hold no \\u0000", ["any JSON, of any text"], (store) =>
    changed(store, (snapshot) => ({
      ...snapshot,
      state: typeof snapshot.state === "string" ? snapshot.state.replaceAll("\0", "") : snapshot.state
    }))
  ),
  wrong("large states are not kept", ["of a megabyte"], (store) => ({
    ...store,
    save: (snapshot) => (JSON.stringify(snapshot.state)?.length > 100_000 ? Effect.void : store.save(snapshot))
  })),
  wrong("what cannot be kept is dropped", ["what no store can keep is refused"], (store) => ({
    ...store,
    save: (snapshot) => Effect.catchReason(store.save(snapshot), "SnapshotError", "InvalidSnapshot", () => Effect.void)
  })),
  wrong("what a transaction saves is lost", ["is there once it has succeeded"], (store) => ({
    ...store,
    save: (snapshot) => Effect.tap(store.save(snapshot), () => store.remove(snapshot.stream))
  })),
  wrong("transactions are ignored, and skips", ["is gone when it fails", "skipping an event"], (store) => {
    const kept = new Map<string, Snapshot>()
    return {
      ...store,
      load: (stream) => Effect.sync(() => Option.fromUndefinedOr(kept.get(stream))),
      save: (snapshot) => Effect.sync(() => void kept.set(snapshot.stream, snapshot)),
      remove: (stream) => Effect.sync(() => void kept.delete(stream))
    }
  })
]
