import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, BigDecimal, DateTime, Effect, Option, Result, Schema } from "effect"
import { Event, FieldIssue, Upcaster } from "../../src/index.ts"

class Rich extends Event.Class<Rich>()("Rich", {
  big: Schema.BigInt,
  date: Schema.Date,
  utc: Schema.DateTimeUtc,
  some: Schema.Option(Schema.Int),
  set: Schema.ReadonlySet(Schema.String),
  map: Schema.ReadonlyMap(Schema.String, Schema.BigInt),
  decimal: Schema.BigDecimal,
  bytes: Schema.Uint8Array,
  maybe: Schema.UndefinedOr(Schema.String),
  left: Schema.optional(Schema.Int),
  absent: Schema.optionalKey(Schema.Int),
  nothing: Schema.NullOr(Schema.String),
  number: Schema.Number
}) {}

const rich = {
  big: 2n ** 70n,
  date: new Date(1),
  utc: DateTime.makeUnsafe("2026-03-29T01:00:00.123Z"),
  some: Option.some(3),
  set: new Set(["b", "a"]),
  map: new Map([["x", -1n]]),
  decimal: BigDecimal.fromStringUnsafe("0.1000000000000000000001"),
  bytes: new Uint8Array([0, 255]),
  maybe: undefined,
  left: undefined,
  nothing: null,
  number: Number.NEGATIVE_INFINITY
}

/** What a store keeps of an event: the text of its fields. */
const written = (event: Event.Any): string => JSON.stringify(Result.getOrThrow(event[Event.TypeId].encode(event)))

const read = <E>(self: { readonly [Event.TypeId]: Event.Reader<E> }, text: string, version: number): E =>
  Result.getOrThrow(self[Event.TypeId](JSON.parse(text), version))

const refusal = (self: Event.AnyClass, data: unknown, version: number): ReadonlyArray<FieldIssue.FieldIssue> =>
  Result.match(self[Event.TypeId](data, version), {
    onSuccess: () => [],
    onFailure: FieldIssue.fromIssue
  })

describe("what an event stores", () => {
  it("comes back as it was: bigint, Date, DateTime, Option, Set, Map, BigDecimal, bytes, undefined, null, Infinity", () => {
    const event = new Rich(rich)
    const back = read(Rich, written(event), Rich.version)
    expect(back).toBeInstanceOf(Rich)
    expect(Schema.toEquivalence(Rich)(back, event)).toBe(true)
    expect(typeof back.big).toBe("bigint")
    expect(back.date).toBeInstanceOf(Date)
    expect(back.set).toBeInstanceOf(Set)
    expect("absent" in back).toBe(false)
    expect("left" in back && back.left === undefined && back.maybe === undefined).toBe(true)
  })

  it.effect.prop("comes back as it was, whatever it is", [Rich], ([event]) =>
    Effect.sync(() => {
      const back = read(Rich, written(event), Rich.version)
      expect(back).toBeInstanceOf(Rich)
      expect(Schema.toEquivalence(Rich)(back, event)).toBe(true)
      // What was read writes the same text again: a copied log is the same log.
      expect(written(back)).toBe(written(event))
    })
  )

  it("keeps the zone of a zoned DateTime", () => {
    class Planned extends Event.Class<Planned>()("Planned", { at: Schema.DateTimeZoned }) {}
    const at = DateTime.makeZonedUnsafe("2026-03-29T01:00:00Z", { timeZone: "Europe/Berlin" })
    const back = read(Planned, written(new Planned({ at })), 1)
    expect(DateTime.formatIsoZoned(back.at)).toBe("2026-03-29T03:00:00.000+02:00[Europe/Berlin]")
  })

  it("does not hold its tag: that is a column", () => {
    class Noted extends Event.Class<Noted>()("Noted", { text: Schema.String }) {}
    class Closed extends Event.Class<Closed>()("Closed", {}) {}
    expect(written(new Noted({ text: "x" }))).toBe(`{"text":"x"}`)
    expect(written(new Closed())).toBe("{}")
    expect(read(Closed, "{}", 1)).toEqual(new Closed())
  })

  it("has no -0, like JSON", () => {
    class Weighed extends Event.Class<Weighed>()("Weighed", { n: Schema.Number }) {}
    expect(Object.is(read(Weighed, written(new Weighed({ n: -0 })), 1).n, 0)).toBe(true)
  })

  it("leaves out what the class does not know and names every field that does not fit", () => {
    class Placed extends Event.Class<Placed>()("Placed", {
      lines: Schema.Array(Schema.Struct({ sku: Schema.String })),
      total: Schema.BigInt
    }) {}
    const odd = Result.getOrThrow(Placed[Event.TypeId]({ lines: [], total: "1", more: true }, 1))
    expect(odd).toEqual(new Placed({ lines: [], total: 1n }))
    expect(refusal(Placed, { lines: [{ sku: "a" }, { sku: 7 }], total: "x" }, 1).map(({ path }) => path)).toEqual([
      "lines[1].sku",
      "total"
    ])
    expect(refusal(Placed, null, 1).map(({ path }) => path)).toEqual(["lines", "total"])
  })

  it("is refused with the field named when a value does not fit its schema", () => {
    class Counted extends Event.Class<Counted>()("Counted", { n: Schema.Int, name: Schema.NonEmptyString }) {}
    const event = new Counted({ n: 1.5, name: "" }, { disableChecks: true })
    const encoded = event[Event.TypeId].encode(event)
    expect(Result.isFailure(encoded) && FieldIssue.fromIssue(encoded.failure).map(({ path }) => path)).toEqual([
      "n",
      "name"
    ])
  })
})

describe("an event class", () => {
  it("knows its tag and version, and so do its instances", () => {
    class Noted extends Event.Class<Noted>()("note.taken", { text: Schema.String }) {}
    const noted = new Noted({ text: "x" })
    expect([Noted.tag, Noted.version]).toEqual(["note.taken", 1])
    expect([noted._tag, noted[Event.TypeId].tag, noted[Event.TypeId].version]).toEqual(["note.taken", "note.taken", 1])
    expect(Object.keys(noted)).toEqual(["_tag", "text"])
  })

  it("checks every field when an instance is made", () => {
    class Noted extends Event.Class<Noted>()("Noted", { text: Schema.NonEmptyString }) {}
    expect(() => new Noted({ text: "" })).toThrow("Schema validation failed")
  })

  it("derives tags from the fields; without a function there are none", () => {
    class Enrolled extends Event.Class<Enrolled>()(
      "Enrolled",
      { course: Schema.String, student: Schema.String },
      { tags: ({ course, student }) => [`course:${course}`, `student:${student}`] }
    ) {}
    class Left extends Event.Class<Left>()("Left", {}) {}
    expect(Event.tags(new Enrolled({ course: "c1", student: "s1" }))).toEqual(["course:c1", "student:s1"])
    expect(Event.tags(new Left())).toEqual([])
  })

  it("makes instances of the user's own class, with its methods and getters, of every version", () => {
    class Moved extends Event.Class<Moved>()(
      "Moved",
      { cents: Schema.Int },
      { upcasters: Upcaster.from({ euros: Schema.Int }).current(({ euros }) => ({ cents: euros * 100 })) }
    ) {
      get euros(): number {
        return this.cents / 100
      }
      plus(other: Moved): Moved {
        return new Moved({ cents: this.cents + other.cents })
      }
    }
    const today = read(Moved, written(new Moved({ cents: 250 })), 2)
    const old = read(Moved, `{"euros":4}`, 1)
    expect(today).toBeInstanceOf(Moved)
    expect(old).toBeInstanceOf(Moved)
    expect(today.plus(old).euros).toBe(6.5)
  })

  it("holds what a value was and what it became", () => {
    class Renamed extends Event.Class<Renamed>()("Renamed", { title: Event.changed(Schema.BigInt) }) {}
    const back = read(Renamed, written(new Renamed({ title: { old: 1n, new: 2n } })), 1)
    expect([back.title.old, back.title.new]).toEqual([1n, 2n])
  })

  it("cannot be extended: its tag is one shape in the log, and the fields of another would be lost", () => {
    class Noted extends Event.Class<Noted>()("Noted", { text: Schema.String }) {}
    expect(() => Noted.extend<Noted>("NotedLong")({ more: Schema.String })).toThrow(/"Noted" cannot be extended/)
  })
})

describe("versions", () => {
  class Priced extends Event.Class<Priced>()(
    "Priced",
    { cents: Schema.BigInt },
    {
      upcasters: Upcaster.from({ euros: Schema.Number })
        .next({ cents: Schema.Int }, ({ euros }) => ({ cents: Math.round(euros * 100) }))
        .current(({ cents }) => ({ cents: BigInt(cents) }))
    }
  ) {}

  it("are counted by the upcasters", () => {
    expect(Priced.version).toBe(3)
    expect(new Priced({ cents: 1n })[Event.TypeId].version).toBe(3)
  })

  it.each([4, 0, -1])("other than those the code knows are refused with the reason: %d", (version) => {
    expect(refusal(Priced, { cents: "1" }, version)).toEqual([
      { path: "", message: `Expected a version from 1 to 3, not ${version}: other code stored it` }
    ])
  })

  it("newer than a class without history are refused as well", () => {
    class Plain extends Event.Class<Plain>()("Plain", {}) {}
    expect(refusal(Plain, {}, 2)).toEqual([
      { path: "", message: "Expected a version from 1 to 1, not 2: other code stored it" }
    ])
  })
})

it.effect("a generator of events comes with the class", () =>
  Effect.gen(function* () {
    class Noted extends Event.Class<Noted>()("Noted", { text: Schema.NonEmptyString }) {}
    const [noted] = yield* Arbitrary.sampleEffect(Arbitrary.schema(Noted))
    expect(noted).toBeInstanceOf(Noted)
  })
)
