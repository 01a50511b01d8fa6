/**
 * What an adapter of leases implements.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { TenantId } from "../domain/TenantId.ts"
import type { LeaseError } from "./LeaseError.ts"

/**
 * A lease as it stands: who has it, with which token, and for how many milliseconds more.
 *
 * @category models
 * @since 0.1.0
 */
export interface Standing {
  readonly holder: string
  readonly token: number
  readonly remaining: number
}

/**
 * What asking for a lease comes to.
 *
 * @category models
 * @since 0.1.0
 */
export type Acquired = { readonly _tag: "Granted"; readonly token: number } | ({ readonly _tag: "Held" } & Standing)

/**
 * What an adapter implements that gives leases and promises no order of tokens after it was itself lost.
 *
 * **Details**
 *
 * - `acquire` grants a lease that nobody has for `millis`, with a token greater than all that were granted for the name before;
 *   of many that ask at the same time one is granted it.
 * - `renew` gives the holder of a token `millis` from now, if it still has the lease.
 * - `release` frees the lease, if the holder of the token still has it. Both say whether that was so.
 * - `standing` is who has it; undefined when nobody has.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface BestEffortDriver {
  readonly acquire: (
    tenant: TenantId,
    name: string,
    holder: string,
    millis: number
  ) => Effect.Effect<Acquired, LeaseError>
  readonly renew: (tenant: TenantId, name: string, token: number, millis: number) => Effect.Effect<boolean, LeaseError>
  readonly release: (tenant: TenantId, name: string, token: number) => Effect.Effect<boolean, LeaseError>
  readonly standing: (tenant: TenantId, name: string) => Effect.Effect<Standing | undefined, LeaseError>
}

/**
 * What an adapter implements whose tokens outlive everything.
 *
 * **Details**
 *
 * - `newest` is the greatest token that was ever granted for a name, 0 when none was. Inside a unit of work of the same storage
 *   no other is granted until the unit has ended.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Driver extends BestEffortDriver {
  readonly newest: (tenant: TenantId, name: string) => Effect.Effect<number, LeaseError>
}
