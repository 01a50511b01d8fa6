import { expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redis from "effect/persistence/Redis"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { RedisConnection } from "../../../src/adapters/redis/RedisConnection.ts"
import * as RedisQueryCache from "../../../src/adapters/redis/RedisQueryCache.ts"
import * as QueryBus from "../../../src/application/QueryBus.ts"
import * as Position from "../../../src/domain/Position.ts"
import * as Query from "../../../src/domain/Query.ts"
import * as TenantId from "../../../src/domain/TenantId.ts"
import * as Cache from "../../../src/middleware/Cache.ts"
import * as Caching from "../../../src/middleware/Caching.ts"
import { on } from "../../../src/middleware/Handler.ts"
import * as Middleware from "../../../src/middleware/Middleware.ts"
import * as QueryCache from "../../../src/ports/QueryCache.ts"
import type { Slot } from "../../../src/ports/QueryCacheDriver.ts"
import * as TenantContext from "../../../src/ports/TenantContext.ts"
import * as QueryCacheLaws from "../../../src/testing/QueryCacheLaws.ts"
import { checkLaws } from "../../laws/checkLaws.ts"
import type { RedisOptions } from "../../services/servers.ts"
import { connection, eventually, ownServer, send, sharedUrl, withRedis } from "./support.ts"

class Find extends Query.Class<Find>()("Find", { payload: { id: Schema.String }, success: Schema.Int }) {}

type Services = QueryCache.QueryCache | Redis.Redis | RedisConnection

/** What a program asks and is answered; `truth` is what its handler reads. */
interface Node {
  readonly ask: (id?: string, after?: number) => Effect.Effect<number, unknown>
  readonly invalidate: (...tags: ReadonlyArray<string>) => Effect.Effect<void>
  readonly peek: (id?: string) => Effect.Effect<unknown>
  readonly within: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, Services>>
}

interface World {
  truth: number
  worked: number
  pause: number
}

const node = (
  url: string,
  world: World,
  options?: RedisQueryCache.Options
): Effect.Effect<Node, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const cache = RedisQueryCache.layer(options).pipe(Layer.provideMerge(connection(url)))
    const services = yield* Layer.build(Layer.fresh(cache))
    const handlers = QueryBus.handlers(
      on(Find, () =>
        Effect.gen(function* () {
          world.worked++
          const read = world.truth
          yield* Effect.sleep(world.pause)
          return read
        })
      ).pipe(
        Middleware.use(Caching.cached(Find, { tags: ({ id }) => [`item:${id}`], source: "items", lease: "2 seconds" }))
      )
    )
    const bus = yield* Layer.build(Layer.fresh(handlers).pipe(Layer.provide(Layer.succeedContext(services))))
    const slot = (id: string): Slot => ({
      tenant: TenantId.make("default"),
      key: `Find:id="${id}"`,
      tags: QueryCache.tagsOf(["query:Find", `item:${id}`]),
      source: "items",
      decode: () => undefined
    })
    const single = { id: TenantId.make("default") }
    const driver = Context.get(services, QueryCache.QueryCache)
    return {
      ask: (id = "a", after) =>
        QueryBus.ask(
          new Find({ id }),
          after === undefined ? undefined : { after: { position: Position.make(after) } }
        ).pipe(Effect.provideService(TenantContext.TenantContext, single), Effect.provide(bus)),
      invalidate: (...tags) => driver.invalidate(single.id, { tags }),
      peek: (id = "a") =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          const outcome = driver.peek(slot(id), Position.start, now)?.outcome
          return outcome !== undefined && Exit.isSuccess(outcome) ? outcome.value : undefined
        }),
      within: (self) => Effect.provide(self, services)
    }
  })

const listening = (one: Node, world: World) =>
  eventually(
    "it keeps answers itself",
    Effect.gen(function* () {
      yield* one.invalidate("item:probe")
      world.truth++
      yield* one.ask("probe")
      return (yield* one.peek("probe")) !== undefined
    })
  )

/** Two programs on one server of their own. */
const pair = (options?: RedisOptions) =>
  Effect.gen(function* () {
    const server = yield* ownServer(options)
    const world: World = { truth: 1, worked: 0, pause: 0 }
    const [a, b] = [yield* node(server.url, world), yield* node(server.url, world)]
    for (const one of [a, b]) yield* listening(one, world)
    world.truth = 1
    world.worked = 0
    return { a, b, server, world }
  })

withRedis("a cache in Redis", () => {
  checkLaws(
    "RedisQueryCache.layer",
    { QueryCache: QueryCacheLaws.laws },
    RedisQueryCache.layer().pipe(Layer.provide(connection(sharedUrl()))),
    { sessions: Number.POSITIVE_INFINITY }
  )

  it.live("works an answer out once for all programs that ask", () =>
    Effect.gen(function* () {
      const { a, b, world } = yield* pair()
      world.pause = 50
      const asked = [a, b, a, b, a].map((one) => one.ask())
      expect(yield* Effect.all(asked, { concurrency: "unbounded" })).toEqual([1, 1, 1, 1, 1])
      expect(world.worked).toBe(1)
      expect([yield* a.peek(), yield* b.peek()]).toEqual([1, 1])
    })
  )

  it.live("holds for every program what one has set, and not what one has deleted", () =>
    Effect.gen(function* () {
      const { a, b, world } = yield* pair()
      const lookup = () => Effect.sync(() => ++world.worked)
      const rates = Cache.make("rates", { key: Schema.String, success: Schema.Finite, lookup })
      const at = <A, E>(one: Node, self: Effect.Effect<A, E, QueryCache.QueryCache | TenantContext.TenantContext>) =>
        one.within(TenantContext.provide("default")(self))
      expect([yield* at(a, rates.get("EUR")), yield* at(b, rates.get("EUR"))]).toEqual([1, 1])
      expect(yield* at(a, rates.set("EUR", 7))).toBe(true)
      yield* eventually(
        "the other program has it",
        Effect.map(at(b, rates.get("EUR")), (rate) => rate === 7)
      )
      yield* at(b, rates.delete("EUR"))
      yield* eventually(
        "nobody has it",
        Effect.map(Effect.all([at(a, rates.peek("EUR")), at(b, rates.peek("EUR"))]), (all) => all.every(Option.isNone))
      )
      expect([yield* at(a, rates.get("EUR")), yield* at(b, rates.get("EUR")), world.worked]).toEqual([2, 2, 2])
    })
  )

  it.live("is told in every program what is wrong, without asking again for it", () =>
    Effect.gen(function* () {
      const { a, b, world } = yield* pair()
      yield* a.ask()
      yield* b.ask()
      world.truth = 2
      yield* a.invalidate("item:*")
      expect(yield* a.ask()).toBe(2)
      yield* eventually(
        "the other has heard",
        Effect.map(b.peek(), (value) => value === undefined)
      )
      expect([yield* b.ask(), world.worked]).toEqual([2, 2])
    })
  )

  it.live("forgets what it cannot hear of, and checks every answer until it hears again", () =>
    Effect.gen(function* () {
      const { a, b, world } = yield* pair()
      yield* a.ask()
      yield* b.ask()
      yield* a.within(send("CLIENT", "KILL", "TYPE", "pubsub"))
      yield* eventually(
        "it has noticed",
        Effect.map(b.peek(), (value) => value === undefined)
      )
      world.truth = 2
      yield* a.invalidate("item:a")
      expect([yield* a.ask(), yield* b.ask(), world.worked]).toEqual([2, 2, 2])
      yield* listening(b, world)
    })
  )

  it.live("works an answer out once for all who ask at the same time without Redis", () =>
    Effect.gen(function* () {
      const { a, server, world } = yield* pair()
      yield* Effect.promise(() => server.kill())
      yield* eventually(
        "it has noticed",
        Effect.map(a.within(Effect.map(RedisConnection, (redis) => redis.isUp())), (isUp) => !isUp)
      )
      world.pause = 50
      const asked = Array.from({ length: 10 }, () => a.ask())
      expect(yield* Effect.all(asked, { concurrency: "unbounded" })).toEqual(asked.map(() => 1))
      expect(world.worked).toBe(1)
    })
  )

  it.live.each([0.4, 1.5, Number.POSITIVE_INFINITY])("lets somebody in for %d milliseconds", (lease) =>
    Effect.gen(function* () {
      const { a, world } = yield* pair()
      const tenant = TenantId.make(`lease-${lease}`)
      const slot: Slot = { tenant, key: "a", tags: ["*"], source: undefined, decode: () => Exit.succeed(world.truth) }
      yield* a.within(
        Effect.gen(function* () {
          const cache = yield* QueryCache.QueryCache
          const ticket = yield* cache.claim(slot, lease)
          if (ticket === undefined) return yield* Effect.die("it is taken")
          const filling = {
            outcome: Exit.succeed(1),
            text: "1",
            ttl: 1000,
            grace: 0,
            cost: 0,
            position: Position.start
          }
          expect(yield* cache.fill(slot, ticket, filling)).toBe(true)
        })
      )
    })
  )

  it.live("takes places that hold something else as empty", () =>
    Effect.gen(function* () {
      const { a, b, world } = yield* pair()
      yield* a.ask()
      const own = yield* a.within(send<ReadonlyArray<string>>("KEYS", '*Find:id=*"a"*'))
      expect(own.length).toBe(1)
      for (const key of own) yield* a.within(send("DEL", key))
      for (const key of own) {
        yield* a.within(send("HSET", key, "stamp", "1"))
        yield* a.within(send("HSET", key.replace(":answer:", ":lease:"), "stamp", "1"))
      }
      yield* a.invalidate("item:a")
      expect([yield* a.ask(), yield* b.ask(), world.worked]).toEqual([1, 1, 2])
    })
  )

  it.live("answers without Redis, and not with what it made wrong meanwhile when Redis is back", () =>
    Effect.gen(function* () {
      // What is kept outlives the server.
      const { a, b, server, world } = yield* pair({ durable: true })
      yield* a.ask()
      yield* Effect.promise(() => server.kill())
      yield* eventually(
        "they have noticed",
        Effect.map(a.peek(), (value) => value === undefined)
      )
      world.truth = 2
      yield* a.invalidate("item:a")
      const began = performance.now()
      world.pause = 20
      expect(yield* Effect.all([a.ask(), a.ask(), a.ask()], { concurrency: "unbounded" })).toEqual([2, 2, 2])
      expect([world.worked, performance.now() - began < 1000]).toEqual([2, true])
      world.pause = 0
      yield* Effect.promise(() => server.restart())
      const isUp = Effect.map(RedisConnection, (redis) => redis.isUp())
      yield* eventually("it is back", a.within(isUp))
      expect(yield* a.ask()).toBe(2)
      yield* eventually(
        "the other is right as well",
        Effect.map(b.ask(), (value) => value === 2)
      )
      for (const one of [a, b]) yield* listening(one, world)
    })
  )

  it.live("answers while Redis hangs", () =>
    Effect.gen(function* () {
      const { a, b, world } = yield* pair()
      const hung = yield* Effect.forkChild(Effect.ignore(b.within(send("DEBUG", "SLEEP", "1.5"))))
      yield* Effect.sleep("50 millis")
      const began = performance.now()
      for (let n = 0; n < 20; n++) expect(yield* a.ask(`hung-${n}`)).toBe(1)
      expect(performance.now() - began).toBeLessThan(1000)
      yield* Fiber.await(hung)
      yield* Effect.sleep("1 second")
      world.worked = 0
      yield* eventually(
        "it keeps again",
        Effect.map(Effect.andThen(a.ask(), b.ask()), () => world.worked < 10)
      )
    })
  )

  it.live("goes on when everything in it was deleted", () =>
    Effect.gen(function* () {
      const { a, b, world } = yield* pair()
      yield* a.ask()
      yield* b.ask()
      yield* a.within(send("FLUSHALL"))
      world.truth = 2
      yield* a.invalidate("item:a")
      expect(yield* a.ask()).toBe(2)
      yield* eventually(
        "the other has heard",
        Effect.map(b.ask(), (value) => value === 2)
      )
      expect(world.worked).toBe(2)
    })
  )

  it.live("goes on for whoever gave up, and when its maker was killed", () =>
    Effect.gen(function* () {
      const { a, b, world } = yield* pair()
      world.pause = 100
      const first = yield* Effect.forkChild(a.ask())
      yield* Effect.sleep("30 millis")
      const second = yield* Effect.forkChild(b.ask())
      yield* Effect.sleep("10 millis")
      yield* Fiber.interrupt(first)
      const began = performance.now()
      expect(yield* Fiber.join(second)).toBe(1)
      expect(performance.now() - began).toBeLessThan(1000)
      expect(world.worked).toBe(2)
    })
  )

  it.live("asks little of Redis, however many wait for another program", () =>
    Effect.gen(function* () {
      const { a, b, world } = yield* pair()
      world.pause = 400
      const first = yield* Effect.forkChild(a.ask())
      yield* Effect.sleep("50 millis")
      yield* a.within(send("CONFIG", "RESETSTAT"))
      const many = Array.from({ length: 200 }, () => b.ask())
      expect(new Set(yield* Effect.all(many, { concurrency: "unbounded" }))).toEqual(new Set([1]))
      yield* Fiber.join(first)
      const stats = yield* a.within(send<string>("INFO", "commandstats"))
      expect(Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1])).toBeLessThan(450)
      expect(world.worked).toBe(1)
    })
  )

  it.live("is right when the memory of Redis is full", () =>
    Effect.gen(function* () {
      const { a, b, world } = yield* pair()
      yield* a.ask()
      yield* b.ask()
      yield* a.within(send("CONFIG", "SET", "maxmemory", "1"))
      world.truth = 2
      yield* a.invalidate("item:a")
      expect(yield* a.ask()).toBe(2)
      yield* eventually(
        "the other is right as well",
        Effect.map(b.ask(), (value) => value === 2)
      )
      yield* a.within(send("CONFIG", "SET", "maxmemory", "0"))
    })
  )

  it.live("keeps apart what has another prefix", () =>
    Effect.gen(function* () {
      const world: World = { truth: 1, worked: 0, pause: 0 }
      const id = crypto.randomUUID()
      const nodes = yield* Effect.forEach([`p:${id}`, `q:${id}`], (prefix) => node(sharedUrl(), world, { prefix }))
      for (const one of nodes) yield* one.ask(id)
      expect(world.worked).toBe(2)
    })
  )

  it.live("does not stay in a server for ever", () =>
    Effect.gen(function* () {
      const { a } = yield* pair()
      yield* a.ask()
      const keys = yield* a.within(send<ReadonlyArray<string>>("KEYS", "*"))
      expect(keys.length).toBeGreaterThan(3)
      for (const key of keys) expect(yield* a.within(send<number>("PTTL", key)), key).toBeGreaterThan(0)
    })
  )
})
