/**
 * A law about everything at once: whatever program of writes runs, a store answers as a map of lists would.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { StreamName } from "../../../domain/StreamName.ts"
import type * as EventStore from "../../../ports/EventStore.ts"
import type { Append } from "../../../ports/EventStoreDriver.ts"
import {
  type EventStoreError,
  type ExpectedVersion,
  matches,
  StreamTombstoned,
  VersionConflict
} from "../../../ports/EventStoreError.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import * as Law from "../../Law.ts"
import { noted } from "../samples.ts"
import { type World, world } from "../world.ts"

const streams = 3

const Step = Schema.Struct({
  kind: Schema.Literals(["append", "append", "append", "appendAll", "tombstone", "elsewhere"]),
  stream: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: streams - 1 })),
  /** What the stream is at, more or less; or a word. */
  expected: Schema.Union([
    Schema.Literals(["actual", "any", "none", "exists"]),
    Schema.Int.check(Schema.isBetween({ minimum: -1, maximum: 1 }))
  ]),
  events: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 }))
})
type Step = typeof Step.Type

const programs = Arbitrary.array(Arbitrary.schema(Step), { minLength: 1, maxLength: 25 })

/** What a stream should be. */
interface Model {
  events: ReadonlyArray<number>
  tombstoned: boolean
}

/** What the model says to a write. */
type Answer =
  | { readonly written: ReadonlyArray<number> }
  | { readonly refused: ReadonlyArray<StreamTombstoned | VersionConflict> }

class Run {
  readonly world: World
  readonly models = new Map<StreamName, Model>()
  /** What the whole log of the tenant should hold, in its order. */
  readonly log: Array<number> = []
  private written = 0

  constructor(made: World) {
    this.world = made
    for (let index = 0; index < streams; index++) this.models.set(made.stream(index), { events: [], tombstoned: false })
  }

  model(stream: StreamName): Model {
    return Assert.defined(this.models.get(stream), `${stream} is no stream of the model`)
  }

  appends({ events, expected, kind, stream }: Step): ReadonlyArray<Append> {
    const first = {
      stream: this.world.stream(stream),
      expected: this.expected(stream, expected),
      events: this.next(events)
    }
    if (kind !== "appendAll") return [first]
    const second = (stream + 1) % streams
    return [
      first,
      { stream: this.world.stream(second), expected: this.expected(second, "actual"), events: this.next(1) }
    ]
  }

  /** Numbers that no other event of the run has. */
  private next(count: number) {
    return noted(...Array.from({ length: count }, () => ++this.written))
  }

  expected(stream: number, expected: Step["expected"]): ExpectedVersion {
    const actual = this.model(this.world.stream(stream)).events.length
    if (expected === "actual") return actual
    return typeof expected === "number" ? Math.max(actual + expected, 0) : expected
  }

  /** What is wrong with a write, by the model. */
  refusal(stream: StreamName, expected: ExpectedVersion): ReadonlyArray<StreamTombstoned | VersionConflict> {
    const { events, tombstoned } = this.model(stream)
    if (tombstoned) return [new StreamTombstoned({ stream })]
    if (matches(expected, events.length)) return []
    return [new VersionConflict({ stream, expected, actual: events.length })]
  }
}

const step = (run: Run, one: Step) =>
  Effect.gen(function* () {
    const { store } = run.world
    if (one.kind === "elsewhere") {
      const elsewhere = store.append({ stream: run.world.stream(one.stream), expected: "any", events: noted(-1) })
      return yield* Effect.asVoid(TenantContext.provide(run.world.otherTenant)(elsewhere))
    }
    if (one.kind === "tombstone") {
      const stream = run.world.stream(one.stream)
      const expected = run.expected(one.stream, one.expected)
      const refused = run.refusal(stream, expected)
      const result = yield* Effect.result(store.tombstone(stream, expected))
      compare(
        Result.map(result, () => []),
        refused.length > 0 ? { refused } : { written: [] }
      )
      if (refused.length === 0) run.model(stream).tombstoned = true
      return
    }
    const appends = run.appends(one)
    const refused = appends.flatMap(({ expected, stream }) => run.refusal(stream, expected))
    const [first] = appends
    const writing =
      one.kind === "append" && first !== undefined
        ? Effect.map(store.append(first), (receipt) => [receipt])
        : store.appendAll(appends)
    const result = yield* Effect.result(writing)
    if (refused.length === 0) {
      for (const { events, stream } of appends) {
        const model = run.model(stream)
        const numbers = events.flatMap((event) => ("n" in event && typeof event.n === "number" ? [event.n] : []))
        model.events = [...model.events, ...numbers]
        run.log.push(...numbers)
      }
    }
    const written = appends.map(({ stream }) => run.model(stream).events.length)
    compare(
      Result.map(result, (receipts) => receipts.map(({ version }) => version)),
      refused.length > 0 ? { refused } : { written }
    )
  })

const compare = (result: Result.Result<ReadonlyArray<number>, EventStoreError>, answer: Answer): void => {
  if (Result.isSuccess(result)) return Assert.equal({ written: result.success }, answer)
  const { reason } = result.failure
  // Which of several refusals is told is up to the store.
  if ("refused" in answer && answer.refused.length > 1) {
    const told = answer.refused.find((one) => one.stream === ("stream" in reason ? reason.stream : undefined))
    return Assert.equal({ refused: [reason] }, { refused: [told] })
  }
  Assert.equal({ refused: [reason] }, answer)
}

const agree = (run: Run) =>
  Effect.gen(function* () {
    for (const [stream, { events, tombstoned }] of run.models) {
      const version = events.length
      Assert.equal(yield* run.world.store.streamState(stream), { version, tombstoned }, `the state of ${stream}`)
      const data = tombstoned ? [] : events.map((n) => ({ n }))
      Assert.equal(yield* run.world.data(stream), data, `the events of ${stream}`)
    }
    yield* run.world.append(run.world.stream("end"), "none", noted(0))
    const [end] = yield* run.world.store.readStream(run.world.stream("end"))
    const log = yield* run.world.log(Assert.defined(end, "the last event is missing").position)
    // Within one append, which stream comes first is up to the store.
    const sorted = (numbers: ReadonlyArray<unknown>) => numbers.map(String).sort()
    Assert.equal(
      sorted(log.map(({ data }) => (data instanceof Object && "n" in data ? data.n : data))),
      sorted([...run.log, 0]),
      "the events of the log"
    )
    for (const [stream, { events }] of run.models) {
      const part = log.filter((event) => event.stream === stream)
      Assert.equal(
        part.map(({ data, version }) => ({ data, version })),
        events.map((n, index) => ({ data: { n }, version: index + 1 })),
        `the log's part of ${stream}`
      )
    }
  })

const agrees = Law.make(
  "whatever is appended and tombstoned, the store answers and holds what a map of lists would",
  () =>
    Law.forAll(
      programs,
      (program) =>
        Effect.gen(function* () {
          const run = new Run(yield* world)
          yield* Effect.forEach(program, (one) => step(run, one), { discard: true }).pipe(
            Effect.andThen(agree(run)),
            TenantContext.provide(run.world.tenant)
          )
        }),
      { runs: 40 }
    ),
  { timeout: "2 minutes" }
)

export const laws: ReadonlyArray<Law.Law<EventStore.EventStore>> = [agrees]
