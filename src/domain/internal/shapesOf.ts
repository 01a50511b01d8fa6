/** From a schema to the shape of its JSON: a walk over the schema's syntax tree. */
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import type { Fields } from "../Message.ts"

// The same as `Shape`, which has the words for it.
type Shape = string | Details
type Check = string | { readonly [name: string]: Schema.Json }

interface Details {
  readonly type: string
  readonly optional?: true
  readonly as?: string
  readonly checks?: ReadonlyArray<Check>
  readonly of?: ReadonlyArray<string | number | boolean>
  readonly fields?: { readonly [name: string]: Shape }
  readonly entries?: ReadonlyArray<{ readonly keys: Shape; readonly values: Shape }>
  readonly items?: Shape
  readonly elements?: ReadonlyArray<Shape>
  readonly rest?: ReadonlyArray<Shape>
  readonly anyOf?: ReadonlyArray<Shape>
  readonly levels?: number
}

export const shapesOf = (fields: Fields): { readonly [name: string]: Shape } =>
  details(walk(Schema.toCodecJson(Schema.Struct(fields)).ast, [])).fields ?? {}

const details = (shape: Shape): Details => (typeof shape === "string" ? { type: shape } : shape)

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
  const isParsed = as !== undefined && /^(string|number|boolean|array)$/.test(shape.type)
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

// Objects and unions are what they are stored as; these declarations hold what is stored, and change nothing of it.
const unchanged = new Set(["Objects", "Arrays", "Union", "Suspend", "Redacted", "Option", "Chunk"])

const decodedAs = (ast: SchemaAST.AST): string | undefined => {
  const name = SchemaAST.isDeclaration(ast) ? representation(ast.annotations)?.id : ast._tag
  if (name === undefined || unchanged.has(name)) return undefined
  return SchemaAST.isDeclaration(ast) ? name : name.toLowerCase()
}

const isNonFinite = (ast: SchemaAST.AST): boolean =>
  SchemaAST.isUnion(ast) &&
  ast.types.some(
    (type) => SchemaAST.isUnion(type) && type.types.some((one) => SchemaAST.isLiteral(one) && one.literal === "NaN")
  )

const template = (part: SchemaAST.AST): string =>
  SchemaAST.isLiteral(part) ? String(part.literal) : `\${${details(plain(part, [])).type}}`
