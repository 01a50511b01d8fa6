import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import { Context, Effect, Result, Schema } from "effect"
import { Aggregate, Decoding, Event, FieldIssue, RecordedEvent, Upcaster } from "../../src/index.ts"
import { stored, values } from "./stored.ts"

// The code of the first release, of which events are still in the log.
class OrderPlaced1 extends Event.Class<OrderPlaced1>()("OrderPlaced", {
  total: Schema.Int,
  card: Schema.String,
  skus: Schema.Array(Schema.String)
}) {}
class TodoMade extends Event.Class<TodoMade>()("TodoMade", { text: Schema.String }) {}

const placed1 = { total: Schema.Int, card: Schema.String, skus: Schema.Array(Schema.String) }
const old = new OrderPlaced1({ total: 7, card: "4711", skus: ["a", "b"] })

class OrderPlaced extends Event.Class<OrderPlaced>()(
  "OrderPlaced",
  { total: Schema.BigInt },
  { upcasters: Upcaster.from(placed1).current(({ total }) => ({ total: BigInt(total) })) }
) {}
class ItemAdded extends Event.Class<ItemAdded>()(
  "ItemAdded",
  { sku: Schema.String },
  {
    upcasters: Upcaster.partOf("OrderPlaced", placed1, { place: 2 }).currentMany(({ skus }) =>
      skus.map((sku) => ({ sku }))
    )
  }
) {}
class CardGiven extends Event.Class<CardGiven>()(
  "CardGiven",
  { card: Schema.String },
  { upcasters: Upcaster.partOf("OrderPlaced", placed1, { place: -1 }).current(({ card }) => ({ card })) }
) {}

const issuesOf = (read: { readonly _tag: string; readonly failure?: unknown }) =>
  read._tag === "Failure" ? read.failure : read

describe("an upcaster that throws", () => {
  const fields = { n: Schema.Int }
  const odd = (n: number) => {
    if (n % 2 === 1) throw new Error(`${n} is odd`)
    return { n }
  }
  class Half extends Event.Class<Half>()("Half", fields, {
    upcasters: Upcaster.from(fields)
      .next(fields, ({ n }) => odd(n))
      .currentMany(({ n }) => [odd(n / 2)])
  }) {}

  it("makes the event undecodable, and says why", () => {
    expect(values(Half[Event.TypeId]({ n: 4 }, 1))).toEqual([new Half({ n: 2 })])
    for (const n of [3, 6]) {
      const read = Half[Event.TypeId]({ n }, 1)
      expect(read._tag === "Failure" && FieldIssue.format(FieldIssue.fromIssue(read.failure))).toContain("3 is odd")
    }
  })
})

describe("one event that became several of its class", () => {
  class Added extends Event.Class<Added>()(
    "Added",
    { n: Schema.Int },
    {
      upcasters: Upcaster.from({ ns: Schema.String })
        .nextMany({ n: Schema.Int, times: Schema.Int }, ({ ns }) =>
          ns === "" ? [] : ns.split(",").map((n) => ({ n: Number(n), times: 2 }))
        )
        .next({ n: Schema.Int, times: Schema.Int }, ({ n, times }) => ({ n: n * 10, times }))
        .currentMany(({ n, times }) => Array.from({ length: times }, (_, index) => ({ n: n + index })))
    }
  ) {}
  const read = (data: unknown, version: number) => values(Added[Event.TypeId](data, version))?.map(({ n }) => n)

  it("goes through the steps that follow, each of them, in order", () => {
    expect(read({ ns: "1,2" }, 1)).toEqual([10, 11, 20, 21])
    expect(read({ n: 3, times: 2 }, 2)).toEqual([30, 31])
    expect(read({ n: 30, times: 3 }, 3)).toEqual([30, 31, 32])
    expect(read({ n: 5 }, 4)).toEqual([5])
    expect(Added.version).toBe(4)
  })

  it("may be none", () => {
    expect(read({ ns: "" }, 1)).toEqual([])
    expect(read({ n: 3, times: 0 }, 3)).toEqual([])
  })

  it("is refused as a whole when one of them does not fit", () => {
    expect(Added[Event.TypeId]({ ns: "1,x,2" }, 1)._tag).toBe("Failure")
  })

  it("are instances of the class with the envelope of what is stored", () => {
    const decode = RecordedEvent.decoder([Added])
    const one = { ...stored(new Added({ n: 1 })), schemaVersion: 1, data: { ns: "1,2" } }
    const all = values(decode(one)) ?? []
    const { data: _, ...envelope } = one
    expect(all.map(({ event: _event, ...rest }) => rest)).toEqual([envelope, envelope, envelope, envelope])
    expect(all.every(({ event }) => event instanceof Added)).toBe(true)
  })
})

describe("one event that became several of other classes", () => {
  const tags = (classes: ReadonlyArray<Event.AnyClass<Decoding.Kind>>, event: Event.Any = old) =>
    values(RecordedEvent.decoder(classes)(stored(event)))?.map((recorded) => JSON.stringify(recorded.event))

  it("is all that its classes have of it, in the order of their places, whatever the order of the list", () => {
    const expected = [
      '{"card":"4711","_tag":"CardGiven"}',
      '{"total":7,"_tag":"OrderPlaced"}',
      '{"sku":"a","_tag":"ItemAdded"}',
      '{"sku":"b","_tag":"ItemAdded"}'
    ].map((text) => JSON.parse(text))
    for (const list of [
      [OrderPlaced, ItemAdded, CardGiven],
      [ItemAdded, CardGiven, OrderPlaced]
    ]) {
      const read = values(RecordedEvent.decoder(list)(stored(old))) ?? []
      const plain = read.map(({ event }) => ({
        ...Object.fromEntries(Object.entries(event)),
        ...(event instanceof OrderPlaced ? { total: Number(event.total) } : {})
      }))
      expect(plain).toEqual(expected)
    }
  })

  it("is read by those who know one part alone", () => {
    expect(tags([CardGiven])).toEqual([JSON.stringify(new CardGiven({ card: "4711" }))])
    expect(tags([ItemAdded])).toHaveLength(2)
    expect(tags([OrderPlaced1])).toHaveLength(1)
    expect(Event.types([ItemAdded, CardGiven])).toEqual(["ItemAdded", "OrderPlaced", "CardGiven"])
  })

  it("has parts only in the versions that are described", () => {
    const today = new OrderPlaced({ total: 3n })
    expect(today[Event.TypeId].version).toBe(2)
    expect(values(RecordedEvent.decoder([CardGiven, OrderPlaced])(stored(today)))?.map(({ event }) => event)).toEqual([
      today
    ])
    expect(values(RecordedEvent.decoder([CardGiven])(stored(today)))).toEqual([])
  })

  it("is refused when one part of it does not fit", () => {
    const bad = { ...stored(old), data: { total: 7, card: 4711, skus: [] } }
    expect(issuesOf(RecordedEvent.decoder([OrderPlaced, CardGiven])(bad))).toEqual([
      expect.objectContaining({ path: "card" })
    ])
  })
})

describe("a renamed event", () => {
  class TaskCreated extends Event.Class<TaskCreated>()(
    "TaskCreated",
    { title: Schema.NonEmptyString },
    {
      upcasters: [
        Upcaster.from({ name: Schema.String }).current(({ name }) => ({ title: name })),
        Upcaster.formerly("TodoMade", { text: Schema.String })
          .next({ text: Schema.String, by: Schema.String }, ({ text }) => ({ text, by: "nobody" }))
          .current(({ by, text }) => ({ title: `${text} by ${by}` })),
        Upcaster.formerly("Noted", {}).current(() => ({ title: "note" }))
      ]
    }
  ) {}
  const decode = RecordedEvent.decoder([TaskCreated])
  const read = (type: string, schemaVersion: number, data: unknown) => {
    const found = decode({ ...stored(new TodoMade({ text: "" })), type, schemaVersion, data })
    return Result.isSuccess(found) ? found.success.event.title : found.failure[0]?.message
  }

  it("is read in every version of every tag", () => {
    expect(TaskCreated.version).toBe(2)
    expect(Event.types([TaskCreated])).toEqual(["TaskCreated", "TodoMade", "Noted"])
    expect([
      read("TaskCreated", 2, { title: "now" }),
      read("TaskCreated", 1, { name: "then" }),
      read("TodoMade", 1, { text: "first" }),
      read("TodoMade", 2, { text: "second", by: "ada" }),
      read("Noted", 1, {})
    ]).toEqual(["now", "then", "first by nobody", "second by ada", "note"])
  })

  it("is refused in versions that nobody described", () => {
    expect([
      read("TodoMade", 3, { text: "x", by: "y" }),
      read("TodoMade", 0, {}),
      read("Noted", 2, {}),
      read("TaskCreated", 3, {})
    ]).toEqual([
      "Expected a version from 1 to 2, not 3: other code stored it",
      "Expected a version from 1 to 2, not 0: other code stored it",
      "Expected a version from 1 to 1, not 2: other code stored it",
      "Expected a version from 1 to 2, not 3: other code stored it"
    ])
    expect(read("TodoUndone", 1, {})).toBe(
      'Unknown event type "TodoUndone", expected one of: TaskCreated, TodoMade, Noted'
    )
  })

  it("keeps the envelope of what is stored, under the old tag", () => {
    const found = Result.getOrThrow(decode(stored(new TodoMade({ text: "x" }))))
    expect([found.type, found.schemaVersion, found.event._tag]).toEqual(["TodoMade", 1, "TaskCreated"])
  })

  it("must fit the fields of today", () => {
    expect(read("TaskCreated", 1, { name: "" })).toMatch(/length of at least 1|Expected/)
  })
})

describe("a retired event", () => {
  it("is known, and read as nothing, whatever is in it", () => {
    const decode = RecordedEvent.decoder([OrderPlaced, Event.retired("OrderTouched")])
    expect(values(decode({ ...stored(old), type: "OrderTouched", schemaVersion: 9, data: "?" }))).toEqual([])
    expect(Event.types([OrderPlaced, Event.retired("OrderTouched")])).toEqual(["OrderPlaced", "OrderTouched"])
  })
})

describe("declarations that cannot read one log", () => {
  class A extends Event.Class<A>()("A", {}, { upcasters: Upcaster.formerly("X", {}).current(() => ({})) }) {}
  class B extends Event.Class<B>()("B", {}, { upcasters: Upcaster.formerly("X", {}).current(() => ({})) }) {}
  class C extends Event.Class<C>()("C", {}, { upcasters: Upcaster.formerly("A", {}).current(() => ({})) }) {}
  class P extends Event.Class<P>()("P", {}, { upcasters: Upcaster.partOf("A", {}).current(() => ({})) }) {}
  class Q extends Event.Class<Q>()("Q", {}, { upcasters: Upcaster.partOf("A", {}).current(() => ({})) }) {}

  it.each([
    [[A, B], 'The events "A" and "B" both read what was stored as "X": give one of them a part of it'],
    [[A, C], 'The events "A" and "C" both read what was stored as "A": give one of them a part of it'],
    [[C, A], 'The events "C" and "A" both read what was stored as "A": give one of them a part of it'],
    [[P, Q], 'The events "P" and "Q" have the same place among the parts of "A"'],
    [[A, A], 'Two event classes are named "A": a log cannot tell them apart'],
    [[A, Event.retired("A")], 'Two event classes are named "A": a log cannot tell them apart']
  ])("are refused when they are put together, by name", (classes, message) => {
    expect(() => RecordedEvent.decoder(classes)).toThrow(message)
  })

  it("are refused when they are made", () => {
    const from = Upcaster.from({}).current(() => ({}))
    const formerly = (tag: string) => Upcaster.formerly(tag, {}).current(() => ({}))
    const declare = (upcasters: ReadonlyArray<typeof from>) => () => Event.Class<A>()("A", {}, { upcasters })
    expect(declare([from, from])).toThrow('The event "A" has two upcasters from its own tag')
    expect(declare([formerly("X"), formerly("X")])).toThrow('The event "A" has two upcasters from "X"')
    expect(declare([formerly("A")])).toThrow('The older versions of "A" begin with Upcaster.from')
    expect(() => Upcaster.partOf("A", {}, { place: 0 })).toThrow('No part of "A" stands at place 0')
  })
})

describe("types", () => {
  class Rates extends Context.Service<Rates, number>()("Rates") {}
  class Plain extends Event.Class<Plain>()("Plain", { n: Schema.Int }) {}
  class Chained extends Event.Class<Chained>()(
    "Chained",
    { status: Schema.Literals(["open", "done"]) },
    {
      upcasters: [
        Upcaster.from({}).current(() => ({ status: "open" })),
        Upcaster.formerly("Linked", {}).current(() => ({ status: "done" }))
      ]
    }
  ) {}
  class Asked extends Event.Class<Asked>()(
    "Asked",
    { n: Schema.Int },
    { upcasters: Upcaster.from({}).currentEffect(() => Effect.map(Rates, (n) => ({ n }))) }
  ) {}

  it("say what a history asks of its reader", () => {
    expectTypeOf<Event.KindOf<readonly [typeof Plain, typeof Chained]>>().toEqualTypeOf<never>()
    expectTypeOf<Event.KindOf<readonly [typeof Plain, typeof ItemAdded]>>().toEqualTypeOf<"several">()
    expectTypeOf<Event.ServicesOf<readonly [typeof Plain, typeof Asked]>>().toEqualTypeOf<Rates>()
    expectTypeOf<Event.Of<readonly [typeof Plain, Event.Retired<"Gone">]>>().toEqualTypeOf<Plain>()
  })

  it("read plain histories as a Result, and others as a Decoding", () => {
    expectTypeOf(Plain[Event.TypeId]({}, 1)).toExtend<Result.Result<Plain, unknown>>()
    expectTypeOf(Chained[Event.TypeId]({}, 1)).toExtend<Result.Result<Chained, unknown>>()
    const plain = RecordedEvent.decoder([Plain, Chained])
    expectTypeOf(plain).returns.toExtend<Result.Result<RecordedEvent.RecordedEvent<Plain | Chained>, unknown>>()
    const split = RecordedEvent.decoder([Plain, ItemAdded])
    expectTypeOf(split).returns.not.toExtend<Result.Result<unknown, unknown>>()
    const asked = RecordedEvent.decoder([Plain, Asked])
    expectTypeOf(asked).returns.toExtend<Decoding.Decoding<unknown, unknown, Rates>>()
    const task = Aggregate.make("Task", { events: [Plain, Chained], initial: 0 }).evolve((n) => n)
    expectTypeOf(task.events).toExtend<ReadonlyArray<Event.AnyClass>>()
    expectTypeOf(task.decode).returns.toExtend<Result.Result<unknown, unknown>>()
  })

  it("refuse what does not lead to the fields of today", () => {
    // @ts-expect-error a string is not an Int
    Event.Class<Plain>()("Plain", { n: Schema.Int }, { upcasters: Upcaster.from({}).current(() => ({ n: "1" })) })
    Event.Class<Plain>()(
      "Plain",
      { n: Schema.Int },
      // @ts-expect-error m is not n
      { upcasters: [Upcaster.from({}).currentMany(() => [{ m: 1 }])] }
    )
    Event.Class<Plain>()(
      "Plain",
      { n: Schema.Int },
      // @ts-expect-error one of two is wrong
      { upcasters: [Upcaster.from({}).current(() => ({ n: 1 })), Upcaster.formerly("P", {}).current(() => ({}))] }
    )
    // @ts-expect-error the step before gives no m
    Upcaster.from({ n: Schema.Int }).next({ n: Schema.Int }, ({ m }) => ({ n: m }))
    // @ts-expect-error a class that splits is not plain
    const plain: Event.AnyClass = ItemAdded
    expect(plain.tag).toBe("ItemAdded")
  })
})

describe("Decoding", () => {
  it("goes through several and pending values in order", () => {
    const pending: Decoding.Decoding<string, never> = Decoding.pending(Effect.void, (value) =>
      Decoding.several([String(value), "b"])
    )
    const read = Decoding.collect(
      [1, 2],
      (n): Decoding.Decoding<string, never> =>
        n === 1 ? Decoding.map(pending, (text) => `${text}${n}`) : Result.succeed("z")
    )
    expect(read._tag).toBe("Pending")
    const resumed = read._tag === "Pending" ? read.resume("a") : read
    expect(values(resumed)).toEqual(["a1", "b1", "z"])
  })

  it("changes the failure, also of what is pending", () => {
    const failed: Decoding.Decoding<number, string> = Result.fail("no")
    expect(Decoding.mapError(failed, (text) => text.length)).toEqual(Result.fail(2))
    const later = Decoding.mapError(
      Decoding.pending(Effect.void, () => failed),
      (text) => text.length
    )
    expect(later._tag === "Pending" && later.resume(undefined)).toEqual(Result.fail(2))
  })
})
