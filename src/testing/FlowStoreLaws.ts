/**
 * What every store of flows promises, as laws.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Outcome, Step } from "../domain/Flow.ts"
import * as TenantId from "../domain/TenantId.ts"
import * as FlowStore from "../ports/FlowStore.ts"
import type { FlowStoreError } from "../ports/FlowStoreError.ts"
import * as TenantContext from "../ports/TenantContext.ts"
import { UnitOfWork } from "../ports/UnitOfWork.ts"
import * as Assert from "./Assert.ts"
import { count, unkeepable } from "./internal/samples.ts"
import { type Options, race, racing, unique } from "./internal/world.ts"
import * as Law from "./Law.ts"

/** A tenant and a flow of one's own. */
interface Trail {
  readonly flows: FlowStore.FlowStore["Service"]
  readonly tenant: string
  readonly correlationId: string
  readonly record: (...steps: ReadonlyArray<Step>) => Effect.Effect<void, FlowStoreError>
  readonly steps: Effect.Effect<ReadonlyArray<Step>, FlowStoreError, TenantContext.TenantContext>
}

const law = <A, E, R>(
  name: string,
  body: (trail: Trail) => Effect.Effect<A, E, R>,
  options?: Options
): Law.Law<Exclude<R, TenantContext.TenantContext> | FlowStore.FlowStore> =>
  Law.make(
    name,
    () =>
      Effect.gen(function* () {
        const token = yield* unique
        const flows = yield* FlowStore.FlowStore
        const [tenant, correlationId] = [`law-${token}`, `r-${token}`]
        const trail: Trail = {
          flows,
          tenant,
          correlationId,
          record: (...steps) =>
            flows.record(steps.map((step) => ({ tenant: TenantId.make(tenant), correlationId, step }))),
          steps: Effect.map(flows.read(correlationId), ({ steps }) => steps)
        }
        return yield* TenantContext.provide(tenant)(body(trail))
      }),
    options
  )

const event: Step = {
  id: "e",
  kind: "event",
  name: "Placed",
  causationId: "c",
  at: 1_700_000_000_123,
  place: "Order-1@1"
}

const tried = (attempts: number, tag: Outcome["_tag"] = "Failed", name = "mails"): Step => ({
  id: "e/mails",
  kind: "handler",
  name,
  causationId: "e",
  at: attempts,
  outcome:
    tag === "Succeeded" ? { _tag: tag, millis: 2, attempts } : { _tag: tag, error: "Down", millis: 0.5, attempts }
})

const asGiven = law("steps are read as they were recorded, in the order of their ids", ({ record, steps }) =>
  Effect.gen(function* () {
    const text = "é \u0001 \u2028 😀 </script> \" ' \\ $1"
    const all: ReadonlyArray<Step> = [
      { id: "A", kind: "query", name: text, at: 0.25, place: text, causationId: text },
      { id: "a", kind: "message", name: "", at: -1, outcome: { _tag: "Refused", error: text, millis: 0, attempts: 1 } },
      event,
      tried(3),
      { id: "\uffff", kind: "command", name: "n", at: Number.MAX_SAFE_INTEGER },
      { id: "😀", kind: "event", name: "n", at: 0 }
    ]
    yield* record(...all.slice(3), ...all.slice(0, 3).reverse())
    Assert.equal(yield* steps, all)
  })
)

const again = law("of a step that is given again the one with more attempts stays", ({ record, steps }) =>
  Effect.gen(function* () {
    yield* record(tried(2))
    yield* record(tried(1, "Succeeded"))
    Assert.equal(yield* steps, [tried(2)])
    yield* record(tried(4, "Refused"), tried(3), tried(4, "Refused"))
    Assert.equal(yield* steps, [tried(4, "Refused")])
    yield* record(event)
    yield* record({ ...event, name: "Other" })
    Assert.equal(yield* steps, [event, tried(4, "Refused")])
  })
)

const asMany = law("of as many attempts a success stays, and else what came first", ({ record, steps }) =>
  Effect.gen(function* () {
    yield* record(tried(1, "Failed", "first"))
    yield* record(tried(1, "Refused", "second"))
    Assert.equal(yield* steps, [tried(1, "Failed", "first")])
    yield* record(tried(1, "Failed", "third"), tried(1, "Succeeded", "fourth"))
    yield* record(tried(1, "Succeeded", "fifth"))
    yield* record(tried(1, "Failed", "sixth"))
    Assert.equal(yield* steps, [tried(1, "Succeeded", "fourth")])
  })
)

const paged = law(
  "every step is in one page, and a page says whether there are more",
  ({ correlationId, flows, record }) =>
    Effect.gen(function* () {
      const ids = count(1205).map((n) => `s-${String(n).padStart(5, "0")}`)
      yield* record(...ids.map((id, at): Step => ({ id, kind: "event", name: "n", at })))
      const sizes: Array<readonly [number, boolean]> = []
      const seen: Array<string> = []
      for (let isMore = true; isMore; ) {
        const { steps, truncated } = yield* flows.read(correlationId, { after: seen.at(-1), limit: 241 })
        seen.push(...steps.map(({ id }) => id))
        sizes.push([steps.length, truncated])
        isMore = truncated
      }
      Assert.equal(seen, ids)
      Assert.equal(sizes, [...count(4).map(() => [241, true] as const), [241, false]])
      const { steps, truncated } = yield* flows.read(correlationId)
      Assert.equal([steps.length, truncated], [1000, true], "what is asked for without a limit")
      for (const limit of [0, -1, Number.NaN, 0.5]) {
        Assert.equal((yield* flows.read(correlationId, { limit })).steps.length, 1, `a limit of ${limit}`)
      }
    })
)

const apart = law(
  "tenants and correlation ids have steps of their own",
  ({ correlationId, flows, record, steps, tenant }) =>
    Effect.gen(function* () {
      const other = TenantId.make(`${tenant}2`)
      const named = (name: string) => ({ ...event, name })
      yield* flows.record([
        { tenant: other, correlationId, step: named("theirs") },
        { tenant: other, correlationId, step: tried(1) },
        { tenant: TenantId.make(tenant), correlationId: `${correlationId}2`, step: named("elsewhere") },
        { tenant: TenantId.make(tenant), correlationId: correlationId.toUpperCase(), step: named("capital") }
      ])
      yield* record(named("ours"))
      Assert.equal(yield* steps, [named("ours")])
      Assert.equal(yield* TenantContext.provide(other)(steps), [named("theirs"), tried(1)])
      Assert.equal((yield* flows.read(`${correlationId}2`)).steps, [named("elsewhere")])
      Assert.equal((yield* flows.read(`${correlationId}3`)).steps, [])
    })
)

const together = law("what is recorded in a unit of work is kept or undone with the rest", ({ record, steps }) =>
  Effect.gen(function* () {
    const unit = yield* UnitOfWork
    yield* Effect.flip(unit.transaction(Effect.andThen(record(event, tried(2)), Effect.fail("no"))))
    Assert.equal(yield* steps, [])
    yield* record(tried(1))
    yield* unit.transaction(
      Effect.gen(function* () {
        yield* record(tried(2))
        yield* Effect.flip(unit.transaction(Effect.andThen(record(tried(3)), Effect.fail("no"))))
        Assert.equal(yield* steps, [tried(2)], "what the transaction sees of itself")
      })
    )
    Assert.equal(yield* steps, [tried(2)])
  })
)

const many = law(
  "of many that record the same steps at the same time none fails, and what says most stays",
  ({ record, steps }) =>
    Effect.gen(function* () {
      const of = (attempts: number) =>
        count(40).map((n): Step => ({ ...tried(attempts), id: `h-${String(n).padStart(2, "0")}` }))
      yield* race(count(12).map((n) => record(...(n % 2 === 0 ? of(n) : of(n).toReversed()))))
      Assert.equal(yield* steps, of(12))
    }),
  racing
)

const purged = law("what was recorded is kept for as long as it is to be", ({ flows, record, steps }) =>
  Effect.gen(function* () {
    yield* record(event, tried(1))
    yield* flows.purge(Duration.days(1))
    Assert.equal(yield* steps, [event, tried(1)])
    yield* record(tried(2))
    Assert.equal(yield* steps, [event, tried(2)])
  })
)

const refused = law("what no storage can keep is InvalidStep, and nothing of the call is kept", (trail) =>
  Effect.gen(function* () {
    const { correlationId, flows, record, steps, tenant } = trail
    const outcome = { _tag: "Failed", millis: 0, attempts: 1 } as const
    const texts = unkeepable.map(([, text]) => text)
    const wrong: ReadonlyArray<Step> = [
      ...[...texts, "", "x".repeat(1025)].flatMap((text) => [
        { ...event, id: text },
        { ...event, causationId: text }
      ]),
      ...[...texts, "x".repeat(4097)].flatMap((text) => [
        { ...event, name: text },
        { ...event, place: text },
        { ...event, outcome: { ...outcome, error: text } }
      ]),
      { ...event, at: Number.NaN },
      { ...event, outcome: { ...outcome, millis: Number.POSITIVE_INFINITY } },
      ...[-1, 0.5, Number.NaN, 2 ** 31].map((attempts) => ({ ...event, outcome: { ...outcome, attempts } }))
    ]
    for (const step of wrong) {
      const { id, issues } = yield* Assert.fails(record(tried(1), step), "InvalidStep")
      Assert.equal([id, issues.length], [step.id, 1])
    }
    for (const text of [...texts, "", "x".repeat(513)]) {
      const entry = { tenant: TenantId.make(tenant), correlationId: text, step: event }
      yield* Assert.fails(flows.record([entry]), "InvalidStep")
      Assert.equal(yield* flows.read(text), { steps: [], truncated: false })
      Assert.equal((yield* flows.read(correlationId, { after: text })).steps, [])
    }
    Assert.equal(yield* steps, [])
  })
)

/**
 * The laws of `FlowStore` over a storage with units of work.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<FlowStore.FlowStore | UnitOfWork>> = [
  asGiven,
  again,
  asMany,
  paged,
  apart,
  together,
  many,
  purged,
  refused
]
