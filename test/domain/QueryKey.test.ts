import { describe, expect, it } from "@effect/vitest"
import { createHash } from "node:crypto"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Message from "../../src/domain/Message.ts"
import * as Query from "../../src/domain/Query.ts"
import * as QueryKey from "../../src/domain/QueryKey.ts"
import { sha256 } from "../../src/domain/internal/sha256.ts"
import * as Law from "../../src/testing/Law.ts"

class Find extends Query.Class<Find>()("Find", {
  payload: { b: Schema.String, a: Schema.optional(Schema.String), "odd:name": Schema.optional(Schema.String) }
}) {}
class Range extends Query.Class<Range>()("Range", {
  payload: { from: Schema.DateTimeUtcFromString, tags: Schema.Record(Schema.String, Schema.BigInt) }
}) {}

const plain = {
  id: Schema.NonEmptyString,
  page: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 })),
  ratio: Schema.Number,
  open: Schema.Boolean,
  order: Schema.Literal("asc")
}
class Page extends Query.Class<Page>()("Page", { payload: plain }) {}

describe("a query's key", () => {
  it("is the same whatever the order, and another for anything else", () => {
    const bigs = { x: 1n, y: 2n }
    const from = Schema.decodeUnknownSync(Schema.DateTimeUtcFromString)("2026-01-01T00:00:00.000Z")
    const key = QueryKey.make(new Range({ from, tags: bigs }))
    expect(key).toBe(`Range:from="2026-01-01T00:00:00.000Z":tags={"x":"1","y":"2"}`)
    expect(QueryKey.make(new Range({ tags: { y: 2n, x: 1n }, from }))).toBe(key)
    expect(QueryKey.make(new Range({ from, tags: { x: 1n } }))).not.toBe(key)
  })

  it("does not mix what stands in values with names", () => {
    const keys = [
      new Find({ b: "1" }),
      new Find({ b: "1", a: "" }),
      new Find({ a: "1:b=2", b: "" }),
      new Find({ a: "1", b: `2":b="` }),
      new Find({ b: "1", "odd:name": "2" })
    ].map((query) => QueryKey.make(query))
    expect(new Set(keys).size).toBe(keys.length)
    expect(QueryKey.make(new Find({ b: "1" }), { b: "1" })).not.toBe(QueryKey.make(new Find({ b: "1" })))
    expect(QueryKey.make(new Find({ b: "1" }), { role: undefined })).toBe(QueryKey.make(new Find({ b: "1" })))
  })

  it("is short", () => {
    const long = QueryKey.make(new Find({ b: "x".repeat(1000) }))
    const whole = `Find:b=${JSON.stringify("x".repeat(1000))}`
    expect(long).toBe(`Find:${createHash("sha256").update(whole).digest("hex")}`)
    expect(QueryKey.make(new Find({ b: "x".repeat(191) }))).toHaveLength(200)
  })

  it("is none for what is no such query", () => {
    const query = new Find({ b: "1" })
    Object.defineProperty(query, "b", { value: 1 })
    expect(QueryKey.make(query)).toBe(undefined)
  })

  it.effect("is made of what the schema makes of plain arguments, too", () => {
    const encode = Schema.encodeUnknownSync(Schema.toCodecJson(Schema.Struct(plain)))
    return Law.forAll(Arbitrary.schema(Schema.Struct(plain)), (fields) =>
      Effect.sync(() => {
        const query = new Page(fields)
        expect(query[Message.TypeId].toJson(query)).toEqual(encode(fields))
      })
    )
  })

  it("is none for plain arguments that no such query has", () => {
    const fields = { id: "a", page: 1, ratio: 1, open: true, order: "asc" } as const
    for (const [name, value] of Object.entries({ id: "", page: 10, ratio: "1", open: 1, order: "desc" })) {
      const query = new Page(fields)
      expect(QueryKey.make(query)).toBe(`Page:id="a":open=true:order="asc":page=1:ratio=1`)
      Object.defineProperty(query, name, { value })
      expect(QueryKey.make(query)).toBe(undefined)
    }
    expect(QueryKey.make(new Page({ ...fields, ratio: Infinity }))).toContain(`ratio="Infinity"`)
  })

  it.effect("is hashed as everywhere else", () =>
    Law.forAll(
      Arbitrary.schema(Schema.String),
      (text) =>
        Effect.sync(() => {
          const all = text.repeat(7)
          expect(sha256(all)).toBe(createHash("sha256").update(all.toWellFormed()).digest("hex"))
        }),
      { runs: 200 }
    )
  )
})
