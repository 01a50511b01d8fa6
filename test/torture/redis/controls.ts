/**
 * The same in one process, right and wrong, with events in memory: how many of them a group misses.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Redis from "effect/persistence/Redis"
import * as Scope from "effect/Scope"
import * as RedisConnection from "../../../src/adapters/redis/RedisConnection.ts"
import { make } from "../../../src/adapters/redis/internal/streams/driver.ts"
import * as EventForwarding from "../../../src/application/EventForwarding.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventGroups from "../../../src/ports/EventGroups.ts"
import type { Driver } from "../../../src/ports/EventGroupsDriver.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as Memory from "../../../src/ports/Memory.ts"
import * as SystemContext from "../../../src/ports/SystemContext.ts"
import * as TenantContext from "../../../src/ports/TenantContext.ts"
import { Noted, noted } from "../../adapters/postgres/support.ts"
import * as primary from "./primary.ts"

type Change = (right: Driver, redis: Redis.Redis["Service"]) => Driver

/** A forwarder that goes by a checkpoint of its own, and not by where the broker is. */
export const byCheckpoint: Change = (right) => ({
  ...right,
  add: (log, segment, batch) =>
    Effect.flatMap(right.open(log, segment, { groups: [], floor: batch.from }), (from) =>
      right.add(log, segment, { ...batch, from })
    )
})

/** A broker that keeps so many entries, whoever needs others. */
export const byLength: Change = (right, redis) => ({
  ...right,
  add: (log, segment, batch) =>
    Effect.tap(right.add(log, segment, batch), () =>
      Effect.ignore(redis.send("XTRIM", `effect-cqrs:log:{${log}/${segment}}:entries`, "MAXLEN", "=", "1"))
    )
})

/** A group for which an event is handled when it is given. */
export const atOnce: Change = (right) => ({
  ...right,
  take: (claim, options) =>
    Effect.tap(right.take(claim, options), (taken) =>
      right.take(claim, { handled: taken?.entries.map(({ id }) => id) ?? [], millis: options.millis })
    )
})

export const right: Change = (driver) => driver

/** What happens to it meanwhile. */
interface Trouble {
  readonly promotions: number
  readonly ends: number
  /** Whether the member comes when all of that is over; otherwise it may have handled what is lost. */
  readonly isLate?: boolean
}

/** Positions of all segments together that a promotion loses here: some events are among them. */
const enough = 400

/** How many events a member has not handled in the end, after that much trouble. */
export const missed = (change: Change, { ends, isLate = false, promotions }: Trouble) =>
  Effect.gen(function* () {
    const log = "control"
    const server = yield* primary.start(log)
    const target = { url: Redacted.make(server.url) }
    const connection = RedisConnection.layer({ target, commandTimeout: "1 second" })
    const groups = Layer.effectContext(
      Effect.gen(function* () {
        const redis = yield* Redis.Redis
        return EventGroups.layerOf(change(yield* make({ prefix: "effect-cqrs", segments: 16 }), redis))
      })
    ).pipe(Layer.provide(connection))
    const context = yield* Layer.build(
      Layer.mergeAll(groups, TenantContext.layerSingle, SystemContext.layer("torture")).pipe(
        Layer.provideMerge(Memory.layer)
      )
    )
    return yield* Effect.gen(function* () {
      const all = yield* EventGroups.EventGroups
      const store = yield* EventStore.EventStore
      const handled = new Set<number>()
      const member = Effect.gen(function* () {
        const scope = yield* Scope.make()
        const subscribed = all.subscribe({
          log,
          group: "group",
          events: [Noted],
          lease: "600 millis",
          poll: "50 millis",
          handle: ({ event }) =>
            Effect.delay(
              Effect.sync(() => handled.add(event.n)),
              "2 millis"
            )
        })
        yield* Scope.provide(Effect.retry(subscribed, { times: 20 }), scope)
        return scope
      })
      yield* Effect.forkScoped(
        EventForwarding.run(EventForwarding.make(log, { events: [Noted], groups: ["group"], batchSize: 20 }))
      )
      let written = 0
      const write = Effect.gen(function* () {
        const events = [noted(++written), noted(++written)]
        yield* store.append({ stream: StreamName.make("Sum", String(written % 20)), expected: "any", events })
        yield* Effect.sleep("1 millis")
      })
      const writer = yield* Effect.forkScoped(Effect.forever(write))
      const promoted = Effect.replicateEffect(
        Effect.promise(() => server.promote(enough)),
        promotions
      )
      if (isLate) yield* promoted
      let scope = yield* member
      for (let n = 0; n < ends; n++) {
        yield* Effect.sleep("150 millis")
        yield* Scope.close(scope, Exit.void)
        scope = yield* member
      }
      yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
      if (!isLate) yield* promoted
      yield* Effect.sleep("200 millis")
      yield* Fiber.interrupt(writer)
      // It is over when everything is there, or when for a while nothing more comes.
      for (let [before, still] = [-1, 0]; handled.size < written && still < 20; still++) {
        if (handled.size > before) still = 0
        before = handled.size
        yield* Effect.sleep("200 millis")
      }
      return { missed: written - handled.size, lost: server.lost }
    }).pipe(Effect.provide(context))
  }).pipe(Effect.scoped)
