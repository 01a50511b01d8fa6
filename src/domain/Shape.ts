/**
 * Shapes: which JSON a schema stores, as data that can be written down and compared.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
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
  /** What text or a number is decoded to, where that is something else: `DateTimeUtc`, `bigint` ... */
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
 * What the JSON looks like, which checks it must pass, and to what text and numbers are decoded. Names, titles and
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
export const of = (fields: Fields): FieldShapes => {
  const shape = details(walk(Schema.toCodecJson(Schema.Struct(fields)).ast, []))
  return shape.fields ?? {}
}

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

// What is being walked, outermost first. Copies of a node share the list of what is below it, so that tells them apart.
type Above = ReadonlyArray<unknown>

const walk = (ast: SchemaAST.AST, above: Above): Shape => {
  const steps = [ast, ...(ast.encoding ?? []).map(({ to }) => to)]
  const stored = steps.pop()
  if (stored === undefined || stored === ast) return checked(plain(ast, above), checksOf(ast.checks))
  // A number that is not finite is stored as text: that is `number`, not a union to be read by people.
  if (SchemaAST.isNumber(ast) && isNonFinite(stored)) return checked("number", checksOf(ast.checks))
  const shape = details(walk(stored, above))
  const as = [shape.as, ...steps.reverse().map(decodedAs)].find((name) => name !== undefined && name !== shape.type)
  const isParsed = as !== undefined && /^(string|number|boolean)$/.test(shape.type)
  return checked(
    isParsed ? { ...shape, as } : compact(shape),
    steps.flatMap(({ checks }) => checksOf(checks))
  )
}

const plain = (ast: SchemaAST.AST, above: Above): Shape => {
  switch (ast._tag) {
    case "String":
    case "Number":
    case "Boolean":
    case "Null":
    case "Never":
      return ast._tag.toLowerCase()
    case "Literal":
      return { type: "literal", of: [typeof ast.literal === "bigint" ? String(ast.literal) : ast.literal] }
    case "Enum":
      return { type: "literal", of: sorted(ast.enums.map(([, value]) => value)) }
    case "TemplateLiteral":
      return { type: "string", checks: [{ template: ast.parts.map(template).join("") }] }
    case "Suspend":
      return walk(ast.thunk(), above)
    case "Objects":
      return again(ast.propertySignatures, above, (inside) => object(ast, inside))
    case "Arrays":
      return again(ast.rest, above, (inside) => array(ast, inside))
    case "Union":
      return again(ast.types, above, (inside) => union(ast.types.map((type) => walk(type, inside))))
    case "Declaration":
      return decodedAs(ast) === "Json" ? "json" : (decodedAs(ast) ?? "json")
    default:
      return "json"
  }
}

const again = (self: unknown, above: Above, shape: (inside: Above) => Shape): Shape => {
  const at = above.lastIndexOf(self)
  return at === -1 ? shape([...above, self]) : { type: "recursive", levels: above.length - at }
}

const object = ({ indexSignatures, propertySignatures }: SchemaAST.Objects, inside: Above): Shape => {
  const fields = propertySignatures.map(({ name, type }) => [String(name), optional(type, inside)] as const)
  const entries = indexSignatures.map(({ parameter, type }) => ({
    keys: walk(parameter, inside),
    values: walk(type, inside)
  }))
  return {
    type: "object",
    ...(entries.length > 0 && fields.length === 0
      ? {}
      : { fields: Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1))) }),
    ...(entries.length === 0 ? {} : { entries })
  }
}

const array = ({ elements, rest }: SchemaAST.Arrays, inside: Above): Shape => {
  const [items, ...more] = rest.map((type) => walk(type, inside))
  if (elements.length === 0 && items !== undefined && more.length === 0) return { type: "array", items }
  return {
    type: "tuple",
    elements: elements.map((type) => optional(type, inside)),
    ...(items === undefined ? {} : { rest: [items, ...more] })
  }
}

const optional = (type: SchemaAST.AST, inside: Above): Shape =>
  SchemaAST.isOptional(SchemaAST.toEncoded(type))
    ? { ...details(walk(type, inside)), optional: true }
    : walk(type, inside)

// Nested unions and literals are one list each, in an order of their own.
const union = (members: ReadonlyArray<Shape>): Shape => {
  const flat = members.flatMap((member) => {
    const { anyOf, checks } = details(member)
    return anyOf === undefined || checks !== undefined ? [member] : anyOf
  })
  const isLiteral = (shape: Shape) => details(shape).type === "literal" && details(shape).checks === undefined
  const literals = flat.filter(isLiteral).flatMap((shape) => details(shape).of ?? [])
  const others = flat.filter((shape) => !isLiteral(shape))
  const all = sorted([...others, ...(literals.length === 0 ? [] : [{ type: "literal", of: sorted(literals) }])])
  const [only] = all
  return all.length === 1 && only !== undefined ? only : { type: "union", anyOf: all }
}

const sorted = <A>(values: ReadonlyArray<A>): ReadonlyArray<A> => {
  const byText = new Map(values.map((value) => [JSON.stringify(value), value]))
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value)
}

const checked = (shape: Shape, checks: ReadonlyArray<Check>): Shape =>
  checks.length === 0 ? shape : { ...details(shape), checks: sorted([...(details(shape).checks ?? []), ...checks]) }

const compact = (shape: Details): Shape => (Object.keys(shape).length === 1 ? shape.type : shape)

const checksOf = (checks: SchemaAST.Checks | undefined): ReadonlyArray<Check> =>
  (checks ?? []).flatMap((check): ReadonlyArray<Check> => {
    const { annotations } = check
    const known = representation(annotations)
    if (known !== undefined) {
      return known.payload === null ? [known.id] : [{ [known.id]: known.payload }]
    }
    if (check._tag === "FilterGroup") return checksOf(check.checks)
    const name = annotations?.["identifier"] ?? annotations?.["title"] ?? annotations?.["expected"]
    return [typeof name === "string" ? { custom: name } : "custom"]
  })

// The name that Effect, or who annotated it, gives a check or a type for good.
const representation = (
  annotations: { readonly [key: string]: unknown } | undefined
): { readonly id: string; readonly payload: Schema.Json } | undefined => {
  const known = annotations?.["representation"]
  if (!isRepresentation(known)) return undefined
  return { id: known.id.replace(/^effect\/schema\//, ""), payload: known.payload }
}

const isRepresentation = Schema.is(Schema.Struct({ id: Schema.String, payload: Schema.Json }))

const decodedAs = (ast: SchemaAST.AST): string | undefined => {
  if (!SchemaAST.isDeclaration(ast)) return ast._tag.toLowerCase()
  const id = representation(ast.annotations)?.id
  // These hold a value without changing it.
  return id === "Redacted" || id === "Option" ? undefined : id
}

const isNonFinite = (ast: SchemaAST.AST): boolean =>
  SchemaAST.isUnion(ast) &&
  ast.types.some(
    (type) => SchemaAST.isUnion(type) && type.types.some((one) => SchemaAST.isLiteral(one) && one.literal === "NaN")
  )

const template = (part: SchemaAST.AST): string =>
  SchemaAST.isLiteral(part) ? String(part.literal) : `\${${format(plain(part, []))}}`
