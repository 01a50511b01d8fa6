import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, Cause, Effect, Exit, Schema } from "effect"
import { Aggregate, type Commuting, Event, Upcaster } from "../../src/index.ts"
import { CommutingSpec, Law } from "../../src/testing/index.ts"

class Put extends Event.Class<Put>()("Put", { key: Schema.String, value: Schema.Int }) {}
class Removed extends Event.Class<Removed>()("Removed", { key: Schema.String }) {}
class Counted extends Event.Class<Counted>()(
  "Counted",
  { by: Schema.Int },
  { upcasters: Upcaster.formerly("Added", { by: Schema.Int }).currentMany(({ by }) => (by === 0 ? [] : [{ by }])) }
) {}

const initial: { readonly entries: ReadonlyArray<readonly [string, number]>; readonly count: number } = {
  entries: [],
  count: 0
}
type State = typeof initial
const without = ({ entries }: State, removed: string) => entries.filter(([key]) => key !== removed)
const declared = { events: [Put, Removed, Counted, Event.retired("Touched")], initial } as const
const evolve = {
  Put: (state: State, { key, value }: Put) => ({ ...state, entries: [...without(state, key), [key, value] as const] }),
  Removed: (state: State, { key }: Removed) => ({ ...state, entries: without(state, key) }),
  Counted: (state: State, { by }: Counted) => ({ ...state, count: state.count + by })
}

const checked = (
  commutes: Commuting.Table<"Put" | "Removed" | "Counted">,
  options?: CommutingSpec.Options<State, Put | Removed | Counted>
) =>
  Effect.map(
    Effect.exit(
      CommutingSpec.check(Aggregate.make("Box", { ...declared, commutes }).evolve(evolve), options).pipe(
        Effect.provideService(Law.Seed, 7)
      )
    ),
    (exit) => (Exit.isSuccess(exit) ? "holds" : Cause.pretty(exit.cause))
  )

describe("what an aggregate says of events that commute", () => {
  it.effect("holds where evolve says the same", () =>
    Effect.gen(function* () {
      expect(yield* checked({ Counted: ["Counted", "Put", "Removed"], Removed: ["Removed"] })).toBe("holds")
      expect(yield* checked({})).toBe("holds")
    })
  )

  it.effect("is refuted by the smallest case there is, with both ways and where they differ", () =>
    Effect.gen(function* () {
      const told = yield* checked({ Counted: ["Counted"], Put: ["Removed"] })
      expect(told).toContain("Put and Removed do not commute in Box: from")
      expect(told).toMatch(/^ {2}Put\(.*"key":"".*\) then Removed\(.*"key":"".*\) leads to \{"entries":\[\]/m)
      expect(told).toContain("and the other way round to")
      expect(told).toMatch(/entries\[0\]: expected/)
      expect(told).toContain("found from seed 7")
    })
  )

  it.effect("is refuted for one type with itself", () =>
    Effect.gen(function* () {
      expect(yield* checked({ Put: ["Put"] })).toContain("Put and Put do not commute in Box")
    })
  )

  it.effect("holds for states that are as good as equal, if that is said", () =>
    Effect.gen(function* () {
      const sorted = ({ entries }: State) =>
        entries
          .map(([key]) => key)
          .toSorted()
          .join()
      expect(yield* checked({ Put: ["Put"] }, { same: (one, other) => sorted(one) === sorted(other) })).toBe("holds")
    })
  )

  it.effect("is checked with the events that are given", () =>
    Effect.gen(function* () {
      const keys = Arbitrary.schema(Schema.Literals(["a", "b"]))
      const events = Arbitrary.map(keys, (key) => (key === "a" ? new Put({ key, value: 1 }) : new Removed({ key })))
      expect(yield* checked({ Removed: ["Put"] }, { events })).toBe("holds")
    })
  )
})
