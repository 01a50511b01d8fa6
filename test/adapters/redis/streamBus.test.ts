import { expect, it } from "@effect/vitest"
import { randomUUID } from "node:crypto"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as RedisConnection from "../../../src/adapters/redis/RedisConnection.ts"
import * as RedisStreamBus from "../../../src/adapters/redis/RedisStreamBus.ts"
import * as EventBus from "../../../src/ports/EventBus.ts"
import * as TenantContext from "../../../src/ports/TenantContext.ts"
import * as UnitOfWork from "../../../src/ports/UnitOfWork.ts"
import * as EventBusLaws from "../../../src/testing/EventBusLaws.ts"
import { Announced } from "../../../src/testing/internal/eventBus/listening.ts"
import { checkLaws } from "../../laws/checkLaws.ts"
import * as Elsewhere from "../../laws/elsewhere.ts"
import { connection, eventually, ownCluster, ownServer, send, sharedUrl, withRedis } from "./support.ts"

const suites = {
  EventBus: EventBusLaws.laws,
  "EventBus in a UnitOfWork": EventBusLaws.transactional,
  "EventBus across processes": EventBusLaws.acrossProcesses
}

/** What one process has. */
const process = (target: RedisConnection.Options["target"], prefix: string, connectionName?: string) =>
  Layer.fresh(
    RedisStreamBus.layer({ events: EventBusLaws.events, prefix }).pipe(
      Layer.provideMerge(RedisConnection.layer({ target, connectionName, commandTimeout: "2 seconds" })),
      Layer.provideMerge(UnitOfWork.layerMemory),
      Layer.provide(Logger.layer([]))
    )
  )

const at = (url: string): RedisConnection.Options["target"] => ({ url: Redacted.make(url) })

/** Ends all connections of a name, on every server. */
const kill = (urls: ReadonlyArray<string>, name: string) =>
  Effect.forEach(urls, (url) =>
    Effect.gen(function* () {
      const all = yield* send<string>("CLIENT", "LIST")
      for (const line of all.split("\n")) {
        const [, id] = /^id=(\d+) /.exec(line) ?? []
        if (id !== undefined && line.includes(name)) yield* send("CLIENT", "KILL", "ID", id)
      }
    }).pipe(Effect.provide(connection(url)))
  )

const both = (target: RedisConnection.Options["target"], urls: ReadonlyArray<string>) => {
  const prefix = `test:${randomUUID()}`
  const name = `other-${randomUUID()}`
  return Layer.mergeAll(process(target, prefix), Elsewhere.layer(process(target, prefix, name), kill(urls, name)))
}

const acme = TenantContext.provide("acme")
const announced = (n: number) => new Announced({ run: "test", n })

/** A process, and the numbers of the events that it hears. */
const hearing = (url: string) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(process(at(url), "test"))
    const bus = Context.get(context, EventBus.EventBus)
    const seen: Array<number> = []
    yield* acme(bus.subscribe(EventBus.of(Announced), ({ event }) => Effect.sync(() => seen.push(event.n))))
    return { bus, seen, publish: (n: number) => acme(bus.publish([announced(n)])) }
  })

const is = (seen: ReadonlyArray<number>, ...expected: ReadonlyArray<number>) =>
  eventually(
    `${expected.join()} come`,
    Effect.sync(() => seen.length >= expected.length)
  ).pipe(Effect.tap(Effect.sync(() => expect(seen).toEqual(expected))))

withRedis("a bus on a stream of a cluster", () => {
  const layer = Effect.map(ownCluster, (nodes) =>
    both(
      { cluster: nodes.map(({ port }) => ({ host: "127.0.0.1", port })) },
      nodes.map(({ url }) => url)
    )
  )
  checkLaws("RedisStreamBus.layer", suites, Layer.unwrap(layer), { sessions: Number.POSITIVE_INFINITY })
})

withRedis("a bus on a stream of Redis", () => {
  const url = sharedUrl()
  checkLaws("RedisStreamBus.layer", suites, both(at(url), [url]), { sessions: Number.POSITIVE_INFINITY })

  it.live("gives what came meanwhile to who had lost the connection, once and in order", () =>
    Effect.gen(function* () {
      const server = yield* ownServer()
      const [one, other] = [yield* hearing(server.url), yield* hearing(server.url)]
      yield* one.publish(1)
      yield* is(other.seen, 1)
      for (let n = 2; n <= 30; n++) {
        // Readers are blocked, and everybody loses what is on its way.
        if (n % 3 === 0) yield* Effect.provide(send("CLIENT", "KILL", "TYPE", "normal"), connection(server.url))
        yield* Effect.retry(one.publish(n), Schedule.spaced("10 millis"))
      }
      yield* eventually(
        "all come",
        Effect.sync(() => other.seen.includes(30) && one.seen.includes(30))
      )
      // A publisher that was not answered may have published, and has done so again.
      for (const { seen } of [one, other]) {
        expect(seen.filter((n, index) => seen.indexOf(n) === index)).toEqual(
          Array.from({ length: 30 }, (_, n) => n + 1)
        )
      }
      expect(one.seen).toEqual(other.seen)
    }).pipe(Effect.scoped)
  )

  it.live("starts without its server, is down, and hears when the server is there and after it forgot everything", () =>
    Effect.gen(function* () {
      const server = yield* ownServer()
      yield* Effect.promise(() => server.kill())
      const { bus, publish, seen } = yield* hearing(server.url)
      expect(bus.isUp()).toBe(false)
      const error = yield* Effect.flip(publish(1))
      expect(error.reason).toMatchObject({ _tag: "NotConnected", bus: "redis streams" })
      yield* Effect.promise(() => server.restart())
      yield* eventually("it is up", Effect.sync(bus.isUp))
      yield* Effect.eventually(publish(2))
      yield* is(seen, 2)
      yield* Effect.provide(send("FLUSHALL"), connection(server.url))
      yield* publish(3)
      yield* is(seen, 2, 3)
    }).pipe(Effect.scoped)
  )

  it.live("keeps events for a while", () =>
    Effect.gen(function* () {
      const server = yield* ownServer()
      const short = RedisStreamBus.layer({ events: EventBusLaws.events, prefix: "short", keep: 0 })
      const context = yield* Layer.build(
        short.pipe(Layer.provide(connection(server.url)), Layer.provide(UnitOfWork.layerMemory))
      )
      const bus = Context.get(context, EventBus.EventBus)
      for (let n = 0; n < 1000; n++) yield* acme(bus.publish([announced(n)]))
      const left = yield* Effect.provide(send<number>("XLEN", "short:published"), connection(server.url))
      expect(left).toBeLessThan(300)
    }).pipe(Effect.scoped)
  )
})
