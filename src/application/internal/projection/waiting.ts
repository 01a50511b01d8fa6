/** Waits until what is read of a projection holds everything up to a position. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as DispatchError from "../../../domain/DispatchError.ts"
import * as Position from "../../../domain/Position.ts"
import { checkpointOf, closed } from "../../../ports/ProjectionTarget.ts"
import { type CheckpointError, CheckpointStore } from "../../../ports/CheckpointStore.ts"
import { ProjectionStore, ProjectionStoreError } from "../../../ports/ProjectionStore.ts"
import { UnitOfWork } from "../../../ports/UnitOfWork.ts"

export type WaitServices = CheckpointStore | ProjectionStore | UnitOfWork

/** Where the version that is read stands; again when a swap came between. */
export const reached = (
  name: string
): Effect.Effect<
  { readonly checkpoint: string; readonly position: Position.Position },
  CheckpointError | ProjectionStoreError,
  CheckpointStore | ProjectionStore
> =>
  Effect.gen(function* () {
    const checkpoints = yield* CheckpointStore
    const projections = yield* ProjectionStore
    while (true) {
      const checkpoint = checkpointOf(name, (yield* projections.find(name))?.generation ?? 1)
      const position = yield* checkpoints.load(checkpoint)
      if (position !== closed) return { checkpoint, position }
    }
  })

/** Waits, for as long as it takes, until what is read holds everything up to a position. */
export const held = (
  name: string,
  wanted: Position.Position
): Effect.Effect<void, CheckpointError | ProjectionStoreError, CheckpointStore | ProjectionStore> =>
  Effect.gen(function* () {
    const checkpoints = yield* CheckpointStore
    while (true) {
      const { checkpoint, position } = yield* reached(name)
      if (position >= wanted) return
      yield* checkpoints.passed(checkpoint, wanted)
    }
  })

/** The same for a caller: not for ever, and not inside of what must be committed first. */
export const waitFor = (
  name: string,
  wanted: Position.Position,
  timeout: Duration.Duration
): Effect.Effect<void, CheckpointError | DispatchError.DispatchError, WaitServices> => {
  const translated = <A, E, R>(effect: Effect.Effect<A, E | ProjectionStoreError, R>) =>
    Effect.mapError(effect, (error) =>
      error instanceof ProjectionStoreError
        ? DispatchError.make(
            name,
            new DispatchError.Storage({ operation: "find a projection", retryable: true }),
            error
          )
        : error
    )
  const afterMillis = Duration.toMillis(timeout)
  const late = Effect.flatMap(translated(reached(name)), ({ position }) =>
    Effect.fail(
      DispatchError.make(name, new DispatchError.Behind({ projection: name, wanted, reached: position, afterMillis }))
    )
  )
  return wanted === Position.start
    ? Effect.void
    : Effect.flatMap(UnitOfWork, ({ isOpen }) => isOpen).pipe(
        Effect.flatMap((open) =>
          open
            ? Effect.fail(DispatchError.make(name, new DispatchError.WaitsForItself({ projection: name, wanted })))
            : Effect.timeoutOrElse(translated(held(name, wanted)), { duration: timeout, orElse: () => late })
        )
      )
}
