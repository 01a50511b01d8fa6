/** The payload of a message, from the path, the question mark and the body of a request. */
import * as Effect from "effect/Effect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type { Endpoint } from "../Endpoint.ts"
import * as HttpError from "../HttpError.ts"
import * as Body from "./body.ts"
import type { Texts } from "./texts.ts"

type Given = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
type Input = Record<string, unknown>

const refuse = (reason: HttpError.HttpError["reason"]) => Effect.fail(HttpError.make(reason))

/** Reads the payload, which the message's own schema checks later. */
export const read = (
  endpoint: Endpoint,
  request: HttpServerRequest.HttpServerRequest,
  params: Given,
  search: Given,
  maxBytes: number
): Effect.Effect<Input, HttpError.HttpError> => {
  const { inPath, inQuery } = endpoint
  if (inQuery !== undefined) return Effect.succeed(take(inPath, params, take(inQuery, search, {})))
  const body = readBody(request, maxBytes)
  return inPath.size === 0 ? body : Effect.map(body, (input) => take(inPath, params, input))
}

const take = (fields: ReadonlyMap<string, Texts>, given: Given, into: Input): Input => {
  for (const [name, { read }] of fields) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined
    if (value !== undefined) into[name] = read(typeof value === "string" ? [value] : value)
  }
  return into
}

const readBody = (
  request: HttpServerRequest.HttpServerRequest,
  maxBytes: number
): Effect.Effect<Input, HttpError.HttpError> => {
  const { headers } = request
  const length = headers["content-length"]
  const isEmpty = length === "0" || (length === undefined && headers["transfer-encoding"] === undefined)
  if (isEmpty) return Effect.sync(() => ({}))
  if (!isJson(headers["content-type"]) || !isPlain(headers["content-encoding"])) {
    return refuse(new HttpError.UnsupportedMediaType())
  }
  if (Number(length) > maxBytes) return refuse(new HttpError.BodyTooLarge({ limit: maxBytes }))
  return Effect.flatMap(Body.read(request, maxBytes), parse)
}

const isJson = (type: string | undefined): boolean =>
  type !== undefined && /^application\/(?:[\w.-]+\+)?json(?:\s*;|\s*$)/i.test(type)

const isPlain = (encoding: string | undefined): boolean =>
  encoding === undefined || /^\s*(?:identity)?\s*$/i.test(encoding)

// What is not UTF-8 (RFC 8259, 8.1) is refused: replaced by question marks it would be kept as if it had been sent so.
const decoder = new TextDecoder("utf-8", { fatal: true })

const parse = (bytes: ArrayBuffer | Uint8Array): Effect.Effect<Input, HttpError.HttpError> => {
  let value: unknown
  try {
    value = JSON.parse(decoder.decode(bytes))
  } catch {
    return refuse(new HttpError.Malformed({ part: "body", expected: "JSON in UTF-8" }))
  }
  return isInput(value)
    ? Effect.succeed(value)
    : refuse(new HttpError.Malformed({ part: "body", expected: "an object of JSON" }))
}

const isInput = (value: unknown): value is Input => typeof value === "object" && value !== null && !Array.isArray(value)
