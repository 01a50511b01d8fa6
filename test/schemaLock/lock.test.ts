import { describe, expect, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { Aggregate, Event, Join, SchemaLock, Upcaster } from "../../src/index.ts"

// One event in the releases it went through.
class Made1 extends Event.Class<Made1>()("Made", { title: Schema.String }) {}
class Made2 extends Event.Class<Made2>()(
  "Made",
  { title: Schema.String, count: Schema.Int },
  { upcasters: Upcaster.from({ title: Schema.String }).current(({ title }) => ({ title, count: 1 })) }
) {}
class Made3 extends Event.Class<Made3>()(
  "Made",
  { name: Schema.String },
  {
    upcasters: Upcaster.from({ title: Schema.String })
      .next({ title: Schema.String, count: Schema.Int }, ({ title }) => ({ title, count: 1 }))
      .current(({ title }) => ({ name: title }))
  }
) {}
const made = Upcaster.formerly("Made", { title: Schema.String })
class Created extends Event.Class<Created>()(
  "Created",
  { title: Schema.String },
  { upcasters: made.current(({ title }) => ({ title })) }
) {}
class Created2 extends Event.Class<Created2>()(
  "Created",
  { title: Schema.String },
  {
    upcasters: made
      .next({ title: Schema.String, count: Schema.Int }, ({ title }) => ({ title, count: 1 }))
      .current(({ title }) => ({ title }))
  }
) {}
class Named extends Event.Class<Named>()("Created", { title: Schema.String }) {}
class Counted extends Event.Class<Counted>()(
  "Counted",
  { count: Schema.Int },
  { upcasters: Upcaster.partOf("Made", { title: Schema.String }).current(() => ({ count: 1 })) }
) {}
class CountedAlone extends Event.Class<CountedAlone>()("Counted", { count: Schema.Int }) {}
class CountedFromText extends Event.Class<CountedFromText>()(
  "Counted",
  { count: Schema.Int },
  { upcasters: Upcaster.partOf("Made", { title: Schema.Int }).current(() => ({ count: 1 })) }
) {}
class Other extends Event.Class<Other>()("Other", {}) {}

class TitleInt extends Event.Class<TitleInt>()("Made", { title: Schema.Int }) {}
class TitleNonEmpty extends Event.Class<TitleNonEmpty>()("Made", { title: Schema.NonEmptyString }) {}
class Untitled extends Event.Class<Untitled>()("Made", {}) {}
class WithNote extends Event.Class<WithNote>()("Made", { title: Schema.String, note: Schema.String }) {}
class WithOptional extends Event.Class<WithOptional>()("Made", {
  title: Schema.String,
  note: Schema.optionalKey(Schema.String)
}) {}
class TitleOrNull extends Event.Class<TitleOrNull>()("Made", { title: Schema.NullOr(Schema.String) }) {}
class Forgetful extends Event.Class<Forgetful>()(
  "Made",
  { title: Schema.String, count: Schema.Int },
  { upcasters: Upcaster.from({ name: Schema.String }).current(({ name }) => ({ title: name, count: 1 })) }
) {}

const joined = Join.make(
  Other,
  [Upcaster.formerly("Made", { title: Schema.String }), Upcaster.formerly("Done", {})],
  () => ({})
)
const joinedInt = Join.make(
  Other,
  [Upcaster.formerly("Made", { title: Schema.Int }), Upcaster.formerly("Done", {})],
  () => ({})
)
const retired = Event.retired("Made")

type Sources = ReadonlyArray<SchemaLock.Source>
type Expected = readonly [kind: SchemaLock.Finding["kind"], event: string, version?: number, field?: string]

const breaking: ReadonlyArray<
  readonly [name: string, before: Sources, now: Sources, expected: ReadonlyArray<Expected>]
> = [
  ["an event is gone", [Made1, Other], [Other], [["event-removed", "Made"]]],
  [
    "an event has another tag",
    [Made1],
    [Named],
    [
      ["event-renamed", "Made"],
      ["event-added", "Created"]
    ]
  ],
  ["a former tag is gone", [Created], [Named], [["event-removed", "Made"]]],
  ["a retired event is gone", [retired, Other], [Other], [["event-removed", "Made"]]],
  [
    "a join is gone",
    [Other, joined],
    [Other],
    [
      ["event-removed", "Made"],
      ["event-removed", "Done"]
    ]
  ],
  ["only a part of an event is left", [Made1, Counted], [Counted], [["event-removed", "Made"]]],
  ["a retired tag is used again", [retired], [Made1], [["tag-reused", "Made"]]],
  ["the version goes down", [Made2], [Made1], [["version-decreased", "Made", 2]]],
  ["the version goes down by two", [Made3], [WithOptional], [["version-decreased", "Made", 3]]],
  [
    "a former tag has lost a version",
    [Made2],
    [Created],
    [
      ["version-removed", "Made", 2],
      ["event-moved", "Made"],
      ["event-added", "Created"]
    ]
  ],
  ["a part is gone", [Made1, Counted], [Made1, CountedAlone], [["part-removed", "Made", 1]]],
  ["a part reads another shape", [Made1, Counted], [Made1, CountedFromText], [["field-changed", "Made", 1, "title"]]],
  ["a field is gone", [Made1], [Untitled], [["field-removed", "Made", 1, "title"]]],
  ["a field is another type", [Made1], [TitleInt], [["field-changed", "Made", 1, "title"]]],
  ["a field must be more", [Made1], [TitleNonEmpty], [["field-changed", "Made", 1, "title"]]],
  ["a required field is new in the same version", [Made1], [WithNote], [["field-required", "Made", 1, "note"]]],
  ["an optional field is required", [WithOptional], [WithNote], [["field-required", "Made", 1, "note"]]],
  [
    "an upcaster reads a version in another shape",
    [Made2],
    [Forgetful],
    [
      ["field-removed", "Made", 1, "title"],
      ["field-required", "Made", 1, "name"]
    ]
  ],
  [
    "a new version was put in the place of the last one",
    [Made1],
    [Forgetful],
    [
      ["field-removed", "Made", 1, "title"],
      ["field-required", "Made", 1, "name"],
      ["version-added", "Made", 2]
    ]
  ],
  ["a join reads another shape", [Other, joined], [Other, joinedInt], [["field-changed", "Made", 1, "title"]]]
]

const harmless: typeof breaking = [
  [
    "nothing",
    [Made2, Counted, joined, Other, Event.retired("Gone")],
    [Event.retired("Gone"), Other, joined, Counted, Made2],
    []
  ],
  ["a new event", [Made1], [Made1, Other], [["event-added", "Other"]]],
  ["a new optional field", [Made1], [WithOptional], [["field-added", "Made", 1, "note"]]],
  ["a wider field", [Made1], [TitleOrNull], [["field-widened", "Made", 1, "title"]]],
  ["a new version with its upcaster", [Made1], [Made2], [["version-added", "Made", 2]]],
  [
    "two new versions",
    [Made1],
    [Made3],
    [
      ["version-added", "Made", 2],
      ["version-added", "Made", 3]
    ]
  ],
  [
    "a new tag beside the former one",
    [Made1],
    [Created],
    [
      ["event-moved", "Made"],
      ["event-added", "Created"]
    ]
  ],
  [
    "a new tag beside two versions of the former one",
    [Made2],
    [Created2],
    [
      ["event-moved", "Made"],
      ["event-added", "Created"]
    ]
  ],
  ["a join in place of its events", [Made1, Other], [joined, Other], [["event-moved", "Made"]]],
  ["an event that retires", [Made1], [retired], [["event-retired", "Made"]]],
  ["a part that is new", [Made1], [Made1, Counted], [["event-added", "Counted"]]]
]

const found = (before: Sources, now: Sources) => SchemaLock.check(SchemaLock.lock(before), now)
const short = (findings: ReadonlyArray<SchemaLock.Finding>) =>
  findings.map(({ event, field, kind, version }) => [kind, event, version, field].filter((part) => part !== undefined))
const sorted = (list: ReadonlyArray<ReadonlyArray<unknown>>) => list.map((one) => JSON.stringify(one)).sort()

describe("a change that breaks is found", () => {
  it.each(breaking)("when %s", (_, before, now, expected) => {
    const findings = found(before, now)
    expect(sorted(short(findings))).toEqual(sorted(expected))
    expect(findings.some((finding) => finding.breaking)).toBe(true)
    for (const { breaking, fix, message } of findings) {
      expect(message).toMatch(/\w+ .*\w/)
      expect(fix === undefined).toBe(!breaking)
    }
  })

  it("whatever kind it is of", () => {
    const kinds = new Set(
      breaking.flatMap(([, before, now]) =>
        found(before, now)
          .filter((one) => one.breaking)
          .map(({ kind }) => kind)
      )
    )
    const all = SchemaLock.Finding.fields.kind.literals.filter((kind) => !harmlessKinds.includes(kind))
    expect([...kinds].sort()).toEqual([...all].sort())
  })

  it("in a sentence that says what, and what to do", () => {
    const [finding] = found([Made1], [TitleInt])
    expect(finding?.message).toBe("Made version 1: title was string, is number that passes isInt")
    expect(finding?.fix).toBe(
      "Make today's fields version 2: describe version 1 as it was with Upcaster.from or next, and how it becomes today's"
    )
    const [former] = found([Made2], [Forgetful])
    expect(former?.fix).toBe("Give version 1 the fields back that it was stored with")
    const [required] = found([Made1], [WithNote])
    expect(required?.fix).toMatch(/^Make it optional, or make today's fields version 2/)
  })
})

const harmlessKinds: ReadonlyArray<string> = [
  "event-added",
  "event-moved",
  "event-retired",
  "version-added",
  "field-added",
  "field-widened"
]

describe("a change that breaks nothing passes", () => {
  it.each(harmless)("when it is %s", (_, before, now, expected) => {
    const findings = found(before, now)
    expect(sorted(short(findings))).toEqual(sorted(expected))
    expect(findings.filter((finding) => finding.breaking)).toEqual([])
  })

  it("whatever kind it is of", () => {
    const kinds = new Set(harmless.flatMap(([, before, now]) => found(before, now).map(({ kind }) => kind)))
    expect([...kinds].sort()).toEqual([...harmlessKinds].sort())
  })
})

describe("a lock", () => {
  const sources = [Made2, Counted, joined, Other, Event.retired("Gone")]

  it("is the same for the same sources, in any order, also after a file", () => {
    const file = SchemaLock.format(SchemaLock.lock(sources))
    expect(SchemaLock.format(SchemaLock.lock([...sources].reverse()))).toBe(file)
    const parsed = Result.getOrThrow(SchemaLock.parse(file))
    expect(SchemaLock.format(parsed)).toBe(file)
    expect(SchemaLock.check(parsed, sources)).toEqual([])
    expect(file.endsWith("}\n")).toBe(true)
  })

  it("finds the same after a file as before", () => {
    for (const [, before, now] of [...breaking, ...harmless]) {
      const parsed = Result.getOrThrow(SchemaLock.parse(SchemaLock.format(SchemaLock.lock(before))))
      expect(SchemaLock.check(parsed, now)).toHaveLength(found(before, now).length)
    }
  })

  it("has a line for each field, and one more line for one more field", () => {
    const lines = (source: SchemaLock.Source) => SchemaLock.format(SchemaLock.lock([source])).split("\n")
    const [before, after] = [lines(Made1), lines(Untitled)]
    expect(before.filter((line) => line.includes("title"))).toEqual(['          "title": "string"'])
    expect(before.length - after.length).toBe(2)
  })

  it("takes what an aggregate lists", () => {
    const Task = Aggregate.make("Task", { events: [Made1, Other], joins: [], initial: 0 }).evolve((n) => n)
    expect(Object.keys(SchemaLock.lock([...Task.events, ...Task.joins]).events)).toEqual(["Made", "Other"])
  })

  it("is refused for classes that cannot read one log", () => {
    expect(() => SchemaLock.lock([Made1, Made2])).toThrow('Two event classes are named "Made"')
  })

  it.each(["", "{", "[]", '{"format":2,"events":{}}', '{"format":1}', '{"format":1,"events":{"A":{"is":"event"}}}'])(
    "is not in the text %j",
    (text) => {
      const parsed = SchemaLock.parse(text)
      expect(Result.isFailure(parsed) && parsed.failure.length > 0).toBe(true)
    }
  )
})
