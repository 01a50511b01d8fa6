import { expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Writer from "../../../../src/adapters/postgres/internal/Writer.ts"
import * as Position from "../../../../src/domain/Position.ts"
import * as StreamName from "../../../../src/domain/StreamName.ts"
import * as TenantId from "../../../../src/domain/TenantId.ts"
import type { PreparedAppend } from "../../../../src/ports/EventStoreDriver.ts"

const tenant = TenantId.make("t")
const times = (count: number) => Array.from({ length: count }, (_, n) => n)

const append = (id: string, ...tags: ReadonlyArray<string>): PreparedAppend => ({
  stream: StreamName.make("W", id),
  expected: "any",
  events: tags.length === 0 ? [] : [{ id: "", type: "T", schemaVersion: 1, data: "{}", tags, metadata }],
  id: undefined,
  condition: undefined
})

const metadata = { messageId: "", correlationId: "", causationId: "", occurredAt: 0 }

const written = ({ stream }: PreparedAppend) => ({ stream, version: 1, position: Position.make(1) })

/** Statements that take until `open`: those to the stream "hot" for ever, others until they are released. */
const statements = Effect.map(Deferred.make<void>(), (released) => {
  const groups: Array<ReadonlyArray<PreparedAppend>> = []
  const fake: Writer.Statements = {
    alone: (_, one) => (one.stream === "W-hot" ? Effect.never : Effect.as(Deferred.await(released), written(one))),
    together: (_, appends) =>
      Effect.suspend(() => {
        groups.push(appends)
        return appends.some(({ stream }) => stream === "W-stuck")
          ? Effect.never
          : Effect.succeed(appends.map((one) => Effect.succeed(written(one))))
      })
  }
  return { fake, groups, release: Deferred.succeed(released, undefined) }
})

it.effect("a stream that many wait for keeps no other waiting", () =>
  Effect.gen(function* () {
    const { fake, release } = yield* statements
    const writer = yield* Writer.make(fake, 2)
    for (const one of [append("hot"), append("slow")]) yield* Effect.forkChild(writer.write(tenant, one))
    yield* Effect.yieldNow
    for (const _ of times(2000)) yield* Effect.forkChild(writer.write(tenant, append("hot")))
    yield* Effect.yieldNow
    const free = yield* Effect.forkChild(writer.write(tenant, append("free")))
    yield* Effect.yieldNow
    yield* release
    for (const _ of times(100)) yield* Effect.yieldNow
    expect(free.pollUnsafe()).toMatchObject({ _tag: "Success" })
  })
)

it.effect("a group needs no more tags than can be locked one by one", () =>
  Effect.gen(function* () {
    const { fake, groups, release } = yield* statements
    const writer = yield* Writer.make(fake, 1)
    const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
    for (const n of times(101)) {
      fibers.push(yield* Effect.forkChild(writer.write(tenant, append(String(n), `a${n}`, `b${n}`, "shared"))))
    }
    yield* Effect.yieldNow
    yield* release
    yield* Fiber.joinAll(fibers)
    expect(groups.length).toBeGreaterThan(0)
    for (const group of groups) {
      expect(new Set(group.flatMap(({ events }) => events.flatMap(({ tags }) => tags))).size).toBeLessThanOrEqual(64)
    }
  })
)

it.live("at its end, everybody is answered", () =>
  Effect.gen(function* () {
    const { fake, release } = yield* statements
    const scope = yield* Scope.make()
    const writer = yield* Scope.provide(Writer.make(fake, 1), scope)
    yield* Effect.forkChild(writer.write(tenant, append("slow")))
    yield* Effect.yieldNow
    const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
    // A group that never ends, and one behind it.
    for (const id of ["stuck", "with", "stuck"]) {
      fibers.push(yield* Effect.forkChild(writer.write(tenant, append(id))))
    }
    yield* Effect.yieldNow
    yield* release
    yield* Effect.yieldNow
    yield* Scope.close(scope, Exit.void)
    for (const fiber of fibers) {
      const error = yield* Effect.flip(Effect.timeout(Fiber.join(fiber), "2 seconds"))
      expect(error).toMatchObject({ reason: { _tag: "StorageFailure", retryable: true } })
    }
    expect(yield* Effect.flip(writer.write(tenant, append("late")))).toMatchObject({ _tag: "EventStoreError" })
  })
)
