/** Values that come as text, in a path or behind a question mark: what JSON each of them stands for. */
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import type * as Message from "../../../domain/Message.ts"

/** Makes JSON of the texts of one field. What cannot be is left as text, for the schema to name. */
export interface Texts {
  readonly many: boolean
  readonly read: (texts: ReadonlyArray<string>) => unknown
}

/** How a field is read from text; undefined where its JSON has parts. */
export const texts = (field: Message.Serializable): Texts | undefined => {
  const ast = SchemaAST.toEncoded(Schema.toCodecJson(field).ast)
  const one = scalar(ast)
  if (one !== undefined) {
    return { many: false, read: (given) => (given.length === 1 && given[0] !== undefined ? one(given[0]) : given) }
  }
  const element = elementOf(ast)
  const each = element === undefined ? undefined : scalar(element)
  return each === undefined ? undefined : { many: true, read: (given) => given.map(each) }
}

type Read = (text: string) => unknown

const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/

const text: Read = (given) => given
const toNumber: Read = (given) => (number.test(given) ? Number(given) : given)
const toBoolean: Read = (given) => (given === "true" ? true : given === "false" ? false : given)

const scalar = (ast: SchemaAST.AST): Read | undefined => {
  switch (ast._tag) {
    case "String":
    case "TemplateLiteral":
      return text
    case "Number":
      return toNumber
    case "Boolean":
      return toBoolean
    case "Literal":
      return ofLiteral(ast.literal)
    case "Enum":
      return firstOf(ast.enums.map(([, value]) => ofLiteral(value)))
    case "Union": {
      const members = ast.types.filter(({ _tag }) => _tag !== "Null" && _tag !== "Undefined")
      const reads = members.map(scalar)
      if (members.length === 0 || !reads.every((read) => read !== undefined)) return undefined
      // What may be any text is that text.
      return members.some(({ _tag }) => _tag === "String") ? text : firstOf(reads)
    }
    default:
      return undefined
  }
}

const ofLiteral =
  (literal: SchemaAST.LiteralValue): Read =>
  (given) =>
    String(literal) === given && typeof literal !== "bigint" ? literal : given

/** The first that makes of a text something else than that text. */
const firstOf =
  (reads: ReadonlyArray<Read>): Read =>
  (given) => {
    for (const read of reads) {
      const value = read(given)
      if (value !== given) return value
    }
    return given
  }

const elementOf = (ast: SchemaAST.AST): SchemaAST.AST | undefined => {
  if (ast._tag === "Union") {
    const members = ast.types.filter(({ _tag }) => _tag !== "Null" && _tag !== "Undefined")
    return members.length === 1 && members[0] !== undefined ? elementOf(members[0]) : undefined
  }
  return ast._tag === "Arrays" && ast.elements.length === 0 && ast.rest.length === 1 ? ast.rest[0] : undefined
}
