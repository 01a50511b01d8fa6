/** How a projection stands. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Position from "../../../domain/Position.ts"
import { closed } from "../../../ports/ProjectionTarget.ts"
import { type CheckpointError, CheckpointStore } from "../../../ports/CheckpointStore.ts"
import { EventStore } from "../../../ports/EventStore.ts"
import type { EventStoreError } from "../../../ports/EventStoreError.ts"
import { ProjectionStore, type ProjectionStoreError } from "../../../ports/ProjectionStore.ts"
import type { SystemContext } from "../../../ports/SystemContext.ts"
import { builderOf } from "./rebuilding.ts"
import { reached } from "./waiting.ts"

/**
 * How a background projection stands, wherever it runs.
 *
 * **Details**
 *
 * `state` is `new` before it ever ran, `failed` when a handler failed for good, `rebuilding` while a new version is built,
 * `outdated` when what is read was made by another version of the definition, and `following` otherwise.
 *
 * `lag.positions` is how far `position` is behind `mark`: there are at most so many events to handle. `lag.time` is how long ago
 * the oldest event was recorded that is to be handled; zero when there is none.
 *
 * @category models
 * @since 0.1.0
 */
export interface Status {
  readonly name: string
  readonly state: "new" | "following" | "outdated" | "rebuilding" | "failed"
  /** Of the definition that made what is read. */
  readonly version: number
  readonly generation: number
  readonly position: Position.Position
  readonly mark: Position.Position
  readonly lag: { readonly positions: number; readonly time: Duration.Duration }
  readonly rebuild:
    | {
        readonly version: number
        readonly generation: number
        readonly position: Position.Position
        readonly handled: number
        readonly startedAt: number
        /** Whether somebody has the lease; otherwise it waits for somebody to go on. */
        readonly isRunning: boolean
        readonly remaining: Duration.Duration | undefined
      }
    | undefined
  readonly failure: { readonly message: string; readonly at: number } | undefined
}

/**
 * Tells how a background projection stands, in whichever process it runs.
 *
 * @category status
 * @since 0.1.0
 */
export const status = (self: {
  readonly name: string
  readonly version: number
  readonly events: ReadonlyArray<string>
}): Effect.Effect<
  Status,
  EventStoreError | CheckpointError | ProjectionStoreError,
  EventStore | CheckpointStore | ProjectionStore | SystemContext
> =>
  Effect.gen(function* () {
    const store = yield* EventStore
    const checkpoints = yield* CheckpointStore
    const projections = yield* ProjectionStore
    const { position } = yield* reached(self.name)
    const registration = yield* projections.find(self.name)
    const { events, mark } = yield* store.readAllTenants({ after: position, limit: 1, types: self.events })
    const now = yield* Clock.currentTimeMillis
    const [oldest] = events
    const late = oldest === undefined ? 0 : Math.max(0, now - oldest.recordedAt)
    const building = registration?.building
    const built =
      building === undefined ? undefined : yield* checkpoints.load(builderOf(self.name, building.generation))
    const stateOf = (): Status["state"] => {
      if (registration === undefined) return "new"
      if (building !== undefined) return "rebuilding"
      if (registration.failure !== undefined) return "failed"
      return registration.version === self.version ? "following" : "outdated"
    }
    return {
      name: self.name,
      state: stateOf(),
      version: registration?.version ?? self.version,
      generation: registration?.generation ?? 1,
      position,
      mark,
      lag: { positions: Math.max(0, mark - position), time: Duration.millis(late) },
      rebuild:
        building === undefined || built === undefined || built === closed
          ? undefined
          : {
              version: building.version,
              generation: building.generation,
              position: built,
              handled: building.handled,
              startedAt: building.startedAt,
              isRunning: building.owner !== "" && building.leaseUntil > now,
              remaining:
                built === 0
                  ? undefined
                  : Duration.millis(((now - building.startedAt) * Math.max(0, mark - built)) / built)
            },
      failure: registration?.failure
    }
  })
