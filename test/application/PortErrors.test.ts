// Decision 3: a handler may fail with what the ports fail with, and the bus makes one error of it.
import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Layer, Schema } from "effect"
import {
  CheckpointStore,
  Command,
  CommandBus,
  DispatchError,
  Event,
  EventBusError,
  EventStore,
  EventStoreError,
  type Handler,
  Memory,
  on,
  Query,
  QueryBus,
  ReadModelStore,
  SnapshotStore,
  StorageFailure,
  StreamName,
  TenantContext,
  UnitOfWork
} from "../../src/index.ts"

class Declared extends Schema.TaggedError<Declared>()("Declared", {}) {}
class Work extends Command.Class<Work>()("Work", { payload: {}, error: Declared }) {}
class Look extends Query.Class<Look>()("Look", { payload: {}, error: Declared, success: Schema.String }) {}

const issues = [{ path: "events[0].title", message: "must not be empty" }]
const vendor = new Error("57014: canceling statement, password=hunter2")
const storage = StorageFailure.make({ operation: "append", retryable: true, cause: vendor })
const broken = StorageFailure.make({ operation: "read", retryable: false, cause: vendor })

const ofStore = (reason: EventStoreError.EventStoreError["reason"]) => new EventStoreError.EventStoreError({ reason })

const cases: ReadonlyArray<readonly [name: string, error: Handler.PortError, reason: DispatchError.Reason]> = [
  [
    "VersionConflict",
    ofStore(new EventStoreError.VersionConflict({ stream: "Cart-1", expected: 3, actual: 5 })),
    new DispatchError.Conflict({ stream: "Cart-1", expected: 3, actual: 5 })
  ],
  [
    "VersionConflict of a missing stream",
    ofStore(new EventStoreError.VersionConflict({ stream: "Cart-1", expected: "exists", actual: 0 })),
    new DispatchError.Conflict({ stream: "Cart-1", expected: "exists", actual: 0 })
  ],
  [
    "StreamTombstoned",
    ofStore(new EventStoreError.StreamTombstoned({ stream: "Cart-1" })),
    new DispatchError.Gone({ stream: "Cart-1" })
  ],
  [
    "InvalidInput",
    ofStore(new EventStoreError.InvalidInput({ stream: "Cart-1", issues })),
    new DispatchError.Invalid({ issues })
  ],
  [
    "EventUndecodable",
    ofStore(new EventStoreError.EventUndecodable({ stream: "Cart-1", version: 1, position: 1, type: "X", issues })),
    new DispatchError.Storage({ operation: "decode", retryable: false })
  ],
  [
    "ProjectionFailed",
    ofStore(EventStoreError.projectionFailed("titles", vendor)),
    new DispatchError.Storage({ operation: "projection titles", retryable: false })
  ],
  ["StorageFailure of the log", ofStore(storage), new DispatchError.Storage({ operation: "append", retryable: true })],
  [
    "InvalidDocument",
    new ReadModelStore.ReadModelError({
      reason: new ReadModelStore.InvalidDocument({ collection: "titles", id: "1", issues })
    }),
    new DispatchError.Invalid({ issues })
  ],
  [
    "InvalidSnapshot",
    new SnapshotStore.SnapshotError({ reason: new SnapshotStore.InvalidSnapshot({ stream: "Cart-1", issues }) }),
    new DispatchError.Storage({ operation: "snapshot", retryable: false })
  ],
  [
    "StorageFailure of snapshots",
    new SnapshotStore.SnapshotError({ reason: storage }),
    new DispatchError.Storage({ operation: "append", retryable: true })
  ],
  [
    "StorageFailure of read models",
    new ReadModelStore.ReadModelError({ reason: broken }),
    new DispatchError.Storage({ operation: "read", retryable: false })
  ],
  [
    "CheckpointConflict",
    new CheckpointStore.CheckpointError({
      reason: new CheckpointStore.CheckpointConflict({ name: "titles", expected: 1, actual: 2 })
    }),
    new DispatchError.Storage({ operation: "checkpoint", retryable: true })
  ],
  [
    "StorageFailure of checkpoints",
    new CheckpointStore.CheckpointError({ reason: broken }),
    new DispatchError.Storage({ operation: "read", retryable: false })
  ],
  [
    "UnitOfWorkError",
    new UnitOfWork.UnitOfWorkError({ reason: storage }),
    new DispatchError.Storage({ operation: "append", retryable: true })
  ],
  [
    "EventBusError",
    new EventBusError.EventBusError({ reason: new EventBusError.NotConnected({ bus: "redis" }) }),
    new DispatchError.Unreachable({ service: "redis" })
  ],
  ["TimeoutError", new Cause.TimeoutError(), new DispatchError.Timeout({ waitingFor: "what the handler called" })]
]

describe("a port's error", () => {
  it.effect.each(cases)("is a DispatchError for the caller of both buses: %s", ([, error, reason]) =>
    Effect.gen(function* () {
      const Live = Layer.mergeAll(
        CommandBus.handlers(on(Work, () => Effect.fail(error))),
        QueryBus.handlers(on(Look, () => Effect.fail(error))),
        TenantContext.layerSingle
      )
      const both = Effect.all([
        Effect.flip(CommandBus.execute(new Work())),
        Effect.flip(Effect.andThen(QueryBus.ask(new Look()), Effect.void))
      ])
      const [work, look] = yield* both.pipe(Effect.provide(Live))
      expect(work).toEqual(DispatchError.make("Work", reason))
      expect(look).toEqual(DispatchError.make("Look", reason))
      // For logs the whole story is there; over a network nothing of it goes.
      expect(work).toMatchObject({ cause: error })
      const sent = Schema.encodeUnknownSync(Schema.toCodecJson(DispatchError.DispatchError))(work)
      expect(JSON.stringify(sent)).not.toContain("hunter2")
    })
  )

  it.effect("is what a handler's own timeout gives", () =>
    Effect.gen(function* () {
      const Live = CommandBus.handlers(on(Work, () => Effect.timeout(Effect.never, 0)))
      const error = yield* Effect.flip(CommandBus.execute(new Work())).pipe(
        Effect.provide([Live, TenantContext.layerSingle])
      )
      expect(error).toMatchObject({ _tag: "DispatchError", of: "Work", reason: { _tag: "Timeout" } })
    })
  )
})

describe("what is no port's error", () => {
  it.effect("is the caller's as it is: the declared one, and a DispatchError of another message", () =>
    Effect.gen(function* () {
      const nested = DispatchError.make("Nested", new DispatchError.Gone({ stream: "Cart-1" }))
      const failing = (error: Declared | DispatchError.DispatchError) =>
        CommandBus.execute(new Work()).pipe(
          Effect.flip,
          Effect.provide([CommandBus.handlers(on(Work, () => Effect.fail(error))), TenantContext.layerSingle])
        )
      const declared = new Declared()
      expect([yield* failing(declared), yield* failing(nested)]).toEqual([declared, nested])
    })
  )

  it.effect("keeps defects and interruptions beside a failure", () =>
    Effect.gen(function* () {
      const failure = ofStore(new EventStoreError.StreamTombstoned({ stream: "Cart-1" }))
      const Live = CommandBus.handlers(
        on(Work, () => Effect.failCause(Cause.combine(Cause.fail(failure), Cause.die(vendor))))
      )
      const cause = yield* CommandBus.execute(new Work()).pipe(
        Effect.sandbox,
        Effect.flip,
        Effect.provide([Live, TenantContext.layerSingle])
      )
      expect(cause.reasons.map(({ _tag }) => _tag)).toEqual(["Fail", "Die"])
      expect(cause.reasons[0]).toMatchObject({ error: { _tag: "DispatchError", reason: { _tag: "Gone" } } })
    })
  )
})

describe("the real store, through the bus", () => {
  class Titled extends Event.Class<Titled>()("Titled", { title: Schema.String }) {}
  class Title extends Command.Class<Title>()("Title", { payload: { title: Schema.String } }) {}
  const stream = StreamName.make("Task", "1")
  const Live = CommandBus.handlers(
    on(Title, ({ title }) =>
      Effect.flatMap(EventStore.EventStore, (store) =>
        store.append({ stream, expected: "none", events: [new Titled({ title })] })
      )
    )
  ).pipe(Layer.provideMerge(Memory.layer), Layer.provideMerge(TenantContext.layerSingle))
  const title = (text: string) => CommandBus.execute(new Title({ title: text }))

  it.effect("says Conflict, Gone and Invalid", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const invalid = yield* Effect.flip(title("\0"))
        yield* title("first")
        const conflict = yield* Effect.flip(title("second"))
        yield* store.tombstone(stream, "any")
        return [invalid, conflict, yield* Effect.flip(title("third"))]
      })
      expect(yield* program.pipe(Effect.provide(Live))).toMatchObject([
        { reason: { _tag: "Invalid", issues: [{ path: "events[0].title", message: "must not hold \\u0000" }] } },
        { reason: { _tag: "Conflict", stream: "Task-1", expected: "none", actual: 1 } },
        { reason: { _tag: "Gone", stream: "Task-1" } }
      ])
    })
  )
})
