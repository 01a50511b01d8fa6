// Decisions 4 and 5: the tenant is a required service, and what a call carries wins over what a layer captured.
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, References, Schema, Tracer } from "effect"
import {
  Command,
  CommandBus,
  Event,
  EventStore,
  Memory,
  MessageContext,
  Middleware,
  on,
  Position,
  Query,
  QueryBus,
  Receipt,
  StreamName,
  TenantContext
} from "../../src/index.ts"

class Answer extends Context.Service<Answer, { readonly text: string }>()("test/Answer") {}

class WhoAmI extends Command.Class<WhoAmI>()("WhoAmI", { payload: {}, success: Schema.String }) {}
class WhoAsks extends Query.Class<WhoAsks>()("WhoAsks", { payload: {}, success: Schema.String }) {}
const success = Schema.Array(Schema.String)
class Outer extends Command.Class<Outer>()("Outer", { payload: {}, success }) {}
class Inner extends Command.Class<Inner>()("Inner", { payload: {}, success }) {}
class Say extends Command.Class<Say>()("Say", { payload: {}, success: Schema.String }) {}

const tenant = Effect.map(TenantContext.TenantContext, ({ id }) => id)
const text = Effect.map(Answer, (answer) => answer.text)

const Commands = CommandBus.handlers(
  on(WhoAmI, () => tenant),
  on(Say, () => text)
)
const Queries = QueryBus.handlers(on(WhoAsks, () => tenant))
const boot = Layer.succeed(Answer, { text: "boot" })

describe("the tenant of a call", () => {
  it.effect("is the caller's, never the one around the layer", () =>
    Effect.gen(function* () {
      const Live = Layer.merge(Commands, Queries).pipe(Layer.provide([boot, TenantContext.layer("boot")]))
      const both = Effect.all([CommandBus.execute(new WhoAmI()), QueryBus.ask(new WhoAsks())])
      expect(yield* both.pipe(TenantContext.provide("acme"), Effect.provide(Live))).toEqual(["acme", "acme"])
    })
  )

  it.effect("is the caller's when another is provided around everything", () =>
    Effect.gen(function* () {
      const both = Effect.all([CommandBus.execute(new WhoAmI()), QueryBus.ask(new WhoAsks())])
      const asked = Effect.gen(function* () {
        return [yield* both, yield* both.pipe(TenantContext.provide("acme"))]
      })
      const Live = Layer.merge(Commands, Queries).pipe(
        Layer.provide(boot),
        Layer.provideMerge(TenantContext.layer("boot"))
      )
      expect(yield* asked.pipe(Effect.provide(Live))).toEqual([
        ["boot", "boot"],
        ["acme", "acme"]
      ])
    })
  )

  it.effect("is the caller's even when the layer was built inside another tenant's call", () =>
    Effect.gen(function* () {
      const services = yield* Layer.build(Commands.pipe(Layer.provide(boot))).pipe(TenantContext.provide("boot"))
      const asked = CommandBus.execute(new WhoAmI()).pipe(TenantContext.provide("acme"), Effect.provide(services))
      expect(yield* asked).toBe("acme")
    })
  )

  it.effect("is never the layer's: a call without a tenant has none", () =>
    Effect.gen(function* () {
      const services = yield* Layer.build(Commands.pipe(Layer.provide(boot))).pipe(TenantContext.provide("boot"))
      // The compiler refuses this call; a context that claims to hold everything lets it through.
      const anything = Context.makeUnsafe<TenantContext.TenantContext>(new Map())
      const asked = CommandBus.execute(new WhoAmI()).pipe(Effect.provide(services), Effect.provide(anything))
      const exit = yield* Effect.exit(asked)
      expect(exit._tag).toBe("Failure")
      expect(String(exit)).toContain("Service not found: effect-cqrs/ports/TenantContext")
    })
  )

  it.effect("is each call's own: 200 fibers, interleaved, with nested calls, through one layer", () =>
    Effect.gen(function* () {
      const around = <E, R>(below: Effect.Effect<ReadonlyArray<string>, E, R>) =>
        Effect.gen(function* () {
          const before = yield* tenant
          yield* Effect.yieldNow
          const answers = yield* below
          yield* Effect.yieldNow
          return [before, ...answers, yield* tenant, yield* QueryBus.ask(new WhoAsks())]
        })
      const Live = CommandBus.handlers(on(Outer, () => around(CommandBus.execute(new Inner())))).pipe(
        Layer.provideMerge(CommandBus.handlers(on(Inner, () => around(Effect.succeed([]))))),
        Layer.provideMerge(Queries)
      )
      const call = (id: string) => CommandBus.execute(new Outer()).pipe(TenantContext.provide(id))
      const ids = Array.from({ length: 200 }, (_, n) => `tenant-${n}`)
      const answers = yield* Effect.forEach(ids, call, { concurrency: "unbounded" }).pipe(
        Effect.provide(Live),
        TenantContext.provide("boot")
      )
      expect(answers.map((answer) => [answer.length, ...new Set(answer)])).toEqual(ids.map((id) => [6, id]))
    })
  )

  it.effect("decides whose stream a handler writes", () =>
    Effect.gen(function* () {
      class Noted extends Event.Class<Noted>()("Noted", {}) {}
      class Note extends Command.Class<Note>()("Note", { payload: {} }) {}
      const stream = StreamName.make("Note", "1")
      const Handlers = CommandBus.handlers(
        on(Note, () =>
          Effect.flatMap(EventStore.EventStore, (store) =>
            store.append({ stream, expected: "none", events: [new Noted()] })
          )
        )
      )
      const Live = Handlers.pipe(Layer.provideMerge(Memory.layer), Layer.provideMerge(TenantContext.layer("boot")))
      const program = Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* CommandBus.execute(new Note()).pipe(TenantContext.provide("acme"))
        // Were the tenant the boot's, this would conflict.
        yield* CommandBus.execute(new Note()).pipe(TenantContext.provide("globex"))
        const written = (id: string) =>
          Effect.map(store.readAll({ after: Position.start, limit: 9 }), ({ events }) =>
            events.map((event) => event.tenant)
          ).pipe(TenantContext.provide(id))
        return [yield* written("acme"), yield* written("globex"), yield* written("boot")]
      })
      expect(yield* program.pipe(Effect.provide(Live))).toEqual([["acme"], ["globex"], []])
    })
  )
})

describe("any service of a call", () => {
  const Live = Commands.pipe(Layer.provide(boot))
  const say = CommandBus.execute(new Say()).pipe(TenantContext.provide("acme"))

  it.effect("is the layer's when the caller has none", () =>
    Effect.gen(function* () {
      expect(yield* say.pipe(Effect.provide(Live))).toBe("boot")
    })
  )

  it.effect("is the caller's when it has one, in this call only", () =>
    Effect.gen(function* () {
      const three = Effect.all([say, say.pipe(Effect.provideService(Answer, { text: "call" })), say])
      expect(yield* three.pipe(Effect.provide(Live))).toEqual(["boot", "call", "boot"])
    })
  )

  it.effect("is each caller's own among interleaved callers", () =>
    Effect.gen(function* () {
      const names = Array.from({ length: 50 }, (_, n) => `call ${n}`)
      const calls = Effect.forEach(names, (name) => Effect.provideService(say, Answer, { text: name }), {
        concurrency: "unbounded"
      })
      expect(yield* calls.pipe(Effect.provide(Live))).toEqual(names)
    })
  )

  it.effect("is the caller's for the middleware of the bus as well", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const noting = Middleware.make<Command.Any, never, Answer>(
        "noting",
        (next) => (message) =>
          Effect.flatMap(text, (answer) => {
            seen.push(answer)
            return next(message)
          })
      )
      const Noted = Live.pipe(Layer.provide(CommandBus.middleware(noting)), Layer.provide(boot))
      yield* Effect.all([say, say.pipe(Effect.provideService(Answer, { text: "call" }))]).pipe(Effect.provide(Noted))
      expect(seen).toEqual(["boot", "call"])
    })
  )

  it.effect("is what a middleware of the handler provides, whatever the caller has", () =>
    Effect.gen(function* () {
      const given = Middleware.make<Command.Any, never, never, Answer>(
        "given",
        (next) => (message) => Effect.provideService(next(message), Answer, { text: "middleware" })
      )
      const Given = CommandBus.handlers(on(Say, () => text).pipe(Middleware.use(given)))
      expect(yield* say.pipe(Effect.provideService(Answer, { text: "call" }), Effect.provide(Given))).toBe("middleware")
    })
  )

  it.effect("is a reference like any other: the log level of the call counts", () =>
    Effect.gen(function* () {
      class Level extends Command.Class<Level>()("Level", { payload: {}, success: Schema.String }) {}
      const Levels = CommandBus.handlers(on(Level, () => Effect.map(References.MinimumLogLevel, String)))
      const services = yield* Layer.build(Levels).pipe(Effect.provideService(References.MinimumLogLevel, "Error"))
      const level = CommandBus.execute(new Level()).pipe(TenantContext.provide("acme"), Effect.provide(services))
      expect(yield* level.pipe(Effect.provideService(References.MinimumLogLevel, "Debug"))).toBe("Debug")
    })
  )
})

describe("what belongs to the boot alone", () => {
  class Trace extends Command.Class<Trace>()("Trace", { payload: {}, success: Schema.Boolean }) {}
  const traced = Effect.map(Effect.serviceOption(Tracer.ParentSpan), (span) => span._tag === "Some")
  const Handlers = CommandBus.handlers(on(Trace, () => traced))
  const trace = CommandBus.execute(new Trace()).pipe(TenantContext.provide("acme"))

  it.effect("its span is over when calls come: a call without a span has none", () =>
    Effect.gen(function* () {
      const spanned = yield* Layer.build(Handlers).pipe(Effect.withSpan("boot"))
      expect(yield* trace.pipe(Effect.provide(spanned))).toBe(false)
      expect(yield* trace.pipe(Effect.provide(Handlers.pipe(Layer.withSpan("boot"))))).toBe(false)
      expect(yield* trace.pipe(Effect.provide(Handlers), Effect.withSpan("call"))).toBe(true)
    })
  )

  it.effect("its receipt counts nothing of what calls write later", () =>
    Effect.gen(function* () {
      class Noted extends Event.Class<Noted>()("Noted", {}) {}
      class Note extends Command.Class<Note>()("Note", { payload: {} }) {}
      const Notes = CommandBus.handlers(
        on(Note, () =>
          Effect.flatMap(EventStore.EventStore, (store) =>
            store.append({ stream: StreamName.make("Note", "1"), expected: "any", events: [new Noted()] })
          )
        )
      ).pipe(Layer.provide(Memory.layer))
      const appends: Array<Receipt.AppendReceipt> = []
      const services = yield* Layer.build(Notes).pipe(Effect.provideService(Receipt.Collector, appends))
      yield* CommandBus.execute(new Note()).pipe(TenantContext.provide("acme"), Effect.provide(services))
      expect(appends).toEqual([])
    })
  )

  it.effect("its message is no cause of the calls that follow", () =>
    Effect.gen(function* () {
      class Cause extends Command.Class<Cause>()("Cause", { payload: {}, success: Schema.Boolean }) {}
      const Causes = CommandBus.handlers(
        on(Cause, () => Effect.map(MessageContext.MessageContext, ({ causationId }) => causationId !== undefined))
      )
      const services = yield* Layer.build(Causes).pipe(MessageContext.provide({ messageId: "boot" }))
      const caused = CommandBus.execute(new Cause()).pipe(TenantContext.provide("acme"), Effect.provide(services))
      expect(yield* caused).toBe(false)
    })
  )
})

describe("what a call brings along", () => {
  class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}
  class Try extends Command.Class<Try>()("Try", {
    payload: { how: Schema.Literals(["succeed", "fail", "die", "throw", "never"]) },
    error: Refused
  }) {}
  const Handlers = CommandBus.handlers(
    on(Try, ({ how }): Effect.Effect<void, Refused> => {
      if (how === "throw") throw new Error("thrown")
      if (how === "never") return Effect.never
      return how === "succeed" ? Effect.void : how === "fail" ? Effect.fail(new Refused()) : Effect.die("dead")
    })
  )

  it.effect.each(["succeed", "fail", "die", "throw"] as const)("is gone when the handler is done: %s", (how) =>
    Effect.gen(function* () {
      const around = Effect.all([MessageContext.MessageContext, tenant, Effect.context<never>()])
      const program = Effect.gen(function* () {
        const before = yield* around
        yield* Effect.exit(CommandBus.execute(new Try({ how })))
        return [before, yield* around]
      })
      const [before, after] = yield* program.pipe(Effect.provide(Handlers), TenantContext.provide("acme"))
      expect(after?.[0]).toBe(before?.[0])
      expect(after?.[1]).toBe("acme")
      expect(after?.[2].mapUnsafe).toEqual(before?.[2].mapUnsafe)
    })
  )

  it.effect("is gone when the call is interrupted", () =>
    Effect.gen(function* () {
      const ids: Array<string | undefined> = []
      const note = Effect.map(MessageContext.MessageContext, ({ messageId }) => void ids.push(messageId))
      const call = CommandBus.execute(new Try({ how: "never" })).pipe(
        Effect.ensuring(note),
        Effect.provide(Handlers),
        TenantContext.provide("acme")
      )
      const fiber = yield* Effect.forkChild(call, { startImmediately: true })
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      expect(ids).toEqual([undefined])
    })
  )
})
