import { describe, expect, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { StreamName } from "../../src/index.ts"

const Category = Schema.NonEmptyString.check(Schema.isPattern(/^[^-]+$/))

describe("StreamName", () => {
  it.effect.prop("takes apart what make put together, whatever the id", [Category, Schema.String], ([category, id]) =>
    Effect.sync(() => {
      const name = StreamName.make(category, id)
      expect([StreamName.category(name), StreamName.id(name)]).toEqual([category, id])
    })
  )

  it.each([
    ["Task-2026-11", "Task", "2026-11"],
    ["Task-", "Task", ""],
    ["-x", "", "x"],
    ["Task", "Task", ""]
  ])("%s", (name, category, id) => {
    const stream = StreamName.fromString(name)
    expect([StreamName.category(stream), StreamName.id(stream)]).toEqual([category, id])
  })

  it("is text that is not empty", () => {
    const decode = Schema.decodeUnknownResult(StreamName.StreamName)
    expect(Result.isSuccess(decode("Task-1"))).toBe(true)
    expect(Result.isFailure(decode(""))).toBe(true)
    expect(Result.isFailure(decode(1))).toBe(true)
  })
})
