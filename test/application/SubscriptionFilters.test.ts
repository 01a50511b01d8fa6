import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Queue, Schema, Stream } from "effect"
import {
  Event,
  EventStore,
  Memory,
  Position,
  StreamName,
  Subscription,
  SystemContext,
  TenantContext
} from "../../src/index.ts"

class Added extends Event.Class<Added>()(
  "Added",
  { n: Schema.Int },
  { tags: ({ n }) => [n % 2 === 0 ? "even" : "odd"] }
) {}
class Other extends Event.Class<Other>()("Other", {}) {}

const append = (category: string, id: string, ...numbers: ReadonlyArray<number>) =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    store.append({
      stream: StreamName.make(category, id),
      expected: "any",
      events: [...numbers.map((n) => new Added({ n })), new Other()]
    })
  )

const Live = Layer.mergeAll(Memory.layer, TenantContext.layerSingle, SystemContext.layer("test"))

const filled = Effect.gen(function* () {
  yield* append("Sum", "1", 1, 2, 3)
  yield* append("Product", "1", 4, 5)
  yield* append("Sum", "2", 6)
  yield* append("Sum", "1", 7).pipe(TenantContext.provide("acme"))
  yield* append("Sum", "1", 8)
})

const take = <E, R>(count: number, stream: Stream.Stream<{ readonly event: Added }, E, R>) =>
  stream.pipe(
    Stream.map(({ event }) => event.n),
    Stream.take(count),
    Stream.runCollect
  )

const events = [Added] as const

describe("a stream of events", () => {
  it.effect("is of one stream, of categories, with tags, or of all tenants", () =>
    Effect.gen(function* () {
      yield* filled
      const stream = StreamName.make("Sum", "1")
      expect(yield* take(4, Subscription.stream({ events, stream, batchSize: 2 }))).toEqual([1, 2, 3, 8])
      const after = Position.make(2)
      expect(yield* take(2, Subscription.stream({ events, stream, after }))).toEqual([3, 8])
      expect(yield* take(2, Subscription.stream({ events, stream, tags: ["even"] }))).toEqual([2, 8])
      expect(yield* take(5, Subscription.stream({ events, categories: ["Sum"] }))).toEqual([1, 2, 3, 6, 8])
      expect(yield* take(2, Subscription.stream({ events, categories: ["Product"] }))).toEqual([4, 5])
      expect(yield* take(4, Subscription.stream({ events, tags: ["even"] }))).toEqual([2, 4, 6, 8])
      expect(yield* take(8, Subscription.streamAll({ events, batchSize: 3 }))).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
      const tags = ["odd"]
      expect(yield* take(3, Subscription.streamAll({ events, categories: ["Sum"], tags }))).toEqual([1, 3, 7])
    }).pipe(Effect.provide(Live))
  )

  it.effect("goes on with what is appended to its stream", () =>
    Effect.gen(function* () {
      yield* filled
      const stream = StreamName.make("Sum", "2")
      const reading = yield* Effect.forkChild(take(3, Subscription.stream({ events, stream })))
      yield* Effect.yieldNow
      yield* append("Sum", "1", 9)
      yield* append("Sum", "2", 10)
      yield* append("Sum", "2", 11)
      expect(yield* Fiber.join(reading)).toEqual([6, 10, 11])
    }).pipe(Effect.provide(Live))
  )
})

describe("a subscription", () => {
  it.effect("handles what its categories, tags and tenants want", () =>
    Effect.gen(function* () {
      const seen = yield* Queue.unbounded<number>()
      yield* filled
      const Watch = Subscription.make("watch", {
        events,
        categories: ["Sum"],
        tags: ["odd"],
        tenants: ["acme", "default"],
        handle: ({ event }) => Queue.offer(seen, event.n)
      })
      const Acme = Subscription.make("acme", {
        events,
        tenants: ["acme"],
        handle: ({ event }) => Queue.offer(seen, event.n * 100)
      })
      const first = yield* Effect.forkChild(Subscription.run(Watch))
      expect(yield* Queue.takeN(seen, 3)).toEqual([1, 3, 7])
      yield* Fiber.interrupt(first)
      yield* Effect.forkChild(Subscription.run(Acme))
      expect(yield* Queue.take(seen)).toBe(700)
    }).pipe(Effect.provide(Live))
  )
})
