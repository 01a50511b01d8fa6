import { describe, expect, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Result, Schema } from "effect"
import { TestClock } from "effect/testing"
import {
  Aggregate,
  Command,
  CommandBus,
  Event,
  EventStore,
  EventStoreError,
  Memory,
  on,
  Repository,
  StorageFailure,
  StreamName,
  TenantContext,
  Upcaster
} from "../../src/index.ts"
import { ticking } from "./ticking.ts"

class Added extends Event.Class<Added>()("Added", { n: Schema.Int }) {}
class Closed extends Event.Class<Closed>()("Closed", {}) {}
class Full extends Schema.TaggedError<Full>()("Full", { at: Schema.Int }) {}

const initial: number = 0
const Counter = Aggregate.make("Counter", { events: [Added, Closed], initial }).evolve({
  Added: (sum, { n }) => sum + n,
  Closed: (sum) => sum
})
const stream = Counter.stream("1")

/** A decision that notes which states it was asked about. */
const adding = () => {
  const asked: Array<number> = []
  const decide = (n: number, sum: number) => {
    asked.push(sum)
    return n === 0
      ? Result.succeed([])
      : sum + n > 1000
        ? Result.fail(new Full({ at: sum }))
        : Result.succeed([new Added({ n })])
  }
  return { asked, decide }
}

const add = (n: number) => Repository.execute(Counter, "1", n, adding().decide)

const Live = Memory.layer.pipe(Layer.merge(TenantContext.layerSingle))

/** A store in which something happens before each append, and which counts them. */
const around = (
  before: (
    store: EventStore.EventStore["Service"],
    append: number
  ) => Effect.Effect<unknown, EventStoreError.EventStoreError, TenantContext.TenantContext>
) => {
  const appends: Array<number> = []
  const layer = Layer.effect(
    EventStore.EventStore,
    Effect.map(EventStore.EventStore, (store) => ({
      ...store,
      append: (append: Parameters<typeof store.append>[0]) =>
        Effect.andThen(
          Effect.suspend(() => before(store, appends.push(append.events.length))),
          store.append(append)
        )
    }))
  ).pipe(Layer.provideMerge(Live))
  return { appends, layer }
}

/** Somebody else appends before each of the first so many appends. */
const racing = (times: number) =>
  around((store, attempt) =>
    attempt > times ? Effect.void : store.append({ stream, expected: "any", events: [new Added({ n: 10 })] })
  )

describe("execute", () => {
  it.effect("loads, decides, appends, and answers with the new state and where it stands", () =>
    Effect.gen(function* () {
      const program = Effect.all([add(4), add(5)])
      expect(yield* program.pipe(Effect.provide(Live))).toEqual([
        { stream: "Counter-1", state: 4, version: 1, position: 1, events: [new Added({ n: 4 })] },
        { stream: "Counter-1", state: 9, version: 2, position: 2, events: [new Added({ n: 5 })] }
      ])
    })
  )

  it.effect("fails with the decision's own error and appends nothing", () =>
    Effect.gen(function* () {
      const { appends, layer } = racing(0)
      expect(yield* Effect.flip(add(1001)).pipe(Effect.provide(layer))).toEqual(new Full({ at: 0 }))
      expect(appends).toEqual([])
    })
  )

  it.effect("appends nothing for a decision of no events, and knows where the aggregate stands", () =>
    Effect.gen(function* () {
      const { appends, layer } = racing(0)
      const program = Effect.andThen(add(4), add(0))
      expect(yield* program.pipe(Effect.provide(layer))).toEqual({
        stream: "Counter-1",
        state: 4,
        version: 1,
        position: 0,
        events: []
      })
      expect(appends).toEqual([1])
    })
  )

  it.effect("starts at the initial state and version 0", () =>
    Effect.gen(function* () {
      const loaded = yield* Repository.load(Counter, "none").pipe(Effect.provide(Live))
      expect(loaded).toEqual({ stream: "Counter-none", state: 0, version: 0 })
    })
  )

  it.effect("keeps tenants apart", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        yield* add(4).pipe(TenantContext.provide("acme"))
        yield* add(5).pipe(TenantContext.provide("globex"))
        const state = Effect.map(Repository.load(Counter, "1"), (loaded) => loaded.state)
        return [yield* state.pipe(TenantContext.provide("acme")), yield* state.pipe(TenantContext.provide("globex"))]
      })
      expect(yield* program.pipe(Effect.provide(Memory.layer))).toEqual([4, 5])
    })
  )
})

describe("a lost race", () => {
  it.effect("makes it decide again, on what the other has left", () =>
    Effect.gen(function* () {
      const { asked, decide } = adding()
      const { appends, layer } = racing(1)
      const committed = yield* Repository.execute(Counter, "1", 5, decide).pipe(Effect.provide(layer))
      expect(asked).toEqual([0, 10])
      expect(appends).toEqual([1, 1])
      expect([committed.state, committed.version]).toEqual([15, 2])
    })
  )

  it.effect("may lead to another decision", () =>
    Effect.gen(function* () {
      const { asked, decide } = adding()
      const program = Repository.execute(Counter, "1", 995, decide).pipe(Effect.flip, Effect.provide(racing(1).layer))
      expect(yield* program).toEqual(new Full({ at: 10 }))
      expect(asked).toEqual([0, 10])
    })
  )

  it.effect("is lost ten times over before the caller hears of it", () =>
    Effect.gen(function* () {
      const { asked, decide } = adding()
      const program = Repository.execute(Counter, "1", 1, decide).pipe(
        Effect.flip,
        ticking,
        Effect.provide(racing(100).layer)
      )
      expect(yield* program).toEqual(
        new EventStoreError.EventStoreError({
          reason: new EventStoreError.VersionConflict({ stream, expected: 10, actual: 11 })
        })
      )
      expect(asked).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100])
    })
  )

  it.effect("is lost as often as `retries` says; 0 is never again", () =>
    Effect.gen(function* () {
      const tries = (retries: number) =>
        Effect.suspend(() => {
          const { asked, decide } = adding()
          return Repository.execute(Counter, "1", 1, decide, { retries }).pipe(
            Effect.flip,
            ticking,
            Effect.map((error) => [
              error instanceof EventStoreError.EventStoreError && error.reason._tag,
              asked.length
            ]),
            Effect.provide(racing(100).layer)
          )
        })
      expect(yield* tries(0)).toEqual(["VersionConflict", 1])
      expect(yield* tries(3)).toEqual(["VersionConflict", 4])
    })
  )

  it.effect("is a Conflict with the actual version through the bus", () =>
    Effect.gen(function* () {
      class Add extends Command.Class<Add>()("Add", { payload: { n: Schema.Int }, error: Full }) {}
      const Handlers = CommandBus.handlers(
        on(Add, ({ n }) => Repository.execute(Counter, "1", n, adding().decide, { retries: 1 }))
      )
      const error = yield* CommandBus.execute(new Add({ n: 1 })).pipe(
        Effect.flip,
        Effect.provide(Handlers.pipe(Layer.provideMerge(racing(100).layer)))
      )
      expect(error).toMatchObject({ of: "Add", reason: { _tag: "Conflict", stream, expected: 1, actual: 2 } })
    })
  )

  it.effect("is followed at once two times, and then by growing pauses of at most 64 ms", () =>
    Effect.gen(function* () {
      const pauses: Array<number> = []
      let last = 0
      const { layer } = around((store) =>
        Effect.gen(function* () {
          const now = yield* Clock.currentTimeMillis
          pauses.push(now - last)
          last = now
          yield* store.append({ stream, expected: "any", events: [new Closed()] })
        })
      )
      const running = yield* Effect.forkChild(
        Repository.execute(Counter, "1", 1, adding().decide, { retries: 12 }).pipe(Effect.flip, Effect.provide(layer))
      )
      while (running.pollUnsafe() === undefined) {
        yield* TestClock.adjust("1 millis")
        yield* Effect.yieldNow
      }
      yield* Fiber.join(running)
      expect(pauses).toHaveLength(13)
      expect(pauses.slice(0, 3).every((pause) => pause <= 1)).toBe(true)
      expect(pauses.slice(3).every((pause, n) => pause <= 2 ** Math.min(n, 6) + 2)).toBe(true)
      expect(pauses.slice(3).some((pause) => pause > 4)).toBe(true)
    })
  )

  it.effect("loses nothing: 40 fibers at once count to 40", () =>
    Effect.gen(function* () {
      const fibers = Array.from({ length: 40 }, () => Effect.andThen(Effect.yieldNow, add(1)))
      const program = Effect.gen(function* () {
        yield* Effect.all(fibers, { concurrency: "unbounded" })
        return yield* Repository.load(Counter, "1")
      })
      // Each fiber reads before any of them appends.
      const { layer } = around(() => Effect.yieldNow)
      const loaded = yield* program.pipe(ticking, Effect.provide(layer))
      expect([loaded.state, loaded.version]).toEqual([40, 40])
    })
  )
})

describe("what deciding again cannot help", () => {
  it.effect("is the caller's at once: a tombstoned stream", () =>
    Effect.gen(function* () {
      const { asked, decide } = adding()
      const program = Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* add(1)
        yield* store.tombstone(stream, "any")
        return yield* Effect.flip(Repository.execute(Counter, "1", 1, decide))
      })
      expect(yield* program.pipe(Effect.provide(Live))).toMatchObject({ reason: { _tag: "StreamTombstoned", stream } })
      expect(asked).toEqual([0])
    })
  )

  it.effect("is the caller's at once: a storage that fails", () =>
    Effect.gen(function* () {
      const { asked, decide } = adding()
      const reason = StorageFailure.make({ operation: "append", retryable: true, cause: "lost" })
      const { layer } = around(() => Effect.fail(new EventStoreError.EventStoreError({ reason })))
      const error = yield* Effect.flip(Repository.execute(Counter, "1", 1, decide)).pipe(Effect.provide(layer))
      expect(error).toMatchObject({ reason })
      expect(asked).toEqual([0])
    })
  )
})

describe("history", () => {
  it.effect("that cannot be decoded is a typed error that names position, stream, version and type", () =>
    Effect.gen(function* () {
      class Foreign extends Event.Class<Foreign>()("Foreign", {}) {}
      class Wrong extends Event.Class<Wrong>()("Added", { n: Schema.String }) {}
      const broken = (event: Event.Any) =>
        Effect.gen(function* () {
          const store = yield* EventStore.EventStore
          const other = StreamName.make("Other", "1")
          yield* store.append({ stream: other, expected: "any", events: [new Closed(), new Closed()] })
          yield* add(1)
          yield* store.append({ stream, expected: "any", events: [event] })
          const executed = yield* Effect.flip(add(1))
          expect(yield* Effect.flip(Repository.load(Counter, "1"))).toEqual(executed)
          return executed
        }).pipe(Effect.provide(Live))
      expect(yield* broken(new Foreign())).toMatchObject({
        _tag: "EventStoreError",
        reason: {
          _tag: "EventUndecodable",
          stream: "Counter-1",
          version: 2,
          position: 4,
          type: "Foreign",
          issues: [{ path: "", message: 'Unknown event type "Foreign", expected one of: Added, Closed' }]
        }
      })
      const wrong = yield* broken(new Wrong({ n: "x" }))
      expect(wrong).toMatchObject({ reason: { _tag: "EventUndecodable", type: "Added", issues: [{ path: "n" }] } })
      expect(wrong.message).toContain("Cannot decode Added at position 4 (Counter-1, version 2): n: ")
    })
  )

  it.effect("of older versions is upcast", () =>
    Effect.gen(function* () {
      class Old extends Event.Class<Old>()("Renamed", { name: Schema.String }) {}
      class Renamed extends Event.Class<Renamed>()(
        "Renamed",
        { names: Schema.Array(Schema.String) },
        { upcasters: Upcaster.from({ name: Schema.String }).current(({ name }) => ({ names: [name] })) }
      ) {
        get first(): string {
          return this.names[0] ?? ""
        }
      }
      const none: ReadonlyArray<string> = []
      const Person = Aggregate.make("Person", { events: [Renamed], initial: none }).evolve((all, event) => [
        ...all,
        event.first
      ])
      const program = Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* store.append({ stream: Person.stream("1"), expected: "none", events: [new Old({ name: "Ada" })] })
        const rename = () => Result.succeed([new Renamed({ names: ["Grace", "H"] })])
        return yield* Repository.execute(Person, "1", undefined, rename)
      })
      expect((yield* program.pipe(Effect.provide(Live))).state).toEqual(["Ada", "Grace"])
    })
  )
})

describe("Repository.execute under an id", () => {
  const paid = (n: number, id?: string) => {
    const { asked, decide } = adding()
    return { asked, run: Repository.execute(Counter, "1", n, decide, { id }) }
  }

  it.effect("decides once, and answers again as the first time", () =>
    Effect.gen(function* () {
      yield* add(1)
      const first = yield* paid(5, "a").run
      expect(first).toMatchObject({ state: 6, version: 2, events: [new Added({ n: 5 })] })
      yield* add(10)
      const again = paid(500, "a")
      expect(yield* again.run).toEqual(first)
      expect(again.asked).toEqual([])
      expect(yield* paid(5, "b").run).toMatchObject({ state: 21, version: 4 })
    }).pipe(Effect.provide(Live))
  )

  it.effect("leaves the id of what it refused, and of what led to nothing", () =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(paid(2000, "a").run)).toEqual(new Full({ at: 0 }))
      expect((yield* paid(0, "a").run).events).toEqual([])
      expect(yield* paid(3, "a").run).toMatchObject({ state: 3, version: 1 })
    }).pipe(Effect.provide(Live))
  )

  it.effect("gives those who race under one id one result", () =>
    Effect.gen(function* () {
      const runs = Array.from({ length: 10 }, (_, n) => paid(n + 1, "a").run)
      const results = yield* Effect.all(runs, { concurrency: "unbounded" })
      for (const result of results) expect(result).toEqual(results[0])
      expect(results[0]?.version).toBe(1)
    }).pipe(Effect.provide(Live))
  )
})
