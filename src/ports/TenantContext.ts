/**
 * Whose data a program works on.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TenantId from "../domain/TenantId.ts"

/**
 * The tenant of the call that is running.
 *
 * **Details**
 *
 * It is a required service: a program that touches a tenant's data and does not say whose does not compile. A handler
 * always sees the tenant of its caller, never the one that was there when its layer was built.
 *
 * @category services
 * @since 0.1.0
 */
export class TenantContext extends Context.Service<TenantContext, { readonly id: TenantId.TenantId }>()(
  "effect-cqrs/ports/TenantContext"
) {}

/**
 * The layer of a program that serves one tenant.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (id: string): Layer.Layer<TenantContext> => Layer.succeed(TenantContext, { id: TenantId.make(id) })

/**
 * The layer of a program that knows no tenants; everything belongs to the tenant `default`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSingle: Layer.Layer<TenantContext> = layer("default")

/**
 * Runs an effect as one tenant.
 *
 * **Example** (One program, two tenants)
 *
 * ```ts
 * import { TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 *
 * const who = Effect.map(TenantContext.TenantContext, (tenant) => tenant.id)
 *
 * await Effect.runPromise(who.pipe(TenantContext.provide("acme"))) // => "acme"
 * await Effect.runPromise(who.pipe(TenantContext.provide("globex"))) // => "globex"
 * ```
 *
 * @category providing
 * @since 0.1.0
 */
export const provide =
  (id: string) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, TenantContext>> =>
    Effect.provideService(self, TenantContext, { id: TenantId.make(id) })
