/**
 * One holder at a time, of many processes: locks that run out, and a leader of many.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type { TenantId } from "../domain/TenantId.ts"
import * as IdGenerator from "./IdGenerator.ts"
import * as Journal from "./internal/Journal.ts"
import { makeMemory } from "./internal/memoryLease.ts"
import { elapsed, type Moment, moment, renewing } from "./internal/renewing.ts"
import { nameIssue, tenantIssue } from "./internal/text.ts"
import type { BestEffortDriver, Driver } from "./LeaseDriver.ts"
import { Fenced, InvalidLease, LeaseError, LeaseLost, LeaseTaken } from "./LeaseError.ts"
import { TenantContext } from "./TenantContext.ts"

/**
 * Leases whose tokens only grow, whatever crashes: what they guard can tell an old holder from the new one by {@link guard}.
 *
 * @category services
 * @since 0.1.0
 */
export class Lease extends Context.Service<Lease, Driver>()("effect-cqrs/ports/Lease") {}

/**
 * Leases that keep work from being done twice, most of the time. Their storage may forget who has one: then two have it, and
 * tokens may begin anew. It has no `guard`, and is no `Lease`: what would be wrong with two holders does not compile with it.
 *
 * @category services
 * @since 0.1.0
 */
export class BestEffortLease extends Context.Service<BestEffortLease, BestEffortDriver>()(
  "effect-cqrs/ports/BestEffortLease"
) {}

/**
 * A lease that was granted. The greater of two tokens is the newer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Grant {
  readonly name: string
  readonly token: number
  readonly holder: string
}

/**
 * How to hold a lease.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** After how long without a renewal another may have it; 30 seconds when absent. It is renewed three times as often. */
  readonly ttl?: Duration.Input | undefined
  /** How long to wait for whoever has it; not at all when absent. */
  readonly wait?: Duration.Input | undefined
  /** What others are told of who has it; an id when absent. */
  readonly holder?: string | undefined
}

type Use<A, E, R> = (grant: Grant) => Effect.Effect<A, E, R>

/**
 * Runs an effect while having a lease, which is of the running tenant, and gives it back afterwards.
 *
 * **Details**
 *
 * Fails with `LeaseTaken` when another has it. It is renewed meanwhile; when that does not succeed in time, the effect is
 * interrupted, and the failure is `LeaseLost`.
 *
 * **Gotchas**
 *
 * A process that is paused, by its collector or its machine, does not know that it was: for that moment there are two. Write with
 * {@link guard} in the same unit of work what must not have two writers. Do not ask for a lease inside a unit of work.
 *
 * **Example** (One of two has it)
 *
 * ```ts
 * import { Lease, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 *
 * const held = Lease.hold("import")
 * const program = held(({ token }) =>
 *   held(() => Effect.succeed("both")).pipe(
 *     Effect.catchReason("LeaseError", "LeaseTaken", (taken) => Effect.succeed(`taken by ${taken.token}, and I am ${token}`))
 *   )
 * )
 * await Effect.runPromise(program.pipe(Effect.provide([Lease.layerMemory, TenantContext.layerSingle]))) // => "taken by 1, and I am 1"
 * ```
 *
 * @category holding
 * @since 0.1.0
 */
export const hold =
  (name: string, options?: Options) =>
  <A, E, R>(use: Use<A, E, R>): Effect.Effect<A, E | LeaseError, R | Lease | TenantContext> =>
    Effect.flatMap(Lease, (driver) => holding(driver, name, options, use))

/**
 * {@link hold} for work that is done twice now and then without harm.
 *
 * @category holding
 * @since 0.1.0
 */
export const holdBestEffort =
  (name: string, options?: Options) =>
  <A, E, R>(use: Use<A, E, R>): Effect.Effect<A, E | LeaseError, R | BestEffortLease | TenantContext> =>
    Effect.flatMap(BestEffortLease, (driver) => holding(driver, name, options, use))

/**
 * Runs an effect in one of all processes that call this: in another when that one ends, is cut off, or stops.
 *
 * **Details**
 *
 * It waits for the lease for as long as it takes, and again when the lease was lost. It ends when the effect ends. A storage that
 * fails is logged and asked again.
 *
 * @category holding
 * @since 0.1.0
 */
export const leading =
  (name: string, options?: Omit<Options, "wait">) =>
  <A, E, R>(use: Use<A, E, R>): Effect.Effect<A, E | LeaseError, R | Lease | TenantContext> =>
    Effect.flatMap(Lease, (driver) => {
      const elected: Effect.Effect<A, E | LeaseError, R | TenantContext> = Effect.suspend(() =>
        holding(driver, name, { ...options, wait: "1 minute" }, use)
      ).pipe(
        Effect.catch((error) => {
          if (!(error instanceof LeaseError)) return Effect.fail(error)
          const { reason } = error
          if (reason._tag === "LeaseTaken") return elected
          if (reason._tag !== "LeaseLost" && !(reason._tag === "StorageFailure" && reason.retryable)) {
            return Effect.fail(error)
          }
          const again = Effect.andThen(Effect.sleep("1 second"), elected)
          return Effect.andThen(Effect.logWarning(`${name} waits to be led again`, error), again)
        })
      )
      return elected
    })

/**
 * Fails with `Fenced` unless a grant is the newest. Inside a unit of work of the same storage it stays the newest until the unit
 * has ended: what the unit writes is never written after a newer holder's.
 *
 * @category guarding
 * @since 0.1.0
 */
export const guard = (grant: {
  readonly name: string
  readonly token: number
}): Effect.Effect<void, LeaseError, Lease | TenantContext> =>
  Effect.gen(function* () {
    const { name, token } = grant
    const newest = yield* (yield* Lease).newest((yield* TenantContext).id, name)
    if (newest !== token) return yield* new LeaseError({ reason: new Fenced({ name, token, newest }) })
  })

const holding = <A, E, R>(
  driver: BestEffortDriver,
  name: string,
  options: Options | undefined,
  use: Use<A, E, R>
): Effect.Effect<A, E | LeaseError, R | TenantContext> =>
  Effect.gen(function* () {
    const { id: tenant } = yield* TenantContext
    const holder = options?.holder ?? (yield* IdGenerator.next)
    const ttl = Duration.toMillis(Duration.fromInputUnsafe(options?.ttl ?? "30 seconds"))
    const wait = Duration.toMillis(Duration.fromInputUnsafe(options?.wait ?? 0))
    yield* checked(tenant, name, holder, ttl)
    return yield* Effect.acquireUseRelease(
      acquired(driver, tenant, name, holder, ttl, wait),
      ({ since, token }) =>
        Effect.raceFirst(use({ name, token, holder }), renewed(driver, tenant, name, token, ttl, since)),
      ({ token }) =>
        Effect.catch(driver.release(tenant, name, token), (error) =>
          Effect.logDebug(`The lease ${name} was not given back; it runs out by itself`, error)
        )
    )
  })

const maxNameBytes = 512

const checked = (tenant: TenantId, name: string, holder: string, ttl: number) => {
  const issues = [
    tenantIssue(tenant),
    nameIssue("name", name, maxNameBytes),
    nameIssue("holder", holder, maxNameBytes),
    ttl >= 1 && Number.isFinite(ttl) ? undefined : { path: "ttl", message: "must be a millisecond at least, and end" }
  ].filter((issue) => issue !== undefined)
  return issues.length === 0 ? Effect.void : Effect.fail(new LeaseError({ reason: new InvalidLease({ issues }) }))
}

const acquired = (
  driver: BestEffortDriver,
  tenant: TenantId,
  name: string,
  holder: string,
  ttl: number,
  wait: number
) =>
  Effect.gen(function* () {
    const began = yield* moment
    while (true) {
      // It begins to run out when it is asked for, not when the answer comes.
      const since = yield* moment
      const asked = yield* driver.acquire(tenant, name, holder, ttl)
      if (asked._tag === "Granted") return { token: asked.token, since }
      const left = wait - elapsed(began, yield* moment)
      if (left <= 0) {
        const { holder, remaining, token } = asked
        return yield* new LeaseError({ reason: new LeaseTaken({ name, holder, token, remainingMillis: remaining }) })
      }
      const jitter = 0.5 + (yield* Random.next) / 2
      yield* Effect.interruptible(Effect.sleep(Math.min(left, asked.remaining + 1, ttl / 3, 1000) * jitter))
    }
  })

const renewed = (
  driver: BestEffortDriver,
  tenant: TenantId,
  name: string,
  token: number,
  ttl: number,
  since: Moment
): Effect.Effect<never, LeaseError> =>
  renewing({
    what: `The lease ${name}`,
    ttl,
    since,
    renew: driver.renew(tenant, name, token, ttl),
    lost: new LeaseError({ reason: new LeaseLost({ name, token }) })
  })

/**
 * Leases in memory, on the journal of the other memory layers; time is the program's clock.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<Lease | BestEffortLease> = Layer.effectContext(
  Effect.map(Journal.MemoryJournal, (journal) => {
    const driver = makeMemory(journal)
    return Context.make(Lease, driver).pipe(Context.add(BestEffortLease, driver))
  })
).pipe(Layer.provide(Journal.layer))
