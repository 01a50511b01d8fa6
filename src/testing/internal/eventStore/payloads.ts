/**
 * Laws about contents: what goes in comes out.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Event from "../../../domain/Event.ts"
import * as RecordedEvent from "../../../domain/RecordedEvent.ts"
import type * as EventStore from "../../../ports/EventStore.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import * as samples from "../samples.ts"
import { law, type World } from "../world.ts"

class Rich extends Event.Class<Rich>()("LawRich", samples.richFields) {}
class Nested extends Event.Class<Nested>()("LawNested", { nest: samples.Nest }) {}

/** Appends the events and reads them back as instances. */
const back = <const Classes extends ReadonlyArray<Event.AnyClass>>(
  world: World,
  classes: Classes,
  events: ReadonlyArray<Event.Of<Classes>>
) =>
  Effect.gen(function* () {
    yield* world.append(world.stream(), "none", events)
    const decode = RecordedEvent.decoder(classes)
    const stored = yield* world.store.readStream(world.stream())
    const decoded = yield* Effect.forEach(stored, (event) => Effect.fromResult(decode(event)))
    return decoded.map(({ event }) => event)
  })

const rich = Object.keys(samples.richFields).map((field) =>
  law(`the field "${field}" of an event with all kinds of values comes back as it was`, (world) =>
    Effect.gen(function* () {
      const [event] = yield* back(world, [Rich], [new Rich(samples.rich)])
      const get = (value: object | undefined) => new Map<string, unknown>(Object.entries(value ?? {})).get(field)
      Assert.equal(get(event), get(samples.rich))
    })
  )
)

const whole = law(
  "an event with all kinds of values comes back as an instance of its class, equal to what it was",
  (world) =>
    Effect.gen(function* () {
      const event = new Rich({ ...samples.rich, absent: "present" })
      Assert.equal(yield* back(world, [Rich], [event, new Rich(samples.rich)]), [event, new Rich(samples.rich)])
    })
)

const bare = law("an event without fields comes back", (world) =>
  Effect.gen(function* () {
    Assert.equal(yield* back(world, [Bare], [new Bare(), new Bare()]), [new Bare(), new Bare()])
  })
)

class Bare extends Event.Class<Bare>()("LawBare", {}) {}

const long = law("texts of a megabyte come back, in any alphabet", (world) =>
  Effect.gen(function* () {
    const events = ["x", "é", "日", "😀"].map((character) =>
      samples.texts({ text: character.repeat(1_000_000 / character.length) })
    )
    Assert.equal(yield* back(world, [samples.Texts], events), events)
  })
)

const wide = law("an event with ten thousand keys and ten thousand items comes back", (world) =>
  Effect.gen(function* () {
    const numbers = samples.count(10_000)
    const event = samples.texts({
      labels: Object.fromEntries(numbers.map((n) => [`key ${n}`, String(n)])),
      lines: numbers.map((n) => ({ sku: `sku ${n}` }))
    })
    Assert.equal(yield* back(world, [samples.Texts], [event]), [event])
  })
)

const deep = law("a value nested two hundred times comes back", (world) =>
  Effect.gen(function* () {
    const event = new Nested({ nest: samples.nest(200) })
    Assert.equal(yield* back(world, [Nested], [event]), [event])
  })
)

class Numbers extends Event.Class<Numbers>()("LawNumbers", { n: Schema.Number }) {}

const zero = law("minus zero comes back as zero", (world) =>
  Effect.gen(function* () {
    const [event] = yield* back(world, [Numbers], [new Numbers({ n: -0 })])
    Assert.isTrue(Object.is(event?.n, 0), `-0 came back as ${Object.is(event?.n, -0) ? "-0" : event?.n}`)
  })
)

const stored = law("the log holds an event's fields as JSON, without its tag", (world) =>
  Effect.gen(function* () {
    yield* world.append(world.stream(), "none", [
      samples.texts({ text: "t", labels: { b: "2", a: "1" }, lines: [{ sku: "s" }] }),
      new Bare()
    ])
    Assert.equal(yield* world.data(world.stream()), [
      { text: "t", labels: { a: "1", b: "2" }, lines: [{ sku: "s" }] },
      {}
    ])
  })
)

export const laws: ReadonlyArray<Law.Law<EventStore.EventStore>> = [
  ...rich,
  whole,
  bare,
  long,
  wide,
  deep,
  zero,
  stored
]
