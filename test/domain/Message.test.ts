import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Command, CommandBus, type DispatchError, Message, Query, QueryBus } from "../../src/index.ts"

class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { sku: Schema.String }) {}

const Line = Schema.Struct({ sku: Schema.NonEmptyString, count: Schema.Int })

class PlaceOrder extends Command.Class<PlaceOrder>()("PlaceOrder", {
  payload: { orderId: Schema.NonEmptyString, lines: Schema.Array(Line), due: Schema.Date, total: Schema.BigInt },
  success: Schema.Int,
  error: OutOfStock,
  aggregateId: ({ orderId }) => orderId
}) {
  get size(): number {
    return this.lines.length
  }
}
class FindOrder extends Query.Class<FindOrder>()("FindOrder", { payload: { orderId: Schema.NonEmptyString } }) {}

const right = { orderId: "o-1", lines: [{ sku: "a", count: 1 }], due: new Date(0), total: 5n }

const pathsOf = (parsed: Effect.Effect<unknown, DispatchError.DispatchError>) =>
  parsed.pipe(
    Effect.flip,
    Effect.map(({ of, reason }) => ({
      of,
      paths: reason._tag === "Invalid" ? reason.issues.map(({ path }) => path) : [reason._tag]
    }))
  )

describe("a message class", () => {
  it("carries all it declares; nothing is void and no error where none is declared", () => {
    expect([PlaceOrder.kind, PlaceOrder.tag, PlaceOrder.success, PlaceOrder.error]).toEqual([
      "command",
      "PlaceOrder",
      Schema.Int,
      OutOfStock
    ])
    expect([FindOrder.kind, FindOrder.tag, FindOrder.success, FindOrder.error, FindOrder.aggregateId]).toEqual([
      "query",
      "FindOrder",
      Schema.Void,
      Schema.Never,
      undefined
    ])
    expect(PlaceOrder.aggregateId?.(new PlaceOrder(right))).toBe("o-1")
  })

  it("is found from its instances, which are plain data otherwise", () => {
    const message = new PlaceOrder(right)
    expect(message[Message.TypeId].tag).toBe("PlaceOrder")
    expect(message[Message.TypeId].kind).toBe("command")
    expect(Object.keys(message)).toEqual(["_tag", "orderId", "lines", "due", "total"])
    expect(message.size).toBe(1)
  })

  it("checks every field when an instance is made", () => {
    expect(() => new PlaceOrder({ ...right, orderId: "" })).toThrow("Schema validation failed")
  })

  it("round-trips as JSON", () => {
    const codec = Schema.toCodecJson(PlaceOrder)
    const message = new PlaceOrder(right)
    const back = Schema.decodeUnknownSync(codec)(JSON.parse(JSON.stringify(Schema.encodeSync(codec)(message))))
    expect(back).toBeInstanceOf(PlaceOrder)
    expect(back).toEqual(message)
  })
})

describe("issues", () => {
  it("finds nothing in what new has made", () => {
    const message = new PlaceOrder(right)
    expect(message[Message.TypeId].issues(message)).toEqual([])
  })

  it("lists every bad field of one made without checks, nested ones by their path", () => {
    const lines = [
      { sku: "a", count: 1 },
      { sku: "b", count: 1.5 },
      { sku: "", count: 1 }
    ]
    const message = new PlaceOrder({ ...right, orderId: "", lines }, { disableChecks: true })
    expect(message[Message.TypeId].issues(message).map(({ path }) => path)).toEqual([
      "orderId",
      "lines[1].count",
      "lines[2].sku"
    ])
  })
})

describe("parse", () => {
  it.effect("makes an instance of the user's class from JSON", () =>
    Effect.gen(function* () {
      const json = { ...right, due: "1970-01-01T00:00:00.000Z", total: "5" }
      const message = yield* CommandBus.parse(PlaceOrder, JSON.parse(JSON.stringify(json)))
      expect(message).toBeInstanceOf(PlaceOrder)
      expect(message).toEqual(new PlaceOrder(right))
      expect(yield* QueryBus.parse(FindOrder, { orderId: "o-1", more: 1 })).toEqual(new FindOrder({ orderId: "o-1" }))
    })
  )

  it.effect("lists every bad field at once, nested ones by their path", () =>
    Effect.gen(function* () {
      const lines = [{ sku: "a", count: 1 }, { sku: "b" }, { sku: "", count: "x" }]
      const wrong = { orderId: "", lines, due: "tomorrow", total: 5 }
      expect(yield* pathsOf(CommandBus.parse(PlaceOrder, wrong))).toEqual({
        of: "PlaceOrder",
        paths: ["orderId", "lines[1].count", "lines[2].sku", "lines[2].count", "due", "total"]
      })
    })
  )

  it.effect.each([null, undefined, "text", 7, [], {}])("refuses %j with its missing fields", (input) =>
    Effect.gen(function* () {
      expect((yield* pathsOf(CommandBus.parse(PlaceOrder, input))).paths).toEqual(["orderId", "lines", "due", "total"])
      expect((yield* pathsOf(QueryBus.parse(FindOrder, input))).paths).toEqual(["orderId"])
    })
  )

  it.effect("refuses what says it is another message", () =>
    Effect.gen(function* () {
      const other = { _tag: "PlaceOrder", orderId: "o-1" }
      expect((yield* pathsOf(QueryBus.parse(FindOrder, other))).paths).toEqual(["_tag"])
    })
  )
})
