/**
 * Takes Redis away from programs that share a cache in it, in every way there is, and looks at each answer that they give.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Redis from "effect/persistence/Redis"
import * as RedisConnection from "../../../src/adapters/redis/RedisConnection.ts"
import * as RedisQueryCache from "../../../src/adapters/redis/RedisQueryCache.ts"
import * as QueryBus from "../../../src/application/QueryBus.ts"
import * as Query from "../../../src/domain/Query.ts"
import * as TenantId from "../../../src/domain/TenantId.ts"
import * as Caching from "../../../src/middleware/Caching.ts"
import { on } from "../../../src/middleware/Handler.ts"
import * as Middleware from "../../../src/middleware/Middleware.ts"
import * as QueryCache from "../../../src/ports/QueryCache.ts"
import type { Driver } from "../../../src/ports/QueryCacheDriver.ts"
import * as TenantContext from "../../../src/ports/TenantContext.ts"
import * as servers from "../../services/servers.ts"
import { type Options, type Torture, unless, type Verdict } from "../Torture.ts"

class Read extends Query.Class<Read>()("Read", { payload: { item: Schema.Int }, success: Schema.Int }) {}

const programs = 3
const readers = 4
const items = 6
const tenant = { id: TenantId.make("torture") }

/** How long another program may give what was before, while Redis comes and goes, in milliseconds. */
const bound = 6000
/** For how long an answer is kept: far longer than a run, so that nothing becomes right by waiting. */
const ttl = "1 hour"

/** The truth of each item as a number that grows, and when each number was told to be over. */
class Truth {
  readonly now: Array<number> = Array.from({ length: items }, () => 0)
  readonly over: Array<Array<number>> = Array.from({ length: items }, () => [])
  worked = 0
  asked = 0
  oldest = 0
  readonly problems: Array<string> = []
  /** How long every making takes, in milliseconds; by chance when absent. */
  pause: number | undefined

  change(item: number): number {
    return (this.now[item] = (this.now[item] ?? 0) + 1)
  }

  /** Everything before `value` has been told to be wrong. */
  told(item: number, value: number, at: number): void {
    const over = this.over[item] ?? []
    for (let n = 0; n < value; n++) over[n] ??= at
  }

  /** Looks at an answer to a question that was asked at some time. */
  check(item: number, value: number, askedAt: number, patience: number): void {
    this.asked++
    const overAt = this.over[item]?.[value]
    const late = overAt === undefined ? 0 : askedAt - overAt
    this.oldest = Math.max(this.oldest, late)
    if (late > patience) this.problems.push(`${value} of item ${item} was given ${late} ms after it was wrong`)
  }
}

interface Program {
  readonly ask: (item: number) => Effect.Effect<number, unknown>
  readonly invalidate: (item: number) => Effect.Effect<void>
}

const program = (url: string, truth: Truth, change: (cache: Driver) => Driver) =>
  Effect.gen(function* () {
    const target = { url: Redacted.make(url) }
    const connection = RedisConnection.layer({ target, commandTimeout: "300 millis" }).pipe(
      Layer.provide(Logger.layer([]))
    )
    const shared = Layer.provide(RedisQueryCache.layer(), connection)
    const changed = Layer.effect(QueryCache.QueryCache, Effect.map(QueryCache.QueryCache, change)).pipe(
      Layer.provide(shared)
    )
    const services = yield* Layer.build(Layer.fresh(changed))
    const handlers = QueryBus.handlers(
      on(Read, ({ item }) =>
        Effect.gen(function* () {
          truth.worked++
          const value = truth.now[item] ?? 0
          const slow = yield* Random.nextIntBetween(0, 20)
          // Now and then longer than the lease.
          yield* Effect.sleep(truth.pause ?? (slow === 0 ? 400 : slow))
          return value
        })
      ).pipe(Middleware.use(Caching.cached(Read, { ttl, lease: "200 millis", tags: ({ item }) => [`item:${item}`] })))
    )
    const bus = yield* Layer.build(Layer.fresh(handlers).pipe(Layer.provide(Layer.succeedContext(services))))
    const cache = Context.get(services, QueryCache.QueryCache)
    const made: Program = {
      ask: (item) =>
        QueryBus.ask(new Read({ item })).pipe(
          Effect.provideService(TenantContext.TenantContext, tenant),
          Effect.provide(bus)
        ),
      invalidate: (item) => cache.invalidate(tenant.id, { tags: [`item:${item}`] })
    }
    return made
  })

/** Changes items and tells of it by one program, which must never give what was before. */
const writing = ({ ask, invalidate }: Program, truth: Truth) =>
  Effect.gen(function* () {
    while (true) {
      const item = yield* Random.nextIntBetween(0, items)
      const value = truth.change(item)
      yield* invalidate(item)
      const at = yield* Clock.currentTimeMillis
      const seen = yield* ask(item)
      if (seen < value) truth.problems.push(`the program that had changed item ${item} to ${value} was given ${seen}`)
      truth.told(item, value, at)
      yield* Effect.sleep(yield* Random.nextIntBetween(5, 60))
    }
  })

const reading = ({ ask }: Program, truth: Truth) =>
  Effect.gen(function* () {
    while (true) {
      const item = yield* Random.nextIntBetween(0, items)
      const at = yield* Clock.currentTimeMillis
      truth.check(item, yield* ask(item), at, bound)
      yield* Effect.sleep(yield* Random.nextIntBetween(0, 4))
    }
  })

type Server = Awaited<ReturnType<typeof servers.redis>>

const harm = (server: Server, done: Record<string, number>) =>
  Effect.gen(function* () {
    const redis = yield* Redis.Redis
    const send = (...[command = "", ...args]: ReadonlyArray<string>) => Effect.ignore(redis.send(command, ...args))
    const harms: Readonly<Record<string, Effect.Effect<unknown>>> = {
      "connections killed": send("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
      "listeners killed": send("CLIENT", "KILL", "TYPE", "pubsub"),
      "everything deleted": send("FLUSHALL"),
      "scripts forgotten": send("SCRIPT", "FLUSH"),
      hangs: send("DEBUG", "SLEEP", "0.7"),
      "server killed": Effect.promise(async () => {
        await server.kill()
        await new Promise((resolve) => setTimeout(resolve, 200))
        await server.restart()
      })
    }
    const names = Object.keys(harms)
    for (let n = 0; ; n++) {
      yield* Effect.sleep(yield* Random.nextIntBetween(100, 500))
      const name = names[n % names.length] ?? ""
      yield* harms[name] ?? Effect.void
      done[name] = (done[name] ?? 0) + 1
    }
  })

/** Changes an item while others make an answer of what it was. */
const overtaken = (writer: Program, all: ReadonlyArray<Program>, item: number, truth: Truth) =>
  Effect.gen(function* () {
    truth.change(item)
    yield* writer.invalidate(item)
    const early = yield* Effect.forEach(all, (one) => Effect.forkChild(Effect.exit(one.ask(item))))
    yield* Effect.sleep("30 millis")
    truth.change(item)
    yield* writer.invalidate(item)
    yield* Effect.forEach(early, Fiber.await)
    yield* Effect.sleep("20 millis")
  })

/** One run on a server of its own: harmed for so many seconds, then left in peace. */
const attempt = (seconds: number, change: (cache: Driver) => Driver) =>
  Effect.gen(function* () {
    const server = yield* Effect.acquireRelease(
      Effect.promise(() => servers.redis({ durable: true })),
      (running) => Effect.promise(() => running.stop())
    )
    const truth = new Truth()
    const all = yield* Effect.forEach(Array.from({ length: programs }), () => program(server.url, truth, change))
    const done: Record<string, number> = {}
    const target = { url: Redacted.make(server.url) }
    const outside = RedisConnection.layer({ target, commandTimeout: "2 seconds" }).pipe(Layer.provide(Logger.layer([])))
    const [first] = all
    const work = [
      Effect.provide(harm(server, done), Layer.fresh(outside)),
      ...(first === undefined ? [] : [writing(first, truth)]),
      ...all.flatMap((one) => Array.from({ length: readers }, () => reading(one, truth)))
    ]
    const running = yield* Effect.forkChild(Effect.all(work, { concurrency: "unbounded", discard: true }))
    yield* Effect.raceFirst(Fiber.join(running), Effect.sleep(seconds * 1000)).pipe(
      Effect.catchCause((cause) => Effect.sync(() => truth.problems.push(`something failed: ${String(cause)}`)))
    )
    yield* Fiber.interrupt(running)
    yield* Effect.sleep(2500)
    truth.pause = 60
    for (let item = 0; item < items && first !== undefined; item++) yield* overtaken(first, all, item, truth)
    // Left in peace, all of them give what is true.
    for (const [index, one] of all.entries()) {
      for (let item = 0; item < items; item++) {
        const seen = yield* Effect.exit(one.ask(item))
        const right = Exit.isSuccess(seen) && seen.value === truth.now[item]
        if (!right)
          truth.problems.push(`in the end program ${index} gives ${String(seen)} for ${truth.now[item]} of ${item}`)
      }
    }
    return { truth, done }
  }).pipe(Effect.scoped)

/** Keeps what it is refused to keep: what was begun before an invalidation, when nobody else is about to. */
const insisting = (cache: Driver): Driver => ({
  ...cache,
  fill: (slot, ticket, filling) =>
    Effect.gen(function* () {
      if (yield* cache.fill(slot, ticket, filling)) return true
      for (let tries = 0; tries < 50; tries++) {
        const own = yield* cache.claim(slot, 50)
        if (own !== undefined) return yield* cache.fill(slot, own, filling)
        yield* Effect.sleep("5 millis")
      }
      return false
    })
})

const run = ({ seconds, seed }: Options): Effect.Effect<Verdict, unknown> =>
  Effect.gen(function* () {
    if (servers.redisProgram() === undefined) return { problems: [servers.withoutRedis], counters: {} }
    const { done, truth } = yield* attempt(seconds, (cache) => cache)
    const wrong = yield* attempt(1, insisting)
    return {
      problems: [
        ...truth.problems.slice(0, 10),
        ...unless({
          "a cache that keeps what it should not is seen": wrong.truth.problems.length > 0,
          "most answers were kept ones": truth.worked < truth.asked / 2
        })
      ],
      counters: {
        programs,
        answers: truth.asked,
        "worked out": truth.worked,
        changes: truth.now.reduce((sum, n) => sum + n, 0),
        "oldest answer in another program, ms": truth.oldest,
        "wrong answers of a cache that keeps what it should not": wrong.truth.problems.length,
        harm: done
      }
    }
  }).pipe(Random.withSeed(seed))

export const torture: Torture = {
  promise: "a program is never given what it has made wrong, another not for long, whatever becomes of Redis",
  run
}
