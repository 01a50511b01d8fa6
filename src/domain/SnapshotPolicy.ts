/**
 * When a snapshot of an aggregate is worth taking.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"

/**
 * How it stands with the snapshots of one stream, after a command.
 *
 * @category models
 * @since 0.1.0
 */
export interface Standing {
  /** The version of the stream that a snapshot would be of. */
  readonly version: number
  /** How many events were folded beside the last snapshot; all of the stream's when there was none. */
  readonly events: number
  /** How many characters of JSON these events hold; counted when first asked for, which costs as much as writing them. */
  readonly size: number
  /** Milliseconds since the last snapshot was taken; since the first event was recorded when there was none. */
  readonly age: number
}

/**
 * A rule that says when to take a snapshot, and its name for people.
 *
 * @category models
 * @since 0.1.0
 */
export interface SnapshotPolicy {
  readonly name: string
  readonly isDue: (standing: Standing) => boolean
}

/**
 * A rule of one's own.
 *
 * **Example** (At round versions)
 *
 * ```ts
 * import { SnapshotPolicy } from "effect-cqrs"
 *
 * const round = SnapshotPolicy.make("at every thousandth version", ({ version }) => version % 1000 === 0)
 *
 * round.isDue({ version: 3000, events: 1, size: 20, age: 0 }) // => true
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (name: string, isDue: (standing: Standing) => boolean): SnapshotPolicy => ({ name, isDue })

/**
 * As soon as a load has folded so many events beside the last snapshot.
 *
 * **Gotchas**
 *
 * A number below 1 makes this throw when it is called.
 *
 * @category constructors
 * @since 0.1.0
 */
export const every = (events: number): SnapshotPolicy => {
  if (!(events >= 1)) throw new Error(`A snapshot cannot be taken every ${events} events: it must be 1 or more`)
  return make(`every ${events} events`, (standing) => standing.events >= events)
}

/**
 * As soon as a load has folded events of so many characters of JSON.
 *
 * **Gotchas**
 *
 * To count them, each command writes the events since the last snapshot as JSON once more: it is for events of very
 * different sizes. Behind another rule in `all`, they are counted only when that one is due.
 *
 * @category constructors
 * @since 0.1.0
 */
export const larger = (characters: number): SnapshotPolicy =>
  make(`at ${characters} characters`, (standing) => standing.size >= characters)

/**
 * Once the last snapshot is older than this, with the next command.
 *
 * @category constructors
 * @since 0.1.0
 */
export const older = (age: Duration.Input): SnapshotPolicy => {
  const duration = Duration.fromInputUnsafe(age)
  const millis = Duration.toMillis(duration)
  return make(`after ${Duration.format(duration)}`, (standing) => standing.age >= millis)
}

/**
 * Never by itself: only when `Repository.snapshot` is called.
 *
 * @category constructors
 * @since 0.1.0
 */
export const manual: SnapshotPolicy = make("by hand", () => false)

/**
 * When one of these rules says so.
 *
 * **Example** (Often, or at least once a day)
 *
 * ```ts
 * import { SnapshotPolicy } from "effect-cqrs"
 *
 * const policy = SnapshotPolicy.any(SnapshotPolicy.every(500), SnapshotPolicy.older("1 day"))
 *
 * policy.name // => "every 500 events or after 1d"
 * policy.isDue({ version: 20, events: 20, size: 900, age: 100_000_000 }) // => true
 * ```
 *
 * @category combining
 * @since 0.1.0
 */
export const any = (...policies: ReadonlyArray<SnapshotPolicy>): SnapshotPolicy =>
  make(policies.map(({ name }) => name).join(" or "), (standing) => policies.some(({ isDue }) => isDue(standing)))

/**
 * When all of these rules say so; the first that does not ends the asking.
 *
 * @category combining
 * @since 0.1.0
 */
export const all = (...policies: ReadonlyArray<SnapshotPolicy>): SnapshotPolicy =>
  make(
    policies.map(({ name }) => name).join(" and "),
    (standing) => policies.length > 0 && policies.every(({ isDue }) => isDue(standing))
  )
