import { expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Queue, Result, Schema, Stream } from "effect"
import {
  Aggregate,
  Event,
  EventStore,
  Memory,
  Repository,
  StreamAdmin,
  Subscription,
  SystemContext,
  TenantContext
} from "../../src/index.ts"

class Added extends Event.Class<Added>()("Added", { n: Schema.Int }) {}

const Sum = Aggregate.make("Sum", { events: [Added], initial: 0 }).evolve({ Added: (sum, { n }) => sum + n })
const add = (n: number) => Repository.execute(Sum, "1", n, (n) => Result.succeed([new Added({ n })]))
const stream = Sum.stream("1")

const Live = Layer.mergeAll(Memory.layer, TenantContext.layerSingle, SystemContext.layer("test"))

it.effect("a stream whose newest event is skipped is loaded without it, and goes on after it", () =>
  Effect.gen(function* () {
    const admin = yield* StreamAdmin.StreamAdmin
    for (const n of [1, 10, 100]) yield* add(n)
    yield* admin.skip({ stream, version: 3 }, "a hundred too many")
    expect(yield* Repository.load(Sum, "1")).toEqual({ stream, state: 11, version: 3 })
    expect(yield* add(1000)).toMatchObject({ state: 1011, version: 4 })
    yield* admin.unskip({ stream, version: 3 })
    expect(yield* Repository.load(Sum, "1")).toMatchObject({ state: 1111, version: 4 })
  }).pipe(Effect.provide(Live))
)

it.effect("a stream whose events are hidden but the newest is loaded at its version, and goes on", () =>
  Effect.gen(function* () {
    const admin = yield* StreamAdmin.StreamAdmin
    for (const n of [1, 10, 100]) yield* add(n)
    yield* admin.setMetadata(stream, { expected: "none", retention: { truncateBefore: 9 } })
    expect(yield* add(1000)).toMatchObject({ state: 1100, version: 4 })
  }).pipe(Effect.provide(Live))
)

it.effect("a subscription passes over what is skipped, hidden or archived", () =>
  Effect.gen(function* () {
    const admin = yield* StreamAdmin.StreamAdmin
    const other = Sum.stream("2")
    for (const n of [1, 2, 3, 4]) yield* add(n)
    yield* Repository.execute(Sum, "2", 5, (n) => Result.succeed([new Added({ n })]))
    yield* admin.skip({ stream, version: 3 }, "three is not welcome")
    yield* admin.setMetadata(stream, { expected: "none", retention: { truncateBefore: 2 } })
    yield* admin.archive(other)
    const seen = yield* Queue.unbounded<number>()
    const handle = ({ event }: { readonly event: Added }) => Queue.offer(seen, event.n)
    const running = yield* Effect.forkChild(Subscription.run(Subscription.make("all", { events: [Added], handle })))
    expect(yield* Queue.takeN(seen, 2)).toEqual([2, 4])
    yield* add(6)
    expect(yield* Queue.take(seen)).toBe(6)
    yield* Fiber.interrupt(running)
    const three = yield* Subscription.stream({ events: [Added] }).pipe(Stream.take(3), Stream.runCollect)
    expect(three.map(({ event }) => event.n)).toEqual([2, 4, 6])
  }).pipe(Effect.provide(Live))
)

it.effect("a subscription is told of an event that it cannot decode, and can skip it for all", () =>
  Effect.gen(function* () {
    class Wrong extends Event.Class<Wrong>()("Added", { n: Schema.String }) {}
    const store = yield* EventStore.EventStore
    const admin = yield* StreamAdmin.StreamAdmin
    const events = [new Added({ n: 1 }), new Wrong({ n: "x" }), new Added({ n: 3 })]
    yield* store.append({ stream, expected: "none", events })
    const seen = yield* Queue.unbounded<number>()
    const subscription = Subscription.make("all", {
      events: [Added],
      handle: ({ event }) => Queue.offer(seen, event.n),
      undecodable: ({ issues, position, type, version }) =>
        admin.skip({ stream, version }, `${type} at ${position}: ${issues.map(({ path }) => path).join()}`)
    })
    const running = yield* Effect.forkChild(Subscription.run(subscription))
    expect(yield* Queue.takeN(seen, 2)).toEqual([1, 3])
    yield* Fiber.interrupt(running)
    expect(yield* admin.skipped()).toMatchObject([{ stream, version: 2, reason: "Added at 2: n" }])
    expect(yield* Repository.load(Sum, "1")).toMatchObject({ state: 4, version: 3 })
  }).pipe(Effect.provide(Live))
)
