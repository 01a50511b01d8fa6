import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import {
  Command,
  CommandBus,
  Event,
  EventStore,
  Memory,
  on,
  Position,
  Receipt,
  StreamName,
  TenantContext,
  UnitOfWork
} from "../../src/index.ts"

class Noted extends Event.Class<Noted>()("Noted", { n: Schema.Int }) {}
class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

class Write extends Command.Class<Write>()("Write", {
  payload: { streams: Schema.Array(Schema.String) },
  success: Schema.String
}) {}
class Outer extends Command.Class<Outer>()("Outer", {
  payload: { how: Schema.Literals(["execute", "dispatch", "rolled back", "saved", "concurrent"]) },
  error: Refused
}) {}

const append = (id: string) =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    store.append({ stream: StreamName.make("Note", id), expected: "any", events: [new Noted({ n: 1 })] })
  )
const write = (...streams: ReadonlyArray<string>) => new Write({ streams })
const undone = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.flatMap(UnitOfWork.UnitOfWork, ({ transaction }) =>
    Effect.ignore(transaction(Effect.andThen(self, new Refused())))
  )

const Writes = CommandBus.handlers(
  on(Write, ({ streams }) => Effect.as(Effect.forEach(streams, append, { discard: true }), "written"))
)
const Outers = CommandBus.handlers(
  on(Outer, ({ how }) =>
    Effect.gen(function* () {
      yield* append("outer")
      if (how === "execute") yield* CommandBus.execute(write("a", "b", "a"))
      if (how === "dispatch") return void (yield* CommandBus.dispatch(write("a", "b", "a"))).receipt
      if (how === "rolled back") yield* undone(CommandBus.dispatch(write("a")))
      if (how === "saved") {
        const { transaction } = yield* UnitOfWork.UnitOfWork
        yield* transaction(Effect.andThen(CommandBus.execute(write("a")), undone(CommandBus.dispatch(write("b")))))
      }
      if (how === "concurrent") {
        const ids = ["a", "b", "c", "d"]
        yield* Effect.forEach(ids, (id) => CommandBus.dispatch(write(id, id)), { concurrency: "unbounded" })
      }
      yield* append("outer")
    })
  )
)
const Live = Outers.pipe(
  Layer.provideMerge(Writes),
  Layer.provideMerge(Memory.layer),
  Layer.provideMerge(TenantContext.layerSingle)
)

describe("dispatch", () => {
  it.effect("answers with the value, the streams with their last versions, and the last position", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        yield* append("b")
        const first = yield* CommandBus.dispatch(write("a", "b", "a"))
        return [first, yield* CommandBus.dispatch(write("b"))]
      })
      expect(yield* program.pipe(Effect.provide(Live))).toEqual([
        {
          value: "written",
          receipt: {
            streams: [
              { stream: "Note-a", version: 2 },
              { stream: "Note-b", version: 2 }
            ],
            position: 4
          }
        },
        { value: "written", receipt: { streams: [{ stream: "Note-b", version: 3 }], position: 5 } }
      ])
    })
  )

  it("says the highest version of a stream, whatever append was noted last", () => {
    const noted = [
      { stream: "a", version: 2, position: Position.make(9) },
      { stream: "b", version: 1, position: Position.make(3) },
      // Written before under its id, or by a fiber that was told of it later.
      { stream: "a", version: 1, position: Position.make(1), repeated: true }
    ]
    expect(Receipt.fromAppends(noted)).toEqual({
      streams: [
        { stream: "a", version: 2 },
        { stream: "b", version: 1 }
      ],
      position: 9
    })
  })

  it.effect("answers with an empty receipt at position 0 when nothing was written", () =>
    Effect.gen(function* () {
      const { receipt } = yield* CommandBus.dispatch(write()).pipe(Effect.provide(Live))
      expect(receipt).toEqual({ streams: [], position: 0 })
    })
  )

  const outer = (how: Outer["how"]) =>
    CommandBus.dispatch(new Outer({ how })).pipe(
      Effect.map(({ receipt }) => ({
        position: receipt.position,
        streams: Object.fromEntries(receipt.streams.map(({ stream, version }) => [stream.slice(5), version]))
      })),
      Effect.provide(Live)
    )

  it.effect.each(["execute", "dispatch"] as const)("counts what nested commands append: %s", (how) =>
    Effect.gen(function* () {
      const expected = how === "execute" ? { outer: 2, a: 2, b: 1 } : { outer: 1, a: 2, b: 1 }
      expect(yield* outer(how)).toEqual({ position: how === "execute" ? 5 : 4, streams: expected })
    })
  )

  it.effect("counts what concurrent nested commands append", () =>
    Effect.gen(function* () {
      expect(yield* outer("concurrent")).toEqual({ position: 10, streams: { outer: 2, a: 2, b: 2, c: 2, d: 2 } })
    })
  )

  it.effect("does not count what was rolled back", () =>
    Effect.gen(function* () {
      expect(yield* outer("rolled back")).toEqual({ position: 2, streams: { outer: 2 } })
      expect(yield* outer("saved")).toEqual({ position: 3, streams: { outer: 2, a: 1 } })
    })
  )

  it.effect("gives each of many callers its own receipt", () =>
    Effect.gen(function* () {
      const ids = Array.from({ length: 50 }, (_, n) => `s${n}`)
      const receipts = yield* Effect.forEach(ids, (id) => CommandBus.dispatch(write(id)), {
        concurrency: "unbounded"
      }).pipe(Effect.provide(Live))
      expect(receipts.map(({ receipt }) => receipt.streams)).toEqual(
        ids.map((id) => [{ stream: `Note-${id}`, version: 1 }])
      )
      expect(new Set(receipts.map(({ receipt }) => receipt.position)).size).toBe(50)
    })
  )

  it.effect("gives a receipt that is plain data", () =>
    Effect.gen(function* () {
      const { receipt } = yield* CommandBus.dispatch(write("a")).pipe(Effect.provide(Live))
      const codec = Schema.toCodecJson(Receipt.Receipt)
      const text = JSON.stringify(Schema.encodeSync(codec)(receipt))
      expect(Schema.decodeUnknownSync(codec)(JSON.parse(text))).toEqual(receipt)
    })
  )
})

it.effect("what a failed nested dispatch wrote outside of any transaction was written, and is counted", () =>
  Effect.gen(function* () {
    class Half extends Command.Class<Half>()("Half", { payload: {}, error: Refused }) {}
    class Whole extends Command.Class<Whole>()("Whole", { payload: {} }) {}
    const Handlers = CommandBus.handlers(on(Whole, () => Effect.ignore(CommandBus.dispatch(new Half())))).pipe(
      Layer.provideMerge(CommandBus.handlers(on(Half, () => Effect.andThen(append("half"), new Refused())))),
      Layer.provideMerge(Live)
    )
    const { receipt } = yield* CommandBus.dispatch(new Whole()).pipe(Effect.provide(Handlers))
    expect(receipt).toEqual({ streams: [{ stream: "Note-half", version: 1 }], position: 1 })
  })
)
