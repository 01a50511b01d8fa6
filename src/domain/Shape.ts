/**
 * Shapes: which JSON a schema stores, as data that can be written down and compared.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { shapesOf } from "./internal/shapesOf.ts"
import type { Fields } from "./Message.ts"

/**
 * What stored JSON must look like to be decoded: the name of a JSON type where that says it all (`string`, `number`,
 * `boolean`, `null`, `json` for anything), otherwise its details.
 *
 * @category models
 * @since 0.1.0
 */
export type Shape = string | Details

/**
 * The shape of each field, by name.
 *
 * @category models
 * @since 0.1.0
 */
export type FieldShapes = { readonly [name: string]: Shape }

/**
 * A check that a stored value must pass: its name, or its name with what it compares to.
 *
 * @category models
 * @since 0.1.0
 */
export type Check = string | { readonly [name: string]: Schema.Json }

/**
 * A shape with more to it than a name.
 *
 * @category models
 * @since 0.1.0
 */
export interface Details {
  /** A JSON type, or `literal`, `tuple`, `union`, or `recursive`. */
  readonly type: string
  /** A field or an element that may be absent. */
  readonly optional?: true
  /** What text, a number or a list is decoded to, where that is something else: `DateTimeUtc`, `bigint`, `ReadonlySet` ... */
  readonly as?: string
  readonly checks?: ReadonlyArray<Check>
  /** The values of a literal. */
  readonly of?: ReadonlyArray<string | number | boolean>
  readonly fields?: FieldShapes
  /** Keys and values of an object that holds any number of them. */
  readonly entries?: ReadonlyArray<{ readonly keys: Shape; readonly values: Shape }>
  /** The elements of an array. */
  readonly items?: Shape
  /** The elements of a tuple, and those that may follow. */
  readonly elements?: ReadonlyArray<Shape>
  readonly rest?: ReadonlyArray<Shape>
  readonly anyOf?: ReadonlyArray<Shape>
  /** How many levels up the shape is that stands here again. */
  readonly levels?: number
}

const Again = Schema.suspend((): Schema.Codec<Shape> => Shape)
const CheckSchema = Schema.Union([Schema.String, Schema.Record(Schema.String, Schema.Json)])

/**
 * A shape as JSON.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Shape: Schema.Codec<Shape> = Schema.Union([
  Schema.String,
  Schema.Struct({
    type: Schema.String,
    optional: Schema.optionalKey(Schema.Literal(true)),
    as: Schema.optionalKey(Schema.String),
    checks: Schema.optionalKey(Schema.Array(CheckSchema)),
    of: Schema.optionalKey(Schema.Array(Schema.Union([Schema.String, Schema.Finite, Schema.Boolean]))),
    fields: Schema.optionalKey(Schema.Record(Schema.String, Again)),
    entries: Schema.optionalKey(Schema.Array(Schema.Struct({ keys: Again, values: Again }))),
    items: Schema.optionalKey(Again),
    elements: Schema.optionalKey(Schema.Array(Again)),
    rest: Schema.optionalKey(Schema.Array(Again)),
    anyOf: Schema.optionalKey(Schema.Array(Again)),
    levels: Schema.optionalKey(Schema.Int)
  })
])

/**
 * The shapes of fields as events store them.
 *
 * **Details**
 *
 * What the JSON looks like, which checks it must pass, and to what text, numbers and lists are decoded. Names, titles and
 * descriptions of schemas, brands and the order of fields have no part in it. What a function does, a custom check or a
 * transformation, cannot be seen: only that there is one.
 *
 * **Example** (An event's fields)
 *
 * ```ts
 * import { Shape } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * Shape.of({ title: Schema.String, due: Schema.optionalKey(Schema.DateTimeUtc) })
 * // => { due: { type: "string", as: "DateTimeUtc", optional: true }, title: "string" }
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const of = (fields: Fields): FieldShapes => shapesOf(fields)

/**
 * A shape with its details, also where it is a name.
 *
 * @category getters
 * @since 0.1.0
 */
export const details = (shape: Shape): Details => (typeof shape === "string" ? { type: shape } : shape)

/**
 * A shape on one line, for people.
 *
 * **Example** (In words)
 *
 * ```ts
 * import { Shape } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * const { lines, status } = Shape.of({
 *   status: Schema.Literals(["open", "done"]),
 *   lines: Schema.Array(Schema.Struct({ sku: Schema.String, at: Schema.optionalKey(Schema.DateTimeUtc) }))
 * })
 * Shape.format(status ?? "") // => '"done" | "open"'
 * Shape.format(lines ?? "") // => "Array<{ at?: string as DateTimeUtc, sku: string }>"
 * ```
 *
 * @category formatting
 * @since 0.1.0
 */
export const format = (shape: Shape): string => {
  const { as, checks = [], type, ...rest } = details(shape)
  const passing = checks.flatMap((check) =>
    typeof check === "string"
      ? [check]
      : Object.entries(check).map(([name, value]) => `${name} ${JSON.stringify(value)}`)
  )
  return [
    base(type, rest),
    ...(as === undefined ? [] : [`as ${as}`]),
    ...(passing.length === 0 ? [] : [`that passes ${passing.join(", ")}`])
  ].join(" ")
}

const base = (type: string, shape: Omit<Details, "type">): string => {
  const { anyOf = [], elements = [], entries = [], fields = {}, items = "json", of: literals = [], rest = [] } = shape
  switch (type) {
    case "literal":
      return literals.map((one) => JSON.stringify(one)).join(" | ")
    case "array":
      return `Array<${format(items)}>`
    case "tuple":
      return `[${[...elements.map(format), ...rest.map((one) => `...${format(one)}`)].join(", ")}]`
    case "union":
      return anyOf.map(format).join(" | ")
    case "object": {
      const named = Object.entries(fields).map(
        ([name, field]) => `${name}${details(field).optional === true ? "?" : ""}: ${format(field)}`
      )
      const open = entries.map(({ keys, values }) => `[${format(keys)}]: ${format(values)}`)
      return `{ ${[...named, ...open].join(", ")} }`
    }
    default:
      return type
  }
}
