/**
 * Leave to look at all tenants' data.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * What reading across tenants requires: workers have it, requests of users do not.
 *
 * **Details**
 *
 * A worker that reads all tenants' events still gives each handler the `TenantContext` of its event. `reason` says in logs
 * and audits why the program may.
 *
 * @category services
 * @since 0.1.0
 */
export class SystemContext extends Context.Service<SystemContext, { readonly reason: string }>()(
  "effect-cqrs/ports/SystemContext"
) {}

/**
 * Grants the leave to what it is provided to.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (reason: string): Layer.Layer<SystemContext> => Layer.succeed(SystemContext, { reason })

/**
 * Runs one effect with the leave.
 *
 * @category providing
 * @since 0.1.0
 */
export const provide =
  (reason: string) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, SystemContext>> =>
    Effect.provideService(self, SystemContext, { reason })
