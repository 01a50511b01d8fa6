/** Payloads that are their own JSON: strings, finite numbers, booleans and literals. */
import type * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"

type Read = (source: object) => Readonly<Record<string, unknown>> | undefined

/**
 * Reads such a payload off an object; undefined for what only its schema can judge. There is none for a payload with other
 * fields.
 */
export const reader = (fields: Readonly<Record<string, Schema.Constraint>>): Read | undefined => {
  const all: Array<readonly [name: string, accepts: Accepts]> = []
  for (const [name, { ast }] of Object.entries(fields)) {
    const accepts = accepting(ast)
    if (accepts === undefined || name === "__proto__") return undefined
    all.push([name, accepts])
  }
  return (source) => {
    const read: Record<string, unknown> = {}
    for (const [name, accepts] of all) {
      const value: unknown = Reflect.get(source, name)
      if (!accepts(value)) return undefined
      read[name] = value
    }
    return read
  }
}

type Accepts = (value: unknown) => boolean

const accepting = (ast: SchemaAST.AST): Accepts | undefined => {
  const isPlain = plain(ast)
  if (isPlain === undefined || ast.encoding !== undefined || ast.context?.isOptional === true) return undefined
  const { checks } = ast
  return checks === undefined ? isPlain : (value) => isPlain(value) && holds(checks, value, ast)
}

const plain = (ast: SchemaAST.AST): Accepts | undefined => {
  switch (ast._tag) {
    case "String":
      return (value) => typeof value === "string"
    case "Number":
      return Number.isFinite
    case "Boolean":
      return (value) => typeof value === "boolean"
    case "Literal":
      return typeof ast.literal === "bigint" ? undefined : (value) => value === ast.literal
    default:
      return undefined
  }
}

const holds = (checks: ReadonlyArray<SchemaAST.Check<unknown>>, value: unknown, ast: SchemaAST.AST): boolean =>
  checks.every((check) =>
    check._tag === "FilterGroup" ? holds(check.checks, value, ast) : check.run(value, ast, {}) === undefined
  )
