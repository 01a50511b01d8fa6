import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import {
  Command,
  CommandBus,
  group,
  HandlerRegistry,
  Introspection,
  Middleware,
  on,
  Query,
  QueryBus,
  TenantContext
} from "../../src/index.ts"

class Greet extends Command.Class<Greet>()("Greet", { payload: {}, success: Schema.String }) {}
class Other extends Command.Class<Other>()("Other", { payload: {} }) {}
class Ask extends Query.Class<Ask>()("Ask", { payload: {}, success: Schema.String }) {}

const handler = (name: string) =>
  on(
    Greet,
    // Named at run time, as a handler that has a name of its own.
    Object.defineProperty(() => Effect.succeed(name), "name", { value: name })
  )
const formal = handler("formal")
const casual = handler("casual")

const Formal = CommandBus.handlers(formal)
const Casual = CommandBus.handlers(casual)
const greet = CommandBus.execute(new Greet())
const single = TenantContext.layerSingle

const refusal = <A, R>(layer: Layer.Layer<A, HandlerRegistry.DuplicateHandler, R>) =>
  Effect.flip(Effect.scoped(Layer.build(layer)))

describe("two handlers of one message", () => {
  const both = new HandlerRegistry.DuplicateHandler({
    kind: "command",
    tag: "Greet",
    first: "formal",
    second: "casual"
  })

  it.effect("are refused in one layer, both named", () =>
    Effect.gen(function* () {
      expect(yield* refusal(CommandBus.handlers(formal, casual))).toEqual(both)
      expect(yield* refusal(CommandBus.handlers(group(formal, group(casual))))).toEqual(both)
      expect(both.message).toBe(
        "Two handlers for the command Greet: formal and casual. To replace one on purpose, use override"
      )
    })
  )

  it.effect("are refused across Layer.mergeAll, which alone would keep the last without a word", () =>
    Effect.gen(function* () {
      expect(yield* refusal(Layer.mergeAll(Formal, Casual))).toEqual(both)
      const deep = Layer.mergeAll(Formal, Layer.empty.pipe(Layer.provideMerge(Layer.mergeAll(Layer.empty, Casual))))
      expect(yield* refusal(deep)).toEqual(both)
    })
  )

  it.effect("are refused when one layer is provided to the other, and in nested provides of a program", () =>
    Effect.gen(function* () {
      expect(yield* refusal(Casual.pipe(Layer.provideMerge(Formal)))).toEqual(both)
      const nested = greet.pipe(Effect.provide(Casual), Effect.provide([Formal, single]))
      expect(yield* Effect.flip(nested)).toEqual(both)
    })
  )

  it.effect("are refused for queries, under their kind", () =>
    Effect.gen(function* () {
      const asked = (name: string) =>
        on(
          Ask,
          Object.defineProperty(() => Effect.succeed(name), "name", { value: name })
        )
      expect(yield* refusal(Layer.mergeAll(QueryBus.handlers(asked("one")), QueryBus.handlers(asked("two"))))).toEqual(
        new HandlerRegistry.DuplicateHandler({ kind: "query", tag: "Ask", first: "one", second: "two" })
      )
    })
  )

  it.effect("names a handler without a name by where it stands", () =>
    Effect.gen(function* () {
      const error = yield* refusal(
        CommandBus.handlers(
          formal,
          on(Greet, () => Effect.succeed(""))
        )
      )
      expect(error.second).toMatch(/HandlerRegistry\.test\.ts:\d+:\d+/)
    })
  )

  it.effect("of one message under two kinds are two messages", () =>
    Effect.gen(function* () {
      class GreetQuery extends Query.Class<GreetQuery>()("Greet", { payload: {}, success: Schema.String }) {}
      const Queries = QueryBus.handlers(on(GreetQuery, () => Effect.succeed("query")))
      const program = Effect.all([greet, QueryBus.ask(new GreetQuery())])
      expect(yield* program.pipe(Effect.provide([Formal, Queries, single]))).toEqual(["formal", "query"])
    })
  )
})

describe("one handler, met again", () => {
  it.effect("in the same layer used twice is fine", () =>
    Effect.gen(function* () {
      const others = on(Other, () => Effect.asVoid(greet))
      const Program = Layer.mergeAll(Formal, CommandBus.handlers(others).pipe(Layer.provide(Formal)), Formal)
      const program = Effect.andThen(CommandBus.execute(new Other()), greet)
      expect(yield* program.pipe(Effect.provide([Program, single]))).toBe("formal")
    })
  )

  it.effect("in nested provides of one layer is fine", () =>
    Effect.gen(function* () {
      const nested = greet.pipe(Effect.provide(Formal), Effect.provide([Formal, single]))
      expect(yield* nested).toBe("formal")
    })
  )

  it.effect("in two layers made of the same value is fine", () =>
    Effect.gen(function* () {
      const twice = Layer.mergeAll(Formal, CommandBus.handlers(formal), Layer.fresh(Formal))
      expect(yield* greet.pipe(Effect.provide([twice, single]))).toBe("formal")
    })
  )

  it.effect("is another handler once middleware is around it", () =>
    Effect.gen(function* () {
      const wrapped = formal.pipe(Middleware.use(Middleware.lift("same", (effect) => effect)))
      expect((yield* refusal(CommandBus.handlers(formal, wrapped))).second).toBe("formal")
    })
  )
})

describe("override", () => {
  const Override = CommandBus.override(casual)

  it.effect("replaces in an inner provide, and does not leak out of it", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const before = yield* greet
        const inside = yield* greet.pipe(Effect.provide(Override))
        return [before, inside, yield* greet]
      })
      expect(yield* program.pipe(Effect.provide([Formal, single]))).toEqual(["formal", "casual", "formal"])
    })
  )

  it.effect("replaces when it comes last in Layer.mergeAll", () =>
    Effect.gen(function* () {
      expect(yield* greet.pipe(Effect.provide(Layer.mergeAll(Formal, single, Override)))).toBe("casual")
      expect(yield* greet.pipe(Effect.provide(Override.pipe(Layer.provideMerge(Formal), Layer.merge(single))))).toBe(
        "casual"
      )
    })
  )

  it.effect("replaces a query's handler just so", () =>
    Effect.gen(function* () {
      const Asked = QueryBus.handlers(on(Ask, () => Effect.succeed("asked")))
      const Replaced = QueryBus.override(on(Ask, () => Effect.succeed("replaced")))
      expect(yield* QueryBus.ask(new Ask()).pipe(Effect.provide([Asked, single, Replaced]))).toBe("replaced")
    })
  )

  it.effect("replaces another override", () =>
    Effect.gen(function* () {
      const third = CommandBus.override(handler("third"))
      expect(yield* greet.pipe(Effect.provide([Formal, Override, third, single]))).toBe("third")
    })
  )

  it.effect("is what introspection shows, while it is there", () =>
    Effect.gen(function* () {
      const shown = Effect.map(Introspection.describe, ({ messages }) =>
        messages.map(({ handler, overrides }) => [handler, overrides])
      )
      const program = Effect.gen(function* () {
        const before = yield* shown
        const inside = yield* shown.pipe(Effect.provide(Override))
        return [before, inside, yield* shown]
      })
      expect(yield* program.pipe(Effect.provide(Formal))).toEqual([
        [["formal", false]],
        [["casual", true]],
        [["formal", false]]
      ])
    })
  )

  it.effect("makes no room for others once it is gone", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        yield* greet.pipe(Effect.provide(Override))
        return yield* Effect.flip(greet.pipe(Effect.provide(CommandBus.handlers(handler("third")))))
      })
      expect(yield* program.pipe(Effect.provide([Formal, single]))).toMatchObject({ first: "formal", second: "third" })
    })
  )
})

describe("a layer that is released", () => {
  it.effect("makes room for another handler of its message", () =>
    Effect.gen(function* () {
      const Others = CommandBus.handlers(on(Other, () => Effect.void))
      const program = Effect.gen(function* () {
        const first = yield* greet.pipe(Effect.provide(Formal))
        return [first, yield* greet.pipe(Effect.provide(Casual))]
      })
      expect(yield* program.pipe(Effect.provide([Others, single]))).toEqual(["formal", "casual"])
    })
  )

  it.effect("leaves a registration that another layer still holds", () =>
    Effect.gen(function* () {
      const again = CommandBus.handlers(formal)
      const program = Effect.gen(function* () {
        yield* greet.pipe(Effect.provide(again))
        return yield* Introspection.describe
      })
      expect((yield* program.pipe(Effect.provide([Formal, single]))).counts.commands).toBe(1)
    })
  )
})
