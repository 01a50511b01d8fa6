/**
 * How an event that was stored in an older shape becomes the shape of today.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as Decoding from "./Decoding.ts"
import * as Codec from "./internal/codec.ts"
import type { Fields } from "./Message.ts"

/**
 * The finished way from every older version to `Out`, today's fields.
 *
 * @category models
 * @since 0.1.0
 */
export interface Upcaster<out Out, out K extends Decoding.Kind = never> {
  /** Only in the type. */
  readonly kind?: K | undefined
  /** The tag that the old events were stored under; the class's own when undefined. */
  readonly tag: string | undefined
  /** Where the events stand among those that the stored event becomes; undefined when they are all of it. */
  readonly place: number | undefined
  /** How many older versions there are; under the class's own tag, today's version is one more. */
  readonly versions: number
  /** The fields of each older version, from version 1 on. */
  readonly shapes: ReadonlyArray<Fields>
  /** Takes stored JSON of an older version (1 or greater) to today's fields. */
  readonly upcast: (data: unknown, version: number) => Decoding.Of<Out, SchemaIssue.Issue, K>
}

/**
 * Any upcaster, as data.
 *
 * @category models
 * @since 0.1.0
 */
export interface Any extends Upcaster<unknown, Decoding.Kind> {}

/**
 * The history of an event with these fields: the way from the older versions of its tag, from each former tag, and from
 * the events it was a part of; one of these, or a list.
 *
 * @category models
 * @since 0.1.0
 */
export type Of<F extends Fields> =
  | Upcaster<Schema.Struct.Type<F>, Decoding.Kind>
  | ReadonlyArray<Upcaster<Schema.Struct.Type<F>, Decoding.Kind>>

/**
 * What a history asks of its reader.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type KindOf<U> =
  U extends ReadonlyArray<infer One> ? KindOf<One> : U extends Upcaster<infer _, infer K> ? K : never

/**
 * A way that is still being described: it ends in the fields `Last` of the newest older version.
 *
 * **Details**
 *
 * Each `next` and the final `current` is a step from one version to the one after it. A step is a function from the old
 * fields to the new ones; `nextMany` and `currentMany` answer with any number of them, none included, and `nextEffect` and
 * `currentEffect` with an Effect that may ask services.
 *
 * @category models
 * @since 0.1.0
 */
export interface Chain<Last, K extends Decoding.Kind = never> {
  /** The next version's fields, and how the version before becomes it. */
  readonly next: <const F extends Fields>(
    fields: F,
    upcast: (old: Last) => Schema.Struct.Type<F>
  ) => Chain<Schema.Struct.Type<F>, K>
  /** The next version's fields, and what the version before becomes: each is taken on by the steps that follow. */
  readonly nextMany: <const F extends Fields>(
    fields: F,
    upcast: (old: Last) => ReadonlyArray<Schema.Struct.Type<F>>
  ) => Chain<Schema.Struct.Type<F>, K | "several">
  /** The next version's fields, and how the version before becomes it, one or a list, with the help of services. */
  readonly nextEffect: <const F extends Fields, R>(
    fields: F,
    upcast: (old: Last) => Effect.Effect<Schema.Struct.Type<F> | ReadonlyArray<Schema.Struct.Type<F>>, unknown, R>
  ) => Chain<Schema.Struct.Type<F>, K | Decoding.Requires<R>>
  /** How the newest older version becomes the fields of today. */
  readonly current: <const Out>(upcast: (old: Last) => Out) => Upcaster<Out, K>
  /** What the newest older version becomes: any number of events of today. */
  readonly currentMany: <const Out>(upcast: (old: Last) => ReadonlyArray<Out>) => Upcaster<Out, K | "several">
  /** How the newest older version becomes one or more events of today, with the help of services. */
  readonly currentEffect: <const Out, R>(
    upcast: (old: Last) => Effect.Effect<Out | ReadonlyArray<Out>, unknown, R>
  ) => Upcaster<Out, K | Decoding.Requires<R>>
}

/**
 * Starts at the fields of version 1.
 *
 * **Details**
 *
 * The version of an event is counted here and nowhere else: an event class without upcasters is at version 1, one
 * `current` after one `from` makes it version 2, and so on. Old events are never rewritten; they are upcast when read. An event
 * whose upcaster throws cannot be decoded, and its reader is told so.
 *
 * **Example** (A name split in two)
 *
 * ```ts
 * import { Event, Upcaster } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class PersonNamed extends Event.Class<PersonNamed>()("PersonNamed", { first: Schema.String, last: Schema.String }, {
 *   upcasters: Upcaster.from({ name: Schema.String }).current(({ name }) => {
 *     const [first = "", last = ""] = name.split(" ")
 *     return { first, last }
 *   })
 * }) {}
 *
 * PersonNamed.version // => 2
 * ```
 *
 * **Example** (One event that becomes many)
 *
 * ```ts
 * import { Event, Upcaster } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class ItemAdded extends Event.Class<ItemAdded>()("ItemAdded", { sku: Schema.String }, {
 *   upcasters: Upcaster.from({ skus: Schema.Array(Schema.String) }).currentMany(({ skus }) => skus.map((sku) => ({ sku })))
 * }) {}
 *
 * ItemAdded[Event.TypeId]({ skus: ["a", "b"] }, 1)
 * // => { _tag: "Several", values: [new ItemAdded({ sku: "a" }), new ItemAdded({ sku: "b" })] }
 * ItemAdded[Event.TypeId]({ skus: [] }, 1) // => { _tag: "Several", values: [] }
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const from = <const F extends Fields>(fields: F): Chain<Schema.Struct.Type<F>> =>
  start(undefined, undefined, fields)

/**
 * Starts at the fields of version 1 under a tag that the event had before it was renamed.
 *
 * **Details**
 *
 * A former tag has versions of its own: all that was ever stored under it. `Event.Class` takes any number of them, beside
 * the older versions of its own tag.
 *
 * **Example** (A renamed event)
 *
 * ```ts
 * import { Event, Upcaster } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", { title: Schema.String }, {
 *   upcasters: Upcaster.formerly("TodoMade", { text: Schema.String }).current(({ text }) => ({ title: text }))
 * }) {}
 *
 * TaskCreated.version // => 1
 * Event.types([TaskCreated]) // => ["TaskCreated", "TodoMade"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const formerly = <const F extends Fields>(tag: string, fields: F): Chain<Schema.Struct.Type<F>> =>
  start(tag, undefined, fields)

/**
 * Starts at the fields of version 1 of another event, a part of which is this event today.
 *
 * **Details**
 *
 * The stored event is read by every class that has a part of it, and is handled as all of them, in the order of their
 * places: the event itself stands at 0, a part at `place` (1 when absent; below 0 is before the event itself). Versions
 * of the other event that are newer than those described here have no part in this one.
 *
 * A reader that knows only this class reads the other event's tag as well, and gets its parts.
 *
 * **Example** (Two events that were one)
 *
 * ```ts
 * import { Event, Upcaster } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * const placed1 = { total: Schema.Int, card: Schema.String }
 *
 * class OrderPlaced extends Event.Class<OrderPlaced>()("OrderPlaced", { total: Schema.Int }, {
 *   upcasters: Upcaster.from(placed1).current(({ total }) => ({ total }))
 * }) {}
 * class PaymentRequested extends Event.Class<PaymentRequested>()("PaymentRequested", { card: Schema.String }, {
 *   upcasters: Upcaster.partOf("OrderPlaced", placed1).current(({ card }) => ({ card }))
 * }) {}
 *
 * Event.types([PaymentRequested]) // => ["PaymentRequested", "OrderPlaced"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const partOf = <const F extends Fields>(
  tag: string,
  fields: F,
  options?: { readonly place?: number | undefined }
): Chain<Schema.Struct.Type<F>, "several"> => {
  const place = options?.place ?? 1
  if (place === 0) throw new Error(`No part of "${tag}" stands at place 0: that is the event itself`)
  return start(tag, place, fields)
}

type Step = (old: unknown) => Decoding.Decoding<unknown, SchemaIssue.Issue, unknown>

interface Described {
  readonly tag: string | undefined
  readonly place: number | undefined
  readonly shapes: ReadonlyArray<Fields>
  readonly steps: ReadonlyArray<Step>
}

const start = <Last, K extends Decoding.Kind>(
  tag: string | undefined,
  place: number | undefined,
  fields: Fields
): Chain<Last, K> => chain({ tag, place, shapes: [fields], steps: [] })

const chain = <Last, K extends Decoding.Kind>(self: Described): Chain<Last, K> => {
  const next = (fields: Fields, step: Step): Described => ({
    ...self,
    shapes: [...self.shapes, fields],
    steps: [...self.steps, step]
  })
  return {
    next: (fields, upcast) => chain(next(fields, one({ upcast }))),
    nextMany: (fields, upcast) => chain(next(fields, many({ upcast }))),
    nextEffect: (fields, upcast) => chain(next(fields, asked({ upcast }))),
    current: (upcast) => finish(self, one({ upcast })),
    currentMany: (upcast) => finish(self, many({ upcast })),
    currentEffect: (upcast) => finish(self, asked({ upcast }))
  }
}

// Methods, so that a step over any fields fits: the chain's types have matched each step to the one before.
const one = (by: { upcast(old: unknown): unknown }): Step => guarded((old) => Result.succeed(by.upcast(old)))

const many = (by: { upcast(old: unknown): ReadonlyArray<unknown> }): Step =>
  guarded((old) => Decoding.several(by.upcast(old)))

// Fields are never an array, so a list is several events.
const asked = (by: { upcast(old: unknown): Effect.Effect<unknown, unknown, unknown> }): Step =>
  guarded((old) =>
    Decoding.pending(by.upcast(old), (value) =>
      Array.isArray(value) ? Decoding.several(value) : Result.succeed(value)
    )
  )

// What a step throws is about the event that it was given, and who reads that is told which it is.
const guarded =
  (step: Step): Step =>
  (old) => {
    try {
      return step(old)
    } catch (thrown) {
      const why = thrown instanceof Error ? thrown.message : String(thrown)
      return Result.fail(new SchemaIssue.InvalidValue({ expected: `what its upcaster takes; that threw: ${why}` }))
    }
  }

function finish<Out, K extends Decoding.Kind>(self: Described, last: Step): Upcaster<Out, K>
function finish({ place, shapes, steps, tag }: Described, last: Step): unknown {
  const all = [...steps, last]
  const decoders = shapes.map(Codec.fieldsDecoder)
  const upcast = (data: unknown, version: number): Decoding.Decoding<unknown, SchemaIssue.Issue, unknown> => {
    const decode = decoders[version - 1]
    if (decode === undefined) return Codec.refuse(shapes.length, version)
    let read: Decoding.Decoding<unknown, SchemaIssue.Issue, unknown> = decode(data)
    for (let step = version - 1; step < all.length; step++) {
      const next = all[step]
      if (next !== undefined) read = Decoding.flatMap(read, next)
    }
    return read
  }
  return { tag, place, shapes, versions: shapes.length, upcast }
}
