import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Queue, Schema, Stream } from "effect"
import {
  CheckpointStore,
  Event,
  EventStore,
  EventStoreError,
  Memory,
  Position,
  StorageFailure,
  StreamName,
  Subscription,
  SystemContext,
  TenantContext
} from "../../src/index.ts"
import { logging } from "./logged.ts"
import { ticking } from "./ticking.ts"

class Added extends Event.Class<Added>()("Added", { n: Schema.Int }) {}
class Other extends Event.Class<Other>()("Other", {}) {}
class Refused extends Schema.TaggedError<Refused>()("Refused", { n: Schema.Int }) {}

const append = (...events: ReadonlyArray<Event.Any>) =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    store.append({ stream: StreamName.make("Sum", "1"), expected: "any", events })
  )
const added = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => new Added({ n: from + n }))
const numbers = (from: number, to: number) => added(from, to).map(({ n }) => n)

const Live = Layer.mergeAll(Memory.layer, TenantContext.layerSingle, SystemContext.layer("test"))

const checkpoint = (name: string) => Effect.flatMap(CheckpointStore.CheckpointStore, (store) => store.load(name))
const passed = (name: string, position: number) =>
  Effect.flatMap(CheckpointStore.CheckpointStore, (store) => store.passed(name, Position.make(position)))

/** A subscription that puts each event's number into a queue. */
const collecting = (options: { readonly batchSize?: number } = {}) =>
  Effect.map(Queue.unbounded<number>(), (seen) => {
    const subscription = Subscription.make("collecting", {
      events: [Added],
      handle: ({ event }) => Queue.offer(seen, event.n),
      batchSize: options.batchSize
    })
    return { seen, subscription, take: (count: number) => Queue.takeN(seen, count) }
  })

/** Runs in the background of an effect; interrupted when it is done. */
const during =
  <E, R>(running: Effect.Effect<never, E, R>) =>
  <A, E2, R2>(self: Effect.Effect<A, E2, R2>) =>
    Effect.raceFirst(self, running)

describe("a subscription", () => {
  it.effect("catches up page by page and goes on live, in order, without a gap and without a repetition", () =>
    Effect.gen(function* () {
      const { subscription, take } = yield* collecting({ batchSize: 7 })
      const program = Effect.gen(function* () {
        yield* append(...added(1, 100))
        const running = yield* Effect.forkChild(Subscription.run(subscription))
        const catchingUp = yield* take(10)
        yield* append(...added(101, 120), new Other())
        const caughtUp = yield* take(110)
        const waiting = yield* Effect.forkChild(take(3))
        yield* append(new Added({ n: 121 }))
        yield* append(new Other(), ...added(122, 123))
        const live = yield* Fiber.join(waiting)
        yield* Fiber.interrupt(running)
        return [...catchingUp, ...caughtUp, ...live]
      })
      expect(yield* program.pipe(Effect.provide(Live))).toEqual(numbers(1, 123))
    })
  )

  it.effect("misses nothing that is appended while it catches up", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const done = Deferred.makeUnsafe<void>()
      const Echo = Subscription.make("echo", {
        events: [Added],
        batchSize: 3,
        handle: ({ event }) =>
          Effect.gen(function* () {
            seen.push(event.n)
            if (event.n <= 50) yield* append(new Other(), new Added({ n: event.n + 1000 }))
            if (event.n === 1050) yield* Deferred.succeed(done, undefined)
          })
      })
      const program = Effect.andThen(append(...added(1, 50)), Deferred.await(done))
      yield* program.pipe(during(Subscription.run(Echo)), Effect.provide(Live))
      expect(seen).toEqual([...numbers(1, 50), ...numbers(1001, 1050)])
    })
  )

  it.effect("goes on after its checkpoint when it is started again", () =>
    Effect.gen(function* () {
      const { seen, subscription, take } = yield* collecting()
      const running = Subscription.run(subscription)
      const program = Effect.gen(function* () {
        yield* append(...added(1, 3))
        const first = yield* Effect.tap(take(3), () => passed("collecting", 3)).pipe(during(running))
        yield* append(...added(4, 5))
        return [first, yield* take(2).pipe(during(running)), yield* Queue.size(seen)]
      })
      expect(yield* program.pipe(Effect.provide(Live))).toEqual([[1, 2, 3], [4, 5], 0])
    })
  )

  it.effect("handles a page again that was interrupted before its end", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const stuck = Deferred.makeUnsafe<void>()
      const again = Deferred.makeUnsafe<void>()
      const Stuck = Subscription.make("stuck", {
        events: [Added],
        batchSize: 2,
        handle: ({ event }) =>
          Effect.gen(function* () {
            seen.push(event.n)
            if (event.n === 4 && seen.length === 4) {
              yield* Deferred.succeed(stuck, undefined)
              return yield* Effect.never
            }
            if (event.n === 4) yield* Deferred.succeed(again, undefined)
          })
      })
      const program = Effect.gen(function* () {
        yield* append(...added(1, 4))
        yield* Deferred.await(stuck).pipe(during(Subscription.run(Stuck)))
        const at = yield* checkpoint("stuck")
        yield* Deferred.await(again).pipe(during(Subscription.run(Stuck)))
        return at
      })
      expect(yield* program.pipe(Effect.provide(Live))).toBe(2)
      expect(seen).toEqual([1, 2, 3, 4, 3, 4])
    })
  )

  it.effect("moves its checkpoint after each page, past what is not for it", () =>
    Effect.gen(function* () {
      const seen: Array<readonly [n: number, checkpoint: number]> = []
      const Pages = Subscription.make("pages", {
        events: [Added],
        batchSize: 2,
        handle: ({ event }) => Effect.map(checkpoint("pages"), (at) => void seen.push([event.n, at]))
      })
      const program = Effect.gen(function* () {
        yield* append(
          new Added({ n: 1 }),
          new Other(),
          new Added({ n: 2 }),
          new Added({ n: 3 }),
          new Other(),
          new Other()
        )
        yield* passed("pages", 6).pipe(during(Subscription.run(Pages)))
        return yield* checkpoint("pages")
      })
      expect(yield* program.pipe(Effect.provide(Live))).toBe(6)
      expect(seen).toEqual([
        [1, 0],
        [2, 0],
        [3, 3]
      ])
    })
  )

  it.effect("runs each handler as the tenant of its event", () =>
    Effect.gen(function* () {
      const seen = yield* Queue.unbounded<string>()
      const Tenants = Subscription.make("tenants", {
        events: [Added],
        handle: ({ event, tenant }) =>
          Effect.flatMap(TenantContext.TenantContext, ({ id }) => Queue.offer(seen, `${event.n} ${tenant} ${id}`))
      })
      const program = Effect.gen(function* () {
        yield* append(new Added({ n: 1 })).pipe(TenantContext.provide("acme"))
        yield* append(new Added({ n: 2 })).pipe(TenantContext.provide("globex"))
        yield* append(new Added({ n: 3 })).pipe(TenantContext.provide("acme"))
        return yield* Queue.takeN(seen, 3)
      })
      expect(yield* program.pipe(during(Subscription.run(Tenants)), Effect.provide(Live))).toEqual([
        "1 acme acme",
        "2 globex globex",
        "3 acme acme"
      ])
    })
  )

  it.effect("that runs twice handles everything and comes to the end, whoever moves the checkpoint", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const Twice = Subscription.make("twice", {
        events: [Added],
        batchSize: 3,
        handle: ({ event }) =>
          Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => void seen.push(event.n))
          )
      })
      const program = Effect.gen(function* () {
        const runs = yield* Effect.all(
          [Subscription.run(Twice), Subscription.run(Twice)].map((run) => Effect.forkChild(run))
        )
        yield* append(...added(1, 30))
        yield* passed("twice", 30)
        yield* append(...added(31, 40))
        yield* passed("twice", 40)
        expect(runs.map((run) => run.pollUnsafe())).toEqual([undefined, undefined])
        yield* Fiber.interruptAll(runs)
      })
      yield* program.pipe(Effect.provide(Live))
      expect(Array.from(new Set(seen)).sort((one, other) => one - other)).toEqual(numbers(1, 40))
    })
  )

  it.effect("goes on from where another run has come when that one was faster", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const Overtaken = Subscription.make("overtaken", {
        events: [Added],
        handle: ({ event }) =>
          Effect.gen(function* () {
            seen.push(event.n)
            // Another run has handled the first event meanwhile, and is gone.
            const checkpoints = yield* CheckpointStore.CheckpointStore
            if (seen.length === 2) yield* checkpoints.save("overtaken", Position.start, Position.make(1))
          })
      })
      const program = Effect.andThen(append(...added(1, 3)), passed("overtaken", 3))
      yield* program.pipe(during(Subscription.run(Overtaken)), Effect.provide(Live))
      expect(seen).toEqual([1, 2, 3, 2, 3])
    })
  )
})

describe("a handler that fails", () => {
  /** Fails so many times at event 2. */
  const failing = (times: number, options: { readonly retries?: number } = {}) => {
    const seen: Array<number> = []
    let failed = 0
    const subscription = Subscription.make("failing", {
      events: [Added],
      retries: options.retries,
      handle: ({ event }) =>
        Effect.suspend(() => {
          seen.push(event.n)
          return event.n === 2 && failed++ < times ? Effect.fail(new Refused({ n: failed })) : Effect.void
        })
    })
    return { seen, subscription }
  }

  it.effect("is tried again from the start of the page: at least once", () =>
    Effect.gen(function* () {
      const { seen, subscription } = failing(2)
      const program = Effect.andThen(append(...added(1, 3)), passed("failing", 3))
      yield* program.pipe(during(Subscription.run(subscription)), ticking, Effect.provide(Live))
      expect(seen).toEqual([1, 2, 1, 2, 1, 2, 3])
    })
  )

  it.effect("stops the subscription with its error after 5 retries, where it is", () =>
    Effect.gen(function* () {
      const { seen, subscription } = failing(100)
      const program = Effect.gen(function* () {
        yield* append(...added(1, 3))
        const error = yield* Effect.flip(Subscription.run(subscription))
        return [error, yield* checkpoint("failing")]
      })
      expect(yield* program.pipe(ticking, Effect.provide(Live))).toEqual([new Refused({ n: 6 }), 0])
      expect(seen.filter((n) => n === 2)).toHaveLength(6)
      expect(seen).not.toContain(3)
    })
  )

  it.effect("stops it after `retries`, or at once", () =>
    Effect.gen(function* () {
      const tries = (retries: number) =>
        Effect.gen(function* () {
          const { seen, subscription } = failing(100, { retries })
          yield* append(...added(1, 3))
          yield* Effect.flip(Subscription.run(subscription))
          return seen.filter((n) => n === 2).length
        }).pipe(ticking, Effect.provide(Live))
      expect([yield* tries(0), yield* tries(2)]).toEqual([1, 3])
    })
  )

  it.effect("has its retries anew for each page", () =>
    Effect.gen(function* () {
      const failed = new Map<number, number>()
      const Shaky = Subscription.make("shaky", {
        events: [Added],
        retries: 2,
        batchSize: 1,
        handle: ({ event: { n } }) =>
          Effect.suspend(() => {
            const count = (failed.get(n) ?? 0) + 1
            failed.set(n, count)
            return count <= 2 ? Effect.fail(new Refused({ n })) : Effect.void
          })
      })
      const program = Effect.andThen(append(...added(1, 5)), passed("shaky", 5))
      yield* program.pipe(during(Subscription.run(Shaky)), ticking, Effect.provide(Live))
      expect(Array.from(failed.values())).toEqual([3, 3, 3, 3, 3])
    })
  )

  it.effect("in a layer is logged, and harms nothing else", () =>
    Effect.gen(function* () {
      const { lines, capture } = logging()
      const { subscription } = failing(100, { retries: 1 })
      const other = yield* collecting()
      const program = Effect.gen(function* () {
        yield* append(...added(1, 3))
        yield* other.take(3)
        while (!lines.some(({ level }) => level === "Error")) yield* Effect.yieldNow
        yield* append(new Added({ n: 4 }))
        return yield* other.take(1)
      })
      const Both = Layer.merge(Subscription.layer(subscription), Subscription.layer(other.subscription)).pipe(
        Layer.provideMerge(Live)
      )
      expect(yield* program.pipe(ticking, Effect.provide(Both), capture)).toEqual([4])
      expect(lines.map(({ level, message }) => [level, message])).toEqual([
        ["Warn", "failing: the handler failed"],
        ["Warn", "failing: the handler failed"],
        ["Error", "The subscription failing has stopped"]
      ])
      expect(lines[0]?.annotations).toEqual({ subscription: "failing" })
    })
  )

  it.effect("with a defect stops the subscription at once", () =>
    Effect.gen(function* () {
      const Dead = Subscription.make("dead", { events: [Added], handle: () => Effect.die("bug") })
      const program = Effect.andThen(append(...added(1, 3)), Effect.exit(Subscription.run(Dead)))
      expect(yield* program.pipe(Effect.provide(Live))).toEqual(Exit.die("bug"))
    })
  )

  it.effect("to decode an event stops the subscription, and says which event", () =>
    Effect.gen(function* () {
      class Wrong extends Event.Class<Wrong>()("Added", { n: Schema.String }) {}
      const { subscription } = yield* collecting()
      const program = Effect.gen(function* () {
        yield* append(new Added({ n: 1 }), new Wrong({ n: "x" }))
        return yield* Effect.flip(Subscription.run(subscription))
      })
      expect(yield* program.pipe(ticking, Effect.provide(Live))).toMatchObject({
        reason: {
          _tag: "EventUndecodable",
          stream: "Sum-1",
          version: 2,
          position: 2,
          type: "Added",
          issues: [{ path: "n" }]
        }
      })
    })
  )
})

describe("a storage that does not answer", () => {
  const reason = StorageFailure.make({ operation: "read", retryable: true, cause: "connection lost" })
  const storeFailure = new EventStoreError.EventStoreError({ reason })
  const checkpointFailure = new CheckpointStore.CheckpointError({ reason })

  /** Fails the first so many times, then is what it is. */
  const shaky = <E2>(times: number, error: E2) => {
    let left = times
    return <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | E2, R> =>
      Effect.suspend((): Effect.Effect<A, E | E2, R> => (left-- > 0 ? Effect.fail(error) : self))
  }

  const shakyStores = (times: number) => {
    const [read, changed] = [shaky(times, storeFailure), shaky(times, storeFailure)]
    const [load, save] = [shaky(times, checkpointFailure), shaky(times, checkpointFailure)]
    return Layer.mergeAll(
      Layer.effect(
        EventStore.EventStore,
        Effect.map(EventStore.EventStore, (store) => ({
          ...store,
          readAllTenants: (options: Parameters<typeof store.readAllTenants>[0]) => read(store.readAllTenants(options)),
          changed: (after: Position.Position) => changed(store.changed(after))
        }))
      ),
      Layer.effect(
        CheckpointStore.CheckpointStore,
        Effect.map(CheckpointStore.CheckpointStore, (store) => ({
          ...store,
          load: (name: string) => load(store.load(name)),
          save: (name: string, from: Position.Position, to: Position.Position) => save(store.save(name, from, to))
        }))
      )
    ).pipe(Layer.provideMerge(Live))
  }

  it.effect("is waited for, however often it fails, and every try is logged", () =>
    Effect.gen(function* () {
      const { lines, capture } = logging()
      const seen: Array<number> = []
      const Patient = Subscription.make("patient", {
        events: [Added],
        retries: 1,
        handle: ({ event }) => Effect.sync(() => void seen.push(event.n))
      })
      const program = Effect.gen(function* () {
        yield* append(...added(1, 2))
        yield* passed("patient", 2)
        // Reading, loading and saving have failed so often by now, and waiting for what is new does next.
        while (lines.length < 80) yield* Effect.yieldNow
        yield* append(...added(3, 4))
        yield* passed("patient", 4)
      })
      yield* program.pipe(during(Subscription.run(Patient)), ticking, Effect.provide(shakyStores(20)), capture)
      expect(Array.from(new Set(seen))).toEqual([1, 2, 3, 4])
      const tries = lines.filter(({ message }) => message === "patient: the storage failed, trying again")
      expect(tries).toHaveLength(80)
      expect(tries.every(({ level }) => level === "Warn")).toBe(true)
    })
  )

  it.effect("is waited for when it is the handler's as well", () =>
    Effect.gen(function* () {
      const flaky = shaky(20, storeFailure)
      const done = Deferred.makeUnsafe<number>()
      const Patient = Subscription.make("patient", {
        events: [Added],
        retries: 1,
        handle: ({ event }) => flaky(Deferred.succeed(done, event.n))
      })
      const program = Effect.andThen(append(new Added({ n: 9 })), Deferred.await(done))
      expect(yield* program.pipe(during(Subscription.run(Patient)), ticking, Effect.provide(Live))).toBe(9)
    })
  )
})

describe("Subscription.stream", () => {
  const sums = (after?: number) =>
    Subscription.stream({
      events: [Added],
      after: after === undefined ? undefined : Position.make(after),
      batchSize: 2
    }).pipe(Stream.map(({ event }) => event.n))

  it.effect("catches up and goes on live", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        yield* append(...added(1, 5), new Other())
        const reading = yield* Effect.forkChild(Stream.runCollect(Stream.take(sums(), 9)))
        yield* Effect.yieldNow
        yield* append(...added(6, 7))
        yield* append(new Other())
        yield* append(...added(8, 9))
        return yield* Fiber.join(reading)
      })
      expect(yield* program.pipe(Effect.provide(Live))).toEqual(numbers(1, 9))
    })
  )

  it.effect("waits for what is new instead of asking again and again", () =>
    Effect.gen(function* () {
      let reads = 0
      const Counting = Layer.effect(
        EventStore.EventStore,
        Effect.map(EventStore.EventStore, (store) => ({
          ...store,
          readAll: (options: Parameters<typeof store.readAll>[0]) =>
            Effect.suspend(() => (reads++, store.readAll(options)))
        }))
      ).pipe(Layer.provideMerge(Live))
      const program = Effect.gen(function* () {
        const reading = yield* Effect.forkChild(Stream.runCollect(Stream.take(sums(), 1)))
        for (let n = 0; n < 100; n++) yield* Effect.yieldNow
        const idle = reads
        yield* append(new Added({ n: 1 }))
        return [yield* Fiber.join(reading), idle]
      })
      expect(yield* program.pipe(Effect.provide(Counting))).toEqual([[1], 1])
    })
  )

  it.effect("starts after a position and shows one tenant's events", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        yield* append(...added(1, 3))
        yield* append(...added(100, 103)).pipe(TenantContext.provide("acme"))
        yield* append(...added(4, 5))
        return yield* Stream.runCollect(Stream.take(sums(2), 3))
      })
      expect(yield* program.pipe(Effect.provide(Live))).toEqual([3, 4, 5])
    })
  )

  it.effect("fails with the event that it cannot decode", () =>
    Effect.gen(function* () {
      class Wrong extends Event.Class<Wrong>()("Added", { n: Schema.String }) {}
      const program = Effect.andThen(
        append(new Added({ n: 1 }), new Wrong({ n: "x" })),
        Effect.flip(Stream.runCollect(sums()))
      )
      expect(yield* program.pipe(Effect.provide(Live))).toMatchObject({
        reason: { _tag: "EventUndecodable", position: 2, type: "Added" }
      })
    })
  )
})
