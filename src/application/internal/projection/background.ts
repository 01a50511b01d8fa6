/** All that a projection does in the background: it handles, reacts, goes over to new versions, and drops old ones. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Position from "../../../domain/Position.ts"
import type { Stored } from "../../../domain/RecordedEvent.ts"
import { CheckpointStore } from "../../../ports/CheckpointStore.ts"
import { EventStore } from "../../../ports/EventStore.ts"
import { ProjectionStore, ProjectionStoreError, type Registration } from "../../../ports/ProjectionStore.ts"
import * as Reader from "../reader.ts"
import * as Rebuilding from "./rebuilding.ts"
import * as Running from "./running.ts"
import * as Waiting from "./waiting.ts"

export type RunFailure = Rebuilding.RebuildFailure
export type RunNeeds = Rebuilding.RebuildServices

interface Background<out E, out R, out X> extends Rebuilding.Rebuildable<E, R> {
  readonly react: ((page: ReadonlyArray<Stored>) => Effect.Effect<void, E, X>) | undefined
}

export const run = <E, R, X>(
  self: Background<E, R, X>,
  onNewVersion: "rebuild" | "wait"
): Effect.Effect<never, E | RunFailure, R | X | RunNeeds> => {
  const handling = Running.run(self, onNewVersion === "rebuild" ? rebuildOr(self) : wait(self))
  const { react } = self
  const working = react === undefined ? handling : Effect.raceFirst(handling, reaction(self, react))
  return owns(self) ? Effect.raceFirst(working, dropping(self)) : working
}

const owns = (self: Rebuilding.Rebuildable<unknown, unknown>): boolean =>
  self.collections.length + self.tables.length > 0

/** What is read is of another version: a higher one is for others to go on with, a lower one to be built anew. */
const rebuildOr = <E, R>(self: Rebuilding.Rebuildable<E, R>) => {
  const waiting = wait(self)
  return (registration: Registration): Effect.Effect<void, E | RunFailure, R | RunNeeds> =>
    registration.version > self.version || registration.inline === true || !owns(self)
      ? waiting(registration)
      : Rebuilding.rebuild(self, rebuildOptions(self), () => Effect.void).pipe(
          Effect.asVoid,
          Effect.catchIf(isElsewhere, () => Effect.sleep(lookAgain))
        )
}

const rebuildOptions = ({ batchSize }: { readonly batchSize: number }): Rebuilding.Options => ({
  batchSize,
  eventsPerSecond: Number.POSITIVE_INFINITY,
  lease: Duration.seconds(15),
  dropAfter: Duration.minutes(1)
})

const isElsewhere = (error: unknown): boolean =>
  error instanceof ProjectionStoreError && error.reason._tag !== "StorageFailure"

const wait = (self: { readonly name: string; readonly version: number }) => {
  let warned = self.version
  return ({ version }: Registration): Effect.Effect<void> =>
    Effect.suspend(() => {
      const said = `${self.name}: what is read is of version ${version}, and these handlers are of version ${self.version}: waiting`
      const isNew = warned !== version
      warned = version
      return Effect.andThen(isNew ? Effect.logWarning(said) : Effect.void, Effect.sleep(lookAgain))
    })
}

const lookAgain = Duration.seconds(1)

const dropping = (
  self: Rebuilding.Rebuildable<unknown, unknown>
): Effect.Effect<never, never, Effect.Services<ReturnType<typeof Rebuilding.dropRetired>>> =>
  Rebuilding.dropRetired(self, "due").pipe(
    Effect.catchCause((cause) => Effect.logWarning(`${self.name}: could not drop what was replaced`, cause)),
    Effect.andThen(Effect.sleep("1 minute")),
    Effect.forever
  )

/** A reader of its own, which follows what is read. */
const reaction = <E, R, X>(
  self: Background<E, R, X>,
  react: (page: ReadonlyArray<Stored>) => Effect.Effect<void, E, X>
): Effect.Effect<never, E | RunFailure, X | RunNeeds> =>
  Effect.gen(function* () {
    const store = yield* EventStore
    const projections = yield* ProjectionStore
    const checkpoints = yield* CheckpointStore
    const name = `${self.name} (reacting)`
    const begin = Effect.flatMap(store.mark, (mark) => projections.reactAfter(self.name, mark))
    const beginning = yield* Reader.survive(self, begin)
    if ((yield* Reader.survive(self, checkpoints.load(name))) === Position.start && beginning > Position.start) {
      yield* Effect.ignore(Reader.survive(self, checkpoints.save(name, Position.start, beginning)))
    }
    return yield* Reader.run({
      kind: "projection",
      name,
      types: self.events,
      batchSize: self.batchSize,
      retries: self.retries,
      handle: (page, from) =>
        Waiting.held(self.name, page.cursor).pipe(
          Effect.andThen(page.events.length === 0 ? Effect.void : react(page.events)),
          Effect.andThen(checkpoints.save(name, from, page.cursor))
        )
    })
  })
