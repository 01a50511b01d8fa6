/** JSON schemas of many schemas together, which share what has a name. */
import * as JsonSchema from "effect/JsonSchema"
import * as Schema from "effect/Schema"
import * as SchemaRepresentation from "effect/SchemaRepresentation"
import type * as Message from "../../../domain/Message.ts"

/** Collects schemas; what `add` gives has its JSON schema once all are there. */
export interface Schemas {
  readonly add: (schema: Message.Serializable) => () => JsonSchema.JsonSchema
  readonly definitions: () => JsonSchema.Definitions
}

export const make = (): Schemas => {
  const collected: Array<Message.Serializable> = []
  let document: JsonSchema.MultiDocument<"openapi-3.1"> | undefined
  const all = () => (document ??= compile(collected))
  return {
    add: (schema) => {
      const index = collected.push(schema) - 1
      return () => all().schemas[index] ?? {}
    },
    definitions: () => all().definitions
  }
}

const compile = (schemas: ReadonlyArray<Message.Serializable>): JsonSchema.MultiDocument<"openapi-3.1"> => {
  const [first, ...rest] = schemas.map((schema) => Schema.toCodecJson(schema).ast)
  if (first === undefined) return { dialect: "openapi-3.1", schemas: [{}], definitions: {} }
  return JsonSchema.toMultiDocumentOpenApi3_1(
    SchemaRepresentation.toJsonSchemaMultiDocument(SchemaRepresentation.toRepresentations([first, ...rest]))
  )
}
