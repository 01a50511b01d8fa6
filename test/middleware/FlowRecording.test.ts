import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import { logging } from "../application/logged.ts"
import {
  Command,
  CommandBus,
  type DispatchError,
  Event,
  EventStore,
  type EventStoreError,
  Flow,
  FlowRecorder,
  FlowRecording,
  FlowStore,
  FlowStoreError,
  Memory,
  MessageContext,
  Middleware,
  on,
  Query,
  QueryBus,
  Resilience,
  StorageFailure,
  StreamName,
  TenantContext,
  TenantId,
  UnitOfWork
} from "../../src/index.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", { why: Schema.String }) {}
const how = Schema.Literals(["succeed", "fail", "die", "throw", "never", "append", "nest"])
class Work extends Command.Class<Work>()("Work", { payload: { how, secret: Schema.String }, error: Refused }) {}
class Ask extends Query.Class<Ask>()("Ask", { payload: {} }) {}
class Worked extends Event.Class<Worked>()("Worked", { secret: Schema.String }) {}

const secret = "hunter2"
const work = (how: Work["how"]) => CommandBus.execute(new Work({ how, secret }))
const stream = StreamName.make("Work", "1")

const append = Effect.flatMap(EventStore.EventStore, (store) =>
  store.append({ stream, expected: "any", events: [new Worked({ secret }), new Worked({ secret })] })
)

type Needs = EventStore.EventStore | TenantContext.TenantContext | QueryBus.Handler<"Ask">
const handlers = on(
  Work,
  ({ how }): Effect.Effect<unknown, Refused | DispatchError.DispatchError | EventStoreError.EventStoreError, Needs> => {
    switch (how) {
      case "throw":
        throw new TypeError(secret)
      case "fail":
        return Effect.andThen(Effect.sleep("3 millis"), Effect.fail(new Refused({ why: secret })))
      case "die":
        return Effect.die(secret)
      case "never":
        return Effect.never
      case "append":
        return append
      case "nest":
        return QueryBus.ask(new Ask())
      case "succeed":
        return Effect.sleep("2 millis")
    }
  }
)

const Live = CommandBus.handlers(handlers).pipe(
  Layer.provideMerge(QueryBus.handlers(on(Ask, () => Effect.void))),
  Layer.provide([CommandBus.middleware(FlowRecording.middleware), QueryBus.middleware(FlowRecording.middleware)]),
  Layer.provideMerge(FlowRecorder.layer({ linger: 0 })),
  Layer.provideMerge(Layer.merge(Memory.layer, TenantContext.layerSingle))
)

const steps = Effect.gen(function* () {
  yield* Effect.flatMap(FlowRecorder.FlowRecorder, ({ flush }) => flush)
  const flows = yield* FlowStore.FlowStore
  return (yield* flows.read("r-1")).steps
})

const inFlow = MessageContext.provide({ correlationId: "r-1" })

const textOf = Effect.map(steps, (all) => Flow.toText(Flow.make("r-1", all)))

describe("FlowRecording.middleware", () => {
  it.effect.each([
    ["succeed", { _tag: "Succeeded", millis: 2, attempts: 1 }],
    ["fail", { _tag: "Refused", error: "Refused", millis: 3, attempts: 1 }],
    ["die", { _tag: "Failed", error: "string", millis: 0, attempts: 1 }],
    ["throw", { _tag: "Failed", error: "TypeError", millis: 0, attempts: 1 }],
    ["never", { _tag: "Failed", error: "Interrupted", millis: 5, attempts: 1 }]
  ] as const)("records how a command ended: %s", ([how, outcome]) =>
    Effect.gen(function* () {
      const fiber = yield* work(how).pipe(inFlow, Effect.exit, Effect.forkChild)
      for (let n = 0; n < 5; n++) yield* TestClock.adjust("1 millis")
      yield* Fiber.interrupt(fiber)
      expect(yield* steps).toEqual([
        { id: expect.any(String), kind: "command", name: "Work", at: 0, causationId: undefined, outcome }
      ])
    }).pipe(Effect.provide(Live))
  )

  it.effect("records what a message causes, and never what it holds", () =>
    Effect.gen(function* () {
      yield* inFlow(work("append"))
      yield* inFlow(work("nest"))
      expect(yield* textOf).toBe(
        `flow r-1
├─ command Work: succeeded in 0 ms
│  ├─ event Worked (Work-1@1)
│  └─ event Worked (Work-1@2)
└─ command Work: succeeded in 0 ms
   └─ query Ask: succeeded in 0 ms`
      )
      expect(JSON.stringify(yield* steps)).not.toContain(secret)
    }).pipe(Effect.provide(Live))
  )

  it.effect("records what succeeded in a unit of work after its commit, and what failed at once", () =>
    Effect.gen(function* () {
      const unit = yield* UnitOfWork.UnitOfWork
      const inside = Effect.gen(function* () {
        yield* work("append")
        yield* Effect.exit(unit.transaction(Effect.andThen(append, Effect.fail("undone"))))
        yield* Effect.exit(work("die"))
        const { counts } = yield* FlowRecorder.FlowRecorder
        const { recorded, waiting } = yield* counts
        return recorded + waiting
      })
      expect(yield* inFlow(unit.transaction(inside))).toBe(1)
      expect(yield* textOf).toContain("event Worked (Work-1@2)")
      expect((yield* steps).length).toBe(4)
      yield* Effect.exit(inFlow(unit.transaction(Effect.andThen(inside, Effect.fail("undone")))))
      // Only the failure of the second time came to be.
      expect((yield* steps).length).toBe(5)
    }).pipe(Effect.provide(Live))
  )

  it.effect.each([true, false])("counts attempts, outside of a retry or inside: %s", (outside) =>
    Effect.gen(function* () {
      let calls = 0
      const flaky = on(Work, () =>
        Effect.suspend(() => (++calls < 3 ? Effect.fail(new Refused({ why: "" })) : Effect.void))
      )
      const retry = Resilience.retry({ while: () => true, delay: 0 })
      const [inner, outer] = outside ? [retry, FlowRecording.middleware] : [FlowRecording.middleware, retry]
      const layer = CommandBus.override(flaky.pipe(Middleware.use(inner), Middleware.use(outer)))
      yield* Effect.provide(inFlow(work("succeed")), layer)
      const outcomes = (yield* steps).map(({ outcome }) => outcome)
      expect(outcomes).toEqual([{ _tag: "Succeeded", millis: 0, attempts: 3 }])
    }).pipe(Effect.provide(Live))
  )

  it.effect("records each tenant's flows as its own", () =>
    Effect.gen(function* () {
      yield* inFlow(TenantContext.provide("acme")(work("append")))
      expect(yield* steps).toEqual([])
      expect((yield* TenantContext.provide("acme")(steps)).length).toBe(3)
    }).pipe(Effect.provide(Live))
  )

  it.effect("does not record an append that was written before", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const once = inFlow(store.append({ stream, expected: "none", events: [new Worked({ secret })], id: "a" }))
      yield* once
      yield* once
      expect((yield* steps).length).toBe(1)
    }).pipe(Effect.provide(Live))
  )
})

const entry = (n: number, id = String(n)) => ({
  tenant: TenantId.make("default"),
  correlationId: "r-1",
  step: { id, kind: "event" as const, name: "N", at: n }
})

const failure = (retryable: boolean) =>
  new FlowStoreError.FlowStoreError({
    reason: StorageFailure.make({ operation: "FlowStore.record", retryable, cause: "down" })
  })

/** A recorder over a store that does what it is told, and what the log says. */
const over = (
  record: (inner: FlowStore.FlowStore["Service"]["record"]) => FlowStore.FlowStore["Service"]["record"],
  options?: FlowRecorder.Options
) => {
  const lines: Array<string> = []
  const store = Layer.effect(
    FlowStore.FlowStore,
    Effect.map(FlowStore.FlowStore, (flows) => ({ ...flows, record: record(flows.record) }))
  )
  const layer = FlowRecorder.layer(options).pipe(
    Layer.provide(store),
    Layer.provideMerge(Layer.merge(Memory.layer, TenantContext.layerSingle)),
    Layer.provideMerge(
      Logger.layer([Logger.make(({ logLevel, message }) => lines.push(`${logLevel} ${String([message].flat()[0])}`))])
    )
  )
  return { lines, layer }
}

describe("FlowRecorder.layer", () => {
  it.effect("drops what finds the queue full, counts it, and says so once", () => {
    const gate = Deferred.makeUnsafe<void>()
    const { layer, lines } = over((inner) => (entries) => Effect.andThen(Deferred.await(gate), inner(entries)), {
      capacity: 10
    })
    return Effect.gen(function* () {
      const recorder = yield* FlowRecorder.FlowRecorder
      for (let n = 0; n < 1000; n++) recorder.unsafeRecord(entry(n))
      expect(yield* recorder.counts).toMatchObject({ recorded: 0, waiting: 10, dropped: 990 })
      yield* Deferred.succeed(gate, undefined)
      yield* recorder.flush
      recorder.unsafeRecord(entry(1000))
      yield* recorder.flush
      expect(yield* recorder.counts).toMatchObject({ recorded: 11, waiting: 0, dropped: 990 })
      expect(lines).toEqual(["Warn 990 steps of flows were dropped: 10 wait already"])
      expect((yield* steps).length).toBe(11)
    }).pipe(Effect.provide(layer))
  })

  it.effect("waits for a storage that does not answer, says so, and goes on", () => {
    let calls = 0
    const { layer, lines } = over(
      (inner) => (entries) => Effect.suspend(() => (++calls <= 3 ? Effect.fail(failure(true)) : inner(entries)))
    )
    return Effect.gen(function* () {
      const recorder = yield* FlowRecorder.FlowRecorder
      recorder.unsafeRecord(entry(1))
      yield* TestClock.adjust("10 seconds")
      expect(yield* recorder.counts).toEqual({
        recorded: 1,
        waiting: 0,
        dropped: 0,
        refused: 0,
        lost: 0,
        failures: 3
      })
      expect(lines.filter((line) => line.startsWith("Warn")).length).toBe(3)
    }).pipe(Effect.provide(layer))
  })

  it.effect("lets go of what the storage will never keep, and keeps the rest", () => {
    let calls = 0
    const { layer, lines } = over(
      (inner) => (entries) => Effect.suspend(() => (++calls === 1 ? Effect.fail(failure(false)) : inner(entries)))
    )
    return Effect.gen(function* () {
      const recorder = yield* FlowRecorder.FlowRecorder
      recorder.unsafeRecord(entry(1))
      yield* recorder.flush
      for (const id of ["2", "a\0b", "\ud800", "", "x".repeat(2000)]) recorder.unsafeRecord(entry(2, id))
      yield* recorder.flush
      expect(yield* recorder.counts).toMatchObject({ recorded: 1, lost: 1, refused: 4, dropped: 0 })
      expect(lines).toEqual(["Error 1 steps of flows are lost", "Warn 4 steps of flows cannot be kept, one for"])
      expect((yield* steps).map(({ id }) => id)).toEqual(["2"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("survives a store that dies", () => {
    let calls = 0
    const { layer } = over(
      (inner) => (entries) => Effect.suspend(() => (++calls === 1 ? Effect.die(new Error("bug")) : inner(entries)))
    )
    return Effect.gen(function* () {
      const recorder = yield* FlowRecorder.FlowRecorder
      recorder.unsafeRecord(entry(1))
      yield* recorder.flush
      recorder.unsafeRecord(entry(2))
      yield* recorder.flush
      expect(yield* recorder.counts).toMatchObject({ recorded: 1, lost: 1 })
    }).pipe(Effect.provide(layer))
  })

  it.effect("writes what waits when its scope closes, in batches, also what was being written", () => {
    const sizes: Array<number> = []
    const begun = Deferred.makeUnsafe<void>()
    const { layer } = over(
      (inner) => (entries) =>
        Effect.suspend(() => {
          sizes.push(entries.length)
          return sizes.length > 1 ? inner(entries) : Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
        }),
      { batchSize: 4 }
    )
    return Effect.gen(function* () {
      const flows = yield* FlowStore.FlowStore
      yield* Effect.gen(function* () {
        const recorder = yield* FlowRecorder.FlowRecorder
        for (let n = 0; n < 10; n++) recorder.unsafeRecord(entry(n))
        yield* Effect.forkChild(recorder.flush)
        yield* Deferred.await(begun)
      }).pipe(Effect.provide(layer))
      expect(sizes).toEqual([4, 4, 4, 2])
      expect((yield* flows.read("r-1")).steps.length).toBe(10)
    }).pipe(Effect.provide(Layer.merge(Memory.layer, TenantContext.layerSingle)))
  })

  it.live("ends in time when the storage does not answer, and says what is dropped", () => {
    const { layer, lines } = over(() => () => Effect.never, { drain: "20 millis" })
    return Effect.gen(function* () {
      const [took, flushed] = yield* Effect.timed(
        Effect.provide(
          Effect.map(FlowRecorder.FlowRecorder, (recorder) => {
            for (let n = 0; n < 7; n++) recorder.unsafeRecord(entry(n))
            return recorder.flush
          }),
          layer
        )
      )
      expect(Duration.toMillis(took)).toBeLessThan(2000)
      // Nobody waits for what will not be written any more.
      yield* flushed
      expect(lines).toEqual([expect.stringContaining("7 steps of flows were dropped: the program has ended")])
    })
  })

  it.live("is flushed by many at once, whenever they come", () => {
    const { layer } = over((inner) => inner, { linger: 0 })
    return Effect.gen(function* () {
      const recorder = yield* FlowRecorder.FlowRecorder
      const one = (from: number) =>
        Effect.gen(function* () {
          for (let n = from; n < from + 100; n++) {
            recorder.unsafeRecord(entry(n))
            yield* recorder.flush
            if (n % 7 === 0) yield* Effect.sleep(n % 3)
          }
        })
      yield* Effect.all([0, 100, 200, 300].map(one), { concurrency: "unbounded" })
      expect(yield* recorder.counts).toMatchObject({ recorded: 400, waiting: 0 })
    }).pipe(Effect.provide(layer))
  })

  it.effect("logs a line for each step when asked, with its ids", () => {
    const { capture, lines } = logging()
    return Effect.gen(function* () {
      const recorder = yield* FlowRecorder.FlowRecorder
      const outcome = { _tag: "Refused", error: "Full", millis: 3, attempts: 2 } as const
      recorder.unsafeRecord(entry(1))
      recorder.unsafeRecord({ ...entry(2), step: { ...entry(2).step, causationId: "1", place: "A-1@1", outcome } })
      yield* recorder.flush
      const known = { messageId: "2", causationId: "1", correlationId: "r-1", tenant: "default", at: 2 }
      expect(lines.map(({ annotations, level, message }) => [level, message, annotations])).toEqual([
        ["Debug", "event N", { messageId: "1", correlationId: "r-1", tenant: "default", at: 1 }],
        ["Info", "event N refused in 3 ms", { ...known, place: "A-1@1", error: "Full", millis: 3, attempts: 2 }]
      ])
    }).pipe(Effect.provide(FlowRecorder.layer({ log: true }).pipe(Layer.provideMerge(Memory.layer))), capture)
  })

  it("tells of an error its tag alone", () => {
    const tagOf = (cause: Cause.Cause<unknown>) =>
      FlowRecorder.outcomeOf(Exit.failCause(cause), { millis: 1, attempts: 2 }).error
    expect(tagOf(Cause.fail(secret))).toBe("string")
    expect(tagOf(Cause.fail(new Refused({ why: secret })))).toBe("Refused")
    expect(tagOf(Cause.fail(failure(true)))).toBe("StorageFailure")
    expect(tagOf(Cause.fail({ reason: secret }))).toBe("object")
    expect(tagOf(Cause.die(new RangeError(secret)))).toBe("RangeError")
    expect(tagOf(Cause.die({ _tag: "a\0b\ud800" }))).toBe("ab\ufffd")
  })
})
