import { expect, it } from "@effect/vitest"
import { randomUUID } from "node:crypto"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as RedisConnection from "../../../src/adapters/redis/RedisConnection.ts"
import * as RedisEventBus from "../../../src/adapters/redis/RedisEventBus.ts"
import * as EventBus from "../../../src/ports/EventBus.ts"
import * as SystemContext from "../../../src/ports/SystemContext.ts"
import * as TenantContext from "../../../src/ports/TenantContext.ts"
import * as UnitOfWork from "../../../src/ports/UnitOfWork.ts"
import * as EventBusLaws from "../../../src/testing/EventBusLaws.ts"
import { Announced, numberOf } from "../../../src/testing/internal/eventBus/listening.ts"
import { count } from "../../../src/testing/internal/samples.ts"
import { checkLaws } from "../../laws/checkLaws.ts"
import * as Elsewhere from "../../laws/elsewhere.ts"
import { connection, eventually, ownCluster, ownServer, send, sharedUrl, withRedis } from "./support.ts"

const suites = {
  EventBus: EventBusLaws.laws,
  "EventBus in a UnitOfWork": EventBusLaws.transactional,
  "EventBus across processes": EventBusLaws.acrossProcesses
}

// Nothing here is about how soon a server answers.
const patience = "10 seconds" as const
const patient = (url: string) => connection(url, { commandTimeout: patience })

/** What one process has. */
const process = (target: RedisConnection.Options["target"], prefix: string, connectionName?: string) =>
  Layer.fresh(
    RedisEventBus.layer({ events: EventBusLaws.events, prefix }).pipe(
      Layer.provideMerge(RedisConnection.layer({ target, connectionName, commandTimeout: patience })),
      Layer.provideMerge(UnitOfWork.layerMemory),
      Layer.provide(Logger.layer([]))
    )
  )

/** Ends all connections of a name, on every server. */
const kill = (urls: ReadonlyArray<string>, name: string) =>
  Effect.forEach(urls, (url) =>
    Effect.gen(function* () {
      const all = yield* send<string>("CLIENT", "LIST")
      for (const line of all.split("\n")) {
        const [, id] = /^id=(\d+) /.exec(line) ?? []
        if (id !== undefined && line.includes(name)) yield* send("CLIENT", "KILL", "ID", id)
      }
    }).pipe(Effect.provide(patient(url)))
  )

const both = (target: RedisConnection.Options["target"], urls: ReadonlyArray<string>) => {
  const prefix = `test:${randomUUID()}`
  const name = `other-${randomUUID()}`
  return Layer.mergeAll(process(target, prefix), Elsewhere.layer(process(target, prefix, name), kill(urls, name)))
}

withRedis("on one server", () => {
  const url = sharedUrl()
  checkLaws("RedisEventBus.layer", suites, both({ url: Redacted.make(url) }, [url]), {
    sessions: Number.POSITIVE_INFINITY
  })
})

withRedis("in a cluster", () => {
  const layer = Layer.unwrap(
    Effect.map(ownCluster, (nodes) =>
      both(
        { cluster: nodes.map(({ port }) => ({ host: "127.0.0.1", port })) },
        nodes.map(({ url }) => url)
      )
    )
  )
  checkLaws("RedisEventBus.layer", suites, layer, { sessions: Number.POSITIVE_INFINITY })
})

const acme = TenantContext.provide("acme")
const announced = (n: number) => new Announced({ run: "test", n })

withRedis("a bus on Redis", () => {
  it.live("starts without its server, is down, and hears when the server is there", () =>
    Effect.gen(function* () {
      const server = yield* ownServer()
      yield* Effect.promise(() => server.kill())
      const context = yield* Layer.build(process({ url: Redacted.make(server.url) }, "test"))
      const bus = Context.get(context, EventBus.EventBus)
      const seen: Array<number> = []
      yield* acme(bus.subscribe(EventBus.of(Announced), ({ event }) => Effect.sync(() => seen.push(event.n))))
      expect(bus.isUp()).toBe(false)
      const error = yield* Effect.flip(acme(bus.publish([announced(1)])))
      expect(error.reason).toMatchObject({ _tag: "NotConnected", bus: "redis" })
      yield* Effect.promise(() => server.restart())
      yield* eventually("it is up", Effect.sync(bus.isUp))
      yield* acme(Effect.eventually(bus.publish([announced(2)])))
      yield* eventually(
        "it hears",
        Effect.sync(() => seen.length > 0)
      )
      expect(seen).toEqual([2])
    }).pipe(Effect.scoped)
  )

  it.live("is refused by meaning", () =>
    Effect.gen(function* () {
      const server = yield* ownServer({ args: "--user app on >secret ~* &other:* +@all --user default off".split(" ") })
      const password = Redacted.make("secret")
      const options = { username: "app", password, commandTimeout: patience, connectTimeout: patience }
      const layer = RedisEventBus.layer({ events: [] }).pipe(
        Layer.provide(connection(server.url, options)),
        Layer.provide(UnitOfWork.layerMemory)
      )
      const bus = Context.get(yield* Layer.build(layer), EventBus.EventBus)
      const error = yield* Effect.flip(acme(bus.publish([announced(1)])))
      expect(error.reason).toMatchObject({ _tag: "NotTaken", retryable: false })
    }).pipe(Effect.scoped)
  )

  it.live("hears again what is published where a channel's slot has gone", () =>
    Effect.gen(function* () {
      const nodes = yield* ownCluster
      const target = { cluster: nodes.map(({ port }) => ({ host: "127.0.0.1", port })) }
      const bus = Context.get(yield* Layer.build(process(target, "test")), EventBus.EventBus)
      const seen: Array<number> = []
      yield* bus
        .subscribeAll(EventBus.of(Announced), ({ event }) => Effect.sync(() => seen.push(numberOf(event))))
        .pipe(SystemContext.provide("test"))
      yield* eventually("it is up", Effect.sync(bus.isUp))
      const ids = yield* Effect.forEach(nodes, ({ url }) =>
        Effect.provide(send<string>("CLUSTER", "MYID"), patient(url))
      )
      // Every channel goes to the last of the servers.
      for (const channel of count(8, 0)) {
        const slot = yield* Effect.provide(
          send<number>("CLUSTER", "KEYSLOT", `{${channel}}`),
          patient(nodes[0]?.url ?? "")
        )
        for (const { url } of nodes.toReversed()) {
          yield* Effect.provide(send("CLUSTER", "SETSLOT", `${slot}`, "NODE", ids[2] ?? ""), patient(url))
        }
      }
      let n = 0
      const publish = Effect.suspend(() => acme(Effect.ignore(bus.publish([announced(++n)]))))
      yield* eventually(
        "it hears",
        Effect.andThen(
          publish,
          Effect.sync(() => seen.length >= 3)
        )
      )
      expect(seen).toEqual(seen.toSorted((a, b) => a - b))
    }).pipe(Effect.scoped)
  )
})
