/**
 * What health checks promise, as laws.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as HealthChecks from "../ports/HealthChecks.ts"
import * as Assert from "./Assert.ts"
import { count } from "./internal/samples.ts"
import { unique } from "./internal/world.ts"
import * as Law from "./Law.ts"

type Service = HealthChecks.HealthChecks["Service"]

/** Checks with a name of their own, beside those of others. */
class Ward {
  readonly checks: Service
  readonly name: string

  constructor(checks: Service, token: string) {
    this.checks = checks
    this.name = `law-${token}`
  }

  /** Adds a check until the scope closes. */
  add(
    run: Effect.Effect<HealthChecks.Answer>,
    name = this.name
  ): Effect.Effect<HealthChecks.Check, never, Scope.Scope> {
    const check = { name, run }
    return Effect.acquireRelease(Effect.as(this.checks.add(check), check), () => this.checks.remove(check))
  }

  /** The first report that this is true of: one may be a second old. */
  report(
    found: (own: ReadonlyArray<HealthChecks.Finding>) => boolean
  ): Effect.Effect<HealthChecks.Report & { readonly own: ReadonlyArray<HealthChecks.Finding> }> {
    return Effect.flatMap(this.checks.run, (report) => {
      const own = report.checks.filter(({ name }) => name === this.name)
      return found(own)
        ? Effect.succeed({ ...report, own })
        : Effect.andThen(Effect.sleep("50 millis"), this.report(found))
    })
  }
}

const law = <A, E>(
  name: string,
  body: (ward: Ward) => Effect.Effect<A, E, Scope.Scope>
): Law.Law<HealthChecks.HealthChecks> =>
  Law.make(name, () =>
    Effect.scoped(
      Effect.gen(function* () {
        return yield* body(new Ward(yield* HealthChecks.HealthChecks, yield* unique))
      })
    )
  )

const up: HealthChecks.Answer = { status: "up" }
const some = (own: ReadonlyArray<unknown>) => own.length > 0

/**
 * The laws of health checks.
 *
 * **Details**
 *
 * They take some seconds, since a report is given for one.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<HealthChecks.HealthChecks>> = [
  law("a check is in the report until it is removed", (ward) =>
    Effect.gen(function* () {
      const check = yield* ward.add(Effect.succeed({ status: "degraded", reason: "it rains" }))
      const { own } = yield* ward.report(some)
      Assert.equal(
        own.map(({ name, reason, status }) => [name, reason, status]),
        [[ward.name, "it rains", "degraded"]]
      )
      yield* ward.checks.remove(check)
      Assert.equal((yield* ward.report((found) => !some(found))).own, [])
    })
  ),
  law("a second check of a name counts beside the first", (ward) =>
    Effect.gen(function* () {
      yield* ward.add(Effect.succeed(up))
      const second = yield* ward.add(Effect.succeed({ status: "down" }))
      const { own, status } = yield* ward.report((found) => found.length > 1)
      Assert.equal([own.map((one) => one.status).toSorted(), status], [["down", "up"], "down"])
      yield* ward.checks.remove(second)
      Assert.equal((yield* ward.report((found) => found.length === 1)).own[0]?.status, "up")
    })
  ),
  law("the whole is no better than the worst", (ward) =>
    Effect.gen(function* () {
      let answer: HealthChecks.Answer = { status: "degraded" }
      yield* ward.add(Effect.sync(() => answer))
      Assert.isTrue((yield* ward.report(some)).status !== "up", "one is degraded")
      answer = { status: "down" }
      const { status } = yield* ward.report((found) => found.some((one) => one.status === "down"))
      Assert.equal(status, "down")
    })
  ),
  law("checks run at the same time", (ward) =>
    Effect.gen(function* () {
      const started = [yield* Deferred.make<void>(), yield* Deferred.make<void>()] as const
      const meeting = ([own, other]: readonly [Deferred.Deferred<void>, Deferred.Deferred<void>]) =>
        Effect.as(Effect.andThen(Deferred.succeed(own, undefined), Deferred.await(other)), up)
      yield* ward.add(meeting(started))
      yield* ward.add(meeting([started[1], started[0]]))
      Assert.equal((yield* ward.report((found) => found.length > 1)).own.length, 2)
    })
  ),
  law("who asks while checks run, or within a second after, gets the same report", (ward) =>
    Effect.gen(function* () {
      let asked = 0
      yield* ward.add(
        Effect.as(
          Effect.andThen(
            Effect.sync(() => void asked++),
            Effect.sleep("20 millis")
          ),
          up
        )
      )
      const before = yield* Clock.currentTimeMillis
      yield* ward.report(some)
      yield* Effect.all(
        count(20).map((n) => Effect.delay(ward.checks.run, n * 10)),
        { concurrency: "unbounded" }
      )
      const seconds = ((yield* Clock.currentTimeMillis) - before) / 1000
      Assert.isTrue(asked <= 1 + Math.ceil(seconds), `it was asked ${asked} times in ${seconds} seconds`)
    })
  ),
  law("what fails, dies or takes too long is down, what answers with a status is that, and all else is up", (ward) =>
    Effect.gen(function* () {
      const wanted: ReadonlyArray<readonly [HealthChecks.Status, Effect.Effect<unknown, string>]> = [
        ["down", Effect.fail("it fails")],
        ["down", Effect.die(new Error("it dies"))],
        ["down", Effect.never],
        ["degraded", Effect.succeed({ status: "degraded" })],
        ["up", Effect.succeed({ status: "well" })],
        ["up", Effect.void]
      ]
      const all = wanted.map(([, run]) => HealthChecks.register(ward.name, run, { timeout: "50 millis" }))
      const [first, ...rest] = all
      const registered = Layer.mergeAll(Assert.defined(first, "there are some"), ...rest)
      yield* Layer.build(Layer.provide(registered, Layer.succeed(HealthChecks.HealthChecks, ward.checks)))
      const { own } = yield* ward.report((found) => found.length === wanted.length)
      Assert.equal(own.map(({ status }) => status).toSorted(), wanted.map(([status]) => status).toSorted())
      for (const { reason, status } of own) Assert.isTrue(status !== "down" || reason !== undefined, "it says why")
    })
  )
]
