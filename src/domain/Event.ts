/**
 * Events: facts that happened, as Schema-defined classes that know how they are stored.
 *
 * @since 0.1.0
 */
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as SchemaIssue from "effect/SchemaIssue"
import * as Decoding from "./Decoding.ts"
import * as Codec from "./internal/codec.ts"
import * as History from "./internal/history.ts"
import type { Fields, MissingSelf } from "./Message.ts"
import type * as Upcaster from "./Upcaster.ts"

/**
 * The key under which an event finds its own definition.
 *
 * @category type ids
 * @since 0.1.0
 */
export const TypeId: TypeId = "~effect-cqrs/Event"

/**
 * @category type ids
 * @since 0.1.0
 */
export type TypeId = "~effect-cqrs/Event"

/**
 * What an instance inherits: its class's name and version, and how to take it to storage.
 *
 * @category models
 * @since 0.1.0
 */
export interface Writer<out Tag extends string> {
  /** The event's type in the log. It is a storage format: renaming it needs a migration. */
  readonly tag: Tag
  /** One more than the number of older versions in `upcasters`. */
  readonly version: number
  /** The tags under which the event can be found. */
  readonly tags: (event: Any) => ReadonlyArray<string>
  /** The fields as JSON, without `_tag`. */
  readonly encode: (event: Any) => Result.Result<unknown, SchemaIssue.Issue>
}

/**
 * What a class knows: how to make an instance of what was stored, in any version up to today's, under its own tag (when
 * `tag` is absent) or a former one. A history that asks nothing of its reader is read at once, as a `Result`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reader<out Self, out K extends Decoding.Kind = never> {
  /** Only in the type. */
  readonly kind?: K | undefined
  (data: unknown, version: number, tag?: string): Decoding.Of<Self, SchemaIssue.Issue, K>
}

/**
 * Any event instance.
 *
 * @category models
 * @since 0.1.0
 */
export interface Any {
  readonly _tag: string
  readonly [TypeId]: Writer<string>
}

/**
 * What every instance of an event class inherits.
 *
 * @category models
 * @since 0.1.0
 */
export interface Instance<out Tag extends string> {
  readonly _tag: Tag
  readonly [TypeId]: Writer<Tag>
}

/**
 * The value an event class is: a Schema class with its tag and version as static members.
 *
 * @category models
 * @since 0.1.0
 */
export type Class<Self, Tag extends string, F extends Fields, K extends Decoding.Kind = never> = Schema.Class<
  Self,
  Schema.TaggedStruct<Tag, F>,
  Instance<Tag>
> & {
  readonly tag: Tag
  readonly version: number
  readonly shape: F
  readonly history: ReadonlyArray<Upcaster.Any>
  readonly [TypeId]: Reader<Self, K>
}

/**
 * An event class, as data: any class whose history asks nothing of its reader, or, as `AnyClass<Decoding.Kind>`, any class
 * at all.
 *
 * @category models
 * @since 0.1.0
 */
export interface AnyClass<K extends Decoding.Kind = never> {
  readonly tag: string
  /** Today's version; 0 for a retired event. */
  readonly version: number
  readonly Type: Any
  /** Today's fields, without the tag. */
  readonly shape: Fields
  /** How events that were stored in older versions, or under other tags, become this one. */
  readonly history: ReadonlyArray<Upcaster.Any>
  readonly [TypeId]: Reader<unknown, K>
}

/**
 * An event that means nothing any more: listed among the events of an aggregate, it is read as nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Retired<out Tag extends string> extends AnyClass<"several"> {
  readonly tag: Tag
  readonly Type: never
  readonly retired: true
}

/**
 * The union of the instances of several classes.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type Of<Classes extends ReadonlyArray<AnyClass<Decoding.Kind>>> = Classes[number]["Type"]

/**
 * What reading events of several classes asks of its reader.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type KindOf<Classes extends ReadonlyArray<AnyClass<Decoding.Kind>>> =
  Classes[number][TypeId] extends Reader<infer _, infer K> ? K : never

/**
 * The services that the upcasters of several classes need.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type ServicesOf<Classes extends ReadonlyArray<AnyClass<Decoding.Kind>>> = Decoding.Services<KindOf<Classes>>

/**
 * What an event class may declare beside its fields.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<F extends Fields, U extends Upcaster.Of<F> = never> {
  /** Tags for finding events across streams, for example `course:c1`. */
  readonly tags?: ((fields: Schema.Struct.Type<F>) => ReadonlyArray<string>) | undefined
  /** The way from every older shape to this one, or a list of such ways; the one under its own tag counts the version. */
  readonly upcasters?: U | undefined
}

/**
 * The curried constructor of an event class.
 *
 * @category constructors
 * @since 0.1.0
 */
export interface MakeClass<Self> {
  <const Tag extends string, const F extends Fields, const U extends Upcaster.Of<F> = never>(
    tag: Tag,
    fields: F,
    options?: Options<F, U>
  ): [Self] extends [never] ? MissingSelf<Tag> : Class<Self, Tag, F, Upcaster.KindOf<U>>
}

/**
 * Declares an event: its type, its fields, its tags and its history.
 *
 * **Details**
 *
 * Fields are stored as JSON through `Schema.toCodecJson`: a `bigint`, a `Date`, a `DateTime`, an `Option` or a `Set` comes back
 * as it was.
 *
 * **Gotchas**
 *
 * A tag stands for one shape in the log, so the class cannot be extended by `extend`, which throws; older shapes are
 * `upcasters`.
 *
 * JSON has no `-0`: it comes back as `0`. Text with `\u0000` or a lone surrogate is refused when the event is appended, by
 * every store, because Postgres cannot hold it.
 *
 * **Example** (Declaring an event)
 *
 * ```ts
 * import { Event } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", { taskId: Schema.String, title: Schema.String }, {
 *   tags: ({ taskId }) => [`task:${taskId}`]
 * }) {}
 *
 * new TaskCreated({ taskId: "t-1", title: "Write" })._tag // => "TaskCreated"
 * Event.tags(new TaskCreated({ taskId: "t-1", title: "Write" })) // => ["task:t-1"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export function Class<Self = never>(): MakeClass<Self>
export function Class(): unknown {
  return (tag: string, fields: Fields, options?: AnyOptions) => {
    const base = Schema.TaggedClass<Any>()(tag, fields)
    const history = History.upcasters(tag, options?.upcasters)
    const version = (history.find((one) => one.tag === undefined)?.versions ?? 0) + 1
    Object.defineProperty(base.prototype, TypeId, { value: writer(tag, version, fields, options) })
    Object.defineProperty(base, TypeId, {
      // The instances to make are those of the user's own class, so its reader is built when that class is first asked.
      get(this: AnyClass & Schema.Codec<Any, unknown>) {
        const value = History.reader(
          { tag, version, encode: Codec.encoder(fields), decode: Codec.decoder(this) },
          history
        )
        Object.defineProperty(this, TypeId, { value })
        return value
      }
    })
    return Object.assign(base, { tag, version, shape: fields, history, extend: () => refuseToExtend(tag) })
  }
}

// A class made by `extend` would write the fields of this one and lose its own without a word.
const refuseToExtend = (tag: string): never => {
  throw new Error(`The event "${tag}" cannot be extended: its tag stands for one shape in the log`)
}

/**
 * An event that means nothing any more, in place of its class.
 *
 * **Details**
 *
 * The log keeps what was stored. Where a stream is read whole, every event in it must be known; this one is known, and
 * dropped. An event that goes on in other classes is not retired: see `Upcaster.formerly` and `Upcaster.partOf`.
 *
 * **Example** (A stream that still holds it)
 *
 * ```ts
 * import { Aggregate, Event } from "effect-cqrs"
 *
 * class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", {}) {}
 *
 * const Task = Aggregate.make("Task", { events: [TaskCreated, Event.retired("TaskTouched")], initial: 0 }).evolve({
 *   TaskCreated: (count) => count + 1
 * })
 *
 * Event.types(Task.events) // => ["TaskCreated", "TaskTouched"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export function retired<const Tag extends string>(tag: Tag): Retired<Tag>
export function retired(tag: string): unknown {
  return { tag, version: 0, shape: {}, history: [], retired: true, [TypeId]: () => Decoding.several([]) }
}

/**
 * The types under which events of these classes are stored: today's tags, former ones, and those they were a part of.
 *
 * @category getters
 * @since 0.1.0
 */
export const types = (classes: ReadonlyArray<AnyClass<Decoding.Kind>>): ReadonlyArray<string> => [
  ...new Set(classes.flatMap((self) => [self.tag, ...self.history.flatMap(({ tag }) => tag ?? [])]))
]

/**
 * The tags of an event, as its class derives them.
 *
 * @category getters
 * @since 0.1.0
 */
export const tags = (event: Any): ReadonlyArray<string> => event[TypeId].tags(event)

/**
 * A field of an event that tells what a value was and what it became.
 *
 * **Example** (A renamed task)
 *
 * ```ts
 * import { Event } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class TaskRenamed extends Event.Class<TaskRenamed>()("TaskRenamed", { title: Event.changed(Schema.String) }) {}
 *
 * new TaskRenamed({ title: { old: "Draft", new: "Final" } }).title.new // => "Final"
 * ```
 *
 * @category schemas
 * @since 0.1.0
 */
export const changed = <S extends Schema.Constraint>(value: S): Schema.Struct<{ readonly old: S; readonly new: S }> =>
  Schema.Struct({ old: value, new: value })

interface AnyOptions {
  readonly tags?: ((fields: Any) => ReadonlyArray<string>) | undefined
  readonly upcasters?: Upcaster.Any | ReadonlyArray<Upcaster.Any> | undefined
}

const noTags: ReadonlyArray<string> = []

const writer = (tag: string, version: number, fields: Fields, options: AnyOptions | undefined): Writer<string> => ({
  tag,
  version,
  tags: options?.tags ?? (() => noTags),
  encode: Codec.encoder(fields)
})
