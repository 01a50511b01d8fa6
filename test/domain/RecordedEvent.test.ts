import { describe, expect, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { Event, RecordedEvent, Upcaster } from "../../src/index.ts"
import { stored } from "./stored.ts"

class ItemAdded extends Event.Class<ItemAdded>()(
  "ItemAdded",
  { sku: Schema.String, count: Schema.BigInt },
  { upcasters: Upcaster.from({ sku: Schema.String }).current(({ sku }) => ({ sku, count: 1n })) }
) {
  get label(): string {
    return `${this.count} x ${this.sku}`
  }
}
class CheckedOut extends Event.Class<CheckedOut>()("CheckedOut", {}) {}

const decode = RecordedEvent.decoder([ItemAdded, CheckedOut])

describe("RecordedEvent.decoder", () => {
  it("makes an instance of the user's class and keeps all that the log knows, without the JSON", () => {
    const recorded = Result.getOrThrow(decode(stored({ schemaVersion: 2, data: { sku: "pear", count: "3" } })))
    const { event, ...envelope } = recorded
    expect(event).toBeInstanceOf(ItemAdded)
    expect(event._tag === "ItemAdded" && event.label).toBe("3 x pear")
    const { data: _, ...rest } = stored({ schemaVersion: 2 })
    expect(envelope).toEqual(rest)
  })

  it("upcasts to today's version; the envelope keeps saying what is stored", () => {
    const recorded = Result.getOrThrow(decode(stored({ schemaVersion: 1, data: { sku: "pear" } })))
    expect(recorded.event).toEqual(new ItemAdded({ sku: "pear", count: 1n }))
    expect(recorded.schemaVersion).toBe(1)
  })

  it.each([
    [
      "an unknown type",
      stored({ type: "Gone" }),
      [{ path: "", message: 'Unknown event type "Gone", expected one of: ItemAdded, CheckedOut' }]
    ],
    [
      "a version newer than the code",
      stored({ schemaVersion: 3 }),
      [{ path: "", message: "Expected a version from 1 to 2, not 3: other code stored it" }]
    ],
    [
      "fields that do not fit, all of them",
      stored({ schemaVersion: 2, data: { sku: 1, count: "x" } }),
      [expect.objectContaining({ path: "sku" }), expect.objectContaining({ path: "count" })]
    ]
  ])("refuses %s with the reason", (_, event, issues) => {
    const refused = decode(event)
    expect(Result.isFailure(refused) && refused.failure).toEqual(issues)
  })

  it("refuses two classes of one tag, by name", () => {
    class Other extends Event.Class<Other>()("CheckedOut", {}) {}
    expect(() => RecordedEvent.decoder([CheckedOut, ItemAdded, Other])).toThrow(
      'Two event classes are named "CheckedOut": a log cannot tell them apart'
    )
  })
})
