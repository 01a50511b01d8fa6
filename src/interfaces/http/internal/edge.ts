/** What is around all routes of a server: which requests come in, and what every answer says. */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Headers from "effect/http/Headers"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpError from "../HttpError.ts"
import * as Problem from "../Problem.ts"
import * as Failing from "./failing.ts"
import * as Measures from "./measures.ts"

/** What a server lets in. */
export interface Gate {
  /** The origins whose pages may ask, or `"*"`; those of the server itself always may. */
  readonly origins: ReadonlySet<string> | "*"
  readonly credentials: boolean
  readonly maxHeaderBytes: number
  /** Which methods the paths have that are served; for what is asked by another. */
  readonly methodsOf: (url: string) => ReadonlyArray<string>
  readonly isDraining: () => boolean
}

type Handled<E, R> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>

const always = Object.entries({
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'"
})

/** Puts the gate around a handler of all routes. */
export const around =
  (gate: Gate) =>
  <E, R>(handle: Handled<E, R>): Handled<never, R | HttpServerRequest.HttpServerRequest> =>
    Effect.contextWith((context: Context.Context<HttpServerRequest.HttpServerRequest>) => {
      const request = Context.get(context, HttpServerRequest.HttpServerRequest)
      const from = originOf(gate, request)
      const refused = refusal(gate, request, from)
      const answered =
        refused !== undefined
          ? Effect.succeed(Problem.respond(Problem.ofRequest(refused)))
          : isPreflight(request)
            ? Effect.succeed(
                HttpServerResponse.empty({ status: 204, headers: from === "allowed" ? preflight(request) : {} })
              )
            : Effect.catchCause(handle, (cause) => failed(gate, request, cause))
      const finished = Effect.map(answered, (response) => {
        const headers: Record<string, string> = {}
        for (const [name, value] of always) if (!(name in response.headers)) headers[name] = value
        headers["cross-origin-resource-policy"] = from === "allowed" ? "cross-origin" : "same-origin"
        if (request.originalUrl.startsWith("https:")) headers["strict-transport-security"] = "max-age=31536000"
        const isAnybody = gate.origins === "*"
        if (gate.origins !== "*" && gate.origins.size > 0) headers["vary"] = varying(response.headers["vary"])
        if (from === "allowed") {
          headers["access-control-allow-origin"] = isAnybody ? "*" : (request.headers["origin"] ?? "null")
          headers["access-control-expose-headers"] = exposed
          if (gate.credentials && !isAnybody) headers["access-control-allow-credentials"] = "true"
        }
        if (gate.isDraining()) headers["connection"] = "close"
        return HttpServerResponse.setHeaders(response, headers)
      })
      return Measures.measured(request, finished)
    })

const exposed = "etag, location, link, retry-after, x-correlation-id, x-read-after"

const varying = (before: string | undefined): string => (before === undefined ? "Origin" : `${before}, Origin`)

/** Whether the page that asks is of the server itself (or no page), of an origin that is allowed, or of another. */
type Origin = "same" | "allowed" | "other"

const originOf = ({ origins }: Gate, { headers }: HttpServerRequest.HttpServerRequest): Origin => {
  const { host, origin } = headers
  if (origin === undefined) return headers["sec-fetch-site"] === "cross-site" ? "other" : "same"
  if (origins === "*" || origins.has(origin)) return "allowed"
  const site = headers["sec-fetch-site"]
  if (site !== undefined) return site === "same-origin" || site === "none" ? "same" : "other"
  return origin.slice(origin.indexOf("://") + 3) === host ? "same" : "other"
}

const isPreflight = ({ headers, method }: HttpServerRequest.HttpServerRequest): boolean =>
  method === "OPTIONS" && headers["access-control-request-method"] !== undefined

const preflight = ({ headers }: HttpServerRequest.HttpServerRequest): Record<string, string> => {
  const asked = headers["access-control-request-headers"]
  return {
    "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "access-control-max-age": "600",
    ...(asked === undefined ? {} : { "access-control-allow-headers": asked })
  }
}

const refusal = (
  { maxHeaderBytes }: Gate,
  { headers, method, url }: HttpServerRequest.HttpServerRequest,
  from: Origin
): HttpError.HttpError["reason"] | undefined => {
  if (url.length + sizeOf(headers) > maxHeaderBytes) return new HttpError.HeadersTooLarge({ limit: maxHeaderBytes })
  const changes = method !== "GET" && method !== "HEAD" && method !== "OPTIONS"
  return changes && from === "other" ? new HttpError.CrossOrigin() : undefined
}

const sizeOf = (headers: Headers.Headers): number => {
  let size = 0
  for (const name in headers) size += name.length + (headers[name]?.length ?? 0) + 4
  return size
}

/** What no route has answered itself. */
const failed = (gate: Gate, request: HttpServerRequest.HttpServerRequest, cause: Cause.Cause<unknown>) =>
  Failing.refused(cause, (error) => tableOf(gate, request, error), {
    method: request.method,
    path: pathOf(request.url)
  })

const tableOf = (gate: Gate, request: HttpServerRequest.HttpServerRequest, error: unknown): Problem.Row | undefined => {
  if (!HttpServerError.isHttpServerError(error)) return Problem.ofAnybody(error)
  switch (error.reason._tag) {
    case "RouteNotFound": {
      const allow = gate.methodsOf(pathOf(request.url))
      const isOther = allow.length > 0 && !allow.includes(request.method)
      return Problem.ofRequest(isOther ? new HttpError.MethodNotAllowed({ allow }) : new HttpError.NoRoute())
    }
    case "RequestParseError":
      return Problem.ofRequest(new HttpError.Malformed({ part: "request", expected: "whole" }))
    default:
      return undefined
  }
}

const pathOf = (url: string): string => {
  const end = url.search(/[?#]/)
  return end === -1 ? url : url.slice(0, end)
}
