import { describe, expect, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { Aggregate, Event, Fold } from "../../src/index.ts"
import { stored } from "./stored.ts"

class ItemAdded extends Event.Class<ItemAdded>()("ItemAdded", { sku: Schema.String }) {}
class ItemRemoved extends Event.Class<ItemRemoved>()("ItemRemoved", { sku: Schema.String }) {}
const events = [ItemAdded, ItemRemoved] as const

const initial: ReadonlyArray<string> = []
const byRecord = Aggregate.make("Cart", { events, initial }).evolve({
  ItemAdded: (skus, { sku }) => [...skus, sku],
  ItemRemoved: (skus, { sku }) => skus.filter((other) => other !== sku)
})
const byFunction = Aggregate.make("Cart", { events, initial }).evolve((skus, event) =>
  event._tag === "ItemAdded" ? [...skus, event.sku] : skus.filter((other) => other !== event.sku)
)

describe("Aggregate.make", () => {
  it("gives streams of its name", () => {
    expect(byRecord.name).toBe("Cart")
    expect(byRecord.stream("c-1")).toBe("Cart-c-1")
  })

  it.effect.prop(
    "evolves the same by a record of functions and by one function",
    [Schema.Array(ItemAdded)],
    ([added]) =>
      Effect.sync(() => {
        const history = added.flatMap((event, index) =>
          index % 3 === 2 ? [event, new ItemRemoved({ sku: event.sku })] : [event]
        )
        expect(Fold.run(byRecord, history)).toEqual(Fold.run(byFunction, history))
      })
  )

  it("leaves the initial state as it is", () => {
    Fold.run(byRecord, [new ItemAdded({ sku: "a" })])
    expect(byRecord.initial).toEqual([])
  })

  it("decodes the events of its own streams and refuses others", () => {
    const recorded = byRecord.decode(stored({ type: "ItemAdded", data: { sku: "a" } }))
    expect(Result.getOrThrow(recorded).event).toBeInstanceOf(ItemAdded)
    expect(Result.isFailure(byRecord.decode(stored({ type: "Other" })))).toBe(true)
  })

  it.each(["Shopping-Cart", "-", ""])("refuses the name %j: a category ends at the first dash", (name) => {
    expect(() => Aggregate.make(name, { events, initial })).toThrow(`The aggregate name "${name}" must be text without`)
  })

  it("refuses two events of one tag, by name, as soon as it is declared", () => {
    class Again extends Event.Class<Again>()("ItemAdded", { other: Schema.Int }) {}
    const message = 'Two event classes are named "ItemAdded": a log cannot tell them apart'
    expect(() => Aggregate.make("Cart", { events: [ItemAdded, Again], initial })).toThrow(message)
    expect(() => Fold.make({ events: [ItemAdded, Again], initial })).toThrow(message)
  })
})

describe("Fold.run", () => {
  it("takes any iterable and any state, from nothing on", () => {
    const count = Fold.make({ events, initial: 0 }).evolve((n) => n + 1)
    expect(Fold.run(count, [])).toBe(0)
    expect(Fold.run(count, new Set([new ItemAdded({ sku: "a" }), new ItemRemoved({ sku: "a" })]))).toBe(2)
  })
})
