/**
 * Events: facts that happened, as Schema-defined classes that know how they are stored.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
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
 * What a class knows: how to make an instance of what was stored, in any version up to today's.
 *
 * @category models
 * @since 0.1.0
 */
export type Reader<out Self> = (data: unknown, version: number) => Result.Result<Self, SchemaIssue.Issue>

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
export type Class<Self, Tag extends string, F extends Fields> = Schema.Class<
  Self,
  Schema.TaggedStruct<Tag, F>,
  Instance<Tag>
> & {
  readonly tag: Tag
  readonly version: number
  readonly [TypeId]: Reader<Self>
}

/**
 * Any event class, as data.
 *
 * @category models
 * @since 0.1.0
 */
export interface AnyClass {
  readonly tag: string
  readonly version: number
  readonly Type: Any
  readonly fields: Schema.Struct.Fields
  readonly [TypeId]: Reader<unknown>
}

/**
 * The union of the instances of several classes.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type Of<Classes extends ReadonlyArray<AnyClass>> = Classes[number]["Type"]

/**
 * What an event class may declare beside its fields.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<F extends Fields> {
  /** Tags for finding events across streams, for example `course:c1`. */
  readonly tags?: ((fields: Schema.Struct.Type<F>) => ReadonlyArray<string>) | undefined
  /** The way from every older shape to this one; it also counts the version. */
  readonly upcasters?: Upcaster.Upcaster<Schema.Struct.Type<F>> | undefined
}

/**
 * The curried constructor of an event class.
 *
 * @category constructors
 * @since 0.1.0
 */
export interface MakeClass<Self> {
  <const Tag extends string, const F extends Fields>(
    tag: Tag,
    fields: F,
    options?: Options<F>
  ): [Self] extends [never] ? MissingSelf<Tag> : Class<Self, Tag, F>
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
    const version = (options?.upcasters?.versions ?? 0) + 1
    Object.defineProperty(base.prototype, TypeId, { value: writer(tag, version, fields, options) })
    Object.defineProperty(base, TypeId, {
      // The instances to make are those of the user's own class, so its reader is built when that class is first asked.
      get(this: AnyClass & Schema.Codec<Any, unknown>) {
        const value = reader(this, version, fields, options)
        Object.defineProperty(this, TypeId, { value })
        return value
      }
    })
    return Object.assign(base, { tag, version })
  }
}

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
  readonly upcasters?: Upcaster.Upcaster<object> | undefined
}

const noTags: ReadonlyArray<string> = []

const encoder = (fields: Fields) => {
  const encode = Schema.encodeUnknownResult(Schema.toCodecJson(Schema.Struct(fields)), { errors: "all" })
  return (value: unknown) => Result.mapError(encode(value), (error) => error.issue)
}

const writer = (tag: string, version: number, fields: Fields, options: AnyOptions | undefined): Writer<string> => ({
  tag,
  version,
  tags: options?.tags ?? (() => noTags),
  encode: encoder(fields)
})

const reader = (
  self: AnyClass & Schema.Codec<Any, unknown>,
  version: number,
  fields: Fields,
  options: AnyOptions | undefined
): Reader<Any> => {
  const decodeTagged = Schema.decodeUnknownResult(Schema.toCodecJson(self), { errors: "all" })
  const decode = (data: unknown) =>
    Result.mapError(decodeTagged({ _tag: self.tag, ...Object(data) }), (error) => error.issue)
  const encode = encoder(fields)
  return (data, stored) => {
    if (stored === version) return decode(data)
    if (stored > version || stored < 1 || options?.upcasters === undefined) {
      return Result.fail(
        new SchemaIssue.InvalidValue({
          expected: `a version from 1 to ${version}, not ${stored}: other code stored it`
        })
      )
    }
    return options.upcasters.upcast(data, stored).pipe(Result.flatMap(encode), Result.flatMap(decode))
  }
}
