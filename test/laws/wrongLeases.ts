import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TenantId from "../../src/domain/TenantId.ts"
import { Lease } from "../../src/ports/Lease.ts"
import type { Driver } from "../../src/ports/LeaseDriver.ts"
import * as LeaseLaws from "../../src/testing/LeaseLaws.ts"
import { controls } from "./controls.ts"

const leases = controls<Driver>([...LeaseLaws.laws, ...LeaseLaws.transactional], (make) =>
  Layer.effect(Lease, Effect.map(Lease, make))
)

export const wrongLeases = [
  leases("everybody is granted it", ["others are told who", "at the same time one", "others are refused"], (lease) => {
    let last = 0
    return { ...lease, acquire: () => Effect.sync(() => ({ _tag: "Granted", token: ++last })) }
  }),
  leases("tokens begin anew", ["greater than those before", "a smaller token is never"], (lease) => ({
    ...lease,
    acquire: (tenant, name, holder, millis) =>
      Effect.map(lease.acquire(tenant, name, holder, millis), (got) =>
        got._tag === "Granted" ? { ...got, token: 1 } : got
      ),
    newest: () => Effect.succeed(1)
  })),
  leases("names are of one case", ["names and tenants"], (lease) => ({
    ...lease,
    acquire: (tenant, name, holder, millis) => lease.acquire(tenant, name.toLowerCase(), holder, millis)
  })),
  leases("tenants share their leases", ["names and tenants"], (lease) => ({
    ...lease,
    acquire: (_, name, holder, millis) => lease.acquire(TenantId.make("all"), name, holder, millis)
  })),
  leases("a lease never runs out", ["paused for too long", "greater than those before"], (lease) => ({
    ...lease,
    acquire: (tenant, name, holder, millis) => lease.acquire(tenant, name, holder, millis * 1000)
  })),
  leases("whoever says so has it", ["paused for too long"], (lease) => ({
    ...lease,
    renew: () => Effect.succeed(true)
  })),
  leases("whoever comes frees it", ["paused for too long"], (lease) => ({
    ...lease,
    release: (tenant, name) =>
      Effect.flatMap(lease.standing(tenant, name), (standing) =>
        standing === undefined ? Effect.succeed(false) : lease.release(tenant, name, standing.token)
      )
  })),
  leases("a renewal is forgotten", ["that is renewed stays"], (lease) => ({
    ...lease,
    renew: () => Effect.succeed(true)
  })),
  leases("nothing is given back", ["that is renewed stays", "however the effect ends"], (lease) => ({
    ...lease,
    release: () => Effect.succeed(true)
  })),
  leases("every token is the newest", ["a smaller token is never"], (lease) => ({
    ...lease,
    newest: (tenant, name) => Effect.map(lease.newest(tenant, name), (newest) => Math.min(newest, 1))
  })),
  leases("the newest is known of who has it alone", ["a smaller token is never"], (lease) => ({
    ...lease,
    newest: (tenant, name) => Effect.map(lease.standing(tenant, name), (standing) => standing?.token ?? 0)
  }))
]
