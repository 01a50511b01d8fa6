/**
 * Versions of projections that are wrong on purpose: a store of them, and ports under projections that run.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CheckpointStore } from "../../src/ports/CheckpointStore.ts"
import { ProjectionStore } from "../../src/ports/ProjectionStore.ts"
import { ReadModelStore } from "../../src/ports/ReadModelStore.ts"
import { UnitOfWork } from "../../src/ports/UnitOfWork.ts"
import * as ProjectionLaws from "../../src/testing/ProjectionLaws.ts"
import * as ProjectionStoreLaws from "../../src/testing/ProjectionStoreLaws.ts"
import { controls } from "./controls.ts"

type Store = ProjectionStore["Service"]

const stores = controls<Store>(ProjectionStoreLaws.laws, (make) =>
  Layer.effect(ProjectionStore, Effect.map(ProjectionStore, make))
)

export const wrongProjectionStores = [
  stores("a lease keeps nobody out", ["refused with RebuildRunning", "exactly one may"], (store) => ({
    ...store,
    begin: (name, options) => store.begin(name, { ...options, lease: 0 })
  })),
  stores("who lost a version does not notice", ["RebuildLost"], (store) => ({
    ...store,
    renew: (name, builder, options) => Effect.ignore(store.renew(name, builder, options))
  })),
  stores("a lease never runs out", ["that ran out, or was given up"], (store) => ({
    ...store,
    begin: (name, options) => store.begin(name, { ...options, lease: "1 hour" }),
    renew: (name, builder, options) => store.renew(name, builder, { ...options, lease: "1 hour" })
  })),
  stores("what is given up is forgotten", ["is retired, whoever builds it"], (store) => ({
    ...store,
    cancel: (name) =>
      Effect.tap(store.cancel(name), (generation) =>
        generation === undefined ? Effect.void : store.dropped(name, generation)
      )
  })),
  stores("what was replaced is due at once", ["is due when it was said"], (store) => ({
    ...store,
    finish: (name, builder) => store.finish(name, builder, { dropAfter: 0 })
  })),
  stores("a failure is for ever", ["is kept until it is over"], (store) => ({
    ...store,
    fail: (name, message) => (message === undefined ? Effect.void : store.fail(name, message))
  })),
  stores("a reaction begins anew each time", ["is noted once"], (store) => ({
    ...store,
    reactAfter: (_, position) => Effect.succeed(position)
  })),
  stores("it commits by itself", ["takes part in a unit of work"], (store) => ({
    ...store,
    register: (name, version) => Effect.promise(() => Effect.runPromise(store.register(name, version)))
  }))
]

const documents = controls<ReadModelStore["Service"]>(ProjectionLaws.laws, (make) =>
  Layer.effect(ReadModelStore, Effect.map(ReadModelStore, make))
)
const checkpoints = controls<CheckpointStore["Service"]>(ProjectionLaws.laws, (make) =>
  Layer.effect(CheckpointStore, Effect.map(CheckpointStore, make))
)
const units = controls<UnitOfWork["Service"]>(ProjectionLaws.laws, (make) =>
  Layer.effect(UnitOfWork, Effect.map(UnitOfWork, make))
)
const versions = controls<Store>(ProjectionLaws.laws, (make) =>
  Layer.effect(ProjectionStore, Effect.map(ProjectionStore, make))
)

export const wrongProjections = [
  documents("what was built is not swapped in", ["makes what a fold of the log makes"], (store) => ({
    ...store,
    exchange: () => Effect.void
  })),
  documents("what was replaced is emptied first, and filled again", ["readers see one whole version"], (store) => ({
    ...store,
    // Not in the transaction that swaps.
    exchange: (one, other) =>
      Effect.gen(function* () {
        yield* Effect.promise(() => Effect.runPromise(Effect.asVoid(Effect.forkDetach(store.clear(one)))))
        yield* store.exchange(one, other)
      })
  })),
  documents("what is read is dropped", ["what is read is not"], (store) => ({
    ...store,
    clear: (name) => Effect.andThen(store.clear(name), store.clear(name.split("@")[0] ?? name))
  })),
  checkpoints("any run moves the checkpoint", ["lost or handled twice"], (store) => ({
    ...store,
    save: (name, _, to) => Effect.flatMap(store.load(name), (from) => store.save(name, from, to))
  })),
  units("nothing is rolled back", ["handles no event twice"], (unit) => ({ ...unit, transaction: (self) => self })),
  units("nobody knows of a transaction", ["inside a unit of work"], (unit) => ({
    ...unit,
    isOpen: Effect.succeed(false)
  })),
  versions("everybody may build", ["of many who rebuild"], (store) => ({
    ...store,
    begin: (name, options) => Effect.andThen(Effect.ignore(store.cancel(name)), store.begin(name, options))
  })),
  versions("what is cancelled goes on", ["told RebuildLost"], (store) => ({
    ...store,
    cancel: (name) => Effect.map(store.find(name), (found) => found?.building?.generation)
  }))
]
