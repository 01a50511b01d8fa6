import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Event, EventStore, Fold, Memory, Projection, StreamName, TenantContext } from "../../src/index.ts"

class Deposited extends Event.Class<Deposited>()(
  "Deposited",
  { account: Schema.String, amount: Schema.Int },
  { tags: ({ account, amount }) => [`account:${account}`, amount > 99 ? "large" : "small"] }
) {}
class Closed extends Event.Class<Closed>()("Closed", {}) {}

const initial: ReadonlyArray<number> = []
const Amounts = Fold.make({ events: [Deposited], initial }).evolve((all, { amount }) => [...all, amount])

const stream = StreamName.make("Account", "a")
const other = StreamName.make("Account", "b")
const append = (to: StreamName.StreamName, ...events: ReadonlyArray<Event.Any>) =>
  Effect.flatMap(EventStore.EventStore, (store) => store.append({ stream: to, expected: "any", events }))
const deposited = (account: string, ...amounts: ReadonlyArray<number>) =>
  amounts.map((amount) => new Deposited({ account, amount }))

const Live = Layer.merge(Memory.layer, TenantContext.layerSingle)

const given = Effect.all([
  append(stream, ...deposited("a", 1, 200), new Closed()),
  append(other, ...deposited("b", 3, 400)),
  append(stream, ...deposited("a", 5)),
  append(stream, ...deposited("a", 1000)).pipe(TenantContext.provide("acme"))
])

describe("Projection.live", () => {
  it.effect("folds one stream, past events that are not of the fold", () =>
    Effect.gen(function* () {
      const program = Effect.andThen(given, Projection.live(Amounts, { stream }))
      expect(yield* program.pipe(Effect.provide(Live))).toEqual([1, 200, 5])
    })
  )

  it.effect("folds all the tenant's events of its classes in the order of the log", () =>
    Effect.gen(function* () {
      const program = Effect.andThen(
        given,
        Effect.all([Projection.live(Amounts, {}), Projection.live(Amounts, {}).pipe(TenantContext.provide("acme"))])
      )
      expect(yield* program.pipe(Effect.provide(Live))).toEqual([[1, 200, 3, 400, 5], [1000]])
    })
  )

  it.effect("is narrowed by tags, of which one must fit", () =>
    Effect.gen(function* () {
      const tagged = (...tags: ReadonlyArray<string>) => Projection.live(Amounts, { tags })
      const program = Effect.andThen(
        given,
        Effect.all([tagged("account:b"), tagged("large", "account:b"), tagged("none"), tagged()])
      )
      expect(yield* program.pipe(Effect.provide(Live))).toEqual([[3, 400], [200, 3, 400], [], []])
    })
  )

  it.effect("is narrowed by stream and tags together", () =>
    Effect.gen(function* () {
      const program = Effect.andThen(given, Projection.live(Amounts, { stream, tags: ["large", "account:b"] }))
      expect(yield* program.pipe(Effect.provide(Live))).toEqual([200])
    })
  )

  it.effect("reads page after page to the end of the log", () =>
    Effect.gen(function* () {
      const Count = Fold.make({ events: [Deposited], initial: 0 }).evolve((n) => n + 1)
      const many = deposited("a", ...Array.from({ length: 2500 }, (_, n) => n))
      const program = Effect.andThen(append(stream, ...many, new Closed()), Projection.live(Count, {}))
      expect(yield* program.pipe(Effect.provide(Live))).toBe(2500)
    })
  )

  it.effect("gives the initial state where there is nothing", () =>
    Effect.gen(function* () {
      const both = Effect.all([Projection.live(Amounts, {}), Projection.live(Amounts, { stream })])
      expect(yield* both.pipe(Effect.provide(Live))).toEqual([[], []])
    })
  )

  it.effect("fails with the event that it cannot decode", () =>
    Effect.gen(function* () {
      class Wrong extends Event.Class<Wrong>()("Deposited", { amount: Schema.String }) {}
      const program = Effect.gen(function* () {
        yield* append(stream, new Wrong({ amount: "x" }))
        return [
          yield* Effect.flip(Projection.live(Amounts, {})),
          yield* Effect.flip(Projection.live(Amounts, { stream }))
        ]
      })
      const undecodable = { reason: { _tag: "EventUndecodable", stream, position: 1, version: 1, type: "Deposited" } }
      expect(yield* program.pipe(Effect.provide(Live))).toMatchObject([undecodable, undecodable])
    })
  )
})
