/**
 * Parts of a log that are handled side by side: every ordering key belongs to exactly one of them.
 *
 * @since 0.1.0
 */

/**
 * The keys whose hash, cut to `mask`, is `id`. A mask is one less than a power of two.
 *
 * @category models
 * @since 0.1.0
 */
export interface Segment {
  readonly id: number
  readonly mask: number
}

/**
 * The most segments that a consumer can have.
 *
 * @category limits
 * @since 0.1.0
 */
export const maximum = 4096

/**
 * The hash of an ordering key, from 0 to 2^31 - 1: the same in every process, on every adapter, in every version.
 *
 * **Details**
 *
 * FNV-1a over the UTF-16 code units of the key, low byte first, then the finalizer of MurmurHash3, without the sign bit.
 * It decides which checkpoint an event belongs to, so it never changes.
 *
 * **Example** (Written down once)
 *
 * ```ts
 * import { Segment } from "effect-cqrs"
 *
 * Segment.hash("") // => 725515275
 * Segment.hash("Task-1") // => 1967926878
 * ```
 *
 * @category hashing
 * @since 0.1.0
 */
export const hash = (key: string): number => {
  let value = 0x811c9dc5
  for (let index = 0; index < key.length; index++) {
    const unit = key.charCodeAt(index)
    value = Math.imul(value ^ (unit & 0xff), 0x01000193)
    value = Math.imul(value ^ (unit >>> 8), 0x01000193)
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) & 0x7fffffff
}

/**
 * Whether a hash belongs to a segment.
 *
 * @category predicates
 * @since 0.1.0
 */
export const has = (self: Segment, hash: number): boolean => (hash & self.mask) === self.id

/**
 * The number of segments that is asked for, as it can be had: a power of two, up to {@link maximum}.
 *
 * @category constructors
 * @since 0.1.0
 */
export const count = (wanted: number): number => {
  let power = 1
  while (power < wanted && power < maximum) power *= 2
  return power
}

/**
 * The segments that a consumer begins with; together they have every hash once.
 *
 * **Example** (Sixteen, and where a key belongs)
 *
 * ```ts
 * import { Segment } from "effect-cqrs"
 *
 * const all = Segment.initial(16)
 * all.length // => 16
 * all.filter((segment) => Segment.has(segment, Segment.hash("Task-1"))) // => [{ id: 14, mask: 15 }]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const initial = (wanted: number): ReadonlyArray<Segment> => {
  const all = count(wanted)
  return Array.from({ length: all }, (_, id) => ({ id, mask: all - 1 }))
}

/**
 * The two halves of a segment, or `undefined` when it cannot be halved any more. The first keeps the id.
 *
 * @category halving
 * @since 0.1.0
 */
export const halves = ({ id, mask }: Segment): readonly [Segment, Segment] | undefined => {
  const wider = mask * 2 + 1
  return wider >= maximum
    ? undefined
    : [
        { id, mask: wider },
        { id: id + mask + 1, mask: wider }
      ]
}

/**
 * The segment of which this one is a half, or `undefined` when it is the whole.
 *
 * @category halving
 * @since 0.1.0
 */
export const whole = ({ id, mask }: Segment): Segment | undefined =>
  mask === 0 ? undefined : { id: id & (mask >>> 1), mask: mask >>> 1 }
