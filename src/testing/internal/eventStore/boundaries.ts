/**
 * Laws about many who decide over the same events at the same time.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import { type EventQuery, matches } from "../../../domain/EventQuery.ts"
import type { Stored } from "../../../domain/RecordedEvent.ts"
import type * as EventStore from "../../../ports/EventStore.ts"
import type { Condition } from "../../../ports/EventStoreDriver.ts"
import type { AppendReceipt } from "../../../ports/Receipt.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count, noted } from "../samples.ts"
import { law, race, racing, type World } from "../world.ts"
import { tagged } from "./conditions.ts"

const racers = 10

interface Success {
  readonly receipt: AppendReceipt
  readonly condition: Condition
}

/** What happened before an append under a condition, and fits the condition, but was not known to it. */
const unknownTo = (events: ReadonlyArray<Stored>, { condition, receipt }: Success): ReadonlyArray<Stored> =>
  events.filter(
    (event) =>
      event.stream !== receipt.stream &&
      event.position < receipt.position &&
      event.position > condition.after &&
      condition.except?.includes(event.position) !== true &&
      matches(condition.query, event)
  )

/** Every append that went ahead has known all that came before. */
const allKnown = (world: World, successes: ReadonlyArray<Success>) =>
  Effect.map(world.store.readMatching([{}]), ({ events }) => {
    for (const success of successes) {
      const { position, stream } = success.receipt
      Assert.equal(unknownTo(events, success), [], `what ${stream} at ${position} did not know`)
    }
  })

/** Races appends to streams of their own, each under what it has read before; those that went ahead. */
const raced = (
  world: World,
  round: number,
  queryOf: (racer: number) => EventQuery,
  tagsOf: (racer: number) => ReadonlyArray<string>
) =>
  Effect.gen(function* () {
    const results = yield* race(
      count(racers).map((racer) =>
        Effect.gen(function* () {
          const { condition } = yield* world.store.readMatching(queryOf(racer))
          yield* Effect.yieldNow
          const stream = world.stream(`${round}-${racer}`)
          const append = { stream, expected: "none" as const, events: tagged(racer, ...tagsOf(racer)), condition }
          return yield* Effect.result(Effect.map(world.store.append(append), (receipt) => ({ receipt, condition })))
        })
      )
    )
    return results.flatMap((result) => {
      if (Result.isSuccess(result)) return [result.success]
      Assert.equal(result.failure.reason._tag, "AppendConditionFailed")
      return []
    })
  })

const oneAtATime = law(
  "of many who append under a condition that the others break, those who go ahead have known all who did before",
  (world) =>
    Effect.gen(function* () {
      const many = count(70).map((n) => `many:${n}`)
      const kinds: ReadonlyArray<
        readonly [string, (racer: number) => EventQuery, (racer: number) => ReadonlyArray<string>]
      > = [
        ["one tag", () => [{ tags: ["one"] }], () => ["one"]],
        ["a type", () => [{ types: ["LawTagged"] }], () => ["none"]],
        [
          "two tags, each writes what the other reads",
          (racer) => [{ tags: [`w${racer % 2}`] }],
          (racer) => [`w${(racer + 1) % 2}`]
        ],
        ["more tags than there are keys", () => many.map((tag) => ({ tags: [tag] })), () => many.slice(0, 2)],
        ["events of more tags than there are keys", () => [{ tags: ["many:1"] }], () => many]
      ]
      for (const [round, [what, queryOf, tagsOf]] of kinds.entries()) {
        const successes = yield* raced(world, round, queryOf, tagsOf)
        Assert.isTrue(successes.length >= 1, `${what}: nobody went ahead`)
        yield* allKnown(world, successes)
      }
    }),
  racing
)

const disjoint = law(
  "those who decide over other tags do not stand in each other's way",
  (world) =>
    Effect.gen(function* () {
      for (const round of count(5)) {
        const own = (racer: number) => `${round}:${racer}`
        const won = yield* raced(
          world,
          round,
          (racer) => [{ tags: [own(racer)] }, { types: ["LawTagged"], tags: [own(racer), "all"] }],
          (racer) => [own(racer), "all"]
        )
        Assert.equal(won.length, racers, `round ${round}`)
      }
    }),
  racing
)

const seats = law(
  "a limit over many streams is never passed, however many race for it and try again",
  (world) =>
    Effect.gen(function* () {
      const query: EventQuery = [{ types: ["LawTagged"], tags: ["course"] }]
      const enrol = (student: number) =>
        Effect.gen(function* () {
          while (true) {
            const { condition, events } = yield* world.store.readMatching(query)
            if (events.length === 7) return false
            yield* Effect.yieldNow
            const result = yield* Effect.result(
              world.store.append({
                stream: world.stream(student),
                expected: "none",
                events: tagged(student, "course", `student:${student}`),
                condition
              })
            )
            if (Result.isSuccess(result)) return true
            if (result.failure.reason._tag !== "AppendConditionFailed") return yield* Effect.fail(result.failure)
          }
        })
      const enrolled = yield* race(count(16).map(enrol))
      Assert.equal(enrolled.filter((yes) => yes).length, 7)
      Assert.equal((yield* world.store.readMatching(query)).events.length, 7)
    }),
  racing
)

const serial = law(
  "whatever is appended at the same time, under conditions or not, every condition that held has known all that came before",
  (world) =>
    Effect.gen(function* () {
      const tags = ["x", "y", "z"]
      const some = Effect.map(Random.shuffle(tags), (shuffled) => Array.from(shuffled))
      const write = (writer: number) =>
        Effect.forEach(count(12), (n) =>
          Effect.gen(function* () {
            const [tag = "", other = ""] = yield* some
            const stream = world.stream(`${writer}-${n}`)
            const kind = yield* Random.nextIntBetween(0, 6)
            if (kind === 0) return yield* Effect.as(world.append(stream, "any", noted(n)), [])
            if (kind === 1) return yield* Effect.as(world.append(stream, "any", tagged(n, tag, other)), [])
            const queries: ReadonlyArray<EventQuery> = [
              [{ tags: [tag] }],
              [{ tags: [tag, other] }],
              [{ tags: [tag] }, { types: ["LawNoted"] }],
              [{ types: ["LawNoted"] }]
            ]
            const query = queries[kind - 2] ?? [{}]
            const { condition } = yield* world.store.readMatching(query)
            yield* Effect.yieldNow
            const events = [...tagged(n, other), ...(kind === 4 ? noted(n) : [])]
            const result = yield* Effect.result(world.store.append({ stream, expected: "none", events, condition }))
            if (Result.isFailure(result)) {
              Assert.equal(result.failure.reason._tag, "AppendConditionFailed")
              return []
            }
            return [{ receipt: result.success, condition }]
          })
        )
      const successes: ReadonlyArray<Success> = (yield* race(count(8).map(write))).flat(2)
      Assert.isTrue(successes.length > 0, "nobody went ahead")
      yield* allKnown(world, successes)
    }),
  racing
)

export const laws: ReadonlyArray<Law.Law<EventStore.EventStore>> = [oneAtATime, disjoint, seats, serial]
