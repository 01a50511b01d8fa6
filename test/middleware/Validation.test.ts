import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import {
  Command,
  CommandBus,
  DispatchError,
  Middleware,
  on,
  Query,
  QueryBus,
  TenantContext,
  Validation
} from "../../src/index.ts"

const Line = Schema.Struct({ sku: Schema.NonEmptyString })
const payload = { id: Schema.NonEmptyString, lines: Schema.Array(Line) }
class Order extends Command.Class<Order>()("Order", { payload, success: Schema.String }) {}
class Find extends Query.Class<Find>()("Find", { payload, success: Schema.String }) {}

const calls: Array<string> = []
const handled = (name: string) => Effect.sync(() => (calls.push(name), "handled"))
const Live = Layer.mergeAll(
  CommandBus.handlers(on(Order, () => handled("Order")).pipe(Middleware.use(Validation.middleware))),
  QueryBus.handlers(on(Find, () => handled("Find"))).pipe(Layer.provide(QueryBus.middleware(Validation.middleware))),
  TenantContext.layerSingle
)

const wrong = { id: "", lines: [{ sku: "a" }, { sku: "b" }, { sku: "" }] }
const invalid = (of: string) => ({
  _tag: "DispatchError",
  of,
  reason: { _tag: "Invalid", issues: [{ path: "id" }, { path: "lines[2].sku" }] }
})

describe("Validation.middleware", () => {
  it.effect("refuses a message made with disableChecks, naming every field, before the handler sees it", () =>
    Effect.gen(function* () {
      calls.length = 0
      const both = Effect.all([
        Effect.flip(CommandBus.execute(new Order(wrong, { disableChecks: true }))),
        Effect.flip(QueryBus.ask(new Find(wrong, { disableChecks: true })))
      ])
      expect(yield* both.pipe(Effect.provide(Live))).toMatchObject([invalid("Order"), invalid("Find")])
      expect(calls).toEqual([])
    })
  )

  it.effect("refuses a message that was changed since it was made", () =>
    Effect.gen(function* () {
      const message = Object.assign(new Order({ id: "o-1", lines: [] }), { id: "" })
      const error = yield* Effect.flip(CommandBus.execute(message)).pipe(Effect.provide(Live))
      expect(error).toBeInstanceOf(DispatchError.DispatchError)
      expect(error).toMatchObject({ reason: { _tag: "Invalid", issues: [{ path: "id" }] } })
    })
  )

  it.effect("lets through what fits", () =>
    Effect.gen(function* () {
      const right = { id: "o-1", lines: [{ sku: "a" }] }
      const both = Effect.all([CommandBus.execute(new Order(right)), QueryBus.ask(new Find(right))])
      expect(yield* both.pipe(Effect.provide(Live))).toEqual(["handled", "handled"])
    })
  )

  it.effect("is not there unless asked for: without it such a message reaches the handler", () =>
    Effect.gen(function* () {
      const Bare = CommandBus.handlers(on(Order, ({ id }) => Effect.succeed(`got ${JSON.stringify(id)}`)))
      const message = new Order(wrong, { disableChecks: true })
      const answer = yield* CommandBus.execute(message).pipe(Effect.provide([Bare, TenantContext.layerSingle]))
      expect(answer).toBe(`got ""`)
    })
  )
})
