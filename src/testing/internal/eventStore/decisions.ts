/**
 * A law about ids and conditions at once: whatever program of reads and appends runs, a store answers as a list of events would.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type EventQuery, type Matchable, matches } from "../../../domain/EventQuery.ts"
import type * as EventStore from "../../../ports/EventStore.ts"
import type { Append, Condition } from "../../../ports/EventStoreDriver.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import * as Law from "../../Law.ts"
import { Counted, Tagged } from "../samples.ts"
import { type World, world } from "../world.ts"

const index = (count: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: count - 1 }))

const queries: ReadonlyArray<EventQuery> = [
  [{ tags: ["x"] }],
  [{ tags: ["y", "x"] }],
  [{ types: ["LawCounted"] }],
  [{ types: ["LawTagged"], tags: ["y"] }, { tags: ["z"] }],
  [{}]
]

const Step = Schema.Struct({
  kind: Schema.Literals(["read", "append", "append", "append", "elsewhere"]),
  stream: index(2),
  query: index(queries.length),
  /** The condition that was read for this query, if one was. */
  bound: Schema.Boolean,
  /** A name, or none. */
  id: Schema.Literals(["a", "b", "none", "none"]),
  expected: Schema.Literals(["actual", "any", "none"]),
  tags: Schema.Array(Schema.Literals(["x", "y", "z"])).check(Schema.isMaxLength(3)),
  events: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2 }))
})
type Step = typeof Step.Type

const programs = Arbitrary.array(Arbitrary.schema(Step), { minLength: 1, maxLength: 30 })

interface Kept extends Matchable {
  readonly n: number
  readonly stream: string
}

/** What should be in the log, by which name, and what was known when a condition was read. */
class Model {
  readonly log: Array<Kept> = []
  readonly named = new Map<string, number>()
  readonly read = new Map<number, { readonly condition: Condition; readonly known: number }>()

  version(stream: string): number {
    return this.log.filter((event) => event.stream === stream).length
  }

  fitting(query: EventQuery, from = 0): ReadonlyArray<Kept> {
    return this.log.slice(from).filter((event) => matches(query, event))
  }
}

const read = (made: World, model: Model, index: number) =>
  Effect.gen(function* () {
    const query = queries[index] ?? []
    const { condition, events } = yield* made.store.readMatching(query)
    const found = events.map(({ data }) => (data instanceof Object && "n" in data ? data.n : data))
    Assert.equal(
      found,
      model.fitting(query).map(({ n }) => n),
      `what fits ${JSON.stringify(query)}`
    )
    model.read.set(index, { condition, known: model.log.length })
  })

const append = (made: World, model: Model, step: Step) =>
  Effect.gen(function* () {
    const stream = made.stream(step.stream)
    const version = model.version(stream)
    const expected = step.expected === "actual" ? version : step.expected
    const bound = step.bound ? model.read.get(step.query) : undefined
    const id = step.id === "none" ? undefined : step.id
    // The type of an event without tags is another.
    const kept = Array.from({ length: step.events }, (_, n): Kept => {
      const type = step.tags.length === 0 ? "LawCounted" : "LawTagged"
      return { n: model.log.length + n, stream, type, tags: step.tags }
    })
    const events = kept.map(({ n, tags }) => (tags.length === 0 ? new Counted({ n }) : new Tagged({ n, tags })))
    const asked: Append = { stream, expected, events, id, condition: bound?.condition }
    const result = yield* Effect.result(made.store.append(asked))
    const told = Result.isSuccess(result)
      ? { version: result.success.version, repeated: result.success.repeated }
      : result.failure.reason._tag
    const name = `${stream} ${step.id}`
    const before = id === undefined ? undefined : model.named.get(name)
    if (before !== undefined) return Assert.equal(told, { version: before, repeated: true })
    if (bound !== undefined && model.fitting(bound.condition.query, bound.known).length > 0) {
      return Assert.equal(told, "AppendConditionFailed")
    }
    if ((expected === "none" && version > 0) || (typeof expected === "number" && expected !== version)) {
      return Assert.equal(told, "VersionConflict")
    }
    Assert.equal(told, { version: version + kept.length, repeated: undefined })
    model.log.push(...kept)
    if (id !== undefined) model.named.set(name, version + kept.length)
  })

const run = (made: World, model: Model, step: Step) => {
  if (step.kind === "read") return read(made, model, step.query)
  if (step.kind === "append") return append(made, model, step)
  const events = [new Tagged({ n: -1, tags: step.tags })]
  const elsewhere = made.store.append({ stream: made.stream(step.stream), expected: "any", events })
  return Effect.asVoid(TenantContext.provide(made.otherTenant)(elsewhere))
}

const agrees = Law.make(
  "whatever is read and appended under ids and conditions, the store answers and holds what a list of events would",
  () =>
    Law.forAll(
      programs,
      (program) =>
        Effect.gen(function* () {
          const made = yield* world
          const model = new Model()
          yield* Effect.forEach(program, (step) => run(made, model, step), { discard: true }).pipe(
            Effect.andThen(Effect.forEach(queries, (_, query) => read(made, model, query), { discard: true })),
            TenantContext.provide(made.tenant)
          )
        }),
      { runs: 40 }
    ),
  { timeout: "2 minutes" }
)

export const laws: ReadonlyArray<Law.Law<EventStore.EventStore>> = [agrees]
