/**
 * Who sends a request: asked at every way into a program, before anything of the request is used.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { Actor } from "../domain/Actor.ts"
import type { TenantId } from "../domain/TenantId.ts"
import * as MessageContext from "./MessageContext.ts"
import { TenantContext } from "./TenantContext.ts"

/**
 * What of a request may say who sends it. Names of headers are in lower case; `url` is path and query.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly url: string
}

/**
 * Who sends a request, and whose data it is about.
 *
 * @category models
 * @since 0.1.0
 */
export interface Principal {
  readonly tenant: TenantId
  readonly actor: Actor
}

/**
 * The request does not prove who sends it: it carries no proof, or one that is wrong or too old.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unauthenticated extends Schema.TaggedError<Unauthenticated>("effect-cqrs/Authenticator/Unauthenticated")(
  "Unauthenticated",
  {}
) {
  override get message(): string {
    return "The request does not prove who sends it"
  }
}

/**
 * Who sends the request is known, and may not come in.
 *
 * @category errors
 * @since 0.1.0
 */
export class Denied extends Schema.TaggedError<Denied>("effect-cqrs/Authenticator/Denied")("Denied", {}) {
  override get message(): string {
    return "Who sends the request may not come in"
  }
}

/**
 * What knows who somebody is cannot be reached now.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unavailable extends Schema.TaggedError<Unavailable>("effect-cqrs/Authenticator/Unavailable")(
  "Unavailable",
  { service: Schema.String }
) {
  override get message(): string {
    return `${this.service} cannot be reached`
  }
}

/**
 * The one error of `Authenticator`; handle a case with `Effect.catchReason("AuthenticatorError", "Denied", …)`.
 *
 * @category errors
 * @since 0.1.0
 */
export class AuthenticatorError extends Schema.TaggedError<AuthenticatorError>("effect-cqrs/AuthenticatorError")(
  "AuthenticatorError",
  { reason: Schema.Union([Unauthenticated, Denied, Unavailable]) }
) {
  override get message(): string {
    return this.reason.message
  }
}

/**
 * Tells from a request who sends it.
 *
 * **Gotchas**
 *
 * The tenant is part of the answer: what a request says of its tenant counts only as far as its proof does.
 *
 * @category services
 * @since 0.1.0
 */
export class Authenticator extends Context.Service<
  Authenticator,
  { readonly authenticate: (request: Request) => Effect.Effect<Principal, AuthenticatorError> }
>()("effect-cqrs/ports/Authenticator") {}

/**
 * Authenticates by a function.
 *
 * **Example** (Tokens that are known beforehand)
 *
 * ```ts
 * import { Actor, Authenticator, TenantId } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 *
 * const tokens = new Map([["Bearer s3cret", { tenant: TenantId.make("acme"), actor: Actor.user("ada") }]])
 * const known = Authenticator.layer(({ headers }) => {
 *   const principal = tokens.get(headers["authorization"] ?? "")
 *   return principal === undefined ? Authenticator.unauthenticated : Effect.succeed(principal)
 * })
 *
 * const ask = (headers: Record<string, string>) =>
 *   Effect.flatMap(Authenticator.Authenticator, (one) => one.authenticate({ headers, url: "/" })).pipe(
 *     Effect.map(({ actor }) => actor.id),
 *     Effect.catchTag("AuthenticatorError", (error) => Effect.succeed(error.message)),
 *     Effect.provide(known)
 *   )
 * await Effect.runPromise(ask({ authorization: "Bearer s3cret" })) // => "ada"
 * await Effect.runPromise(ask({})) // => "The request does not prove who sends it"
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  authenticate: (request: Request) => Effect.Effect<Principal, AuthenticatorError>
): Layer.Layer<Authenticator> => Layer.succeed(Authenticator, { authenticate })

/**
 * Takes every request for one principal's: for programs behind something that lets in nobody else, and for tests.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFixed = (principal: Principal): Layer.Layer<Authenticator> => layer(() => Effect.succeed(principal))

/**
 * Refuses a request that proves nothing.
 *
 * @category refusing
 * @since 0.1.0
 */
export const unauthenticated: Effect.Effect<never, AuthenticatorError> = Effect.fail(
  new AuthenticatorError({ reason: new Unauthenticated() })
)

/**
 * Refuses a request of somebody who may not come in.
 *
 * @category refusing
 * @since 0.1.0
 */
export const denied: Effect.Effect<never, AuthenticatorError> = Effect.fail(
  new AuthenticatorError({ reason: new Denied() })
)

/**
 * Runs an effect as a principal: as its tenant, with it as the actor of all that is dispatched.
 *
 * @category providing
 * @since 0.1.0
 */
export const provide =
  ({ actor, tenant }: Principal) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, TenantContext>> =>
    self.pipe(MessageContext.provide({ actor }), Effect.provideService(TenantContext, { id: tenant }))
