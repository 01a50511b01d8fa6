import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { TestClock } from "effect/testing"
import * as CommandBus from "../../src/application/CommandBus.ts"
import * as Projection from "../../src/application/Projection.ts"
import * as QueryBus from "../../src/application/QueryBus.ts"
import * as Actor from "../../src/domain/Actor.ts"
import * as Command from "../../src/domain/Command.ts"
import * as Event from "../../src/domain/Event.ts"
import * as Position from "../../src/domain/Position.ts"
import * as Query from "../../src/domain/Query.ts"
import * as StreamName from "../../src/domain/StreamName.ts"
import * as Caching from "../../src/middleware/Caching.ts"
import { on } from "../../src/middleware/Handler.ts"
import { codecOf } from "../../src/middleware/internal/caching/codec.ts"
import * as Middleware from "../../src/middleware/Middleware.ts"
import { EventStore } from "../../src/ports/EventStore.ts"
import * as Memory from "../../src/ports/Memory.ts"
import * as MessageContext from "../../src/ports/MessageContext.ts"
import * as QueryCache from "../../src/ports/QueryCache.ts"
import { SideEffects } from "../../src/ports/SideEffects.ts"
import * as SystemContext from "../../src/ports/SystemContext.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"
import { UnitOfWork } from "../../src/ports/UnitOfWork.ts"

class NotFound extends Schema.TaggedError<NotFound>("NotFound")("NotFound", { id: Schema.String }) {}
class Get extends Query.Class<Get>()("Get", {
  payload: { id: Schema.String },
  success: Schema.Option(Schema.Int),
  error: NotFound
}) {}

class Renamed extends Event.Class<Renamed>()("Renamed", { id: Schema.String }) {}

/** What the handler does, by how often it has run. */
const make = (
  options: Caching.Options<Get>,
  work: (n: number, query: Get) => Effect.Effect<Option.Option<number>, NotFound> = (n) =>
    Effect.succeed(Option.some(n))
) => {
  const calls = { count: 0 }
  const layer = QueryBus.handlers(
    on(Get, (query) => Effect.suspend(() => work(++calls.count, query))).pipe(
      Middleware.use(Caching.cached(Get, options))
    )
  ).pipe(Layer.provideMerge(Memory.layer), Layer.provideMerge(TenantContext.layerSingle))
  return { calls, layer }
}

const ask = (id = "a", options?: QueryBus.Options) =>
  Effect.map(QueryBus.ask(new Get({ id }), options), Option.getOrNull)

describe("cached answers", () => {
  it.effect("are given for as long as they are fresh, by tenant and arguments", () => {
    const { calls, layer } = make({ ttl: "10 seconds", beta: 0 })
    return Effect.gen(function* () {
      expect([yield* ask(), yield* ask(), yield* ask("b"), yield* ask()]).toEqual([1, 1, 2, 1])
      expect(yield* TenantContext.provide("other")(ask())).toBe(3)
      yield* TestClock.adjust("9 seconds")
      expect(yield* ask()).toBe(1)
      yield* TestClock.adjust("2 seconds")
      expect(yield* ask()).toBe(4)
      expect(calls.count).toBe(4)
    }).pipe(Effect.provide(layer))
  })

  it.effect("are given, and not kept, where their class throws", () => {
    const bad = (): string => {
      throw new Error("not this one")
    }
    const Throwing = Schema.String.pipe(
      Schema.decodeTo(Schema.String, SchemaTransformation.transform({ decode: bad, encode: bad }))
    )
    class Odd extends Query.Class<Odd>()("Odd", { payload: {}, success: Throwing }) {}
    const odd = QueryBus.handlers(on(Odd, () => Effect.succeed("a")).pipe(Middleware.use(Caching.cached(Odd, {}))))
    return Effect.gen(function* () {
      expect([yield* QueryBus.ask(new Odd({})), yield* QueryBus.ask(new Odd({}))]).toEqual(["a", "a"])
      expect(codecOf({ success: Throwing, error: Schema.Never }).decode('{"value":"a"}')).toBe(undefined)
    }).pipe(Effect.provide(odd.pipe(Layer.provideMerge(Memory.layer), Layer.provideMerge(TenantContext.layerSingle))))
  })

  it.effect("are made once for all that ask at the same time, and not with who stops waiting", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { calls, layer } = make({}, (n) => Effect.as(Deferred.await(gate), Option.some(n)))
      yield* Effect.gen(function* () {
        const first = yield* Effect.forkChild(ask())
        yield* Effect.yieldNow
        const others = yield* Effect.forEach([1, 2, 3, 4], () => Effect.forkChild(ask()))
        yield* Effect.yieldNow
        expect(calls.count).toBe(1)
        // One of the others goes on.
        yield* Fiber.interrupt(first)
        yield* TestClock.adjust("1 second")
        expect(calls.count).toBe(2)
        yield* Deferred.succeed(gate, undefined)
        expect(yield* Effect.forEach(others, Fiber.join)).toEqual([2, 2, 2, 2])
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("fail for all that wait, and are made again by who asks next", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { calls, layer } = make({}, (n, { id }) =>
        Effect.andThen(Deferred.await(gate), Effect.fail(new NotFound({ id: `${id}${n}` })))
      )
      yield* Effect.gen(function* () {
        const all = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(Effect.flip(ask())))
        yield* Effect.yieldNow
        yield* Deferred.succeed(gate, undefined)
        const errors = yield* Effect.forEach(all, Fiber.join)
        expect(errors.map((error) => error._tag === "NotFound" && error.id)).toEqual(["a1", "a1", "a1"])
        yield* Effect.flip(ask())
        expect(calls.count).toBe(2)
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("keep that there is nothing, and errors, only when that is asked", () => {
    const work = (n: number, { id }: Get) =>
      id === "none" ? Effect.succeed(Option.none<number>()) : Effect.fail(new NotFound({ id: `${id}${n}` }))
    const runs = (options: Caching.Options<Get>) => {
      const { calls, layer } = make(options, work)
      return Effect.gen(function* () {
        for (const _ of [1, 2, 3]) {
          expect(yield* ask("none")).toBe(null)
          const error = yield* Effect.flip(ask("bad"))
          expect(error).toBeInstanceOf(NotFound)
        }
        yield* TestClock.adjust("2 seconds")
        yield* ask("none")
        return calls.count
      }).pipe(Effect.provide(layer))
    }
    return Effect.gen(function* () {
      expect(yield* runs({})).toBe(7)
      expect(yield* runs({ absence: "1 second" })).toBe(5)
      expect(yield* runs({ absence: "1 minute", errors: "1 minute" })).toBe(2)
    })
  })

  it.effect("are given after their time while a new one is made, for the grace and not longer", () => {
    const { calls, layer } = make({ ttl: "10 seconds", grace: "5 seconds", beta: 0 })
    return Effect.gen(function* () {
      yield* ask()
      yield* TestClock.adjust("12 seconds")
      expect([yield* ask(), calls.count]).toEqual([1, 1])
      yield* TestClock.adjust(1)
      expect([yield* ask(), calls.count]).toEqual([2, 2])
      yield* TestClock.adjust("16 seconds")
      expect(yield* ask()).toBe(3)
    }).pipe(Effect.provide(layer))
  })

  it.effect("stay in their grace when a new one cannot be made", () => {
    const { calls, layer } = make({ ttl: "10 seconds", grace: "5 seconds" }, (n, { id }) =>
      n === 1 ? Effect.succeed(Option.some(1)) : Effect.fail(new NotFound({ id }))
    )
    return Effect.gen(function* () {
      yield* ask()
      yield* TestClock.adjust("12 seconds")
      for (const _ of [1, 2]) {
        expect(yield* ask()).toBe(1)
        yield* TestClock.adjust("1 second")
      }
      expect(calls.count).toBe(3)
      yield* TestClock.adjust("3 seconds")
      expect((yield* Effect.flip(ask()))._tag).toBe("NotFound")
    }).pipe(Effect.provide(layer))
  })

  it.effect("are made again before their time is over, the sooner the longer that takes", () => {
    const early = (beta: number, age: Duration.Input) => {
      const { calls, layer } = make({ ttl: "100 seconds", beta }, (n) =>
        Effect.delay(Effect.succeed(Option.some(n)), "2 seconds")
      )
      return Effect.gen(function* () {
        const first = yield* Effect.forkChild(ask())
        yield* TestClock.adjust("2 seconds")
        yield* Fiber.join(first)
        yield* TestClock.adjust(age)
        for (let n = 0; n < 200; n++) expect(yield* ask()).toBe(1)
        yield* TestClock.adjust(1)
        return calls.count
      }).pipe(Effect.provide(layer), Random.withSeed("a"))
    }
    return Effect.gen(function* () {
      expect(yield* early(1, "20 seconds")).toBe(1)
      expect(yield* early(1, "97 seconds")).toBe(2)
      expect(yield* early(0, "99 seconds")).toBe(1)
      expect(yield* early(50, "20 seconds")).toBe(2)
    })
  })

  it.effect("are those of who asks where they vary", () => {
    const { layer } = make({ vary: (_, { actor }) => ({ kind: actor?.kind }), ttl: "1 minute" })
    return Effect.gen(function* () {
      const as = (actor: Actor.Actor) => MessageContext.provide({ actor })
      expect([yield* ask(), yield* ask()]).toEqual([1, 1])
      expect(yield* ask().pipe(as(Actor.user("ada")))).toBe(2)
      expect(yield* ask().pipe(as(Actor.user("bob")))).toBe(2)
      expect(yield* ask().pipe(as(Actor.system))).toBe(3)
    }).pipe(Effect.provide(layer))
  })

  it.effect("are neither given nor kept inside a unit of work, whose invalidations wait for its commit", () => {
    const { layer } = make({ tags: ({ id }) => [`item:${id}`] })
    return Effect.gen(function* () {
      const unit = yield* UnitOfWork
      expect(yield* ask()).toBe(1)
      yield* unit.transaction(
        Effect.gen(function* () {
          expect([yield* ask(), yield* ask()]).toEqual([2, 3])
          yield* Caching.invalidate(["item:a"])
        })
      )
      expect(yield* ask()).toBe(4)
      yield* Effect.ignore(unit.transaction(Effect.andThen(Caching.invalidate(["item:a"]), Effect.fail("no"))))
      expect(yield* ask()).toBe(4)
    }).pipe(Effect.provide(layer))
  })

  /** Has so many events in the log. */
  const grown = (to: number) =>
    Effect.gen(function* () {
      const store = yield* EventStore
      const events = Array.from({ length: to - (yield* store.mark) }, () => new Renamed({ id: "a" }))
      yield* store.append({ stream: StreamName.make("Item", "a"), expected: "any", events })
    })
  const after = (position: number) => ({ after: { position: Position.make(position) } })

  it.effect("hold what a receipt asks for", () => {
    const { layer } = make({ source: "items", tags: ({ id }) => [`item:${id}`] })
    return Effect.gen(function* () {
      yield* grown(3)
      expect([yield* ask(), yield* ask("a", after(3)), yield* ask("a", after(3)), yield* ask()]).toEqual([1, 2, 2, 2])
      const { id } = yield* TenantContext.TenantContext
      const cache = yield* QueryCache.QueryCache
      yield* cache.invalidate(id, { tags: ["item:b"], progress: { source: "items", position: Position.make(9) } })
      yield* grown(10)
      expect([yield* ask("a", after(9)), yield* ask("a", after(10))]).toEqual([2, 3])
    }).pipe(Effect.provide(layer))
  })

  it.effect("hold no position that nothing had reached when they were begun", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { layer } = make({}, (n) =>
        n === 2 ? Effect.as(Deferred.await(gate), Option.some(2)) : Effect.succeedSome(n)
      )
      yield* Effect.gen(function* () {
        expect(yield* ask("a", after(1e15))).toBe(1)
        yield* grown(1)
        const early = yield* Effect.forkChild(ask("a", after(1e15)))
        yield* Effect.yieldNow
        yield* grown(2)
        // What is being made was begun before.
        const late = yield* Effect.forkChild(ask("a", after(2)))
        yield* TestClock.adjust("1 second")
        yield* Deferred.succeed(gate, undefined)
        yield* TestClock.adjust("1 second")
        expect([yield* Fiber.join(early), yield* Fiber.join(late)]).toEqual([2, 3])
        expect([yield* ask("a", after(2)), yield* ask("a", after(1))]).toEqual([3, 3])
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("that are not as the class says are given and not kept", () => {
    const { calls, layer } = make({}, () => Effect.succeed(Option.some(0.5)))
    return Effect.gen(function* () {
      expect([yield* ask(), yield* ask(), calls.count]).toEqual([0.5, 0.5, 2])
    }).pipe(Effect.provide(layer))
  })

  it.effect("of a making that began before an invalidation are not joined, nor kept", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { calls, layer } = make({ tags: ({ id }) => [`item:${id}`] }, (n) =>
        n === 1 ? Effect.as(Deferred.await(gate), Option.some(1)) : Effect.succeed(Option.some(n))
      )
      yield* Effect.gen(function* () {
        const early = yield* Effect.forkChild(ask())
        yield* Effect.yieldNow
        yield* Caching.invalidate(["item:*"])
        expect([yield* ask(), calls.count]).toEqual([2, 2])
        yield* Deferred.succeed(gate, undefined)
        expect([yield* Fiber.join(early), yield* ask()]).toEqual([1, 2])
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("are counted", () => {
    const { layer } = make({ ttl: "1 second", grace: "1 second", beta: 0 })
    return Effect.gen(function* () {
      for (const _ of [1, 2, 3]) yield* ask("counted")
      yield* TestClock.adjust("1500 millis")
      yield* ask("counted")
      yield* TestClock.adjust(1)
      const found: Record<string, unknown> = {}
      for (const one of yield* Metric.snapshot) {
        if (one.id !== "effect_cqrs_cache_lookups_total" || one.attributes?.["query"] !== "Get") continue
        if (one.type === "Counter") found[String(one.attributes["outcome"])] = Number(one.state.count)
      }
      expect(found).toMatchObject({ hit: 2, miss: 1, stale: 1, refresh: 1 })
    }).pipe(Effect.provide(layer), Effect.provideService(Metric.MetricRegistry, new Map()))
  })
})

class Rename extends Command.Class<Rename>()("Rename", {
  payload: { id: Schema.String },
  success: Schema.String,
  error: NotFound
}) {}

describe("answers are made wrong", () => {
  it.effect("by commands that succeed", () => {
    const { layer } = make({ tags: ({ id }) => [`item:${id}`] })
    const commands = CommandBus.handlers(
      on(Rename, ({ id }) => (id === "b" ? Effect.fail(new NotFound({ id })) : Effect.succeed(`${id}!`))).pipe(
        Middleware.use(Caching.invalidates(Rename, ({ id }, answer) => [`item:${id}`, answer]))
      )
    )
    return Effect.gen(function* () {
      for (const id of ["a", "b", "c"]) yield* ask(id)
      yield* CommandBus.execute(new Rename({ id: "a" }))
      yield* Effect.flip(CommandBus.execute(new Rename({ id: "b" })))
      expect([yield* ask("a"), yield* ask("b"), yield* ask("c")]).toEqual([4, 2, 3])
    }).pipe(Effect.provide(Layer.provideMerge(commands, layer)))
  })

  it.live("by projections, once their read models hold the event", () => {
    const { layer } = make({ source: "items", tags: ({ id }) => [`item:${id}`] })
    const Items = Projection.make("items", {
      events: [Renamed],
      on: { Renamed: () => Effect.void },
      react: Caching.reaction(
        "items",
        ({ event }: { readonly event: Renamed; readonly position: Position.Position }) => [`item:${event.id}`]
      )
    })
    const running = Projection.layer(Items).pipe(
      Layer.provide(SystemContext.layer("projections serve all tenants")),
      Layer.provide(Layer.succeed(SideEffects, { granted: true })),
      Layer.provideMerge(layer)
    )
    return Effect.gen(function* () {
      expect([yield* ask("a"), yield* ask("b")]).toEqual([1, 2])
      const store = yield* EventStore
      const stream = StreamName.make("Item", "a")
      // A reaction gets what comes after the projection was first started.
      while ((yield* ask("a")) === 1) {
        yield* store.append({ stream, expected: "any", events: [new Renamed({ id: "a" })] })
        yield* Effect.sleep("5 millis")
      }
      expect(yield* ask("b")).toBe(2)
    }).pipe(Effect.provide(running), Effect.timeout("5 seconds"))
  })
})

describe("warming", () => {
  it.effect("asks all, tells how far it is, and counts what fails", () => {
    const { layer } = make({}, (n, { id }) =>
      id === "bad" ? Effect.fail(new NotFound({ id })) : Effect.succeed(Option.some(n))
    )
    return Effect.gen(function* () {
      const told: Array<number> = []
      const queries = ["a", "bad", "b"].map((id) => ask(id))
      const warmed = yield* Caching.warm(queries, {
        concurrency: 1,
        onProgress: ({ asked }) => Effect.sync(() => told.push(asked))
      })
      expect([warmed, told]).toEqual([{ asked: 3, failed: 1, of: 3 }, [1, 2, 3]])
      expect(yield* ask("b")).toBe(3)
    }).pipe(Effect.provide(layer))
  })
})
