/**
 * What commands and queries have in common: a tagged payload class that also carries the schemas of its success and its
 * failure, so that a handler, a typed client, a cache codec and an OpenAPI entry all come from one definition.
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as FieldIssue from "./FieldIssue.ts"
import * as Plain from "./internal/plainFields.ts"

/**
 * The key under which an instance finds its own definition.
 *
 * @category type ids
 * @since 0.1.0
 */
export const TypeId: TypeId = "~effect-cqrs/Message"

/**
 * @category type ids
 * @since 0.1.0
 */
export type TypeId = "~effect-cqrs/Message"

/**
 * A schema whose values can be taken to data and back without any service.
 *
 * @category models
 * @since 0.1.0
 */
export type Serializable = Schema.Constraint & { readonly DecodingServices: never; readonly EncodingServices: never }

/**
 * Fields of a message or an event, each a {@link Serializable} schema.
 *
 * @category models
 * @since 0.1.0
 */
export type Fields = { readonly [key: string]: Serializable }

/**
 * Commands change things and are dispatched by `CommandBus`; queries only ask and are dispatched by `QueryBus`.
 *
 * @category models
 * @since 0.1.0
 */
export type Kind = "command" | "query"

/**
 * Everything a message class declares beside its payload.
 *
 * @category models
 * @since 0.1.0
 */
export interface Definition<
  out K extends Kind,
  out Tag extends string,
  out Success extends Serializable,
  out Failure extends Serializable
> {
  readonly kind: K
  readonly tag: Tag
  readonly success: Success
  readonly error: Failure
  /** What is wrong with a message's payload; nothing in one that `new` made. */
  issues(message: Any): ReadonlyArray<FieldIssue.FieldIssue>
  /** The payload as data that JSON holds; undefined for a message that is not what its class says. */
  toJson(message: Any): Readonly<Record<string, unknown>> | undefined
  /** The id of the aggregate that a message is for, where its class says. */
  aggregateIdOf(message: Any): string | undefined
}

/**
 * What every instance of a message class inherits.
 *
 * @category models
 * @since 0.1.0
 */
export interface Instance<
  out K extends Kind,
  out Tag extends string,
  out Success extends Serializable,
  out Failure extends Serializable
> {
  readonly _tag: Tag
  readonly [TypeId]: Definition<K, Tag, Success, Failure>
}

/**
 * Any message instance, of either kind.
 *
 * @category models
 * @since 0.1.0
 */
export interface Any {
  readonly _tag: string
  readonly [TypeId]: Definition<Kind, string, Serializable, Serializable>
}

/**
 * The value a message class is: a Schema class of its payload with the declarations as static members.
 *
 * @category models
 * @since 0.1.0
 */
export type Class<
  Self,
  K extends Kind,
  Tag extends string,
  F extends Fields,
  Success extends Serializable,
  Failure extends Serializable
> = Schema.Class<Self, Schema.TaggedStruct<Tag, F>, Instance<K, Tag, Success, Failure>> &
  Definition<K, Tag, Success, Failure> & {
    readonly aggregateId: ((payload: Schema.Struct.Type<F>) => string) | undefined
  }

/**
 * Any message class, as data: what buses, registries and interfaces need to know of it.
 *
 * @category models
 * @since 0.1.0
 */
export interface AnyClass<out Self = unknown>
  extends Schema.Constraint,
    Definition<Kind, string, Serializable, Serializable> {
  readonly Type: Self
  readonly DecodingServices: never
  readonly EncodingServices: never
  readonly fields: Schema.Struct.Fields
}

/**
 * @category type extractors
 * @since 0.1.0
 */
export type Success<M extends Any> = M[TypeId]["success"]["Type"]

/**
 * @category type extractors
 * @since 0.1.0
 */
export type Failure<M extends Any> = M[TypeId]["error"]["Type"]

/**
 * What a class may declare; `payload` is the only thing it must.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<F extends Fields, Success extends Serializable, Failure extends Serializable> {
  readonly payload: F
  /** What a handler answers with; `Schema.Void` when absent. */
  readonly success?: Success | undefined
  /** How a handler may refuse; nothing when absent. */
  readonly error?: Failure | undefined
  /** The aggregate this message is for: the key of ordering, locks and routing. */
  readonly aggregateId?: ((payload: Schema.Struct.Type<F>) => string) | undefined
}

/**
 * The curried constructor of a message class: types first, then tag and options.
 *
 * @category constructors
 * @since 0.1.0
 */
export interface MakeClass<K extends Kind, Self> {
  <
    const Tag extends string,
    const F extends Fields,
    S extends Serializable = Schema.Void,
    E extends Serializable = Schema.Never
  >(
    tag: Tag,
    options: Options<F, S, E>
  ): [Self] extends [never] ? MissingSelf<Tag> : Class<Self, K, Tag, F, S, E>
}

/**
 * Builds a message class; `Command.Class` and `Query.Class` are this function with their kind.
 *
 * @category constructors
 * @since 0.1.0
 */
export function makeClass<K extends Kind, Self>(kind: K): MakeClass<K, Self>
export function makeClass(kind: Kind): unknown {
  return (tag: string, options: Options<Fields, Serializable, Serializable>) => {
    const definition = {
      kind,
      issues: checker(options.payload),
      toJson: encoder(options.payload),
      aggregateIdOf: (message: Any): string | undefined =>
        options.aggregateId === undefined ? undefined : Reflect.apply(options.aggregateId, undefined, [message]),
      tag,
      success: options.success ?? Schema.Void,
      error: options.error ?? Schema.Never,
      aggregateId: options.aggregateId
    }
    const base = Schema.TaggedClass<Any>()(tag, options.payload)
    Object.defineProperty(base.prototype, TypeId, { value: definition })
    return Object.assign(base, definition)
  }
}

// Built when it is first asked: most messages come from `new`, which checks them.
const checker = (payload: Fields) => {
  let validate: ((message: unknown) => Result.Result<unknown, Schema.SchemaError>) | undefined
  return (message: unknown): ReadonlyArray<FieldIssue.FieldIssue> => {
    validate ??= Schema.decodeUnknownResult(Schema.toType(Schema.Struct(payload)), { errors: "all" })
    const checked = validate(message)
    return Result.isFailure(checked) ? FieldIssue.fromIssue(checked.failure.issue) : []
  }
}

// Built when it is first asked, for the same reason.
const encoder = (payload: Fields) => {
  let encode: ReturnType<typeof encoding> | undefined
  return (message: Any) => (encode ??= encoding(payload))(message)
}

const encoding = (payload: Fields) => {
  const read = Plain.reader(payload)
  const encode: (message: unknown) => Result.Result<unknown, Schema.SchemaError> = Schema.encodeUnknownResult(
    Schema.toCodecJson(Schema.Struct(payload))
  )
  return (message: object): Readonly<Record<string, unknown>> | undefined => {
    const plain = read?.(message)
    if (plain !== undefined) return plain
    const encoded = encode(message)
    return Result.isSuccess(encoded) && Predicate.isObject(encoded.success) ? { ...encoded.success } : undefined
  }
}

/**
 * What the compiler shows when a class was declared without naming itself.
 *
 * @category models
 * @since 0.1.0
 */
export type MissingSelf<Tag extends string> =
  `Missing type argument: write class ${Tag} extends ….Class<${Tag}>()("${Tag}", …)`
