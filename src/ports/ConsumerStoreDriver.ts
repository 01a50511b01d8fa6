/**
 * What a consumer store keeps and tells, and what an adapter of one implements.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Position } from "../domain/Position.ts"
import type { Segment } from "../domain/Segment.ts"
import type { ConsumerStoreError } from "./ConsumerStoreError.ts"

/**
 * An event of the log, by which a checkpoint can be recognized: a position alone may be given to another event when a
 * database has lost the end of its log. With the id `""` it is a place to begin from, whatever stands there.
 *
 * @category models
 * @since 0.1.0
 */
export const EventMark = Schema.Struct({ position: Schema.Natural, id: Schema.String })

/**
 * @category models
 * @since 0.1.0
 */
export interface EventMark extends Schema.Schema.Type<typeof EventMark> {}

/**
 * How far a segment has come.
 *
 * @category models
 * @since 0.1.0
 */
export interface Checkpoint {
  /** Everything of the segment at or before it is handled. */
  readonly position: Position
  /** The last event that was handled. */
  readonly event: EventMark | undefined
  /** Some events that were handled before it, oldest first: where to look for the last common event of two histories. */
  readonly trail: ReadonlyArray<EventMark>
  /** The epoch of the log when it was saved last; see {@link Beat}. */
  readonly epoch: string | undefined
}

/**
 * The part of a segment that is ahead of its checkpoint, as halves are when they are merged: what is in `segment` at or
 * before `until` is handled.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ahead {
  readonly segment: Segment
  readonly until: Position
}

/**
 * What names an owner: the token grows with each claim of any segment.
 *
 * @category models
 * @since 0.1.0
 */
export interface Owned {
  readonly consumer: string
  readonly segment: Segment
  readonly token: number
}

/**
 * A segment and its owner's token, with what the owner begins from.
 *
 * @category models
 * @since 0.1.0
 */
export interface Claim extends Owned {
  readonly checkpoint: Checkpoint
  readonly ahead: ReadonlyArray<Ahead>
}

/**
 * Whether a consumer handles events.
 *
 * **Details**
 *
 * - `running`: it does.
 * - `paused`: somebody stopped it, or more is parked than its limits allow; `reason` says which.
 * - `diverged`: a segment's checkpoint names an event that the log does not have there: it handled a history that is no
 *   longer that of the log. `found` is the id of the event that has the position now.
 *
 * @category models
 * @since 0.1.0
 */
export const ConsumerState = Schema.Union([
  Schema.Struct({ status: Schema.Literal("running") }),
  Schema.Struct({ status: Schema.Literal("paused"), reason: Schema.String }),
  Schema.Struct({
    status: Schema.Literal("diverged"),
    segment: Schema.Natural,
    expected: EventMark,
    found: Schema.optionalKey(Schema.String)
  })
])

/**
 * @category models
 * @since 0.1.0
 */
export type ConsumerState = typeof ConsumerState.Type

/**
 * What a worker learns from a beat of its heart.
 *
 * @category models
 * @since 0.1.0
 */
export interface Beat {
  readonly state: ConsumerState
  /** What changes when the log may be another one than before: after a failover or a restore. */
  readonly epoch: string
  /** The segments that this worker owns, all renewed. */
  readonly held: ReadonlyArray<Owned>
  /** How many segments a worker of this rank should own, when all are as equal as can be. */
  readonly share: number
}

/**
 * A segment as it can be looked at.
 *
 * @category models
 * @since 0.1.0
 */
export interface SegmentInfo {
  readonly segment: Segment
  readonly checkpoint: Checkpoint
  readonly token: number
  /** The worker that owns it; `undefined` also when its lease has run out. */
  readonly owner: string | undefined
}

/**
 * A consumer as it can be looked at.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConsumerInfo {
  readonly name: string
  readonly state: ConsumerState
  /** Since when it is in this state, in milliseconds since 1970. */
  readonly since: number
  readonly segments: ReadonlyArray<SegmentInfo>
  /** The workers that live, by name. */
  readonly workers: ReadonlyArray<string>
}

/**
 * What an adapter implements; the promises are those of `ConsumerStore`.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Driver {
  readonly open: (
    consumer: string,
    options: { readonly segments: number; readonly after: Position }
  ) => Effect.Effect<void, ConsumerStoreError>
  readonly beat: (consumer: string, worker: string, lease: Duration.Duration) => Effect.Effect<Beat, ConsumerStoreError>
  readonly claim: (
    consumer: string,
    worker: string,
    options: { readonly limit: number; readonly lease: Duration.Duration }
  ) => Effect.Effect<ReadonlyArray<Claim>, ConsumerStoreError>
  readonly commit: (
    owned: Owned,
    from: Position,
    to: {
      readonly position: Position
      readonly event?: EventMark | undefined
      readonly trail?: ReadonlyArray<EventMark> | undefined
      readonly epoch?: string | undefined
    }
  ) => Effect.Effect<void, ConsumerStoreError>
  readonly release: (owned: Owned) => Effect.Effect<void, ConsumerStoreError>
  readonly leave: (consumer: string, worker: string) => Effect.Effect<void, ConsumerStoreError>
  readonly split: (consumer: string, segment: number) => Effect.Effect<readonly [Segment, Segment], ConsumerStoreError>
  readonly merge: (consumer: string, segment: number) => Effect.Effect<Segment, ConsumerStoreError>
  readonly setState: (consumer: string, state: ConsumerState) => Effect.Effect<void, ConsumerStoreError>
  readonly reset: (
    consumer: string,
    checkpoints: ReadonlyArray<{ readonly segment: number; readonly checkpoint: Checkpoint }>
  ) => Effect.Effect<void, ConsumerStoreError>
  readonly remove: (consumer: string) => Effect.Effect<void, ConsumerStoreError>
  readonly inspect: (consumer: string) => Effect.Effect<ConsumerInfo, ConsumerStoreError>
  readonly list: Effect.Effect<ReadonlyArray<ConsumerInfo>, ConsumerStoreError>
}
