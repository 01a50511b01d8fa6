import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import {
  Command,
  CommandBus,
  EventStoreError,
  Logging,
  MessageContext,
  on,
  Query,
  QueryBus,
  StorageFailure,
  TenantContext
} from "../../src/index.ts"
import { logging } from "../application/logged.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", { why: Schema.String }) {}
const how = Schema.Literals(["succeed", "fail", "die", "throw", "never", "speak", "conflict", "storage"])
class Work extends Command.Class<Work>()("Work", { payload: { how, password: Schema.String }, error: Refused }) {}
class Ask extends Query.Class<Ask>()("Ask", { payload: {} }) {}

const failure = (reason: EventStoreError.EventStoreError["reason"]) =>
  Effect.fail(new EventStoreError.EventStoreError({ reason }))

const Live = Layer.merge(
  CommandBus.handlers(
    on(Work, ({ how }): Effect.Effect<void, Refused | EventStoreError.EventStoreError> => {
      switch (how) {
        case "throw":
          throw new Error("bug")
        case "fail":
          return Effect.andThen(Effect.sleep("3 millis"), Effect.fail(new Refused({ why: "closed" })))
        case "die":
          return Effect.die(new Error("bug"))
        case "never":
          return Effect.never
        case "conflict":
          return failure(new EventStoreError.VersionConflict({ stream: "Work-1", expected: 1, actual: 2 }))
        case "storage":
          return failure(new StorageFailure.StorageFailure({ operation: "append", retryable: true }))
        case "speak":
          return Effect.logInfo("speaking")
        case "succeed":
          return Effect.sleep("2 millis")
      }
    })
  ),
  QueryBus.handlers(on(Ask, () => Effect.void))
).pipe(Layer.provide([CommandBus.middleware(Logging.middleware), QueryBus.middleware(Logging.middleware)]))

const work = (how: Work["how"]) => new Work({ how, password: "hunter2" })

/** The lines that one command leaves. */
const linesOf = (how: Work["how"]) =>
  Effect.gen(function* () {
    const { capture, lines } = logging()
    const fiber = yield* CommandBus.execute(work(how), { messageId: "m-1" }).pipe(
      MessageContext.provide({ correlationId: "r-1" }),
      capture,
      Effect.provide(Layer.merge(Live, TenantContext.layerSingle)),
      Effect.exit,
      Effect.forkChild
    )
    for (let n = 0; n < 5; n++) yield* TestClock.adjust("1 millis")
    yield* Fiber.interrupt(fiber)
    return lines
  })

describe("Logging.middleware", () => {
  it.effect.each([
    ["succeed", "Debug", "command Work done in 2 ms"],
    ["fail", "Info", "command Work refused after 3 ms"],
    ["conflict", "Info", "command Work refused after 0 ms"],
    ["storage", "Warn", "command Work failed after 0 ms"],
    ["die", "Error", "command Work died after 0 ms"],
    ["throw", "Error", "command Work died after 0 ms"],
    ["never", "Debug", "command Work interrupted after 5 ms"]
  ] as const)("leaves one line: %s", ([how, level, message]) =>
    Effect.gen(function* () {
      expect(yield* linesOf(how)).toEqual([
        { level, message, annotations: { messageId: "m-1", correlationId: "r-1" }, all: expect.anything() }
      ])
    })
  )

  it.effect("puts the message's ids on every line that is logged meanwhile", () =>
    Effect.gen(function* () {
      const lines = yield* linesOf("speak")
      expect(lines.map(({ annotations, message }) => [message, annotations])).toEqual([
        ["speaking", { messageId: "m-1", correlationId: "r-1" }],
        ["command Work done in 0 ms", { messageId: "m-1", correlationId: "r-1" }]
      ])
    })
  )

  it.effect("logs why a handler refused or died, and never the payload", () =>
    Effect.gen(function* () {
      const [failed] = yield* linesOf("fail")
      const [died] = yield* linesOf("die")
      expect(failed?.all).toContain("Refused")
      expect(died?.all).toContain("bug")
      for (const how of ["succeed", "fail", "die", "throw", "never", "speak"] as const) {
        expect(JSON.stringify(yield* linesOf(how))).not.toContain("hunter2")
      }
    })
  )

  it.effect("names the cause of a message that has one", () =>
    Effect.gen(function* () {
      const { capture, lines } = logging()
      yield* QueryBus.ask(new Ask()).pipe(
        MessageContext.provide({ correlationId: "r-1", messageId: "c-1" }),
        capture,
        Effect.provide(Layer.merge(Live, TenantContext.layerSingle))
      )
      expect(lines.map(({ annotations }) => annotations)).toEqual([
        { messageId: expect.any(String), correlationId: "r-1", causationId: "c-1" }
      ])
    })
  )

  it.effect("logs queries as such", () =>
    Effect.gen(function* () {
      const { capture, lines } = logging()
      yield* QueryBus.ask(new Ask()).pipe(capture, Effect.provide(Layer.merge(Live, TenantContext.layerSingle)))
      expect(lines.map(({ message }) => message)).toEqual(["query Ask done in 0 ms"])
    })
  )
})
