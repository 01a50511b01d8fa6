/**
 * Who may follow events live: asked before anything is sent.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { Authenticator, type AuthenticatorError, type Principal, type Request } from "../ports/Authenticator.ts"
import { ForeignOrigin, LiveError } from "./LiveError.ts"
import { LiveTokens } from "./LiveTokens.ts"

/**
 * Which pages of a browser may connect: those of the server's own host, and of these origins (`https://app.example`). With
 * `"*"` those of any.
 *
 * @category models
 * @since 0.1.0
 */
export type Origins = ReadonlyArray<string>

/**
 * Who a request is from. A `ticket` in its query counts before anything else that it carries; without one the program's
 * `Authenticator` is asked.
 *
 * **Details**
 *
 * It fails with `ForeignOrigin` when a browser sends the request for a page of another origin, so that no other site can use
 * the cookies of a user; with `InvalidTicket`; and as the `Authenticator` fails.
 *
 * @category authorizing
 * @since 0.1.0
 */
export const principal = (
  request: Request,
  origins: Origins = []
): Effect.Effect<Principal, LiveError | AuthenticatorError, Authenticator> =>
  Effect.gen(function* () {
    const foreign = foreignOrigin(request, origins)
    if (foreign !== undefined) return yield* new LiveError({ reason: new ForeignOrigin({ origin: foreign }) })
    const ticket = parameters(request.url).get("ticket")
    if (ticket !== null) return yield* (yield* LiveTokens).principal(ticket)
    return yield* (yield* Authenticator).authenticate(request)
  })

const foreignOrigin = ({ headers }: Request, origins: Origins): string | undefined => {
  if (origins.includes("*")) return undefined
  const { host, origin } = headers
  // A browser that names no origin says at least whether the page is of another site.
  if (origin === undefined) return headers["sec-fetch-site"] === "cross-site" ? "another site" : undefined
  if (origins.includes(origin)) return undefined
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host ? undefined : origin.slice(0, 100)
}

/**
 * The query of a request's URL, which may be anything.
 *
 * @category decoding
 * @since 0.1.0
 */
export const parameters = (url: string): URLSearchParams => {
  const at = url.indexOf("?")
  return new URLSearchParams(at < 0 ? "" : url.slice(at + 1).replace(/#.*$/s, ""))
}

/**
 * The headers that let a page of an allowed other origin read the answer.
 *
 * @category headers
 * @since 0.1.0
 */
export const corsHeaders = ({ headers }: Request, origins: Origins = []): Readonly<Record<string, string>> => {
  const { host, origin } = headers
  if (origin === undefined || !URL.canParse(origin) || new URL(origin).host === host) return {}
  if (origins.includes(origin)) {
    return { "access-control-allow-origin": origin, "access-control-allow-credentials": "true", vary: "origin" }
  }
  return origins.includes("*") ? { "access-control-allow-origin": "*" } : {}
}
