/**
 * Where the handlers of a projection write: into what is read, or into a new version that is being built beside it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Position from "../domain/Position.ts"

/**
 * A version that is being built: what of the projection's own is kept apart until it is ready.
 *
 * @category models
 * @since 0.1.0
 */
export interface Target {
  readonly projection: string
  /** Counts the versions there have ever been, the first being 1. */
  readonly generation: number
  readonly collections: ReadonlyArray<string>
  readonly tables: ReadonlyArray<string>
}

/**
 * The version that the running fiber builds; absent outside of a rebuild.
 *
 * @category services
 * @since 0.1.0
 */
export const ProjectionTarget: Context.Reference<Target | undefined> = Context.Reference<Target | undefined>(
  "effect-cqrs/ports/ProjectionTarget",
  { defaultValue: () => undefined }
)

/**
 * The name under which a collection of this generation is kept until it is swapped in, and what was before from then on.
 *
 * @category names
 * @since 0.1.0
 */
export const collectionOf = (name: string, generation: number): string => `${name}@${generation}`

/**
 * The same of a table, which may be named with its schema.
 *
 * @category names
 * @since 0.1.0
 */
export const tableOf = (name: string, generation: number): string => `${name}__${generation}`

/**
 * The name of the checkpoint of a projection's version that is read.
 *
 * **Details**
 *
 * Each version has a checkpoint of its own. The swap closes the one of the version that it replaces: whoever still writes for
 * that one cannot save, and so keeps nothing.
 *
 * @category names
 * @since 0.1.0
 */
export const checkpointOf = (name: string, generation: number): string =>
  generation === 1 ? name : `${name}@${generation}`

/**
 * Where a checkpoint stands for good that nobody may move any more.
 *
 * @category names
 * @since 0.1.0
 */
export const closed: Position.Position = Position.make(Number.MAX_SAFE_INTEGER)
