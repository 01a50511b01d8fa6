/**
 * What every lease promises, as laws.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { TenantId } from "../domain/TenantId.ts"
import * as Lease from "../ports/Lease.ts"
import type { Acquired, BestEffortDriver } from "../ports/LeaseDriver.ts"
import * as TenantContext from "../ports/TenantContext.ts"
import { UnitOfWork } from "../ports/UnitOfWork.ts"
import * as Assert from "./Assert.ts"
import { count, unkeepable } from "./internal/samples.ts"
import { type Options, race, racing, unique } from "./internal/world.ts"
import * as Law from "./Law.ts"

/** A tenant of one's own, and short ways to ask for its leases. */
interface Desk {
  readonly driver: BestEffortDriver
  readonly tenant: TenantId
  readonly acquire: (holder: string, millis?: number, name?: string) => Effect.Effect<Acquired, unknown>
  /** The token of a lease that is granted. */
  readonly granted: (holder: string, millis?: number, name?: string) => Effect.Effect<number, unknown>
}

const tokenOf = (acquired: Acquired) => {
  Assert.equal(acquired._tag, "Granted")
  return acquired.token
}

const made = <A, E, R, S>(
  name: string,
  service: Effect.Effect<BestEffortDriver, never, S>,
  body: (desk: Desk) => Effect.Effect<A, E, R>,
  options?: Options
): Law.Law<S | Exclude<R, TenantContext.TenantContext>> =>
  Law.make(
    name,
    () =>
      Effect.gen(function* () {
        const driver = yield* service
        const within = Effect.gen(function* () {
          const { id: tenant } = yield* TenantContext.TenantContext
          const acquire: Desk["acquire"] = (holder, millis = 30_000, name = "a") =>
            driver.acquire(tenant, name, holder, millis)
          return yield* body({
            driver,
            tenant,
            acquire,
            granted: (holder, millis, name) => Effect.map(acquire(holder, millis, name), tokenOf)
          })
        })
        return yield* TenantContext.provide(`law-${yield* unique}`)(within)
      }),
    options
  )

const common = <S>(service: Effect.Effect<BestEffortDriver, never, S>): ReadonlyArray<Law.Law<S>> => [
  made("one has a lease, and others are told who and for how long", service, ({ acquire, driver, granted, tenant }) =>
    Effect.gen(function* () {
      Assert.equal(yield* driver.standing(tenant, "a"), undefined)
      const token = yield* granted("ada | é", 20_000)
      const taken = yield* acquire("bob")
      Assert.equal(taken._tag, "Held")
      for (const held of [taken, yield* driver.standing(tenant, "a")]) {
        Assert.isTrue(held !== undefined && "holder" in held, "somebody has it")
        if (held === undefined || !("holder" in held)) return
        Assert.equal([held.holder, held.token], ["ada | é", token])
        Assert.isTrue(held.remaining > 15_000 && held.remaining <= 20_000, `${held.remaining} ms remain`)
      }
    })
  ),
  made(
    "of many that ask at the same time one is granted it",
    service,
    ({ acquire }) =>
      Effect.gen(function* () {
        for (const round of count(5)) {
          const all = yield* race(count(8).map((n) => acquire(`h${n}`, 30_000, `n${round}`)))
          Assert.equal(all.filter(({ _tag }) => _tag === "Granted").length, 1)
        }
      }),
    racing
  ),
  made("each token is greater than those before it", service, ({ driver, granted, tenant }) =>
    Effect.gen(function* () {
      let last = 0
      for (const n of count(12)) {
        const token = yield* granted(`h${n}`, n % 3 === 0 ? 5 : 30_000)
        Assert.isTrue(token > last, `${token} came after ${last}`)
        last = token
        if (n % 3 === 0) yield* Effect.sleep("15 millis")
        else Assert.equal(yield* driver.release(tenant, "a", token), true)
      }
    })
  ),
  made("names and tenants have leases of their own", service, ({ driver, granted }) =>
    Effect.gen(function* () {
      for (const name of ["a", "A", "a:holder", "a}", "{a", "é", " "]) yield* granted("ada", 30_000, name)
      const other = yield* TenantContext.provide(`law-${yield* unique}`)(TenantContext.TenantContext)
      Assert.equal((yield* driver.acquire(other.id, "a", "bob", 1000))._tag, "Granted")
    })
  ),
  made("a holder that was paused for too long neither renews nor frees what another has", service, (desk) =>
    Effect.gen(function* () {
      const { driver, granted, tenant } = desk
      const paused = yield* granted("paused", 20)
      yield* Effect.sleep("50 millis")
      Assert.equal(yield* driver.standing(tenant, "a"), undefined)
      Assert.equal(yield* driver.renew(tenant, "a", paused, 30_000), false, "it has run out")
      const next = yield* granted("next")
      Assert.equal(yield* driver.renew(tenant, "a", paused, 30_000), false)
      Assert.equal(yield* driver.release(tenant, "a", paused), false)
      Assert.equal((yield* driver.standing(tenant, "a"))?.token, next)
      Assert.equal(yield* driver.renew(tenant, "a", next + 1, 30_000), false)
    })
  ),
  made(
    "a lease that is renewed stays, and ends when it is given back",
    service,
    ({ acquire, driver, granted, tenant }) =>
      Effect.gen(function* () {
        const token = yield* granted("ada", 200)
        Assert.equal(yield* driver.renew(tenant, "a", token, 30_000), true)
        yield* Effect.sleep("300 millis")
        Assert.equal((yield* acquire("bob"))._tag, "Held")
        Assert.equal(
          [yield* driver.release(tenant, "a", token), yield* driver.release(tenant, "a", token)],
          [true, false]
        )
        Assert.equal((yield* acquire("bob"))._tag, "Granted")
      })
  )
]

const fenced = <A, E, R>(
  name: string,
  body: (desk: Desk) => Effect.Effect<A, E, R>,
  options?: Options
): Law.Law<Lease.Lease | Exclude<R, TenantContext.TenantContext>> => made(name, Lease.Lease, body, options)

const smaller = fenced(
  "a smaller token is never accepted after a greater one was granted",
  ({ driver, granted, tenant }) =>
    Effect.gen(function* () {
      const first = yield* granted("first", 20)
      yield* Lease.guard({ name: "a", token: first })
      yield* Effect.sleep("50 millis")
      // Nobody else has it: what was guarded is still as it was.
      yield* Lease.guard({ name: "a", token: first })
      const second = yield* granted("second")
      const refused = yield* Assert.fails(Lease.guard({ name: "a", token: first }), "Fenced")
      Assert.equal([refused.token, refused.newest], [first, second])
      yield* driver.release(tenant, "a", second)
      yield* Assert.fails(Lease.guard({ name: "a", token: first }), "Fenced")
      yield* Lease.guard({ name: "a", token: second })
    })
)

const held = fenced(
  "while an effect holds a lease others are refused, and it is given back however the effect ends",
  () =>
    Effect.gen(function* () {
      const hold = Lease.hold("b", { holder: "ada", ttl: "5 seconds" })
      const inner = Effect.flip(Lease.hold("b")(() => Effect.void))
      const error = yield* hold(() => inner)
      Assert.equal(error._tag === "LeaseError" && error.reason._tag, "LeaseTaken")
      Assert.equal(yield* Effect.flip(hold(() => Effect.fail("no"))), "no")
      yield* Effect.exit(hold(() => Effect.die("a bug")))
      const stopped = yield* Effect.forkChild(hold(() => Effect.never))
      yield* Effect.sleep("50 millis")
      yield* Fiber.interrupt(stopped)
      Assert.equal(yield* hold(({ name }) => Effect.succeed(name)), "b")
    })
)

const waited = fenced("who waits for a lease has it when it is given back", () =>
  Effect.gen(function* () {
    const first = yield* Effect.forkChild(Lease.hold("b", { ttl: "3 seconds" })(() => Effect.sleep("100 millis")))
    yield* Effect.sleep("50 millis")
    Assert.equal(yield* Lease.hold("b", { ttl: "300 millis", wait: "10 seconds" })(() => Effect.succeed("had")), "had")
    yield* Fiber.join(first)
  })
)

const kept = fenced("a lease is renewed for as long as it is held, and its effect ends when it cannot be", (desk) =>
  Effect.gen(function* () {
    const { driver, tenant } = desk
    const work = yield* Effect.forkChild(Effect.flip(Lease.hold("b", { ttl: "1 second" })(() => Effect.never)))
    yield* Effect.sleep("1600 millis")
    const standing = yield* driver.standing(tenant, "b")
    Assert.isTrue(standing !== undefined, "it was renewed")
    // As an operator would, or a clock that jumps.
    if (standing !== undefined) yield* driver.release(tenant, "b", standing.token)
    const error = yield* Fiber.join(work)
    Assert.equal(error._tag === "LeaseError" && error.reason._tag, "LeaseLost")
  })
)

const leader = fenced("one of many leads, and another when that one ends", () =>
  Effect.gen(function* () {
    let leading = 0
    let most = 0
    const tokens: Array<number> = []
    const candidate = Lease.leading("c", { ttl: "300 millis" })(({ token }) =>
      Effect.gen(function* () {
        tokens.push(token)
        leading++
        most = Math.max(most, leading)
        yield* Effect.sleep("30 millis")
        leading--
      })
    )
    yield* race(count(4).map(() => candidate))
    Assert.equal([most, tokens.length], [1, 4])
    Assert.equal(
      tokens,
      tokens.toSorted((a, b) => a - b)
    )
  })
)

const invalid = fenced("what no storage can keep is InvalidLease", () =>
  Effect.gen(function* () {
    for (const text of [...unkeepable.map(([, text]) => text), "", "x".repeat(513)]) {
      yield* Assert.fails(
        Lease.hold(text)(() => Effect.void),
        "InvalidLease"
      )
      yield* Assert.fails(
        Lease.hold("a", { holder: text })(() => Effect.void),
        "InvalidLease"
      )
    }
    for (const ttl of [0, Number.POSITIVE_INFINITY]) {
      yield* Assert.fails(
        Lease.hold("a", { ttl })(() => Effect.void),
        "InvalidLease"
      )
    }
  })
)

/**
 * The laws of `BestEffortLease`, of a storage that was not lost.
 *
 * @category laws
 * @since 0.1.0
 */
export const bestEffort: ReadonlyArray<Law.Law<Lease.BestEffortLease>> = common(Lease.BestEffortLease)

/**
 * The laws of `Lease`.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<Lease.Lease>> = [
  ...common(Lease.Lease),
  smaller,
  held,
  waited,
  kept,
  leader,
  invalid
]

const guarded = fenced(
  "in a unit of work a token that was accepted stays the newest until the unit has ended, and can be renewed",
  ({ acquire, driver, granted, tenant }) =>
    Effect.gen(function* () {
      const unit = yield* UnitOfWork
      const token = yield* granted("paused", 150)
      const order: Array<string> = []
      const other = Effect.gen(function* () {
        yield* Effect.sleep("250 millis")
        while ((yield* acquire("next"))._tag === "Held") yield* Effect.sleep("5 millis")
        order.push("granted")
      })
      const writes = unit.transaction(
        Effect.gen(function* () {
          yield* Lease.guard({ name: "a", token })
          yield* Effect.sleep("400 millis")
          order.push("written")
        })
      )
      yield* race([writes, other])
      Assert.equal(order, ["written", "granted"])
      yield* Assert.fails(unit.transaction(Lease.guard({ name: "a", token })), "Fenced")
      Assert.equal(yield* driver.renew(tenant, "a", token, 1000), false)
    }),
  racing
)

/**
 * The laws of a lease whose storage has units of work.
 *
 * @category laws
 * @since 0.1.0
 */
export const transactional: ReadonlyArray<Law.Law<Lease.Lease | UnitOfWork>> = [guarded]
