import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import {
  Actor,
  Command,
  CommandBus,
  Event,
  EventStore,
  IdGenerator,
  Memory,
  MessageContext,
  on,
  Position,
  Query,
  QueryBus,
  StreamName,
  Subscription,
  SystemContext,
  TenantContext
} from "../../src/index.ts"

class Noted extends Event.Class<Noted>()("Noted", { by: Schema.String }) {}

const Ids = Schema.Struct({
  messageId: Schema.UndefinedOr(Schema.String),
  correlationId: Schema.UndefinedOr(Schema.String),
  causationId: Schema.UndefinedOr(Schema.String),
  actor: Schema.UndefinedOr(Schema.String),
  source: Schema.UndefinedOr(Schema.String)
})
class Outer extends Command.Class<Outer>()("Outer", { payload: {}, success: Schema.Array(Ids) }) {}
class Middle extends Command.Class<Middle>()("Middle", { payload: {}, success: Schema.Array(Ids) }) {}
class Inner extends Query.Class<Inner>()("Inner", { payload: {}, success: Schema.Array(Ids) }) {}
class Silent extends Command.Class<Silent>()("Silent", { payload: {} }) {}
class SilentOuter extends Command.Class<SilentOuter>()("SilentOuter", { payload: {} }) {}
class Write extends Command.Class<Write>()("Write", { payload: { events: Schema.Int } }) {}

const append = (count: number, by: string) =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    store.append({
      stream: StreamName.make("Note", "1"),
      expected: "any",
      events: Array.from({ length: count }, () => new Noted({ by }))
    })
  )

const ids = Effect.map(
  MessageContext.MessageContext,
  ({ actor, attributes, causationId, correlationId, messageId }) => ({
    messageId,
    correlationId,
    causationId,
    actor: actor?.id,
    source: attributes?.["source"]
  })
)

const Live = CommandBus.handlers(
  on(Outer, () =>
    Effect.all([ids, CommandBus.execute(new Middle())]).pipe(Effect.map(([own, below]) => [own, ...below]))
  ),
  on(SilentOuter, () => Effect.andThen(CommandBus.execute(new Silent()), CommandBus.execute(new Silent())))
).pipe(
  Layer.provideMerge(
    CommandBus.handlers(
      on(Middle, () =>
        Effect.all([ids, QueryBus.ask(new Inner())]).pipe(Effect.map(([own, below]) => [own, ...below]))
      ),
      on(Silent, () => Effect.void),
      on(Write, ({ events }) => append(events, "Write"))
    )
  ),
  Layer.provideMerge(QueryBus.handlers(on(Inner, () => Effect.map(ids, (own) => [own])))),
  Layer.provideMerge(Memory.layer),
  Layer.provideMerge(TenantContext.layerSingle)
)

/** Runs with ids `1`, `2` ... and says how many were made. */
const counted = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    let made = 0
    return self.pipe(
      Effect.map((value) => ({ value, made })),
      Effect.provideService(IdGenerator.IdGenerator, {
        unsafeNext: () => `00000000-0000-7000-8000-${String(++made).padStart(12, "0")}`
      })
    )
  })

const log = Effect.flatMap(EventStore.EventStore, (store) =>
  Effect.map(store.readAll({ after: Position.start, limit: 100 }), ({ events }) => events)
)

describe("ids", () => {
  it.effect("are made when they are first read: a handler that reads none pays for none", () =>
    Effect.gen(function* () {
      const program = Effect.all([
        CommandBus.execute(new Silent()),
        CommandBus.dispatch(new Silent()),
        CommandBus.execute(new SilentOuter()),
        CommandBus.executeUnknown(Silent, {})
      ])
      expect((yield* counted(program).pipe(Effect.provide(Live))).made).toBe(0)
    })
  )

  it.effect("are made once, however often they are read", () =>
    Effect.gen(function* () {
      class Read extends Command.Class<Read>()("Read", { payload: {}, success: Schema.Array(Schema.Unknown) }) {}
      const Reads = CommandBus.handlers(
        on(Read, () =>
          Effect.map(MessageContext.MessageContext, (c) => [c.correlationId, c.messageId, c.causationId, c.messageId])
        )
      )
      const { made, value } = yield* counted(CommandBus.execute(new Read())).pipe(
        Effect.provide([Reads, TenantContext.layerSingle])
      )
      const id = "00000000-0000-7000-8000-000000000001"
      expect(value).toEqual([id, id, undefined, id])
      expect(made).toBe(1)
    })
  )

  it.effect("of an append are one for the command and one for each event", () =>
    Effect.gen(function* () {
      const { made } = yield* counted(CommandBus.execute(new Write({ events: 3 }))).pipe(Effect.provide(Live))
      expect(made).toBe(4)
    })
  )

  it.effect("are not the same for two calls", () =>
    Effect.gen(function* () {
      const [one, other] = yield* Effect.all([CommandBus.execute(new Outer()), CommandBus.execute(new Outer())]).pipe(
        Effect.provide(Live)
      )
      expect(one[0]?.messageId).not.toBe(other[0]?.messageId)
      expect(one[0]?.correlationId).not.toBe(other[0]?.correlationId)
    })
  )
})

describe("nested messages", () => {
  it.effect("keep one correlation id, and each has its parent's id as causation", () =>
    Effect.gen(function* () {
      const { value } = yield* counted(CommandBus.execute(new Outer())).pipe(Effect.provide(Live))
      const [outer, middle, inner] = value
      expect(value.map(({ correlationId }) => correlationId)).toEqual(Array(3).fill(outer?.messageId))
      expect(value.map(({ causationId }) => causationId)).toEqual([undefined, outer?.messageId, middle?.messageId])
      expect(new Set(value.map(({ messageId }) => messageId)).size).toBe(3)
      expect(inner?.messageId).toBeDefined()
    })
  )

  it.effect("inherit actor and attributes, and the correlation id that the edge gave", () =>
    Effect.gen(function* () {
      const parts = { actor: Actor.user("ada"), attributes: { source: "import" }, correlationId: "r-1" }
      const value = yield* CommandBus.execute(new Outer()).pipe(MessageContext.provide(parts), Effect.provide(Live))
      expect(value.map(({ actor, correlationId, source }) => [actor, correlationId, source])).toEqual(
        Array(3).fill(["ada", "r-1", "import"])
      )
    })
  )

  it.effect("are caused by the message that the edge knows of, and belong to it", () =>
    Effect.gen(function* () {
      const [outer] = yield* CommandBus.execute(new Outer()).pipe(
        MessageContext.provide({ messageId: "request" }),
        Effect.provide(Live)
      )
      expect([outer?.causationId, outer?.correlationId]).toEqual(["request", "request"])
    })
  )

  it.effect("can be given another actor inside a handler, with the ids as they were", () =>
    Effect.gen(function* () {
      class Delegate extends Command.Class<Delegate>()("Delegate", { payload: {}, success: Schema.Array(Ids) }) {}
      const Delegates = CommandBus.handlers(
        on(Delegate, () =>
          Effect.all([ids, Effect.map(CommandBus.execute(new Middle()), ([first]) => first ?? noIds)]).pipe(
            MessageContext.provide({ actor: Actor.service("robot") })
          )
        )
      ).pipe(Layer.provideMerge(Live))
      const [own, below] = yield* CommandBus.execute(new Delegate(), { messageId: "d" }).pipe(
        MessageContext.provide({ actor: Actor.user("ada") }),
        Effect.provide(Delegates)
      )
      expect([own?.messageId, own?.actor]).toEqual(["d", "robot"])
      expect([below?.causationId, below?.actor]).toEqual(["d", "robot"])
    })
  )
})

const noIds = {
  messageId: undefined,
  correlationId: undefined,
  causationId: undefined,
  actor: undefined,
  source: undefined
}

describe("events", () => {
  it.effect(
    "carry the command's id as causation, its correlation id, actor, attributes and time: all deterministic",
    () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(Date.UTC(2026, 0, 1))
        const program = Effect.gen(function* () {
          yield* CommandBus.execute(new Write({ events: 2 })).pipe(
            MessageContext.provide({ actor: Actor.system, attributes: { source: "test" } })
          )
          return yield* log
        })
        const events = yield* program.pipe(Effect.provide([Live, IdGenerator.layerSequential]))
        const id = (n: number) => `00000000-0000-7000-8000-00000000000${n}`
        const metadata = {
          correlationId: id(1),
          causationId: id(1),
          occurredAt: 1_767_225_600_000,
          actor: { id: "system", kind: "system" },
          attributes: { source: "test" }
        }
        expect(events.map((event) => event.metadata)).toEqual([metadata, metadata])
        expect(events.map((event) => [event.id, event.recordedAt])).toEqual([
          [id(2), metadata.occurredAt],
          [id(3), metadata.occurredAt]
        ])
      })
  )

  it.effect("appended outside of any message have a correlation id of their own and no cause", () =>
    Effect.gen(function* () {
      const program = Effect.andThen(Effect.andThen(append(2, "nobody"), append(1, "nobody")), log)
      const [one, other, third] = yield* program.pipe(Effect.provide(Live))
      expect(one?.metadata).toEqual({ correlationId: expect.any(String), occurredAt: 0 })
      expect(other?.metadata.correlationId).toBe(one?.metadata.correlationId)
      expect(third?.metadata.correlationId).not.toBe(one?.metadata.correlationId)
    })
  )
})

describe("what a subscription's handler does", () => {
  it.effect("has the event's id as causation and its correlation id, actor and attributes", () =>
    Effect.gen(function* () {
      class Asked extends Event.Class<Asked>()("Asked", {}) {}
      const answered = Deferred.makeUnsafe<void>()
      const Answering = Subscription.make("answering", {
        events: [Asked],
        handle: () =>
          Effect.andThen(CommandBus.execute(new Write({ events: 1 })), Deferred.succeed(answered, undefined))
      })
      const program = Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* store
          .append({ stream: StreamName.make("Question", "1"), expected: "none", events: [new Asked()] })
          .pipe(MessageContext.provide({ messageId: "m-1", correlationId: "r-1", actor: Actor.user("ada") }))
        yield* Deferred.await(answered)
        return yield* log
      })
      const Running = Subscription.layer(Answering).pipe(
        Layer.provide(SystemContext.layer("test")),
        Layer.provideMerge(Live)
      )
      const [question, answer] = yield* program.pipe(Effect.provide(Running))
      expect(question?.metadata).toMatchObject({ correlationId: "r-1", causationId: "m-1" })
      expect(answer?.metadata).toMatchObject({ correlationId: "r-1", actor: { id: "ada", kind: "user" } })
      // The answer's cause is the command, whose cause is the event.
      expect(answer?.metadata.causationId).not.toBe(question?.id)
    })
  )

  it.effect("runs in a context that is the event's", () =>
    Effect.gen(function* () {
      class Asked extends Event.Class<Asked>()("Asked", {}) {}
      const seen = Deferred.makeUnsafe<readonly [MessageContext.MessageContext, string | undefined, string]>()
      const Watching = Subscription.make("watching", {
        events: [Asked],
        handle: ({ id }) =>
          Effect.gen(function* () {
            const [below] = yield* CommandBus.execute(new Middle())
            yield* Deferred.succeed(seen, [yield* MessageContext.MessageContext, below?.causationId, id])
          })
      })
      const program = Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* store
          .append({ stream: StreamName.make("Question", "1"), expected: "none", events: [new Asked()] })
          .pipe(MessageContext.provide({ messageId: "m-1", correlationId: "r-1" }))
        return yield* Deferred.await(seen)
      })
      const Running = Subscription.layer(Watching).pipe(
        Layer.provide(SystemContext.layer("test")),
        Layer.provideMerge(Live)
      )
      const [context, causation, eventId] = yield* program.pipe(Effect.provide(Running))
      expect(context).toMatchObject({ messageId: eventId, correlationId: "r-1", causationId: "m-1" })
      expect(causation).toBe(eventId)
    })
  )
})
