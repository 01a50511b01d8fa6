import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Option, Schema, Tracer } from "effect"
import {
  Command,
  CommandBus,
  Event,
  EventStore,
  IdGenerator,
  Memory,
  MessageContext,
  Middleware,
  on,
  Position,
  Query,
  QueryBus,
  StreamName,
  TenantContext,
  Tracing
} from "../../src/index.ts"

class Noted extends Event.Class<Noted>()("Noted", {}) {}
class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}
class Note extends Command.Class<Note>()("Note", { payload: { secret: Schema.String } }) {}
class Twice extends Command.Class<Twice>()("Twice", { payload: {} }) {}
class Fail extends Command.Class<Fail>()("Fail", {
  payload: { how: Schema.Literals(["fail", "die", "throw"]) },
  error: Refused
}) {}
class Ask extends Query.Class<Ask>()("Ask", { payload: {} }) {}

const append = Effect.flatMap(EventStore.EventStore, (store) =>
  store.append({ stream: StreamName.make("Note", "1"), expected: "any", events: [new Noted()] })
)
const note = new Note({ secret: "hunter2" })

/** A tracer that keeps its spans. */
const tracing = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span(options) {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  const traced = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.provideService(self, Tracer.Tracer, tracer)
  return { spans, traced }
}

const Handlers = Layer.merge(
  CommandBus.handlers(
    on(Note, () => append),
    on(Fail, ({ how }): Effect.Effect<void, Refused> => {
      if (how === "throw") throw new Error("bug")
      return how === "fail" ? Effect.fail(new Refused()) : Effect.die("bug")
    })
  ),
  QueryBus.handlers(on(Ask, () => Effect.void))
)
const Outer = CommandBus.handlers(
  on(Twice, () =>
    Effect.andThen(Effect.andThen(CommandBus.execute(note), CommandBus.execute(note)), QueryBus.ask(new Ask()))
  )
)
const Stores = Layer.merge(Memory.layer, TenantContext.layerSingle)
const Untraced = Outer.pipe(Layer.provideMerge(Handlers), Layer.provideMerge(Stores))
const Traced = Outer.pipe(
  Layer.provideMerge(Handlers),
  Layer.provide([CommandBus.middleware(Tracing.middleware), QueryBus.middleware(Tracing.middleware)]),
  Layer.provideMerge(Stores)
)

const traceparents = Effect.flatMap(EventStore.EventStore, (store) =>
  Effect.map(store.readAll({ after: Position.start, limit: 10 }), ({ events }) =>
    events.map(({ metadata }) => metadata.traceparent)
  )
)
const parentOf = (span: Tracer.NativeSpan | undefined) =>
  Option.match(
    Option.flatMap(Option.fromUndefinedOr(span), ({ parent }) => parent),
    {
      onNone: () => undefined,
      onSome: ({ spanId }) => spanId
    }
  )

describe("Tracing.middleware", () => {
  it.effect("makes one span per message, with OpenTelemetry's messaging attributes and no payload", () =>
    Effect.gen(function* () {
      const { spans, traced } = tracing()
      yield* CommandBus.execute(note, { messageId: "m-1" }).pipe(
        MessageContext.provide({ correlationId: "r-1" }),
        traced,
        Effect.provide([Traced, IdGenerator.layerSequential])
      )
      expect(spans.map(({ kind, name }) => [name, kind])).toEqual([["command Note", "internal"]])
      expect(Object.fromEntries(spans[0]?.attributes ?? [])).toEqual({
        "messaging.operation.type": "process",
        "messaging.message.id": "m-1",
        "messaging.message.conversation_id": "r-1",
        "messaging.message.type": "Note"
      })
    })
  )

  it.effect("nests spans as messages nest, under the caller's", () =>
    Effect.gen(function* () {
      const { spans, traced } = tracing()
      yield* CommandBus.execute(new Twice()).pipe(Effect.withSpan("caller"), traced, Effect.provide(Traced))
      expect(spans.map(({ name }) => name)).toEqual([
        "caller",
        "command Twice",
        "command Note",
        "command Note",
        "query Ask"
      ])
      const [caller, twice, ...inner] = spans
      expect(parentOf(twice)).toBe(caller?.spanId)
      expect(inner.map(parentOf)).toEqual(inner.map(() => twice?.spanId))
      expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1)
    })
  )

  it.effect("is what events keep as their traceparent", () =>
    Effect.gen(function* () {
      const { spans, traced } = tracing()
      const kept = yield* Effect.andThen(CommandBus.execute(new Twice()), traceparents).pipe(
        traced,
        Effect.provide(Traced)
      )
      const notes = spans.filter(({ name }) => name === "command Note")
      expect(kept).toEqual(notes.map(({ spanId, traceId }) => `00-${traceId}-${spanId}-01`))
      expect(kept[0]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
    })
  )

  it.effect("goes on with a trace that came over the network", () =>
    Effect.gen(function* () {
      const { spans, traced } = tracing()
      const parent = Tracer.externalSpan({ traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" })
      yield* CommandBus.execute(note).pipe(Effect.withParentSpan(parent), traced, Effect.provide(Traced))
      expect(spans[0]?.traceId).toBe("0af7651916cd43dd8448eb211c80319c")
      expect(parentOf(spans[0])).toBe("b7ad6b7169203331")
    })
  )

  it.effect.each(["fail", "die", "throw"] as const)("ends the span of a handler with its failure: %s", (how) =>
    Effect.gen(function* () {
      const { spans, traced } = tracing()
      yield* Effect.exit(CommandBus.execute(new Fail({ how }))).pipe(traced, Effect.provide(Traced))
      expect(spans.map(({ name, status }) => [name, status._tag, status._tag === "Ended" && status.exit._tag])).toEqual(
        [["command Fail", "Ended", "Failure"]]
      )
    })
  )

  it.effect("can be put around one handler alone", () =>
    Effect.gen(function* () {
      const { spans, traced } = tracing()
      const One = CommandBus.handlers(on(Twice, () => Effect.void).pipe(Middleware.use(Tracing.middleware)))
      yield* CommandBus.execute(new Twice()).pipe(traced, Effect.provide([One, TenantContext.layerSingle]))
      expect(spans.map(({ name }) => name)).toEqual(["command Twice"])
    })
  )
})

describe("without it", () => {
  it.effect("there is no span, no traceparent, and no id that nobody read", () =>
    Effect.gen(function* () {
      const { spans, traced } = tracing()
      let ids = 0
      const counting = { unsafeNext: () => `00000000-0000-7000-8000-${String(++ids).padStart(12, "0")}` }
      const program = Effect.gen(function* () {
        yield* QueryBus.ask(new Ask())
        const before = ids
        yield* CommandBus.execute(note)
        return [before, yield* traceparents]
      })
      const run = program.pipe(
        traced,
        Effect.provideService(IdGenerator.IdGenerator, counting),
        Effect.provide(Untraced)
      )
      expect(yield* run).toEqual([0, [undefined]])
      expect(spans).toEqual([])
    })
  )

  it.effect("events keep the span that the program itself is in", () =>
    Effect.gen(function* () {
      const { spans, traced } = tracing()
      const program = Effect.andThen(CommandBus.execute(note).pipe(Effect.withSpan("mine")), traceparents)
      const kept = yield* program.pipe(traced, Effect.provide(Untraced))
      expect(kept).toEqual([`00-${spans[0]?.traceId}-${spans[0]?.spanId}-01`])
    })
  )
})
