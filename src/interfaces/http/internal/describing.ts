/** The parts that the operations of a description share. */
import type * as JsonSchema from "effect/JsonSchema"
import * as DispatchError from "../../../domain/DispatchError.ts"
import type * as Message from "../../../domain/Message.ts"
import * as Page from "../../../domain/Page.ts"
import type { Parameter, Reference, Response } from "../ApiDocument.ts"
import type { Endpoint } from "../Endpoint.ts"
import * as HttpError from "../HttpError.ts"
import * as Problem from "../Problem.ts"

const header = (name: string, description: string, pattern?: string): Parameter => ({
  name,
  in: "header",
  required: false,
  schema: { type: "string", ...(pattern === undefined ? {} : { pattern }) },
  description
})

/** What requests may have in their headers, by the names of the references to them. */
export const parameters: Readonly<Record<string, Parameter>> = {
  IdempotencyKey: header(
    "Idempotency-Key",
    "A name for this command: sent again with it, it is answered as the first time",
    "^[!-~]{1,255}$"
  ),
  ReadAfter: header(
    "X-Read-After",
    "Read what the command has written that was answered with this",
    "^p[0-9a-z]{1,11}$"
  ),
  CorrelationId: header("X-Correlation-ID", "Kept with all that follows from this request"),
  RequestTimeout: header(
    "X-Request-Timeout",
    "The longest to wait, like 2s or 500ms",
    "^\\d{1,6}(\\.\\d{1,3})?(ms|s)?$"
  ),
  IfMatch: header("If-Match", "The ETag of what the client has seen: refused with 412 when it has changed since"),
  IfNoneMatch: header("If-None-Match", "The ETag of the answer that the client has")
}

/** What answers may have in their headers. */
export const headers: Readonly<Record<string, object>> = {
  ETag: { description: "The version of the stream", schema: { type: "string" } },
  ReadAfter: { description: "To be sent with a query that reads what was written", schema: { type: "string" } },
  CorrelationId: { description: "The correlation id of the request", schema: { type: "string" } },
  Link: { description: "The pages beside this one: first, prev, next, last", schema: { type: "string" } },
  Location: { description: "Where it is found that was created", schema: { type: "string" } }
}

const reference = (kind: "parameters" | "headers" | "responses", name: string): Reference => ({
  $ref: `#/components/${kind}/${name}`
})

export const parametersOf = ({ etag, message }: Endpoint): ReadonlyArray<Reference> => {
  const names =
    message.kind === "command"
      ? ["IdempotencyKey", "IfMatch"]
      : ["ReadAfter", ...(etag === undefined ? [] : ["IfNoneMatch"])]
  return [...names, "CorrelationId", "RequestTimeout"].map((name) => reference("parameters", name))
}

export const answerHeaders = ({ created, etag, inQuery, message }: Endpoint): Readonly<Record<string, Reference>> => ({
  "X-Correlation-ID": reference("headers", "CorrelationId"),
  ...(message.kind === "command" || etag !== undefined ? { ETag: reference("headers", "ETag") } : {}),
  ...(message.kind === "command" ? { "X-Read-After": reference("headers", "ReadAfter") } : {}),
  ...(inQuery === undefined || Page.kindOf(message.success) === undefined
    ? {}
    : { Link: reference("headers", "Link") }),
  ...(created === undefined ? {} : { Location: reference("headers", "Location") })
})

const request = (reason: HttpError.HttpError["reason"]) => Problem.ofRequest(reason)
const issues = [{ path: "lines[2].sku", message: "Expected a string" }]

/** What any message may be refused with, each once. */
const rows: ReadonlyArray<Problem.Row> = [
  request(new HttpError.Malformed({ part: "body", expected: "JSON" })),
  Problem.ofDispatch(new DispatchError.Unauthenticated()),
  Problem.ofDispatch(new DispatchError.Denied()),
  request(new HttpError.NotAcceptable()),
  Problem.ofDispatch(new DispatchError.Conflict({ stream: "", expected: 0, actual: 0 })),
  Problem.ofDispatch(new DispatchError.Gone({ stream: "" })),
  request(new HttpError.TooSlow({ afterMillis: 30_000 })),
  request(new HttpError.PreconditionFailed()),
  request(new HttpError.BodyTooLarge({ limit: 1024 * 1024 })),
  request(new HttpError.UnsupportedMediaType()),
  Problem.ofDispatch(new DispatchError.Invalid({ issues })),
  Problem.ofDispatch(new DispatchError.RateLimited({ limit: 10, remaining: 0, retryAfterMillis: 1_000 })),
  Problem.internal,
  Problem.ofDispatch(new DispatchError.Unreachable({ service: "" })),
  Problem.ofDispatch(new DispatchError.Storage({ operation: "", retryable: true })),
  request(new HttpError.TimedOut({ afterMillis: 30_000 }))
]

const id = "01920000-0000-7000-8000-000000000000"

const exampleOf = (row: Problem.Row) => Problem.toProblem(row, row.status >= 500 ? id : undefined)

/** The responses that operations refer to. */
export const responses = (problem: JsonSchema.JsonSchema): Readonly<Record<string, Response>> =>
  Object.fromEntries(
    rows.map((row) => [
      row.code,
      {
        description: row.title,
        content: { "application/problem+json": { schema: problem, example: exampleOf(row) } }
      }
    ])
  )

/** An error that a class declares. */
export interface Declared {
  readonly status: number
  readonly code: string
  readonly schema: object
  readonly example: unknown
}

export const declared = (error: Message.Serializable, json: JsonSchema.JsonSchema, example: unknown): Declared => {
  const status = Problem.statusOf(error)
  const tag: unknown = typeof example === "object" && example !== null ? Reflect.get(example, "_tag") : undefined
  const code = typeof tag === "string" ? tag : "Rejected"
  return {
    status,
    code,
    schema: {
      allOf: [
        { $ref: "#/components/schemas/Problem" },
        { type: "object", properties: { code: { type: "string", const: code }, error: json }, required: ["error"] }
      ]
    },
    example: Object.assign(
      {},
      exampleOf({ status, code, title: code }),
      example === undefined ? {} : { error: example }
    )
  }
}

/** The responses of one operation that are no success, in the order of their status. */
export const problems = (
  endpoint: Endpoint,
  declared: ReadonlyArray<Declared>
): Readonly<Record<string, Response | Reference>> => {
  const hasBody = endpoint.inQuery === undefined
  const left = new Set([
    ...(endpoint.public ? [401, 403] : []),
    ...(hasBody ? [] : [408, 413, 415]),
    ...(endpoint.message.kind === "query" ? [409, 412] : [])
  ])
  const general = rows.filter(({ status }) => !left.has(status))
  const found: Record<string, Response | Reference> = {}
  for (const { code, status } of general) found[status] = reference("responses", code)
  for (const status of new Set(declared.map((one) => one.status))) {
    const errors = declared.filter((one) => one.status === status)
    const row = general.find((one) => one.status === status)
    const all = row === undefined ? errors : [...errors, { ...row, schema: plain, example: exampleOf(row) }]
    found[status] = {
      description: all.map(({ code }) => code).join(", "),
      content: {
        "application/problem+json": {
          schema: all.length === 1 && all[0] !== undefined ? all[0].schema : { anyOf: all.map(({ schema }) => schema) },
          examples: Object.fromEntries(all.map(({ code, example }) => [code, { value: example }]))
        }
      }
    }
  }
  return found
}

const plain = { $ref: "#/components/schemas/Problem" }
