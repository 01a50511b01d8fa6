import { expect, inject, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as RedisEventGroups from "../../../src/adapters/redis/RedisEventGroups.ts"
import * as EventForwarding from "../../../src/application/EventForwarding.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventGroups from "../../../src/ports/EventGroups.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as Memory from "../../../src/ports/Memory.ts"
import * as SystemContext from "../../../src/ports/SystemContext.ts"
import * as TenantContext from "../../../src/ports/TenantContext.ts"
import { Noted, noted } from "../postgres/support.ts"
import { connection, eventually, ownServer, send, withRedis } from "./support.ts"

const world = (url: string) =>
  Layer.mergeAll(TenantContext.layerSingle, SystemContext.layer("a test"), Logger.layer([])).pipe(
    Layer.merge(RedisEventGroups.layer().pipe(Layer.provideMerge(connection(url, { commandTimeout: "2 seconds" })))),
    Layer.provideMerge(Memory.layer)
  )

/** What a replica has that hears nothing more from now on. */
const copy = send(
  "EVAL",
  "for _, k in ipairs(redis.call('KEYS', 'effect*')) do redis.call('COPY', k, '~' .. k) end",
  "0"
)

/** It becomes the primary. */
const promote = send(
  "EVAL",
  `for _, k in ipairs(redis.call('KEYS', 'effect*')) do redis.call('DEL', k) end
   for _, k in ipairs(redis.call('KEYS', '~*')) do redis.call('RENAME', k, string.sub(k, 2)) end`,
  "0"
)

const count = 240
const keys = 5

withRedis("groups whose server goes back to what it had before", () => {
  it.live("miss nothing and keep the order of keys, whatever was parked and settled meanwhile", () =>
    Effect.gen(function* () {
      const server = yield* ownServer()
      yield* Effect.gen(function* () {
        const state = { isRepaired: false, handled: Array<number>() }
        const groups = yield* EventGroups.EventGroups
        const store = yield* EventStore.EventStore
        yield* Effect.forkScoped(
          EventForwarding.run(EventForwarding.make("log", { events: [Noted], groups: ["group"], batchSize: 30 }))
        )
        const member = Effect.gen(function* () {
          const scope = yield* Scope.make()
          yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
          const handle = ({ event: { n } }: { readonly event: Noted }) =>
            Effect.gen(function* () {
              yield* Effect.sleep(yield* Random.nextIntBetween(0, 4))
              if (n % 12 === 0 && !state.isRepaired && (yield* Random.nextIntBetween(0, 4)) > 0) {
                return yield* Effect.fail("poison")
              }
              state.handled.push(n)
            })
          const later = Array.from({ length: 200 }, () => "20 millis" as const)
          yield* groups
            .subscribe({
              log: "log",
              group: "group",
              events: [Noted],
              lease: "1 second",
              poll: "20 millis",
              batchSize: 15,
              retry: { times: 1, base: "1 millis", later },
              handle
            })
            .pipe(Scope.provide(scope))
          return scope
        })
        yield* member
        const writing = Effect.gen(function* () {
          for (let n = 1; n <= count; n++) {
            const stream = StreamName.make("Sum", String(n % keys))
            yield* store.append({ stream, expected: "any", events: [noted(n)] })
            yield* Effect.sleep("4 millis")
          }
        })
        yield* Effect.forkScoped(writing)
        for (let round = 0; round < 8; round++) {
          yield* Effect.sleep(yield* Random.nextIntBetween(20, 120))
          yield* copy
          yield* Effect.sleep(yield* Random.nextIntBetween(5, 80))
          yield* promote
        }
        state.isRepaired = true
        yield* eventually(
          "all are handled",
          Effect.sync(() => new Set(state.handled).size === count)
        )
        const first = Array.from(new Set(state.handled))
        for (let key = 0; key < keys; key++) {
          const own = first.filter((n) => n % keys === key)
          expect(own, `the order of key ${key}`).toEqual(own.toSorted((a, b) => a - b))
        }
      }).pipe(Effect.provide(world(server.url)))
    }).pipe(Random.withSeed(inject("seed")))
  )

  it.live("go on where an owner was full of what the server has forgotten", () =>
    Effect.gen(function* () {
      const server = yield* ownServer()
      yield* Effect.gen(function* () {
        const state = { isRepaired: false, handled: Array<number>() }
        const groups = yield* EventGroups.EventGroups
        const store = yield* EventStore.EventStore
        const name = { log: "log", group: "group" }
        yield* Effect.forkScoped(
          EventForwarding.run(EventForwarding.make("log", { events: [Noted], groups: ["group"] }))
        )
        yield* groups.subscribe({
          ...name,
          events: [Noted],
          poll: "20 millis",
          maxParked: 2,
          retry: { times: 1, later: ["20 millis"] },
          handle: ({ event: { n } }) =>
            state.isRepaired ? Effect.sync(() => void state.handled.push(n)) : Effect.fail("poison")
        })
        yield* eventually(
          "it has all segments",
          Effect.map(groups.inspect(name), (all) => all.every(({ owner }) => owner !== undefined))
        )
        yield* copy
        const stream = StreamName.make("Sum", "1")
        yield* store.append({ stream, expected: "any", events: [noted(1), noted(2), noted(3)] })
        yield* eventually(
          "it is full",
          Effect.map(groups.parked(name), (all) => all.length === 2)
        )
        state.isRepaired = true
        yield* promote
        yield* eventually(
          "all are handled",
          Effect.sync(() => state.handled.length >= 3)
        )
        expect(Array.from(new Set(state.handled))).toEqual([1, 2, 3])
      }).pipe(Effect.provide(world(server.url)))
    })
  )
})
