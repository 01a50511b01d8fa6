// The state from a snapshot and the events since is the state from all events: for any history that was written by the code of
// several releases, and snapshots at any time.
import { describe, inject, layer } from "@effect/vitest"
import { Arbitrary, Context, Effect, Layer, Result, Schema } from "effect"
import {
  Aggregate,
  Event,
  EventStore,
  IdGenerator,
  Join,
  Memory,
  Repository,
  SnapshotPolicy,
  TenantContext,
  Upcaster
} from "../../src/index.ts"
import { Assert, Law } from "../../src/testing/index.ts"
import { freshStore } from "../adapters/postgres/support.ts"

class Prices extends Context.Service<Prices, { readonly of: (sku: string) => number }>()("test/Prices") {}

// What earlier releases have written.
class Ordered1 extends Event.Class<Ordered1>()("Ordered", { total: Schema.Int, card: Schema.String }) {}
class Paid1 extends Event.Class<Paid1>()("Payed", { amount: Schema.Int }) {}
class Listed1 extends Event.Class<Listed1>()("Listed", { skus: Schema.Array(Schema.String) }) {}
class Street extends Event.Class<Street>()("Street", { street: Schema.String }) {}
class City extends Event.Class<City>()("City", { city: Schema.String }) {}
class Stepped extends Event.Class<Stepped>()("Stepped", { metres: Schema.Int }) {}
class Touched extends Event.Class<Touched>()("Touched", {}) {}

// What there is today.
const ordered1 = { total: Schema.Int, card: Schema.String }
class Ordered extends Event.Class<Ordered>()(
  "Ordered",
  { total: Schema.BigInt },
  {
    upcasters: Upcaster.from(ordered1)
      .next({ total: Schema.Int }, ({ total }) => ({ total }))
      .current(({ total }) => ({ total: BigInt(total) }))
  }
) {}
class CardGiven extends Event.Class<CardGiven>()(
  "CardGiven",
  { card: Schema.String },
  { upcasters: Upcaster.partOf("Ordered", ordered1).currentMany(({ card }) => (card === "" ? [] : [{ card }])) }
) {}
class Paid extends Event.Class<Paid>()(
  "Paid",
  { amount: Schema.Int },
  { upcasters: Upcaster.formerly("Payed", { amount: Schema.Int }).current(({ amount }) => ({ amount })) }
) {}
class Listed extends Event.Class<Listed>()(
  "Listed",
  { sku: Schema.String, price: Schema.Int },
  {
    upcasters: Upcaster.from({ skus: Schema.Array(Schema.String) })
      .nextMany({ sku: Schema.String }, ({ skus }) => skus.map((sku) => ({ sku })))
      .currentEffect(({ sku }) => Effect.map(Prices, ({ of }) => ({ sku, price: of(sku) })))
  }
) {}
class Moved extends Event.Class<Moved>()("Moved", { street: Schema.String, city: Schema.String }) {}
class Walked extends Event.Class<Walked>()("Walked", { metres: Schema.Int }) {}
// Half a move is known as well, so that every order of the two can be read.
class Noted extends Event.Class<Noted>()(
  "Noted",
  { text: Schema.String },
  {
    upcasters: [
      Upcaster.formerly("Street", { street: Schema.String }).current(({ street }) => ({ text: street })),
      Upcaster.formerly("City", { city: Schema.String }).current(({ city }) => ({ text: city }))
    ]
  }
) {}

const joins = [
  Join.make(
    Moved,
    [Upcaster.formerly("Street", { street: Schema.String }), Upcaster.formerly("City", { city: Schema.String })],
    ([{ street }, { city }]) => ({ street, city })
  ),
  Join.run(Walked, Upcaster.formerly("Stepped", { metres: Schema.Int }), (steps) => ({
    metres: steps.reduce((sum, { metres }) => sum + metres, 0)
  }))
]

const State = Schema.Struct({
  total: Schema.BigInt,
  text: Schema.String,
  prices: Schema.ReadonlyMap(Schema.String, Schema.Int),
  walks: Schema.Array(Schema.Int)
})
type State = typeof State.Type
const initial: State = { total: 0n, text: "", prices: new Map(), walks: [] }
const say = (state: State, text: string): State => ({ ...state, text: `${state.text}${text};` })

const declared = {
  events: [Ordered, CardGiven, Paid, Listed, Moved, Walked, Noted, Event.retired("Touched")],
  joins,
  initial
} as const
const evolve = {
  Ordered: (state: State, { total }: Ordered) => say({ ...state, total: state.total + total }, "ordered"),
  CardGiven: (state: State, { card }: CardGiven) => say(state, `card ${card}`),
  Paid: (state: State, { amount }: Paid) => say({ ...state, total: state.total - BigInt(amount) }, "paid"),
  Listed: (state: State, { price, sku }: Listed) => ({ ...state, prices: new Map([...state.prices, [sku, price]]) }),
  Moved: (state: State, { city, street }: Moved) => say(state, `moved to ${street} in ${city}`),
  Walked: (state: State, { metres }: Walked) => ({ ...state, walks: [...state.walks, metres] }),
  Noted: (state: State, { text }: Noted) => say(state, `noted ${text}`)
}

const All = Aggregate.make("Order", declared).evolve(evolve)
const kept = (policy: SnapshotPolicy.SnapshotPolicy) =>
  Aggregate.make("Order", { ...declared, snapshots: { state: State, policy } }).evolve(evolve)

// What can be joined stands in the list more than once: a snapshot between two of it is what must not be seen.
const joined: ReadonlyArray<(n: number) => Event.Any> = [
  (n) => new Street({ street: String(n) }),
  (n) => new City({ city: String(n) }),
  (n) => new Stepped({ metres: n })
]

/** Everything that can have been written, by number. */
const writers: ReadonlyArray<(n: number) => Event.Any> = [
  ...joined,
  ...joined,
  ...joined,
  (n) => new Ordered1({ total: n, card: n % 2 === 0 ? "" : String(n) }),
  (n) => new Paid1({ amount: n }),
  (n) => new Listed1({ skus: Array.from({ length: n % 3 }, (_, index) => `${n}${index}`) }),
  () => new Touched(),
  (n) => new Ordered({ total: BigInt(n) }),
  (n) => new CardGiven({ card: String(n) }),
  (n) => new Paid({ amount: n }),
  (n) => new Listed({ sku: String(n), price: n }),
  (n) => new Moved({ street: String(n), city: "" }),
  (n) => new Walked({ metres: n }),
  (n) => new Noted({ text: String(n) })
]

const number = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))
const Step = Schema.Struct({
  /** What is appended, in one go. */
  writes: Schema.Array(number(writers.length - 1)).check(Schema.isMaxLength(5)),
  /** What happens then. */
  next: Schema.Literals(["nothing", "snapshot", "execute", "execute", "verify"])
})
const programs = Arbitrary.all({
  every: Arbitrary.schema(number(3)),
  steps: Arbitrary.array(Arbitrary.schema(Step), { minLength: 3, maxLength: 14 })
})

const holds = (runs: number) =>
  Law.forAll(
    programs,
    ({ every, steps }) =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const id = yield* IdGenerator.next
        const Kept = kept(every === 0 ? SnapshotPolicy.manual : SnapshotPolicy.every(every))
        let n = 0
        for (const { next, writes } of steps) {
          const events = writes.flatMap((write) => writers[write]?.(n++) ?? [])
          yield* store.append({ stream: All.stream(id), expected: "any", events })
          if (next === "snapshot") yield* Repository.snapshot(Kept, id)
          if (next === "execute") {
            const decide = () => Result.succeed([new Paid({ amount: n++ })])
            const { state, version } = yield* Repository.execute(Kept, id, undefined, decide)
            Assert.equal(
              yield* Repository.load(All, id),
              { stream: All.stream(id), state, version },
              "as it was answered"
            )
          }
          if (next === "verify") {
            const verified = yield* Repository.verify(Kept, id)
            Assert.isTrue(
              verified._tag === "Same" || verified._tag === "Absent",
              `the snapshot is not as good as all events: ${JSON.stringify(verified)}`
            )
          }
          Assert.equal(yield* Repository.load(Kept, id), yield* Repository.load(All, id), `after ${n} events`)
        }
      }),
    { runs }
  ).pipe(Effect.provideService(Law.Seed, inject("seed")))

const prices = Layer.merge(Layer.succeed(Prices, { of: (sku) => sku.length }), TenantContext.layerSingle)

describe("a fold from snapshots is the fold of all events", () => {
  layer(Layer.merge(Memory.layer, prices), { excludeTestServices: true })("in memory", (it) => {
    it.effect("whatever the history, wherever the snapshots", () => holds(400), 60_000)
  })
  layer(Layer.merge(freshStore, prices), { excludeTestServices: true })("on PostgreSQL", (it) => {
    it.effect("whatever the history, wherever the snapshots", () => holds(25), 60_000)
  })
})
