/** The request that a message is, at the place of its endpoint. */
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as UrlParams from "effect/http/UrlParams"
import type * as Precondition from "../../../ports/Precondition.ts"
import type { Endpoint } from "../Endpoint.ts"

type Payload = Readonly<Record<string, unknown>>

const present = (value: unknown): boolean => value !== undefined && value !== null

/** `payload` is the message as JSON. */
export const request = (endpoint: Endpoint, payload: Payload): HttpClientRequest.HttpClientRequest => {
  const { inPath, inQuery, method, path } = endpoint
  const url = path.replace(/:([A-Za-z_$][\w$]*)/g, (_, name: string) => encodeURIComponent(String(payload[name])))
  const made = HttpClientRequest.make(method)(url)
  if (inQuery !== undefined) {
    const pairs = Array.from(inQuery.keys()).flatMap((name) => {
      const value = payload[name]
      const all: ReadonlyArray<unknown> = Array.isArray(value) ? value : [value]
      return all.filter(present).map((one) => [name, String(one)] as const)
    })
    return HttpClientRequest.setUrlParams(made, UrlParams.fromInput(pairs))
  }
  const body = Object.entries(payload).filter(([name]) => name !== "_tag" && !inPath.has(name))
  return HttpClientRequest.bodyText(made, JSON.stringify(Object.fromEntries(body)), "application/json")
}

/** What a command expects, as headers. */
export const preconditions = (expected: Precondition.Expected | undefined): Readonly<Record<string, string>> => {
  if (expected === undefined || expected === "any") return {}
  if (expected === "none") return { "if-none-match": "*" }
  if (expected === "exists") return { "if-match": "*" }
  const versions = typeof expected === "number" ? [expected] : expected
  // A stream that is not there yet has no tag.
  return versions.length === 1 && versions[0] === 0
    ? { "if-none-match": "*" }
    : { "if-match": versions.map((version) => `"${version}"`).join(", ") }
}
