import { describe, expect, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Schema } from "effect"
import {
  Command,
  CommandBus,
  DispatchError,
  HandlerRegistry,
  MessageContext,
  on,
  Query,
  QueryBus,
  TenantContext
} from "../../src/index.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", { why: Schema.String }) {}
class Double extends Command.Class<Double>()("Double", { payload: { n: Schema.Int }, success: Schema.Int }) {}
class Shout extends Command.Class<Shout>()("Shout", {
  payload: { text: Schema.NonEmptyString },
  success: Schema.String,
  error: Refused
}) {}
class Ping extends Command.Class<Ping>()("Ping", { payload: {} }) {}
class PingQuery extends Query.Class<PingQuery>()("Ping", { payload: {}, success: Schema.String }) {}

const single = TenantContext.layerSingle
const double = on(Double, ({ n }) => Effect.succeed(n * 2))
const shout = on(Shout, ({ text }) =>
  text === "?" ? Effect.fail(new Refused({ why: "unclear" })) : Effect.succeed(text.toUpperCase())
)

/** A context that claims to hold what it does not: what plain JavaScript, or a cast, would do. */
const untyped = <R>() => Context.makeUnsafe<R>(new Map())

describe("execute", () => {
  it.effect("answers with what the handler answers, and fails with the command's own error", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const why = Effect.catchTag(CommandBus.execute(new Shout({ text: "?" })), "Refused", (error) =>
          Effect.succeed(error.why)
        )
        return [yield* CommandBus.execute(new Shout({ text: "hi" })), yield* why]
      })
      expect(yield* program.pipe(Effect.provide([CommandBus.handlers(shout), single]))).toEqual(["HI", "unclear"])
    })
  )

  it.effect("takes a union of commands, each to its own handler", () =>
    Effect.gen(function* () {
      const commands: ReadonlyArray<Double | Shout> = [new Double({ n: 4 }), new Shout({ text: "hi" })]
      const all = Effect.forEach(commands, (command) => CommandBus.execute(command))
      expect(yield* all.pipe(Effect.provide([CommandBus.handlers(double, shout), single]))).toEqual([8, "HI"])
    })
  )

  it.effect("discards what the handler of a command without success answers", () =>
    Effect.gen(function* () {
      const Handlers = CommandBus.handlers(on(Ping, () => Effect.succeed("secret")))
      expect(yield* CommandBus.execute(new Ping()).pipe(Effect.provide([Handlers, single]))).toBe(undefined)
    })
  )

  it.effect("does not mistake a query for a command of the same tag", () =>
    Effect.gen(function* () {
      const Live = Layer.mergeAll(
        CommandBus.handlers(on(Ping, () => Effect.void)),
        QueryBus.handlers(on(PingQuery, () => Effect.succeed("pong"))),
        single
      )
      const both = Effect.all([CommandBus.execute(new Ping()), QueryBus.ask(new PingQuery())])
      expect(yield* both.pipe(Effect.provide(Live))).toEqual([undefined, "pong"])
    })
  )

  it.effect("runs the message under the id it is given", () =>
    Effect.gen(function* () {
      class Id extends Command.Class<Id>()("Id", { payload: {}, success: Schema.Unknown }) {}
      const Ids = CommandBus.handlers(on(Id, () => Effect.map(MessageContext.MessageContext, (c) => c.messageId)))
      const withId = { messageId: "m-1" }
      const three = Effect.all([
        CommandBus.execute(new Id(), withId),
        Effect.map(CommandBus.dispatch(new Id(), withId), ({ value }) => value),
        CommandBus.executeUnknown(Id, {}, withId)
      ])
      expect(yield* three.pipe(Effect.provide([Ids, single]))).toEqual(["m-1", "m-1", "m-1"])
    })
  )
})

describe("a message without a handler", () => {
  it.effect("is a typed error, not a defect, for whoever got past the compiler", () =>
    Effect.gen(function* () {
      const none = untyped<CommandBus.Handler<"Double"> | QueryBus.Handler<"Ping">>()
      const command = CommandBus.execute(new Double({ n: 1 })).pipe(Effect.provide(none), Effect.provide(single))
      const query = QueryBus.ask(new PingQuery()).pipe(Effect.provide(none), Effect.provide(single))
      expect(yield* Effect.flip(command)).toEqual(
        DispatchError.make("Double", new DispatchError.NotHandled({ kind: "command" }))
      )
      expect(yield* Effect.flip(query)).toEqual(
        DispatchError.make("Ping", new DispatchError.NotHandled({ kind: "query" }))
      )
    })
  )

  it.effect("is not handled by the handler of another", () =>
    Effect.gen(function* () {
      const none = untyped<CommandBus.Handler<"Double">>()
      const program = CommandBus.execute(new Double({ n: 1 })).pipe(
        Effect.provide(none),
        Effect.provide([CommandBus.handlers(shout), single])
      )
      expect(yield* Effect.flip(program)).toMatchObject({ reason: { _tag: "NotHandled" } })
    })
  )
})

describe("a handler that dies", () => {
  class Break extends Command.Class<Break>()("Break", { payload: { how: Schema.Literals(["die", "throw"]) } }) {}
  const bug = new Error("bug")
  const Handlers = CommandBus.handlers(
    double,
    on(Break, ({ how }): Effect.Effect<void> => {
      if (how === "throw") throw bug
      return Effect.die(bug)
    })
  )

  it.effect.each(["die", "throw"] as const)("is a defect of its call and harms no other: %s", (how) =>
    Effect.gen(function* () {
      const commands: ReadonlyArray<Double | Break> = [new Double({ n: 1 }), new Break({ how }), new Double({ n: 2 })]
      const calls = Effect.forEach(commands, (command) => Effect.exit(CommandBus.execute(command)), {
        concurrency: "unbounded"
      })
      const exits = yield* calls.pipe(Effect.provide([Handlers, single]))
      expect(exits).toEqual([Exit.succeed(2), Exit.die(bug), Exit.succeed(4)])
    })
  )

  it.effect("leaves the bus usable", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const cause = yield* Effect.sandbox(CommandBus.execute(new Break({ how: "die" }))).pipe(Effect.flip)
        return [Cause.squash(cause), yield* CommandBus.execute(new Double({ n: 2 }))]
      })
      expect(yield* program.pipe(Effect.provide([Handlers, single]))).toEqual([bug, 4])
    })
  )
})

describe("executeUnknown", () => {
  const Handlers = CommandBus.handlers(shout, double)

  it.effect("decodes and sends what fits", () =>
    Effect.gen(function* () {
      const program = CommandBus.executeUnknown(Shout, JSON.parse(`{"text":"hi"}`))
      expect(yield* program.pipe(Effect.provide([Handlers, single]))).toBe("HI")
    })
  )

  it.effect("names every bad field and never calls the handler", () =>
    Effect.gen(function* () {
      const program = CommandBus.executeUnknown(Shout, { text: "" }).pipe(Effect.flip)
      const error = yield* program.pipe(Effect.provide([Handlers, single]))
      expect(error).toMatchObject({ of: "Shout", reason: { _tag: "Invalid", issues: [{ path: "text" }] } })
    })
  )
})

describe("QueryBus.askUnknown", () => {
  class Find extends Query.Class<Find>()("Find", { payload: { ids: Schema.Array(Schema.Int) }, success: Schema.Int }) {}
  const Handlers = QueryBus.handlers(on(Find, ({ ids }) => Effect.succeed(ids.length)))

  it.effect("asks what fits and names every bad field of what does not", () =>
    Effect.gen(function* () {
      const program = Effect.all([
        QueryBus.askUnknown(Find, { ids: [1, 2] }),
        Effect.flip(QueryBus.askUnknown(Find, { ids: [1, "x"] }))
      ])
      const [count, error] = yield* program.pipe(Effect.provide([Handlers, single]))
      expect(count).toBe(2)
      expect(error).toMatchObject({ of: "Find", reason: { _tag: "Invalid", issues: [{ path: "ids[1]" }] } })
    })
  )
})

it.effect("a layer of no handlers is a layer", () =>
  Effect.gen(function* () {
    const registry = yield* HandlerRegistry.HandlerRegistry.pipe(Effect.provide(CommandBus.handlers()))
    expect(yield* registry.handlers).toEqual([])
  })
)
