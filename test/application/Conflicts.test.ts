import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Result, Schema } from "effect"
import {
  Aggregate,
  Event,
  EventStore,
  EventStoreError,
  Join,
  Memory,
  Repository,
  TenantContext,
  Upcaster
} from "../../src/index.ts"
import { ticking } from "./ticking.ts"

class Added extends Event.Class<Added>()("Added", { n: Schema.Int }) {}
class Noted extends Event.Class<Noted>()(
  "Noted",
  { text: Schema.String },
  { upcasters: Upcaster.formerly("Remarked", { text: Schema.String }).current(({ text }) => ({ text })) }
) {}
class Doubled extends Event.Class<Doubled>()("Doubled", {}) {}
class Remarked extends Event.Class<Remarked>()("Remarked", { text: Schema.String }) {}
class Foreign extends Event.Class<Foreign>()("Foreign", {}) {}

const initial = { sum: 0, notes: 0 }
const declared = { events: [Added, Noted, Doubled], initial } as const
const evolve = {
  Added: (state: typeof initial, { n }: Added) => ({ ...state, sum: state.sum + n }),
  Noted: (state: typeof initial) => ({ ...state, notes: state.notes + 1 }),
  Doubled: (state: typeof initial) => ({ ...state, sum: 2 * state.sum })
}
const commutes = { Added: ["Added", "Noted"], Noted: ["Noted", "Doubled"] } as const
const Counter = Aggregate.make("Counter", { ...declared, commutes }).evolve(evolve)
const Plain = Aggregate.make("Counter", declared).evolve(evolve)
const stream = Counter.stream("1")

const Stores = Layer.merge(Memory.layer, TenantContext.layerSingle)

/** A store in which others append just before the first, the second ... append. */
const others = (...before: ReadonlyArray<ReadonlyArray<Event.Any>>) =>
  Layer.effect(
    EventStore.EventStore,
    Effect.map(EventStore.EventStore, (store): EventStore.EventStore["Service"] => {
      let appends = 0
      return {
        ...store,
        append: (append) =>
          Effect.suspend(() => {
            const events = before[appends++] ?? []
            const other = store.append({ stream, expected: "any", events })
            return Effect.andThen(events.length === 0 ? Effect.void : other, store.append(append))
          })
      }
    })
  ).pipe(Layer.provideMerge(Stores))

/** Decides on events, and tells how often it was asked and what is stored at the end. */
const deciding = (
  aggregate: typeof Counter,
  events: ReadonlyArray<Added | Noted | Doubled>,
  options: Repository.Options,
  ...before: ReadonlyArray<ReadonlyArray<Event.Any>>
) =>
  Effect.suspend(() => {
    let asked = 0
    const decide = () => {
      asked++
      return Result.succeed(events)
    }
    return Effect.gen(function* () {
      const result = yield* Effect.result(Repository.execute(aggregate, "1", undefined, decide, options))
      const stored = yield* (yield* EventStore.EventStore).readStream(stream)
      const answer = Result.match(result, {
        onSuccess: ({ state, version }) => ({ state, version }),
        onFailure: ({ reason }) => ({ reason })
      })
      return { asked, types: stored.map(({ type }) => type), ...answer }
    }).pipe(ticking, Effect.provide(others(...before)))
  })

const added = (n: number) => new Added({ n })
const noted = new Noted({ text: "" })

describe("a command that merges", () => {
  it.effect("appends after events that commute with all of its own, without deciding again", () =>
    Effect.gen(function* () {
      const between = [added(1), noted]
      expect(yield* deciding(Counter, [added(10), added(20)], { onConflict: "merge" }, between)).toEqual({
        asked: 1,
        types: ["Added", "Noted", "Added", "Added"],
        state: { sum: 31, notes: 1 },
        version: 4
      })
      // What is declared of one side is true of the other.
      expect(yield* deciding(Counter, [new Doubled()], { onConflict: "merge" }, [noted])).toMatchObject({ asked: 1 })
      expect(yield* deciding(Counter, [noted], { onConflict: "merge" }, [new Doubled()])).toMatchObject({ asked: 1 })
    })
  )

  it.effect("decides again when one of them does not commute with one of its own", () =>
    Effect.gen(function* () {
      const merge = { onConflict: "merge" } as const
      expect(yield* deciding(Counter, [added(10)], merge, [noted, new Doubled(), added(1)])).toMatchObject({
        asked: 2,
        types: ["Noted", "Doubled", "Added", "Added"],
        state: { sum: 11, notes: 1 }
      })
      expect(yield* deciding(Counter, [noted, new Doubled()], merge, [added(1)])).toMatchObject({ asked: 2 })
      expect(yield* deciding(Counter, [new Doubled()], merge, [new Doubled()])).toMatchObject({ asked: 2 })
    })
  )

  it.effect("merges again when it loses again, as often as `retries` says", () =>
    Effect.gen(function* () {
      const lost = Array.from({ length: 12 }, () => [added(1)])
      expect(yield* deciding(Counter, [added(10)], { onConflict: "merge" }, ...lost.slice(0, 10))).toMatchObject({
        asked: 1,
        state: { sum: 20 },
        version: 11
      })
      expect(yield* deciding(Counter, [added(10)], { onConflict: "merge", retries: 2 }, ...lost)).toMatchObject({
        asked: 1,
        reason: { _tag: "VersionConflict", expected: 2, actual: 3 }
      })
      expect(yield* deciding(Counter, [added(10)], { onConflict: "merge", retries: 0 }, ...lost)).toMatchObject({
        asked: 1,
        reason: { _tag: "VersionConflict", expected: 0, actual: 1 }
      })
    })
  )

  it.effect("goes on to decide again after a merge that lost to what does not commute", () =>
    Effect.gen(function* () {
      const before = [[added(1)], [new Doubled()], [noted]]
      expect(yield* deciding(Counter, [added(10)], { onConflict: "merge" }, ...before)).toMatchObject({
        asked: 2,
        types: ["Added", "Doubled", "Noted", "Added"],
        state: { sum: 12, notes: 1 }
      })
    })
  )

  it.effect("takes stored events for what they are today", () =>
    Effect.gen(function* () {
      const before = [new Remarked({ text: "" })]
      expect(yield* deciding(Counter, [added(10)], { onConflict: "merge" }, before)).toMatchObject({
        asked: 1,
        types: ["Remarked", "Added"],
        state: { sum: 10, notes: 1 }
      })
    })
  )

  it.effect("decides again where nothing is declared", () =>
    Effect.gen(function* () {
      expect(yield* deciding(Plain, [added(10)], { onConflict: "merge" }, [added(1)])).toMatchObject({
        asked: 2,
        state: { sum: 11 }
      })
    })
  )

  it.effect("decides again after events that can be joined with others", () =>
    Effect.gen(function* () {
      const joins = [Join.run(Noted, Upcaster.formerly("Foreign", {}), () => ({ text: "" }))]
      const Joining = Aggregate.make("Counter", { ...declared, commutes, joins }).evolve(evolve)
      expect(yield* deciding(Joining, [added(10)], { onConflict: "merge" }, [new Foreign()])).toMatchObject({
        asked: 2,
        state: { sum: 10, notes: 1 }
      })
    })
  )

  it.effect("fails after an event that nobody can decode, as a load does", () =>
    Effect.gen(function* () {
      expect(yield* deciding(Counter, [added(10)], { onConflict: "merge" }, [new Foreign()])).toMatchObject({
        asked: 1,
        reason: { _tag: "EventUndecodable", type: "Foreign", version: 1 }
      })
    })
  )
})

describe("a command that fails on conflict", () => {
  it.effect("fails at once, whatever commutes and whatever `retries` says", () =>
    Effect.gen(function* () {
      expect(yield* deciding(Counter, [added(10)], { onConflict: "fail", retries: 5 }, [added(1)])).toMatchObject({
        asked: 1,
        types: ["Added"],
        reason: new EventStoreError.VersionConflict({ stream, expected: 0, actual: 1 })
      })
    })
  )
})

describe("a command that retries", () => {
  it.effect("decides again, also where events commute", () =>
    Effect.gen(function* () {
      for (const options of [{}, { onConflict: "retry" }] as const) {
        expect(yield* deciding(Counter, [added(10)], options, [added(1)])).toMatchObject({ asked: 2 })
      }
    })
  )
})
