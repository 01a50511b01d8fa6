/**
 * Places in the one global order of an event log.
 *
 * @since 0.1.0
 */
import * as Brand from "effect/Brand"
import * as Schema from "effect/Schema"

/**
 * Where an event stands in the log of its store: 1 or greater, growing, with holes.
 *
 * **Details**
 *
 * A number, not a bigint: positions stay exact up to 2^53, which a million appends per second reach after 285 years.
 *
 * @category models
 * @since 0.1.0
 */
export const Position = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)).pipe(Schema.brand("Position"))

/**
 * @category models
 * @since 0.1.0
 */
export type Position = typeof Position.Type

/**
 * Names a number as a position without checking it: for adapters, which have it from the log itself.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: (value: number) => Position = Brand.nominal<Position>()

/**
 * Before the first event: reading after it reads everything.
 *
 * @category constructors
 * @since 0.1.0
 */
export const start: Position = make(0)

/**
 * The later of two positions.
 *
 * @category combining
 * @since 0.1.0
 */
export const max = (self: Position, that: Position): Position => (self < that ? that : self)

/**
 * The earlier of two positions.
 *
 * @category combining
 * @since 0.1.0
 */
export const min = (self: Position, that: Position): Position => (that < self ? that : self)
