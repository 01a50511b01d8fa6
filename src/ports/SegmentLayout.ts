/**
 * What becomes of checkpoints when segments are halved and joined: the same for every consumer store.
 *
 * @since 0.1.0
 */
import type * as Position from "../domain/Position.ts"
import * as Segment from "../domain/Segment.ts"
import type { Ahead, Checkpoint } from "./ConsumerStoreDriver.ts"

/**
 * A segment and how far it has come.
 *
 * @category models
 * @since 0.1.0
 */
export interface Part {
  readonly segment: Segment.Segment
  readonly checkpoint: Checkpoint
  readonly ahead: ReadonlyArray<Ahead>
}

/**
 * How many of the segments the worker of a rank (from 0) owns when all are as equal as can be.
 *
 * **Example** (Sixteen for five)
 *
 * ```ts
 * import { SegmentLayout } from "effect-cqrs"
 *
 * ;[0, 1, 2, 3, 4].map((rank) => SegmentLayout.share(16, 5, rank)) // => [4, 3, 3, 3, 3]
 * ```
 *
 * @category sharing
 * @since 0.1.0
 */
export const share = (segments: number, workers: number, rank: number): number =>
  Math.floor(segments / Math.max(workers, 1)) + (rank < segments % Math.max(workers, 1) ? 1 : 0)

/**
 * The two halves of a part, each as far as it was; or why it has none.
 *
 * @category halving
 * @since 0.1.0
 */
export const split = (part: Part | undefined): readonly [Part, Part] | "unknown" | "smallest" => {
  if (part === undefined) return "unknown"
  const halves = Segment.halves(part.segment)
  if (halves === undefined) return "smallest"
  const [first, second] = halves
  return [
    { ...part, segment: first },
    { ...part, segment: second }
  ]
}

/**
 * The part that a segment and its other half make, and the id of the half that is gone; or why there is none. It is as far
 * as the half that is behind, and remembers what the other was ahead.
 *
 * @category halving
 * @since 0.1.0
 */
export const merge = (
  id: number,
  find: (id: number) => Part | undefined
): { readonly part: Part; readonly gone: number } | "unknown" | "whole" | "otherHalfIsSplit" => {
  const one = find(id)
  if (one === undefined) return "unknown"
  const segment = Segment.whole(one.segment)
  if (segment === undefined) return "whole"
  const first = find(segment.id)
  const second = find(segment.id + segment.mask + 1)
  if (first?.segment.mask !== one.segment.mask || second?.segment.mask !== one.segment.mask) return "otherHalfIsSplit"
  const [behind, before] = first.checkpoint.position <= second.checkpoint.position ? [first, second] : [second, first]
  const all = [...behind.ahead, ...before.ahead, { segment: before.segment, until: before.checkpoint.position }]
  const ahead = all.filter(({ until }) => until > behind.checkpoint.position)
  return { part: { segment, checkpoint: behind.checkpoint, ahead }, gone: second.segment.id }
}

/**
 * Whether what stands at a position is handled although the checkpoint is before it.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isAhead = (ahead: ReadonlyArray<Ahead>, hash: number, position: Position.Position): boolean =>
  ahead.some(({ segment, until }) => position <= until && Segment.has(segment, hash))
