/**
 * Who is logged in: a signed cookie, or the same text as a bearer token for clients that are no browsers.
 *
 * There are no passwords here; a program of yours asks for a proof before it makes a session.
 */
import { Effect, Schema } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { Actor, Authenticator, LiveTokens, TenantId } from "effect-cqrs"

const users = new Map(
  [
    ["acme", "ada"],
    ["acme", "alan"],
    ["globex", "grace"]
  ].map(([tenant = "", user = ""]) => [
    `${user}@${tenant}`,
    { tenant: TenantId.make(tenant), actor: Actor.user(user) } satisfies Authenticator.Principal
  ])
)

const sessionOf = ({ headers }: Authenticator.Request): string | undefined =>
  /^Bearer (\S+)$/.exec(headers["authorization"] ?? "")?.[1] ??
  /(?:^|; )session=([^;]+)/.exec(headers["cookie"] ?? "")?.[1]

export const layer = Authenticator.layer((request) => {
  const session = sessionOf(request)
  if (session === undefined) return Authenticator.unauthenticated
  return Effect.flatMap(LiveTokens.LiveTokens, (tokens) =>
    Effect.catch(tokens.principal(session), () => Authenticator.unauthenticated)
  )
})

const cookie = (value: string, seconds: number) => ({
  "set-cookie": `session=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${seconds}`
})

/** `POST /session` with `{ "user": "ada@acme" }`. */
export const logIn = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  const { user } = yield* Effect.flatMap(
    request.json,
    Schema.decodeUnknownEffect(Schema.Struct({ user: Schema.String }))
  )
  const principal = users.get(user)
  if (principal === undefined) return HttpServerResponse.empty({ status: 401 })
  const tokens = yield* LiveTokens.LiveTokens
  const session = yield* tokens.ticket(principal, "12 hours")
  const { actor, tenant } = principal
  return HttpServerResponse.jsonUnsafe({ tenant, user: actor.id, session }, { headers: cookie(session, 43_200) })
}).pipe(Effect.catch(() => Effect.succeed(HttpServerResponse.empty({ status: 400 }))))

/** `GET /session`: who this is. */
export const current = Effect.gen(function* () {
  const { headers, url } = yield* HttpServerRequest.HttpServerRequest
  const { authenticate } = yield* Authenticator.Authenticator
  const { actor, tenant } = yield* authenticate({ headers, url })
  return HttpServerResponse.jsonUnsafe({ tenant, user: actor.id })
}).pipe(Effect.catch(() => Effect.succeed(HttpServerResponse.empty({ status: 401 }))))

/** `DELETE /session`. */
export const logOut = HttpServerResponse.empty({ status: 204, headers: cookie("", 0) })
