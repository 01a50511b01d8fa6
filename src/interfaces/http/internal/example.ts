/** An example of what a JSON schema takes: the one it names, or a plain one that is made up. */
import type * as JsonSchema from "effect/JsonSchema"

const texts = [
  "example",
  "Example",
  "a",
  "1",
  "3fa85f64-5717-4562-b3fc-2c963f66afa6",
  "2026-01-31T12:00:00.000Z",
  "2026-01-31",
  "ada@example.com",
  "https://example.com",
  "A1"
]

const formats: Readonly<Record<string, string>> = {
  "date-time": "2026-01-31T12:00:00.000Z",
  date: "2026-01-31",
  email: "ada@example.com",
  uri: "https://example.com",
  uuid: "3fa85f64-5717-4562-b3fc-2c963f66afa6"
}

export const of = (schema: JsonSchema.JsonSchema, definitions: JsonSchema.Definitions): unknown =>
  make(schema, definitions, 0)

const make = (schema: JsonSchema.JsonSchema, definitions: JsonSchema.Definitions, depth: number): unknown => {
  const { $ref, const: constant, default: standard, enum: values, examples } = schema
  if (Array.isArray(examples) && examples.length > 0) return examples[0]
  if (standard !== undefined) return standard
  if (constant !== undefined) return constant
  if (Array.isArray(values)) return values[0]
  if (depth > 8) return null
  const inner = (other: unknown) => (isSchema(other) ? make(other, definitions, depth + 1) : null)
  if (typeof $ref === "string") return inner(definitions[$ref.slice($ref.lastIndexOf("/") + 1)])
  const choice = [schema["anyOf"], schema["oneOf"]].find(Array.isArray)
  if (choice !== undefined) return inner(choice.find((one) => isSchema(one) && one["type"] !== "null") ?? choice[0])
  const all = schemasAt(schema, "allOf")
  const whole: JsonSchema.JsonSchema = all.reduce((merged, one) => ({ ...one, ...merged }), { ...schema })
  switch (whole["type"]) {
    case "string":
      return text([whole, ...all])
    case "integer":
    case "number":
      return number([whole, ...all])
    case "boolean":
      return true
    case "array": {
      const least = Math.max(1, ...[whole, ...all].map((one) => numberAt(one, "minItems") ?? 0))
      const prefix = schemasAt(whole, "prefixItems")
      const items = Array.from({ length: isSchema(whole["items"]) ? least - prefix.length : 0 }, () =>
        inner(whole["items"])
      )
      return [...prefix.map(inner), ...items]
    }
    case "object": {
      const { properties } = whole
      if (!isSchema(properties)) return {}
      return Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, inner(property)]))
    }
    default:
      return null
  }
}

const text = (schemas: ReadonlyArray<JsonSchema.JsonSchema>): string => {
  const said = schemas.map(({ format }) => (typeof format === "string" ? formats[format] : undefined)).find(Boolean)
  const least = Math.max(0, ...schemas.map((one) => numberAt(one, "minLength") ?? 0))
  const most = Math.min(...schemas.map((one) => numberAt(one, "maxLength") ?? Number.MAX_SAFE_INTEGER))
  const patterns = schemas.flatMap(({ pattern }) => (typeof pattern === "string" ? [new RegExp(pattern)] : []))
  const fits = (given: string) =>
    given.length >= least && given.length <= most && patterns.every((pattern) => pattern.test(given))
  return said ?? texts.find(fits) ?? "example".padEnd(least, "x").slice(0, most)
}

const number = (schemas: ReadonlyArray<JsonSchema.JsonSchema>): number => {
  const lows = schemas.flatMap((one) => {
    const open = numberAt(one, "exclusiveMinimum")
    return [numberAt(one, "minimum") ?? [], open === undefined ? [] : open + 1].flat()
  })
  const highs = schemas.flatMap((one) => {
    const open = numberAt(one, "exclusiveMaximum")
    return [numberAt(one, "maximum") ?? [], open === undefined ? [] : open - 1].flat()
  })
  return Math.min(Math.max(1, ...lows), ...highs)
}

const isSchema = (value: unknown): value is JsonSchema.JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const numberAt = (schema: JsonSchema.JsonSchema, key: string): number | undefined => {
  const value = schema[key]
  return typeof value === "number" ? value : undefined
}

const schemasAt = (schema: JsonSchema.JsonSchema, key: string): ReadonlyArray<JsonSchema.JsonSchema> => {
  const value = schema[key]
  return Array.isArray(value) ? value.filter(isSchema) : []
}
