import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import {
  Command,
  CommandBus,
  Event,
  HandlerRegistry,
  Introspection,
  Logging,
  Memory,
  Middleware,
  on,
  Projection,
  Query,
  QueryBus,
  Resilience,
  Subscription,
  SystemContext,
  Tracing,
  Validation
} from "../../src/index.ts"

class Opened extends Event.Class<Opened>()("Opened", {}) {}
class Closed extends Event.Class<Closed>()("Closed", {}) {}
class Open extends Command.Class<Open>()("Open", { payload: { id: Schema.String } }) {}
class Close extends Command.Class<Close>()("Close", { payload: { id: Schema.String } }) {}
class Find extends Query.Class<Find>()("Find", { payload: { id: Schema.String }, success: Schema.Boolean }) {}

const handle = { Opened: () => Effect.void, Closed: () => Effect.void }
const List = Projection.make("list", { events: [Opened, Closed], on: handle })
const Inline = Projection.make("inline", { events: [Opened], on: { Opened: handle.Opened } })
const Mailer = Subscription.make("mailer", { events: [Closed], handle: () => Effect.void })

const Commands = CommandBus.handlers(
  on(Open, function open() {
    return Effect.void
  }).pipe(Middleware.use(Resilience.timeout("2 seconds"))),
  on(Close, function close() {
    return Effect.void
  })
).pipe(Layer.provide(CommandBus.middleware(Tracing.middleware, Logging.middleware)))
const Queries = QueryBus.handlers(
  on(Find, function find() {
    return Effect.succeed(true)
  }).pipe(Middleware.use(Validation.middleware))
)
const Readers = Layer.mergeAll(Projection.layer(List), Projection.layerInline(Inline), Subscription.layer(Mailer)).pipe(
  Layer.provide(Layer.merge(Memory.layer, SystemContext.layer("test")))
)

describe("Introspection.describe", () => {
  it.effect("counts commands, queries and readers", () =>
    Effect.gen(function* () {
      const { counts } = yield* Introspection.describe.pipe(Effect.provide(Layer.mergeAll(Commands, Queries, Readers)))
      expect(counts).toEqual({ commands: 2, queries: 1, readers: 3 })
    })
  )

  it.effect("shows each message with its class, its handler's name, and all middleware with its settings", () =>
    Effect.gen(function* () {
      const { messages } = yield* Introspection.describe.pipe(Effect.provide(Layer.merge(Commands, Queries)))
      const bus = [
        { name: "tracing", policy: {} },
        { name: "logging", policy: {} }
      ]
      expect(messages).toEqual([
        {
          message: Open,
          handler: "open",
          middleware: [...bus, { name: "timeout", policy: { duration: "2s" } }],
          overrides: false
        },
        { message: Close, handler: "close", middleware: bus, overrides: false },
        { message: Find, handler: "find", middleware: [{ name: "validation", policy: {} }], overrides: false }
      ])
    })
  )

  it.effect("shows each reader, in the background or inline, with its events", () =>
    Effect.gen(function* () {
      const { readers } = yield* Introspection.describe.pipe(Effect.provide(Layer.merge(Commands, Readers)))
      expect(readers).toHaveLength(3)
      expect(readers).toEqual(
        expect.arrayContaining([
          { kind: "projection", name: "list", events: ["Opened", "Closed"] },
          { kind: "projection", name: "inline", events: ["Opened"] },
          { kind: "subscription", name: "mailer", events: ["Closed"] }
        ])
      )
    })
  )

  it.effect("shows the same reader once, however often it runs", () =>
    Effect.gen(function* () {
      const Twice = Layer.merge(Readers, Layer.fresh(Readers))
      const { counts } = yield* Introspection.describe.pipe(Effect.provide(Layer.merge(Commands, Twice)))
      expect(counts.readers).toBe(3)
    })
  )

  it.effect("is empty for a program without handlers", () =>
    Effect.gen(function* () {
      const program = yield* Introspection.describe.pipe(Effect.provide(HandlerRegistry.layer))
      expect(program).toEqual({ messages: [], readers: [], counts: { commands: 0, queries: 0, readers: 0 } })
    })
  )

  it.effect("describes two programs apart", () =>
    Effect.gen(function* () {
      const described = Effect.map(Introspection.describe, ({ counts }) => counts)
      const one = yield* Layer.build(Commands).pipe(Effect.flatMap((services) => Effect.provide(described, services)))
      const other = yield* described.pipe(Effect.provide(Queries, { local: true }))
      expect([one, other]).toEqual([
        { commands: 2, queries: 0, readers: 0 },
        { commands: 0, queries: 1, readers: 0 }
      ])
    })
  )

  it.effect("holds the schemas that clients and API descriptions are made from", () =>
    Effect.gen(function* () {
      const { messages } = yield* Introspection.describe.pipe(Effect.provide(Queries))
      expect(messages.map(({ message }) => [message.tag, message.success, Object.keys(message.fields)])).toEqual([
        ["Find", Schema.Boolean, ["_tag", "id"]]
      ])
    })
  )
})
