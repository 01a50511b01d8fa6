/**
 * What a program sends and no event is: commands to others, mails, webhooks, as Schema-defined classes that know how they
 * are kept.
 *
 * @since 0.1.0
 */
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as SchemaIssue from "effect/SchemaIssue"
import * as Event from "./Event.ts"
import * as Codec from "./internal/codec.ts"
import * as History from "./internal/history.ts"
import type { Fields, MissingSelf } from "./Message.ts"
import type * as Upcaster from "./Upcaster.ts"

/**
 * The key under which a message finds its own definition.
 *
 * @category type ids
 * @since 0.1.0
 */
export const TypeId: TypeId = "~effect-cqrs/OutboxMessage"

/**
 * @category type ids
 * @since 0.1.0
 */
export type TypeId = "~effect-cqrs/OutboxMessage"

/**
 * What an instance inherits: its class's name, version and queue, and how to take it to storage.
 *
 * @category models
 * @since 0.1.0
 */
export interface Writer<out Tag extends string> {
  /** The message's type where it is kept. It is a storage format: renaming it needs an upcaster. */
  readonly tag: Tag
  /** One more than the number of older versions in `upcasters`. */
  readonly version: number
  /** The queue it goes to when the call names none. */
  readonly queue: string
  /** What it is delivered in order with. */
  key(message: unknown): string | undefined
  /** The fields as JSON, without `_tag`. */
  encode(message: unknown): Result.Result<unknown, SchemaIssue.Issue>
}

/**
 * Makes an instance of what was kept, in any version up to today's, under its own tag (when `tag` is absent) or a former
 * one.
 *
 * @category models
 * @since 0.1.0
 */
export type Reader<out Self> = (data: unknown, version: number, tag?: string) => Result.Result<Self, SchemaIssue.Issue>

/**
 * Any message instance.
 *
 * @category models
 * @since 0.1.0
 */
export interface Any {
  readonly _tag: string
  readonly [TypeId]: Writer<string>
}

/**
 * What every instance of a message class inherits.
 *
 * @category models
 * @since 0.1.0
 */
export interface Instance<out Tag extends string> {
  readonly _tag: Tag
  readonly [TypeId]: Writer<Tag>
}

/**
 * The value a message class is: a Schema class with its tag and version as static members.
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
  readonly history: ReadonlyArray<Upcaster.Any>
  readonly [TypeId]: Reader<Self>
}

/**
 * A message class, as data.
 *
 * @category models
 * @since 0.1.0
 */
export interface AnyClass {
  readonly tag: string
  readonly version: number
  readonly Type: Any
  readonly history: ReadonlyArray<Upcaster.Any>
  readonly [TypeId]: Reader<unknown>
}

/**
 * What can be sent: messages, and events that were made for others to read.
 *
 * @category models
 * @since 0.1.0
 */
export type Sendable = Any | Event.Any

/**
 * The class of what can be sent.
 *
 * @category models
 * @since 0.1.0
 */
export type SendableClass = AnyClass | Event.AnyClass

/**
 * The union of the instances of several classes.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type Of<Classes extends ReadonlyArray<SendableClass>> = Classes[number]["Type"]

/**
 * What a message class may declare beside its fields.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<F extends Fields> {
  /** The queue, and with it the relay, that it goes to; `default` when absent. */
  readonly queue?: string | undefined
  /** Messages of one key leave one after the other, in the order in which they came; without a key there is no order. */
  readonly key?: ((fields: Schema.Struct.Type<F>) => string | undefined) | undefined
  /** The way from every older shape to this one, or a list of such ways. */
  readonly upcasters?:
    | Upcaster.Upcaster<Schema.Struct.Type<F>>
    | ReadonlyArray<Upcaster.Upcaster<Schema.Struct.Type<F>>>
    | undefined
}

/**
 * The queue of messages that name none.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultQueue = "default"

/**
 * Declares a message: its type, its fields, its queue and the key of its order.
 *
 * **Details**
 *
 * Fields are kept as JSON through `Schema.toCodecJson`, like those of an event. A message may wait for days, so a change of
 * its fields needs an upcaster as much as one of an event does.
 *
 * **Example** (A mail, in order for each receiver)
 *
 * ```ts
 * import { OutboxMessage } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class SendMail extends OutboxMessage.Class<SendMail>()("SendMail", { to: Schema.String, subject: Schema.String }, {
 *   queue: "mail",
 *   key: ({ to }) => to
 * }) {}
 *
 * new SendMail({ to: "ada@example.org", subject: "Hello" })._tag // => "SendMail"
 * SendMail.version // => 1
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export function Class<Self = never>(): <const Tag extends string, const F extends Fields>(
  tag: Tag,
  fields: F,
  options?: Options<F>
) => [Self] extends [never] ? MissingSelf<Tag> : Class<Self, Tag, F>
export function Class(): unknown {
  return (tag: string, fields: Fields, options?: AnyOptions) => {
    const base = Schema.TaggedClass<Any>()(tag, fields)
    const history = History.upcasters(tag, options?.upcasters)
    const version = (history.find((one) => one.tag === undefined)?.versions ?? 0) + 1
    const writer: Writer<string> = {
      tag,
      version,
      queue: options?.queue ?? defaultQueue,
      key: options?.key ?? (() => undefined),
      encode: Codec.encoder(fields)
    }
    Object.defineProperty(base.prototype, TypeId, { value: writer })
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
    return Object.assign(base, { tag, version, history })
  }
}

interface AnyOptions {
  readonly queue?: string | undefined
  readonly key?: ((fields: unknown) => string | undefined) | undefined
  readonly upcasters?: Upcaster.Any | ReadonlyArray<Upcaster.Any> | undefined
}

/**
 * How a class reads what was kept of its messages.
 *
 * @category getters
 * @since 0.1.0
 */
export const reader = (self: SendableClass): Reader<unknown> => (TypeId in self ? self[TypeId] : self[Event.TypeId])

/**
 * How an instance is written; `undefined` for what is no instance of a message or event class.
 *
 * @category getters
 * @since 0.1.0
 */
export const writer = (message: Sendable): Writer<string> | undefined => {
  if (TypeId in message) return message[TypeId]
  const event: Event.Writer<string> | undefined = message[Event.TypeId]
  if (event === undefined) return undefined
  const { tag, version } = event
  return { tag, version, queue: defaultQueue, key: () => undefined, encode: () => event.encode(message) }
}

/**
 * The types under which messages of a class are kept: today's tag, and former ones.
 *
 * @category getters
 * @since 0.1.0
 */
export const types = (self: SendableClass): ReadonlyArray<string> => [
  self.tag,
  ...self.history.flatMap(({ tag }) => tag ?? [])
]
