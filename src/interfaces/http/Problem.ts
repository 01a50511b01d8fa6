/**
 * Errors as problems in JSON (RFC 9457): one table from what went wrong to a status and what a client may know of it.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as DispatchError from "../../domain/DispatchError.ts"
import * as FieldIssue from "../../domain/FieldIssue.ts"
import type * as Message from "../../domain/Message.ts"
import * as Authenticator from "../../ports/Authenticator.ts"
import * as HttpError from "./HttpError.ts"

/**
 * What a client is told. `code` is for programs, `title` and `detail` are for people.
 *
 * **Details**
 *
 * - `id` is there from status 500 on: the server's log has the cause under it, and nobody else.
 * - `errors` names every bad field of an invalid message by its path.
 * - `error` is the error that the message's class declares, as its schema encodes it.
 *
 * @category models
 * @since 0.1.0
 */
export const Problem = Schema.Struct({
  type: Schema.String,
  title: Schema.String,
  status: Schema.Int,
  detail: Schema.String,
  code: Schema.String,
  id: Schema.optionalKey(Schema.String),
  errors: Schema.optionalKey(Schema.Array(FieldIssue.FieldIssue)),
  error: Schema.optionalKey(Schema.Json)
}).annotate({ identifier: "Problem" })

/**
 * @category models
 * @since 0.1.0
 */
export interface Problem extends Schema.Schema.Type<typeof Problem> {}

/**
 * What the table says of one error.
 *
 * @category models
 * @since 0.1.0
 */
export interface Row {
  readonly status: number
  readonly code: string
  readonly title: string
  /** What the client may know; the title when absent. */
  readonly detail?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly errors?: ReadonlyArray<FieldIssue.FieldIssue> | undefined
  readonly error?: Schema.Json | undefined
  /** The id under which it is in a log already. */
  readonly id?: string | undefined
}

/**
 * What is said of everything that has no row: nothing of what happened.
 *
 * @category tables
 * @since 0.1.0
 */
export const internal: Row = { status: 500, code: "Internal", title: "Internal server error" }

const unauthenticated: Row = {
  status: 401,
  code: "Unauthenticated",
  title: "Unauthenticated",
  detail: "The request does not prove who sends it",
  headers: { "www-authenticate": "Bearer" }
}

const denied: Row = { status: 403, code: "Denied", title: "Forbidden", detail: "Who sends the request may not" }

const later = (seconds: number): Row["headers"] => ({ "retry-after": String(seconds) })

const laterMillis = (millis: number): Row["headers"] => later(Math.max(1, Math.ceil(millis / 1000)))

const limits = ({ limit, remaining, retryAfterMillis }: DispatchError.RateLimited): Row["headers"] => ({
  ...laterMillis(retryAfterMillis),
  "ratelimit-limit": String(limit),
  "ratelimit-remaining": String(remaining),
  "ratelimit-reset": String(Math.ceil(retryAfterMillis / 1000))
})

/**
 * What is said when something that is needed is not there for now, or was ended while it was waited for.
 *
 * @category tables
 * @since 0.1.0
 */
export const unavailable: Row = { status: 503, code: "Unavailable", title: "Unavailable for now", headers: later(1) }

/**
 * The row of a reason of `DispatchError`.
 *
 * @category tables
 * @since 0.1.0
 */
export const ofDispatch = (reason: DispatchError.Reason): Row => {
  switch (reason._tag) {
    case "Invalid":
      return { status: 422, code: "Invalid", title: "Invalid", detail: reason.message, errors: reason.issues }
    case "Unauthenticated":
      return unauthenticated
    case "Denied":
      return denied
    case "Conflict":
      return { status: 409, code: "Conflict", title: "Conflict", detail: "Others changed the same thing: try again" }
    case "Gone":
      return { status: 410, code: "Gone", title: "Gone", detail: "It was ended for good" }
    case "Unreachable":
      return { status: 502, code: "Unreachable", title: "Something that is needed cannot be reached" }
    case "Timeout":
      return { status: 504, code: "Timeout", title: "No answer in time" }
    case "Behind":
      return { status: 503, code: "Behind", title: "Not yet up to date", headers: later(1) }
    case "RateLimited":
      return { status: 429, code: "RateLimited", title: "Too many requests", headers: limits(reason) }
    case "Overloaded":
      return { status: 503, code: "Overloaded", title: "Too much to do for now", headers: later(1) }
    case "CircuitOpen":
      return { ...unavailable, code: "CircuitOpen", headers: laterMillis(reason.retryAfterMillis) }
    case "Storage":
      return reason.retryable ? unavailable : internal
    case "Defect":
      return { ...internal, id: reason.id }
    case "NotHandled":
    case "WaitsForItself":
      return internal
  }
}

/**
 * The row of a reason of `AuthenticatorError`.
 *
 * @category tables
 * @since 0.1.0
 */
export const ofAuthenticator = (reason: Authenticator.AuthenticatorError["reason"]): Row => {
  switch (reason._tag) {
    case "Unauthenticated":
      return unauthenticated
    case "Denied":
      return denied
    case "Unavailable":
      return unavailable
  }
}

/**
 * The row of a reason of `HttpError`.
 *
 * @category tables
 * @since 0.1.0
 */
export const ofRequest = (reason: HttpError.HttpError["reason"]): Row => {
  const { message: detail } = reason
  switch (reason._tag) {
    case "Malformed":
      return { status: 400, code: "Malformed", title: "Malformed request", detail }
    case "CrossOrigin":
      return { status: 403, code: "CrossOrigin", title: "Forbidden", detail }
    case "NoRoute":
      return { status: 404, code: "NoRoute", title: "Not found", detail }
    case "MethodNotAllowed":
      return {
        status: 405,
        code: "MethodNotAllowed",
        title: "Method not allowed",
        detail,
        headers: { allow: reason.allow.join(", ") }
      }
    case "NotAcceptable":
      return { status: 406, code: "NotAcceptable", title: "Not acceptable", detail }
    case "TooSlow":
      return { status: 408, code: "TooSlow", title: "Request timeout", detail, headers: { connection: "close" } }
    case "PreconditionFailed":
      return { status: 412, code: "PreconditionFailed", title: "Precondition failed", detail }
    case "BodyTooLarge":
      return { status: 413, code: "BodyTooLarge", title: "Body too large", detail }
    case "UnsupportedMediaType":
      return { status: 415, code: "UnsupportedMediaType", title: "Unsupported media type", detail }
    case "HeadersTooLarge":
      return { status: 431, code: "HeadersTooLarge", title: "Headers too large", detail }
    case "TimedOut":
      return { status: 504, code: "TimedOut", title: "No answer in time", detail }
  }
}

/**
 * Tells of any error which row it has; `undefined` for what nobody declared.
 *
 * @category tables
 * @since 0.1.0
 */
export type Table = (error: unknown) => Row | undefined

/**
 * The table of a message: the errors that its class declares, and those of everybody.
 *
 * **Details**
 *
 * A declared error is a 400, or what its schema says with the annotation `httpApiStatus`. Where it has a field
 * `retryAfterMillis`, that is its `Retry-After`. Its message is what people are told.
 *
 * @category tables
 * @since 0.1.0
 */
export const table = (self: Message.AnyClass): Table => {
  const declared = members(self.error).map((member) => ({
    is: Schema.is(member),
    status: statusOf(member),
    encode: Schema.encodeUnknownResult(Schema.toCodecJson(member))
  }))
  return (error) => {
    for (const { encode, is, status } of declared) {
      if (!is(error)) continue
      const encoded = encode(error)
      if (Result.isFailure(encoded)) return undefined
      const code = textAt(error, "_tag") ?? "Rejected"
      const detail = textAt(error, "message") || code
      return { status, code, title: code, detail, error: encoded.success, headers: retryAfter(error) }
    }
    return ofAnybody(error)
  }
}

/**
 * The table of errors that any request may have.
 *
 * @category tables
 * @since 0.1.0
 */
export const ofAnybody: Table = (error) => {
  if (error instanceof DispatchError.DispatchError) return ofDispatch(error.reason)
  if (error instanceof Authenticator.AuthenticatorError) return ofAuthenticator(error.reason)
  if (error instanceof HttpError.HttpError) return ofRequest(error.reason)
  return undefined
}

/**
 * The status of a declared error.
 *
 * @category tables
 * @since 0.1.0
 */
export const statusOf = (error: Schema.Constraint): number => {
  const status = error.ast.annotations?.["httpApiStatus"] ?? error.ast.context?.annotations?.["httpApiStatus"]
  return typeof status === "number" && status >= 400 && status <= 599 ? status : 400
}

/**
 * The errors that a class declares, one by one.
 *
 * @category tables
 * @since 0.1.0
 */
export const members = (error: Message.Serializable): ReadonlyArray<Message.Serializable> => {
  if (error.ast._tag === "Never") return []
  return isUnion(error) ? error.members.flatMap(members) : [error]
}

const isUnion = (
  schema: Message.Serializable
): schema is Message.Serializable & { readonly members: ReadonlyArray<Message.Serializable> } =>
  schema.ast._tag === "Union" && "members" in schema && Array.isArray(schema.members)

const textAt = (error: unknown, key: "_tag" | "message"): string | undefined => {
  const value: unknown = typeof error === "object" && error !== null ? Reflect.get(error, key) : undefined
  return typeof value === "string" ? value : undefined
}

const retryAfter = (error: unknown): Row["headers"] => {
  const millis: unknown =
    typeof error === "object" && error !== null ? Reflect.get(error, "retryAfterMillis") : undefined
  return typeof millis === "number" && millis >= 0 ? laterMillis(millis) : undefined
}

/**
 * The problem that a row says, with the id under which the log has its cause.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toProblem = ({ code, detail, error, errors, status, title }: Row, id?: string): Problem => ({
  type: `urn:effect-cqrs:problem:${code}`,
  title,
  status,
  detail: detail ?? title,
  code,
  ...(id === undefined ? {} : { id }),
  ...(errors === undefined ? {} : { errors }),
  ...(error === undefined ? {} : { error })
})

/**
 * Answers with a problem.
 *
 * @category responding
 * @since 0.1.0
 */
export const respond = (row: Row, id?: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(JSON.stringify(toProblem(row, id)), {
    status: row.status,
    contentType: "application/problem+json",
    headers: { "cache-control": "no-store", ...row.headers }
  })
