/**
 * Consecutive events of one stream that today are one event.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type * as SchemaIssue from "effect/SchemaIssue"
import type * as Decoding from "./Decoding.ts"
import * as Event from "./Event.ts"
import * as FieldIssue from "./FieldIssue.ts"
import * as Codec from "./internal/codec.ts"
import type { Fields } from "./Message.ts"
import * as RecordedEvent from "./RecordedEvent.ts"
import type * as Upcaster from "./Upcaster.ts"

/**
 * A way from several stored events to one of today.
 *
 * @category models
 * @since 0.1.0
 */
export interface Join<out E> {
  /** The tag of the event that it makes. */
  readonly tag: string
  /** What it is made of, in the order of the stream. */
  readonly parts: ReadonlyArray<Upcaster.Upcaster<unknown>>
  /** Whether it takes all consecutive events of its one part, instead of one of each. */
  readonly isRun: boolean
  /** The event of today, from the upcast fields of each part. */
  readonly join: (parts: ReadonlyArray<unknown>) => Result.Result<E, SchemaIssue.Issue>
}

/**
 * An event class that consecutive events can become.
 *
 * @category models
 * @since 0.1.0
 */
export interface Into<out E, F extends Fields> {
  readonly tag: string
  readonly version: number
  readonly Type: E
  readonly shape: F
  readonly [Event.TypeId]: Event.Reader<E, Decoding.Kind>
}

/**
 * The fields that each part ends in.
 *
 * @category models
 * @since 0.1.0
 */
export type Parts<Chains extends ReadonlyArray<unknown>> = {
  readonly [Index in keyof Chains]: Chains[Index] extends Upcaster.Chain<infer Last> ? Last : never
}

/**
 * Joins one event of each part, where they follow each other in a stream in this order.
 *
 * **Details**
 *
 * A part is described like a former tag: `Upcaster.formerly(tag, fields)`, with `next` for each version after. The joined
 * event has the envelope of the last part. It is for folds: `Fold.make` and `Aggregate.make` take `joins`, and
 * `Repository` and `Projection.live` of a stream apply them.
 *
 * **Gotchas**
 *
 * Only a reader of a whole stream sees what follows what. Pages of the log end anywhere, other streams stand in between,
 * and a filter leaves events out: projections, subscriptions and `Projection.live` by tags do not join, and do not see
 * the parts. Give each part an event of today with `Upcaster.formerly` where these must see them.
 *
 * That events follow each other is all that is asked: a part that stands alone is not joined, and must be known on its
 * own or be refused.
 *
 * **Example** (Two events that today are one)
 *
 * ```ts
 * import { Aggregate, Event, Join, Upcaster } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class Moved extends Event.Class<Moved>()("Moved", { street: Schema.String, city: Schema.String }) {}
 *
 * const moved = Join.make(
 *   Moved,
 *   [
 *     Upcaster.formerly("StreetChanged", { street: Schema.String }),
 *     Upcaster.formerly("CityChanged", { city: Schema.String })
 *   ],
 *   ([{ street }, { city }]) => ({ street, city })
 * )
 *
 * const Address = Aggregate.make("Address", { events: [Moved], joins: [moved], initial: "" }).evolve({
 *   Moved: (_, { city, street }) => `${street}, ${city}`
 * })
 *
 * Address.joins.map(({ parts }) => parts.map(({ tag }) => tag)) // => [["StreetChanged", "CityChanged"]]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <E, F extends Fields, const Chains extends ReadonlyArray<Upcaster.Chain<unknown>>>(
  into: Into<E, F>,
  parts: Chains,
  join: (parts: Parts<Chains>) => Schema.Struct.Type<F>
): Join<E> => finish(into, parts, false, { join })

/**
 * Joins all consecutive events of one part: one or more.
 *
 * **Example** (Steps that were stored one by one)
 *
 * ```ts
 * import { Event, Join, Upcaster } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class Walked extends Event.Class<Walked>()("Walked", { steps: Schema.Int }) {}
 *
 * Join.run(Walked, Upcaster.formerly("Stepped", {}), (all) => ({ steps: all.length })).tag // => "Walked"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const run = <E, F extends Fields, Last>(
  into: Into<E, F>,
  part: Upcaster.Chain<Last>,
  join: (parts: ReadonlyArray<Last>) => Schema.Struct.Type<F>
): Join<E> => finish(into, [part], true, { join })

/**
 * What was joined: one event, of how many stored ones.
 *
 * @category models
 * @since 0.1.0
 */
export interface Joined<out E> {
  readonly count: number
  readonly event: Result.Result<RecordedEvent.RecordedEvent<E>, ReadonlyArray<FieldIssue.FieldIssue>>
}

/**
 * The event that the stored ones from `index` on are joined to, if they are: the first join that fits.
 *
 * @category joining
 * @since 0.1.0
 */
export const at = <E>(
  joins: ReadonlyArray<Join<E>>,
  stored: ReadonlyArray<RecordedEvent.Stored>,
  index: number
): Joined<E> | undefined => {
  for (const self of joins) {
    const count = length(self, stored, index)
    if (count === 0) continue
    const taken = stored.slice(index, index + count)
    const last = taken.at(-1)
    if (last === undefined) continue
    const parts = taken.flatMap(({ data, schemaVersion }, at) => {
      const part = self.parts[self.isRun ? 0 : at]
      return part === undefined ? [] : [part.upcast(data, schemaVersion)]
    })
    const event = Result.flatMap(Result.all(parts), self.join)
    return {
      count,
      event: Result.mapBoth(event, {
        onFailure: FieldIssue.fromIssue,
        onSuccess: (joined) => RecordedEvent.fromStored(last, joined)
      })
    }
  }
  return undefined
}

const finish = <E, F extends Fields>(
  into: Into<E, F>,
  parts: ReadonlyArray<Upcaster.Chain<unknown>>,
  isRun: boolean,
  // A method, so that parts of any fields fit: the types of `make` and `run` have matched them.
  by: { join(parts: ReadonlyArray<unknown>): unknown }
): Join<E> => {
  const encode = Codec.encoder(into.shape)
  const decode = (data: unknown): Result.Result<E, SchemaIssue.Issue> => {
    const read = into[Event.TypeId](data, into.version)
    // Today's version is always one event, at once.
    return read._tag === "Success" || read._tag === "Failure" ? read : Codec.refuse(into.version, into.version)
  }
  return {
    tag: into.tag,
    parts: parts.map((part) => part.current((fields) => fields)),
    isRun,
    join: (fields) => Result.flatMap(encode(by.join(fields)), decode)
  }
}

// How many of the stored events fit, 0 when not all parts are there.
const length = (self: Join<unknown>, stored: ReadonlyArray<RecordedEvent.Stored>, index: number): number => {
  if (!self.isRun) return self.parts.every(({ tag }, at) => stored[index + at]?.type === tag) ? self.parts.length : 0
  let end = index
  while (stored[end] !== undefined && stored[end]?.type === self.parts[0]?.tag) end++
  return end - index
}
