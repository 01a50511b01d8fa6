/** From a handler's answer to a response. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as CommandBus from "../../../application/CommandBus.ts"
import * as Page from "../../../domain/Page.ts"
import * as Endpoint from "../Endpoint.ts"
import * as Asked from "./asked.ts"
import * as Links from "./links.ts"

/** Turns what a handler has answered into JSON; a handler that answers otherwise than its class says has a bug. */
export type Encode = (value: unknown) => Effect.Effect<unknown>

export const encoder = ({ message }: Endpoint.Endpoint): Encode => {
  if (message.success === Schema.Void) return () => Effect.undefined
  const encode = Schema.encodeUnknownResult(Schema.toCodecJson(message.success))
  return (value) => {
    const encoded = encode(value)
    return Result.isSuccess(encoded) ? Effect.succeed(encoded.success) : Effect.die(encoded.failure)
  }
}

type Headers = Record<string, string>

const json = (status: number, headers: Headers, body: unknown): HttpServerResponse.HttpServerResponse =>
  body === undefined || status === 204
    ? HttpServerResponse.empty({ status: 204, headers })
    : HttpServerResponse.text(JSON.stringify(body), { status, contentType: "application/json", headers })

/** The version of a stream as an entity tag. */
const etag = (version: number): string => `"${version}"`

/** A command's value with its receipt, of which the headers say the rest. */
export const ofCommand = (
  endpoint: Endpoint.Endpoint,
  input: Readonly<Record<string, unknown>>,
  value: unknown,
  { receipt }: CommandBus.Dispatched<unknown>
): HttpServerResponse.HttpServerResponse => {
  const headers: Headers = { "cache-control": "no-store" }
  const [first] = receipt.streams
  if (first !== undefined) {
    headers["etag"] = etag(first.version)
    headers["x-read-after"] = Asked.toToken(receipt.position)
  }
  if (endpoint.created !== undefined) headers["location"] = location(endpoint.created, input, value)
  return json(endpoint.status, headers, value === undefined ? { receipt } : { value, receipt })
}

/** A query's answer, or that what the client has is still right. */
export const ofQuery = (
  endpoint: Endpoint.Endpoint,
  value: unknown,
  answer: unknown,
  { headers: asked, url }: HttpServerRequest.HttpServerRequest
): HttpServerResponse.HttpServerResponse => {
  const headers: Headers = { "cache-control": "private, no-cache" }
  const ifNoneMatch = asked["if-none-match"]
  const links = endpoint.inQuery === undefined ? "" : Links.of(Page.kindOf(endpoint.message.success), answer, url)
  if (links !== "") headers["link"] = links
  const version = endpoint.etag?.(answer)
  if (version !== undefined) {
    const tag = etag(version)
    headers["etag"] = tag
    if (ifNoneMatch !== undefined && matches(ifNoneMatch, tag))
      return HttpServerResponse.empty({ status: 304, headers })
  }
  return json(endpoint.status, headers, value)
}

/** Weak comparison (RFC 9110, 8.8.3.2). */
const matches = (list: string, tag: string): boolean =>
  list.trim() === "*" || list.split(",").some((one) => one.trim().replace(/^W\//, "") === tag)

const location = (path: string, input: Readonly<Record<string, unknown>>, value: unknown): string => {
  const answer: object = typeof value === "object" && value !== null ? value : {}
  return Endpoint.names(path).reduce((text, name) => {
    const field: unknown = Object.hasOwn(input, name) ? input[name] : Reflect.get(answer, name)
    return text.replace(`:${name}`, () => encodeURIComponent(String(field)))
  }, path)
}
