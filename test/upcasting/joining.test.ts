import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Result, Schema, Stream } from "effect"
import {
  Aggregate,
  Event,
  EventStore,
  Fold,
  Join,
  Memory,
  Position,
  Projection,
  Repository,
  type StreamName,
  Subscription,
  SystemContext,
  TenantContext,
  Upcaster
} from "../../src/index.ts"
import { stored } from "./stored.ts"

class StreetChanged extends Event.Class<StreetChanged>()("StreetChanged", { street: Schema.String }) {}
class CityChanged extends Event.Class<CityChanged>()(
  "CityChanged",
  { town: Schema.String },
  { upcasters: Upcaster.from({ name: Schema.String }).current(({ name }) => ({ town: name })) }
) {}
class Stepped extends Event.Class<Stepped>()("Stepped", { metres: Schema.Int }) {}
class Named extends Event.Class<Named>()("Named", { name: Schema.String }) {}

class Moved extends Event.Class<Moved>()("Moved", { street: Schema.NonEmptyString, city: Schema.String }) {}
class Walked extends Event.Class<Walked>()("Walked", { metres: Schema.BigInt }) {}

const moved = Join.make(
  Moved,
  [
    Upcaster.formerly("StreetChanged", { street: Schema.String }),
    Upcaster.formerly("CityChanged", { name: Schema.String }).next({ town: Schema.String }, ({ name }) => ({
      town: name
    }))
  ],
  ([{ street }, { town }]) => ({ street, city: town })
)
const walked = Join.run(Walked, Upcaster.formerly("Stepped", { metres: Schema.Int }), (steps) => ({
  metres: BigInt(steps.reduce((sum, { metres }) => sum + metres, 0))
}))

const Person = Aggregate.make("Person", { events: [Moved, Walked, Named], joins: [moved, walked], initial: "" }).evolve(
  {
    Moved: (text, { city, street }) => `${text}moved to ${street}, ${city}; `,
    Walked: (text, { metres }) => `${text}walked ${metres}; `,
    Named: (text, { name }) => `${text}named ${name}; `
  }
)

const history = [
  new Stepped({ metres: 1 }),
  new StreetChanged({ street: "Elm" }),
  new CityChanged({ town: "Ulm" }),
  new Named({ name: "Ada" }),
  new Stepped({ metres: 2 }),
  new Stepped({ metres: 3 }),
  new Stepped({ metres: 4 }),
  new StreetChanged({ street: "Oak" }),
  new CityChanged({ town: "Bonn" }),
  new StreetChanged({ street: "Ash" }),
  new CityChanged({ town: "Kiel" }),
  new Moved({ street: "Fir", city: "Trier" })
]
const expected =
  "walked 1; moved to Elm, Ulm; named Ada; walked 9; moved to Oak, Bonn; moved to Ash, Kiel; moved to Fir, Trier; "

const Stores = Layer.mergeAll(Memory.layer, TenantContext.layerSingle, SystemContext.layer("test"))
const append = (stream: StreamName.StreamName, ...events: ReadonlyArray<Event.Any>) =>
  Effect.flatMap(EventStore.EventStore, (store) => store.append({ stream, expected: "any", events }))

describe("consecutive events of a stream", () => {
  it.effect("are one in an aggregate, whose version is that of the stream", () =>
    Effect.gen(function* () {
      yield* append(Person.stream("1"), ...history)
      const loaded = yield* Repository.load(Person, "1")
      expect([loaded.state, loaded.version]).toEqual([expected, history.length])
      const name = () => Result.succeed([new Named({ name: "Bea" })])
      const committed = yield* Repository.execute(Person, "1", undefined, name)
      expect(committed.version).toBe(history.length + 1)
    }).pipe(Effect.provide(Stores))
  )

  it.effect("are one in a fold of one stream, beside events that are not the fold's", () =>
    Effect.gen(function* () {
      const moves = Fold.make({ events: [Moved], joins: [moved], initial: 0 }).evolve((n) => n + 1)
      yield* append(Person.stream("1"), ...history)
      expect(yield* Projection.live(moves, { stream: Person.stream("1") })).toBe(4)
      expect(yield* Projection.live(moves, { stream: Person.stream("1"), tags: ["none"] })).toBe(0)
    }).pipe(Effect.provide(Stores))
  )

  it.effect("are not joined where only pages of the log are read", () =>
    Effect.gen(function* () {
      yield* append(Person.stream("1"), ...history)
      expect(yield* Projection.live(Person, {})).toBe("named Ada; moved to Fir, Trier; ")
      const streamed = yield* Subscription.stream({ events: Person.events }).pipe(Stream.take(2), Stream.runCollect)
      expect(streamed.map(({ event }) => event._tag)).toEqual(["Named", "Moved"])
    }).pipe(Effect.provide(Stores))
  )

  it.effect("are refused when one of them stands alone", () =>
    Effect.gen(function* () {
      yield* append(Person.stream("1"), new StreetChanged({ street: "Elm" }), new Named({ name: "Ada" }))
      yield* append(Person.stream("2"), new CityChanged({ town: "Ulm" }), new StreetChanged({ street: "Elm" }))
      for (const [id, type, version] of [
        ["1", "StreetChanged", 1],
        ["2", "CityChanged", 1]
      ] as const) {
        const { reason } = yield* Effect.flip(Repository.load(Person, id))
        expect(reason).toMatchObject({ _tag: "EventUndecodable", type, version })
      }
    }).pipe(Effect.provide(Stores))
  )

  it.effect("are refused when they do not make an event of today, at the last of them", () =>
    Effect.gen(function* () {
      yield* append(Person.stream("1"), new StreetChanged({ street: "" }), new CityChanged({ town: "Ulm" }))
      const { reason } = yield* Effect.flip(Repository.load(Person, "1"))
      expect(reason).toMatchObject({ _tag: "EventUndecodable", version: 2, issues: [{ path: "street" }] })
    }).pipe(Effect.provide(Stores))
  )
})

describe("Join.at", () => {
  const all = history.map((event, index) => stored(event, index + 1))

  it("has the envelope of the last part", () => {
    const joined = Join.at([moved], all, 1)
    const { event, ...envelope } = Result.getOrThrow(joined?.event ?? Result.fail([]))
    expect(event).toEqual(new Moved({ street: "Elm", city: "Ulm" }))
    const { data: _, ...last } = stored(history[2] ?? new Named({ name: "" }), 3)
    expect([joined?.count, envelope]).toEqual([2, last])
  })

  it("reads each part in its version, and refuses versions that nobody described", () => {
    const old = all.map((one) =>
      one.type === "CityChanged" ? { ...one, schemaVersion: 1, data: { name: "Ulm" } } : one
    )
    expect(Result.getOrThrow(Join.at([moved], old, 1)?.event ?? Result.fail([])).event.city).toBe("Ulm")
    const newer = all.map((one) => ({ ...one, schemaVersion: 3 }))
    const refused = Join.at([moved], newer, 1)?.event
    expect(refused !== undefined && Result.isFailure(refused)).toBe(true)
  })

  it("takes the first join that fits, and nothing where none does", () => {
    const street = Join.run(Moved, Upcaster.formerly("StreetChanged", { street: Schema.String }), ([one]) => ({
      street: one?.street ?? "",
      city: "?"
    }))
    expect(Join.at([moved, street], all, 1)?.count).toBe(2)
    expect(Join.at([street, moved], all, 1)?.count).toBe(1)
    expect([0, 3, 6, 12].map((index) => Join.at([moved], all, index))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined
    ])
    expect([4, 5, 6, 7].map((index) => Join.at([walked], all, index)?.count)).toEqual([3, 2, 1, undefined])
  })

  it("refuses parts and fields that do not fit, when compiled", () => {
    const part = Upcaster.formerly("A", { n: Schema.Int })
    // @ts-expect-error a number is no street
    Join.make(Moved, [part], ([{ n }]) => ({ street: n, city: "" }))
    // @ts-expect-error there is one part
    Join.make(Moved, [part], ([_, { m }]) => ({ street: String(m), city: "" }))
    const many = part.nextMany({ n: Schema.Int }, () => [])
    // @ts-expect-error what a part becomes must be one, at once
    Join.run(Walked, many, () => ({ metres: 1n }))
    // @ts-expect-error Walked is not among the events
    Fold.make({ events: [Named], joins: [walked], initial: 0 })
    expect(Position.start).toBe(0)
  })
})
