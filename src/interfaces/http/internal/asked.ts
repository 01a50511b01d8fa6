/** What the headers of a request ask for. */
import * as Result from "effect/Result"
import type * as Message from "../../../domain/Message.ts"
import * as Position from "../../../domain/Position.ts"
import type * as Precondition from "../../../ports/Precondition.ts"
import * as HttpError from "../HttpError.ts"

/** What a request asks for beside its message. */
export interface Asked {
  /** Undefined where the server's own time is all there is. */
  readonly timeoutMillis: number | undefined
  readonly idempotencyKey: string | undefined
  readonly after: { readonly position: Position.Position } | undefined
  /** What `If-Match` or `If-None-Match` of a command expects of its stream. */
  readonly expected: Precondition.Expected | undefined
}

type Headers = Readonly<Record<string, string | undefined>>

const malformed = (part: string, expected: string): Result.Result<never, HttpError.HttpError> =>
  Result.fail(HttpError.make(new HttpError.Malformed({ part, expected })))

export const read = (kind: Message.Kind, headers: Headers): Result.Result<Asked, HttpError.HttpError> => {
  if (!acceptsJson(headers["accept"])) return Result.fail(HttpError.make(new HttpError.NotAcceptable()))
  const timeout = headers["x-request-timeout"]
  const timeoutMillis = timeout === undefined ? undefined : millis(timeout)
  if (timeout !== undefined && timeoutMillis === undefined) {
    return malformed("header x-request-timeout", "a time like 2s or 500ms")
  }
  const idempotencyKey = headers["idempotency-key"]
  if (idempotencyKey !== undefined && !/^[\x21-\x7e]{1,255}$/.test(idempotencyKey)) {
    return malformed("header idempotency-key", "1 to 255 printable characters without spaces")
  }
  const token = headers["x-read-after"]
  const position = token === undefined ? undefined : fromToken(token)
  if (token !== undefined && position === undefined) {
    return malformed("header x-read-after", "what an answer to a command has in this header")
  }
  const expected = kind === "command" ? precondition(headers) : Result.succeed(undefined)
  if (Result.isFailure(expected)) return Result.fail(expected.failure)
  return Result.succeed({
    timeoutMillis,
    idempotencyKey,
    after: position === undefined ? undefined : { position },
    expected: expected.success
  })
}

const tags = /^\s*(?:W\/)?"[\x21\x23-\x7e]*"(?:\s*,\s*(?:W\/)?"[\x21\x23-\x7e]*")*\s*$/

/** A version that no stream has: what a tag stands for that none of our answers had. */
const never = -1

/** Strong comparison (RFC 9110, 13.1.1): a weak tag matches nothing. */
const precondition = (headers: Headers): Result.Result<Precondition.Expected | undefined, HttpError.HttpError> => {
  const match = headers["if-match"]
  const none = headers["if-none-match"]
  if (none !== undefined) {
    if (match !== undefined || none.trim() !== "*")
      return malformed("header if-none-match", "* and alone, for a command")
    return Result.succeed("none")
  }
  if (match === undefined) return Result.succeed(undefined)
  if (match.trim() === "*") return Result.succeed("exists")
  if (!tags.test(match)) return malformed("header if-match", "* or a list of entity tags in quotes")
  const versions = Array.from(match.matchAll(/(W\/)?"([^"]*)"/g), ([, weak, text = ""]) =>
    weak === undefined && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : never
  )
  return Result.succeed(versions)
}

/** Undefined where a request names none, or none that may stand in a log and in a header. */
export const correlationId = ({ "x-correlation-id": text }: Headers): string | undefined =>
  text !== undefined && /^[\w.:@/+=-]{1,128}$/.test(text) ? text : undefined

const acceptsJson = (accept: string | undefined): boolean =>
  accept === undefined ||
  accept.trim() === "" ||
  accept.split(",").some((range) => {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase())
    const refused = parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter))
    return !refused && /^(?:\*\/\*|application\/(?:\*|json|problem\+json))$/.test(type)
  })

const millis = (text: string): number | undefined => {
  const [, amount, unit] = /^(\d{1,6}(?:\.\d{1,3})?)(ms|s)?$/.exec(text) ?? []
  const value = Number(amount) * (unit === "ms" ? 1 : 1000)
  return amount !== undefined && value > 0 ? value : undefined
}

/** What a client sends back to read what it wrote. */
export const toToken = (position: Position.Position): string => `p${position.toString(36)}`

const fromToken = (token: string): Position.Position | undefined => {
  if (!/^p[0-9a-z]{1,11}$/.test(token)) return undefined
  const value = Number.parseInt(token.slice(1), 36)
  return Number.isSafeInteger(value) ? Position.make(value) : undefined
}
