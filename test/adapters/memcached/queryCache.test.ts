import { expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import { describe } from "vitest"
import * as MemcachedQueryCache from "../../../src/adapters/memcached/MemcachedQueryCache.ts"
import * as QueryBus from "../../../src/application/QueryBus.ts"
import * as Position from "../../../src/domain/Position.ts"
import * as Query from "../../../src/domain/Query.ts"
import * as TenantId from "../../../src/domain/TenantId.ts"
import * as Caching from "../../../src/middleware/Caching.ts"
import { on } from "../../../src/middleware/Handler.ts"
import * as Middleware from "../../../src/middleware/Middleware.ts"
import * as QueryCache from "../../../src/ports/QueryCache.ts"
import type { Slot } from "../../../src/ports/QueryCacheDriver.ts"
import * as TenantContext from "../../../src/ports/TenantContext.ts"
import * as QueryCacheLaws from "../../../src/testing/QueryCacheLaws.ts"
import { checkLaws } from "../../laws/checkLaws.ts"
import * as servers from "../../services/servers.ts"

class Find extends Query.Class<Find>()("Find", { payload: { id: Schema.String }, success: Schema.String }) {}

const ownServer = (args?: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.promise(() => servers.memcached(args)),
    (server) => Effect.promise(() => server.stop())
  )

interface World {
  truth: number
  worked: number
  pause: number
  size: number
}

/** A program that asks; `truth` is what its handler reads. */
const node = (port: number, world: World, options?: MemcachedQueryCache.Options) =>
  Effect.gen(function* () {
    const cache = MemcachedQueryCache.layer({ port, commandTimeout: "300 millis", ...options }).pipe(
      Layer.provide(Logger.layer([]))
    )
    const services = yield* Layer.build(Layer.fresh(cache))
    const handlers = QueryBus.handlers(
      on(Find, () =>
        Effect.gen(function* () {
          world.worked++
          const read = world.truth
          yield* Effect.sleep(world.pause)
          return `${read}${" ".repeat(world.size)}`
        })
      ).pipe(Middleware.use(Caching.cached(Find, { tags: ({ id }) => [`item:${id}`], lease: "2 seconds" })))
    )
    const bus = yield* Layer.build(Layer.fresh(handlers).pipe(Layer.provide(Layer.succeedContext(services))))
    const single = { id: TenantId.make("default") }
    const driver = Context.get(services, QueryCache.QueryCache)
    const slot: Slot = {
      tenant: single.id,
      key: 'Find:id="a"',
      tags: QueryCache.tagsOf(["query:Find", "item:a"]),
      source: undefined,
      decode: (text) => Exit.succeed(text)
    }
    return {
      ask: (id = "a") =>
        QueryBus.ask(new Find({ id })).pipe(
          Effect.map(Number),
          Effect.provideService(TenantContext.TenantContext, single),
          Effect.provide(bus)
        ),
      invalidate: (...tags: ReadonlyArray<string>) => driver.invalidate(single.id, { tags }),
      peek: Effect.map(Clock.currentTimeMillis, (now) => driver.peek(slot, Position.start, now) !== undefined)
    }
  })

const pair = (args?: ReadonlyArray<string>, options?: MemcachedQueryCache.Options) =>
  Effect.gen(function* () {
    const server = yield* ownServer(args)
    const world: World = { truth: 1, worked: 0, pause: 0, size: 0 }
    const [a, b] = [yield* node(server.port, world, options), yield* node(server.port, world, options)]
    return { a, b, server, world }
  })

const eventually = <E, R>(what: string, isTrue: Effect.Effect<boolean, E, R>) =>
  Effect.gen(function* () {
    for (let tries = 0; tries < 500; tries++) {
      if (yield* isTrue) return
      yield* Effect.sleep("10 millis")
    }
    return yield* Effect.die(new Error(`it did not become true that ${what}`))
  })

const has = servers.memcachedProgram() !== undefined

describe.skipIf(!has)(`a cache in Memcached${has ? "" : ` (skipped: ${servers.withoutMemcached})`}`, () => {
  checkLaws(
    "MemcachedQueryCache.layer",
    { QueryCache: QueryCacheLaws.laws },
    Layer.unwrap(
      Effect.map(ownServer(), ({ port }) => MemcachedQueryCache.layer({ port, commandTimeout: "5 seconds" }))
    ),
    { sessions: Number.POSITIVE_INFINITY }
  )

  checkLaws(
    "MemcachedQueryCache.layer, unchecked",
    { QueryCache: QueryCacheLaws.laws },
    Layer.unwrap(
      Effect.map(ownServer(), ({ port }) =>
        MemcachedQueryCache.layer({ port, commandTimeout: "5 seconds", unchecked: "1 minute", prefix: "é ".repeat(99) })
      )
    ),
    { sessions: Number.POSITIVE_INFINITY }
  )

  it.live("works an answer out once for all programs, and none gives it after one has made it wrong", () =>
    Effect.gen(function* () {
      const { a, b, world } = yield* pair()
      world.pause = 50
      const asked = [a, b, a, b, a].map((one) => one.ask())
      expect(yield* Effect.all(asked, { concurrency: "unbounded" })).toEqual([1, 1, 1, 1, 1])
      expect(world.worked).toBe(1)
      for (let truth = 2; truth < 10; truth++) {
        world.truth = truth
        yield* a.invalidate("item:*")
        expect([yield* b.ask(), yield* a.ask(), world.worked]).toEqual([truth, truth, truth])
      }
    })
  )

  it.live("gives for as long as it is told what others have made wrong, and no longer", () =>
    Effect.gen(function* () {
      const { a, b, world } = yield* pair([], { unchecked: "1 second" })
      yield* a.ask()
      yield* b.ask()
      expect(yield* b.peek).toBe(true)
      world.truth = 2
      yield* a.invalidate("item:a")
      const began = performance.now()
      expect(yield* a.ask(), "who has said it").toBe(2)
      yield* eventually(
        "the other asks again",
        Effect.map(b.ask(), (value) => value === 2)
      )
      expect(performance.now() - began).toBeLessThan(2500)
    })
  )

  it.live("answers without Memcached, and not with what it made wrong meanwhile when it is back", () =>
    Effect.gen(function* () {
      const { a, b, server, world } = yield* pair()
      yield* a.ask()
      yield* Effect.promise(() => server.kill())
      world.truth = 2
      yield* a.invalidate("item:a")
      world.pause = 20
      const began = performance.now()
      expect(yield* Effect.all([a.ask(), a.ask(), a.ask()], { concurrency: "unbounded" })).toEqual([2, 2, 2])
      expect([world.worked, performance.now() - began < 1000]).toEqual([2, true])
      world.pause = 0
      yield* Effect.promise(() => server.restart())
      yield* eventually(
        "it keeps again",
        Effect.gen(function* () {
          const before = world.worked
          expect([yield* a.ask(), yield* b.ask(), yield* a.ask()]).toEqual([2, 2, 2])
          return world.worked === before
        })
      )
    })
  )

  it.live("answers while Memcached hangs, and tells it afterwards what is wrong", () =>
    Effect.gen(function* () {
      const { a, b, server, world } = yield* pair()
      yield* a.ask()
      server.signal("SIGSTOP")
      world.truth = 2
      yield* a.invalidate("item:a")
      const began = performance.now()
      for (let n = 0; n < 20; n++) expect(yield* a.ask(`hung-${n}`)).toBe(2)
      expect(performance.now() - began).toBeLessThan(2500)
      server.signal("SIGCONT")
      yield* eventually(
        "the other is told",
        Effect.map(b.ask(), (value) => value === 2)
      )
      expect(yield* a.ask()).toBe(2)
      yield* eventually(
        "it keeps again",
        Effect.gen(function* () {
          const before = world.worked
          yield* Effect.all([a.ask("x"), b.ask("x"), a.ask("x")])
          return world.worked === before
        })
      )
    })
  )

  it.live("is right while its server evicts what it likes", () =>
    Effect.gen(function* () {
      const { a, b, world } = yield* pair(["-m", "3"])
      world.size = 10_000
      for (let round = 1; round <= 3; round++) {
        world.truth = round
        yield* a.invalidate("query:Find")
        for (let n = 0; n < 400; n++) expect(yield* (n % 2 === 0 ? a : b).ask(`i${n}`)).toBe(round)
      }
    })
  )

  it.live("does not keep what is too large, and goes on", () =>
    Effect.gen(function* () {
      const { a, world } = yield* pair()
      world.size = 3_000_000
      expect([yield* a.ask(), yield* a.ask(), world.worked]).toEqual([1, 1, 2])
      world.size = 0
      expect([yield* a.ask("b"), yield* a.ask("b"), world.worked]).toEqual([1, 1, 3])
    })
  )

  it.live("goes on for whoever gave up", () =>
    Effect.gen(function* () {
      const { a, b, world } = yield* pair()
      world.pause = 200
      const first = yield* Effect.forkChild(a.ask())
      yield* eventually(
        "it is being made",
        Effect.sync(() => world.worked === 1)
      )
      const second = yield* Effect.forkChild(b.ask())
      yield* Effect.sleep("20 millis")
      yield* Fiber.interrupt(first)
      expect([yield* Fiber.join(second), world.worked]).toEqual([1, 2])
    })
  )
})
