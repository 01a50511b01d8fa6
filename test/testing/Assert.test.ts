import { assert, describe, expect, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Event from "../../src/domain/Event.ts"
import { EventStoreError, VersionConflict } from "../../src/ports/EventStoreError.ts"
import * as Assert from "../../src/testing/Assert.ts"

class Added extends Event.Class<Added>()("Added", { n: Schema.Int }) {}
class Removed extends Event.Class<Removed>()("Removed", { n: Schema.Int }) {}

const differences = (actual: unknown, expected: unknown): string => {
  try {
    Assert.equal(actual, expected, "it")
  } catch (error) {
    assert(error instanceof Assert.AssertionFailed)
    return error.message
  }
  return "none"
}

const circular = (n: number) => {
  const value: { n: number; self?: unknown } = { n }
  value.self = value
  return value
}

describe("Assert.equal", () => {
  const equals: ReadonlyArray<readonly [what: string, make: () => unknown]> = [
    ["numbers", () => Number.NaN],
    ["instances", () => [new Added({ n: 1 })]],
    ["options", () => Option.some(new Added({ n: 1 }))],
    ["dates", () => [new Date(5), DateTime.makeUnsafe(5)]],
    ["sets of objects", () => new Set([{ a: 1 }, { a: 2 }])],
    ["maps", () => new Map([["a", [1n]]])],
    ["errors", () => new EventStoreError({ reason: new VersionConflict({ stream: "s", expected: 1, actual: 2 }) })],
    ["what holds itself", () => circular(1)],
    ["own keys of any name", () => JSON.parse('{"__proto__":1,"constructor":2}')]
  ]
  it.each(equals)("takes equal %s", (_, make) => {
    expect(differences(make(), make())).toBe("none")
  })

  it("takes a plain object for one without a prototype, and zero for minus zero", () => {
    expect(differences(Object.assign(Object.create(null), { a: 0 }), { a: -0 })).toBe("none")
  })

  const differs: ReadonlyArray<readonly [actual: unknown, expected: unknown, lines: ReadonlyArray<string>]> = [
    [1, 2, ["expected 2, got 1"]],
    [{ a: [{ b: 1 }] }, { a: [{ b: 2 }] }, ["a[0].b: expected 2, got 1"]],
    [[1], [1, 2], ["[1]: expected 2, got nothing"]],
    [[1, 2], [1], ["[1]: expected nothing, got 2"]],
    [{ a: undefined }, {}, ["a: expected nothing, got undefined"]],
    [{ "a b": 1 }, { "a b": 2 }, ['["a b"]: expected 2, got 1']],
    [
      [new Added({ n: 1 })],
      [new Removed({ n: 1 })],
      ['[0]: expected Removed({"_tag":"Removed","n":1}), got Added({"_tag":"Added","n":1})']
    ],
    [
      new Added({ n: 1 }),
      { _tag: "Added", n: 1 },
      ['expected {"_tag":"Added","n":1}, got Added({"_tag":"Added","n":1})']
    ],
    [Option.some(1), Option.some(2), ["expected some(2), got some(1)"]],
    [new Date(0), new Date(1), ["expected 1970-01-01T00:00:00.001Z, got 1970-01-01T00:00:00.000Z"]],
    [new Set([1, 2]), new Set([2, 3]), ["expected 3, got nothing", "expected nothing, got 1"]],
    [new Map([["a", 1]]), new Map([["a", 2]]), [".a: expected 2, got 1".slice(1)]],
    [new Error("a"), new Error("b"), ['message: expected "b", got "a"']],
    [circular(1), circular(2), ["n: expected 2, got 1"]]
  ]
  it.each(differs)("says where %o is not %o", (actual, expected, lines) => {
    expect(differences(actual, expected)).toBe(["it", ...lines.map((line) => `  ${line}`)].join("\n"))
  })

  it("stays short", () => {
    const long = differences(
      Array.from({ length: 50 }, () => "x".repeat(1000)),
      Array.from({ length: 50 }, () => "y".repeat(1000))
    )
    expect(long.split("\n")).toHaveLength(14)
    expect(long).toContain("and 38 more differences")
    expect(long.length).toBeLessThan(10_000)
  })
})

describe("Assert.fails", () => {
  const conflict = new EventStoreError({ reason: new VersionConflict({ stream: "s", expected: 1, actual: 2 }) })

  it.effect("answers with the reason", () =>
    Effect.gen(function* () {
      const { actual } = yield* Assert.fails(Effect.fail(conflict), "VersionConflict")
      expect(actual).toBe(2)
    })
  )

  it.effect("dies of a success, of another reason and of a defect, and says which", () =>
    Effect.gen(function* () {
      const failing: Effect.Effect<string, EventStoreError> = Effect.fail(conflict)
      const said = (effect: Effect.Effect<string, EventStoreError>) =>
        Effect.map(Effect.exit(Assert.fails(effect, "StreamTombstoned")), String)
      expect(yield* said(Effect.succeed("value"))).toContain(
        'expected a failure of StreamTombstoned, succeeded with "value"'
      )
      expect(yield* said(failing)).toContain("The stream s is at version 2, expected 1")
      expect(yield* said(Effect.die(new Error("a bug")))).toContain("a bug")
    })
  )
})

it("Assert.isTrue and Assert.defined throw what they were told", () => {
  Assert.isTrue(true, "fine")
  expect(() => Assert.isTrue(false, "not fine")).toThrow("not fine")
  expect(Assert.defined(0, "there")).toBe(0)
  expect(() => Assert.defined(undefined, "not there")).toThrow("not there")
})
