import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as RedisConnection from "../../../src/adapters/redis/RedisConnection.ts"
import { make } from "../../../src/adapters/redis/internal/streams/driver.ts"
import * as RedisEventGroups from "../../../src/adapters/redis/RedisEventGroups.ts"
import * as EventForwarding from "../../../src/application/EventForwarding.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventGroups from "../../../src/ports/EventGroups.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as Memory from "../../../src/ports/Memory.ts"
import * as SystemContext from "../../../src/ports/SystemContext.ts"
import * as TenantContext from "../../../src/ports/TenantContext.ts"
import * as EventGroupsLaws from "../../../src/testing/EventGroupsLaws.ts"
import { checkLaws } from "../../laws/checkLaws.ts"
import { Noted, noted } from "../postgres/support.ts"
import { connection, eventually, ownCluster, ownServer, send, sharedUrl, withRedis } from "./support.ts"

const groupsAt = (url: string, options?: RedisEventGroups.Options) =>
  RedisEventGroups.layer(options).pipe(Layer.provideMerge(connection(url, { commandTimeout: "2 seconds" })))

const context = Layer.mergeAll(TenantContext.layerSingle, SystemContext.layer("a test"), Logger.layer([]))

/** A log in memory, forwarded to Redis. */
const world = (url: string) => Layer.mergeAll(context, groupsAt(url)).pipe(Layer.provideMerge(Memory.layer))

const append = (n: number) =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    store.append({ stream: StreamName.make("Sum", String(n % 7)), expected: "any", events: [noted(n)] })
  )

const subscribed = (group: string) =>
  Effect.gen(function* () {
    const seen = new Set<number>()
    const groups = yield* EventGroups.EventGroups
    const handle = ({ event }: { readonly event: Noted }) => Effect.sync(() => seen.add(event.n))
    yield* groups.subscribe({ log: "log", group, events: [Noted], lease: "600 millis", poll: "50 millis", handle })
    return seen
  })

withRedis("groups in a cluster of Redis", () => {
  const cluster = Effect.map(ownCluster, (nodes) =>
    RedisEventGroups.layer().pipe(
      Layer.provide(
        RedisConnection.layer({
          target: { cluster: nodes.map(({ port }) => ({ host: "127.0.0.1", port })) },
          commandTimeout: "2 seconds"
        })
      )
    )
  )
  checkLaws("RedisEventGroups.layer", { EventGroups: EventGroupsLaws.laws }, Layer.unwrap(cluster), {
    sessions: Number.POSITIVE_INFINITY
  })
})

withRedis("groups in Redis", () => {
  checkLaws("RedisEventGroups.layer", { EventGroups: EventGroupsLaws.laws }, groupsAt(sharedUrl()), {
    sessions: Number.POSITIVE_INFINITY
  })

  checkLaws(
    "the driver of RedisEventGroups.layer",
    { EventGroupsDriver: EventGroupsLaws.driver },
    Layer.effect(EventGroupsLaws.Driver, make({ prefix: "effect-cqrs", segments: 16 })).pipe(
      Layer.provide(connection(sharedUrl(), { commandTimeout: "2 seconds" }))
    ),
    { sessions: Number.POSITIVE_INFINITY }
  )

  it.live("refuse a program that counts segments otherwise than the first", () =>
    Effect.gen(function* () {
      const server = yield* ownServer()
      yield* Effect.provide(subscribed("a"), world(server.url))
      const other = Layer.merge(groupsAt(server.url, { segments: 8 }), context)
      const error = yield* Effect.flip(Effect.provide(subscribed("a"), other))
      expect(error.message).toContain("must be 16")
    })
  )

  it.live.each([
    { what: "new events come", last: 40 },
    { what: "nothing new comes", last: 20 }
  ])("get everything again that they may not have handled when the server forgets everything and $what", ({ last }) =>
    Effect.gen(function* () {
      const server = yield* ownServer()
      yield* Effect.gen(function* () {
        const forwarding = EventForwarding.make("log", { events: [Noted], groups: ["here", "late"] })
        yield* Effect.forkScoped(EventForwarding.run(forwarding))
        const here = yield* subscribed("here")
        for (let n = 1; n <= 20; n++) yield* append(n)
        yield* eventually(
          "the first are handled",
          Effect.sync(() => here.size === 20)
        )
        yield* send("FLUSHALL")
        for (let n = 21; n <= last; n++) yield* append(n)
        yield* eventually(
          "the others are handled",
          Effect.sync(() => here.size === last)
        )
        // It was not there before everything was forgotten, and gets it all.
        const late = yield* subscribed("late")
        yield* eventually(
          "a late member gets all",
          Effect.sync(() => late.size === last)
        )
      }).pipe(Effect.provide(world(server.url)))
    })
  )

  it.live("go on after the server was killed", () =>
    Effect.gen(function* () {
      const server = yield* ownServer({ durable: true })
      yield* Effect.gen(function* () {
        yield* Effect.forkScoped(
          EventForwarding.run(EventForwarding.make("log", { events: [Noted], groups: ["here"] }))
        )
        const here = yield* subscribed("here")
        for (let n = 1; n <= 10; n++) yield* append(n)
        yield* Effect.promise(() => server.kill())
        for (let n = 11; n <= 20; n++) yield* append(n)
        yield* Effect.promise(() => server.restart())
        yield* eventually(
          "all are handled",
          Effect.sync(() => here.size === 20)
        )
      }).pipe(Effect.provide(world(server.url)))
    })
  )
})
