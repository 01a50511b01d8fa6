/**
 * What an API is, as a document of OpenAPI 3.1: every message, every typed error, with examples.
 *
 * @since 0.1.0
 */
import type * as JsonSchema from "effect/JsonSchema"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Message from "../../domain/Message.ts"
import * as Receipt from "../../ports/Receipt.ts"
import type { ApiDocument, Operation, Parameter, Response } from "./ApiDocument.ts"
import * as Endpoint from "./Endpoint.ts"
import * as Parts from "./internal/describing.ts"
import * as Example from "./internal/example.ts"
import * as Schemas from "./internal/schemas.ts"
import * as Problem from "./Problem.ts"

/**
 * What is described of an API.
 *
 * @category models
 * @since 0.1.0
 */
export interface Described {
  readonly title: string
  readonly version: string
  readonly description: string | undefined
  readonly endpoints: ReadonlyArray<Endpoint.Endpoint>
}

/**
 * Describes an API.
 *
 * **Details**
 *
 * A field's schema, its description and its examples are what its Effect schema says with annotations; where that has no
 * examples one is made up, and left out when the schema does not take it.
 *
 * **Example** (The errors of a command)
 *
 * ```ts
 * import { Command } from "effect-cqrs"
 * import { Description, Http } from "effect-cqrs/http"
 * import * as Schema from "effect/Schema"
 *
 * class Full extends Schema.TaggedError<Full>()("Full", { seats: Schema.Int }, { httpApiStatus: 409 }) {}
 * class Book extends Command.Class<Book>()("Book", { payload: { seat: Schema.String }, error: Full }) {}
 *
 * const { paths } = Description.of(Http.make("Bookings", { commands: [Book] }))
 * Object.keys(paths) // => ["/commands/book"]
 * Object.keys(paths["/commands/book"]?.["post"]?.responses ?? {}).slice(0, 3) // => ["200", "400", "401"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const of = (api: Described): ApiDocument => {
  const schemas = Schemas.make()
  const problem = schemas.add(Problem.Problem)
  const operations = api.endpoints.map((endpoint) => [endpoint, operation(endpoint, schemas)] as const)
  const paths: Record<string, Record<string, Operation>> = {}
  for (const [{ method, path }, make] of operations) {
    const name = path.replace(/:([A-Za-z_$][\w$]*)/g, "{$1}")
    paths[name] = { ...paths[name], [method.toLowerCase()]: make() }
  }
  const { description, title, version } = api
  return {
    openapi: "3.1.0",
    info: { title, version, ...(description === undefined ? {} : { description }) },
    tags: [{ name: "commands" }, { name: "queries" }],
    paths,
    components: {
      schemas: schemas.definitions(),
      responses: Parts.responses(problem()),
      parameters: Parts.parameters,
      headers: Parts.headers,
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } }
    }
  }
}

/** An operation, once all schemas are there. */
const operation = (endpoint: Endpoint.Endpoint, schemas: Schemas.Schemas): (() => Operation) => {
  const { message } = endpoint
  const fields = Object.entries(Endpoint.fieldsOf(message))
  const inUrl = fields.filter(([name]) => endpoint.inPath.has(name) || endpoint.inQuery?.has(name))
  const inBody = fields.filter((field) => !inUrl.includes(field))
  const parameters = inUrl.map(([name, field]) => ({ name, field, schema: schemas.add(field) }))
  const body = Schema.Struct(Object.fromEntries(inBody)).annotate({ identifier: message.tag })
  const payload = endpoint.inQuery === undefined && inBody.length > 0 ? schemas.add(body) : undefined
  const success = answerOf(message)
  const answer = success === undefined ? undefined : schemas.add(success)
  const errors = Problem.members(message.error).map((error) => ({ error, schema: schemas.add(error) }))
  const { description } = Schema.resolveAnnotations(message) ?? {}

  return () => {
    const definitions = schemas.definitions()
    const exampleOf = (schema: Message.Serializable, json: JsonSchema.JsonSchema) => example(schema, json, definitions)
    const declared = errors.map(({ error, schema }) => {
      const json = schema()
      return Parts.declared(error, json, exampleOf(error, json).example)
    })
    const ok: Response = {
      description: message.kind === "command" ? "It is done" : "The answer",
      headers: Parts.answerHeaders(endpoint),
      ...(answer === undefined || success === undefined || endpoint.status === 204
        ? {}
        : { content: { "application/json": { schema: answer(), ...exampleOf(success, answer()) } } })
    }
    return {
      operationId: message.tag,
      tags: [message.kind === "command" ? "commands" : "queries"],
      ...(endpoint.summary === undefined ? {} : { summary: endpoint.summary }),
      ...(typeof description === "string" ? { description } : {}),
      ...(endpoint.deprecated ? { deprecated: true } : {}),
      security: endpoint.public ? [] : [{ bearer: [] }],
      parameters: [
        ...parameters.map(({ field, name, schema }): Parameter => {
          const place = endpoint.inPath.has(name) ? "path" : "query"
          const json = schema()
          const required = place === "path" || !isOptional(field)
          return { name, in: place, required, schema: json, ...exampleOf(field, json) }
        }),
        ...Parts.parametersOf(endpoint)
      ],
      ...(payload === undefined
        ? {}
        : {
            requestBody: {
              required: inBody.some(([, field]) => !isOptional(field)),
              content: { "application/json": { schema: payload(), ...exampleOf(body, payload()) } }
            }
          }),
      responses: { [endpoint.status]: ok, ...Parts.problems(endpoint, declared) }
    }
  }
}

/** What is answered when all went well: of a command its value with the receipt. */
const answerOf = ({ kind, success }: Message.AnyClass): Message.Serializable | undefined => {
  if (kind === "query") return success === Schema.Void ? undefined : success
  return success === Schema.Void
    ? Schema.Struct({ receipt: Receipt.Receipt })
    : Schema.Struct({ value: success, receipt: Receipt.Receipt })
}

const isOptional = ({ ast }: Message.Serializable): boolean => ast.context?.isOptional === true

const example = (
  schema: Message.Serializable,
  json: JsonSchema.JsonSchema,
  definitions: JsonSchema.Definitions
): { readonly example?: unknown } => {
  const made = Example.of(json, definitions)
  return Result.isSuccess(Schema.decodeUnknownResult(Schema.toCodecJson(schema))(made)) ? { example: made } : {}
}
