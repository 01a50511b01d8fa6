import { describe, expect, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { Actor, Decider, Fold, Metadata, Position, TenantId } from "../../src/index.ts"

const fits = <T, E>(schema: Schema.Codec<T, E>, input: unknown): boolean =>
  Result.isSuccess(Schema.decodeUnknownResult(schema)(input))

describe("Position", () => {
  it("is a whole number from 0 on, exact up to 2^53", () => {
    expect([0, 1, Number.MAX_SAFE_INTEGER].every((n) => fits(Position.Position, n))).toBe(true)
    expect([-1, 0.5, Number.NaN, 2 ** 53 + 2, "1", 1n].some((n) => fits(Position.Position, n))).toBe(false)
  })

  it("max is the later one", () => {
    const later = Position.make(3)
    expect([Position.max(later, Position.start), Position.max(Position.start, later)]).toEqual([3, 3])
  })
})

describe("Actor", () => {
  it("has an id and a kind", () => {
    expect([Actor.user("ada"), Actor.service("billing"), Actor.system]).toEqual([
      { id: "ada", kind: "user" },
      { id: "billing", kind: "service" },
      { id: "system", kind: "system" }
    ])
    expect(fits(Actor.Actor, { id: "x", kind: "robot" })).toBe(false)
  })
})

describe("Metadata", () => {
  it("is plain JSON, with and without what is optional", () => {
    const all = {
      correlationId: "r",
      causationId: "m",
      occurredAt: 1,
      actor: Actor.user("ada"),
      traceparent: "00-1-2-01",
      attributes: { source: "import" }
    }
    const codec = Schema.toCodecJson(Metadata.Metadata)
    for (const metadata of [all, { correlationId: "r", occurredAt: 1 }]) {
      const text = JSON.stringify(Schema.encodeSync(codec)(metadata))
      expect(JSON.parse(text)).toEqual(metadata)
      expect(Schema.decodeUnknownSync(codec)(JSON.parse(text))).toEqual(metadata)
    }
  })
})

it("TenantId is text that is not empty", () => {
  expect(TenantId.make("acme")).toBe("acme")
  expect([fits(TenantId.TenantId, "acme"), fits(TenantId.TenantId, "")]).toEqual([true, false])
})

it("a decider may emit fewer kinds of events than its history holds", () => {
  type Happened = { readonly _tag: "Added"; readonly by: number } | { readonly _tag: "Closed" }
  const counter = Decider.make({
    initial: { sum: 0, closed: false },
    evolve: (state, event: Happened) =>
      event._tag === "Added" ? { ...state, sum: state.sum + event.by } : { ...state, closed: true },
    decide: (by: number, { closed }) => (closed ? Result.fail("closed") : Result.succeed([{ _tag: "Added", by }]))
  })
  const open = Fold.run(counter, [{ _tag: "Added", by: 2 }])
  expect(counter.decide(3, open)).toEqual(Result.succeed([{ _tag: "Added", by: 3 }]))
  expect(counter.decide(3, Fold.run(counter, [{ _tag: "Closed" }]))).toEqual(Result.fail("closed"))
})
