import { describe, expect, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { FieldIssue } from "../../src/index.ts"

const issues = <T, E>(schema: Schema.Codec<T, E>, input: unknown): ReadonlyArray<FieldIssue.FieldIssue> =>
  Result.match(Schema.decodeUnknownResult(schema, { errors: "all" })(input), {
    onSuccess: () => [],
    onFailure: ({ issue }) => FieldIssue.fromIssue(issue)
  })

const Order = Schema.Struct({
  buyer: Schema.Struct({ name: Schema.NonEmptyString }),
  lines: Schema.Array(Schema.Struct({ sku: Schema.String, counts: Schema.Array(Schema.Int) })),
  prices: Schema.Record(Schema.String, Schema.Int)
})

describe("FieldIssue.fromIssue", () => {
  it("joins keys with dots and indexes with brackets, in the order of the schema", () => {
    const wrong = {
      prices: { "a.b": 1.5 },
      lines: [
        { sku: "a", counts: [] },
        { sku: 1, counts: [1, "x"] }
      ],
      buyer: { name: "" }
    }
    expect(issues(Order, wrong).map(({ path }) => path)).toEqual([
      "buyer.name",
      "lines[1].sku",
      "lines[1].counts[1]",
      "prices.a.b"
    ])
  })

  it("starts with a bracket where the input itself is an array", () => {
    expect(issues(Schema.Array(Order), [3]).map(({ path }) => path)).toEqual(["[0]"])
    expect(issues(Schema.Array(Schema.Array(Schema.Int)), [[0], [0, "x"]]).map(({ path }) => path)).toEqual(["[1][1]"])
  })

  it("has an empty path when the whole input is wrong", () => {
    expect(issues(Order, "x")).toEqual([{ path: "", message: expect.stringContaining("Expected object") }])
  })

  it("names a missing key", () => {
    expect(issues(Schema.Struct({ sku: Schema.String }), {}).map(({ path }) => path)).toEqual(["sku"])
  })
})

it.effect.prop(
  "every wrong element is named, and no other",
  [Schema.Array(Schema.Union([Schema.Int, Schema.Null]))],
  ([list]) =>
    Effect.sync(() => {
      const wrong = list.flatMap((item, index) => (item === null ? [`list[${index}]`] : []))
      expect(issues(Schema.Struct({ list: Schema.Array(Schema.Int) }), { list }).map(({ path }) => path)).toEqual(wrong)
    })
)

it("FieldIssue.format puts all on one line", () => {
  expect(FieldIssue.format([])).toBe("")
  expect(
    FieldIssue.format([
      { path: "lines[2].sku", message: "missing" },
      { path: "", message: "too big" }
    ])
  ).toBe("lines[2].sku: missing; too big")
})
