import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { Consumer, ConsumerStore, SystemContext } from "../../src/index.ts"
import { freshStore, quiet } from "../adapters/postgres/support.ts"
import { Added, added, append, consumers, parked, run, settled } from "./support.ts"

const Live = Layer.mergeAll(freshStore, SystemContext.layer("test"), quiet)

/** Waits until a condition holds, in real time. */
const until = <E, R>(condition: Effect.Effect<boolean, E, R>, what: string): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    for (let time = 0; time < 1000; time++) {
      if (yield* condition) return
      yield* Effect.sleep("20 millis")
    }
    return yield* Effect.die(new Error(`${what} did not come`))
  })

/** A worker that takes its time with its first batch, and gives no sign of life meanwhile. */
const frozen = (
  change: (store: ConsumerStore.ConsumerStore["Service"]) => Partial<ConsumerStore.ConsumerStore["Service"]>
) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`create table effects (n int, who text)`
    const handling = Deferred.makeUnsafe<void>()
    const goOn = Deferred.makeUnsafe<void>()
    const handled = Deferred.makeUnsafe<void>()
    const write = (n: number, who: string) => sql`insert into effects values (${n}, ${who})`
    const options = { events: [Added], segments: 1, lease: "300 millis" } as const
    const First = Consumer.make("watch", {
      ...options,
      handle: ({ event }) =>
        Effect.gen(function* () {
          yield* write(event.n, "first")
          yield* Deferred.succeed(handling, undefined)
          yield* Deferred.await(goOn)
          yield* Deferred.succeed(handled, undefined)
        })
    })
    const Second = Consumer.make("watch", { ...options, handle: ({ event }) => write(event.n, "second") })
    const store = yield* consumers
    let beats = 0
    const still = {
      ...store,
      ...change(store),
      beat: (...args: Parameters<typeof store.beat>) => (beats++ === 0 ? store.beat(...args) : Effect.never)
    }
    yield* append(1, ...added(1, 3))
    const first = yield* Effect.forkChild(Effect.provideService(run(First), ConsumerStore.ConsumerStore, still))
    yield* Deferred.await(handling)
    const second = yield* Effect.forkChild(run(Second))
    yield* until(settled("watch"), "the second worker")
    yield* Deferred.succeed(goOn, undefined)
    yield* Deferred.await(handled)
    yield* Effect.sleep("200 millis")
    yield* Fiber.interruptAll([first, second])
    const rows = yield* sql<{ readonly n: number; readonly who: string }>`select n, who from effects order by n, who`
    return rows.map(({ n, who }) => `${n} by the ${who}`)
  }).pipe(Effect.provide(Live))

describe("a consumer on Postgres", () => {
  it.live("keeps nothing of a worker that has lost its segment while it was at work", () =>
    Effect.gen(function* () {
      expect(yield* frozen(() => ({}))).toEqual(["1 by the second", "2 by the second", "3 by the second"])
    })
  )

  it.live("would keep it if the token were not looked at", () =>
    Effect.gen(function* () {
      const unfenced = frozen((store) => ({
        commit: (...args) =>
          Effect.catchReason(store.commit(...args), "ConsumerStoreError", "Fenced", () => Effect.void)
      }))
      expect((yield* unfenced).length).toBeGreaterThan(3)
    })
  )

  it.live("parks what its own statements refuse, and replays it in order", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`create table effects (seq serial, n int check (n <> 2))`
      const Watch = Consumer.make("watch", {
        events: [Added],
        retry: { times: 2, base: "1 millis", later: [] },
        handle: ({ event }) => sql`insert into effects (n) values (${event.n})`
      })
      yield* append(1, ...added(1, 4))
      const { position } = yield* append(2, ...added(5, 8))
      const running = yield* Effect.forkChild(run(Watch))
      yield* until(settled("watch", position), "the end of the log")
      const store = yield* parked
      expect((yield* store.list("watch")).map(({ position, status }) => [Number(position), status])).toEqual([
        [2, "parked"],
        [3, "waiting"],
        [4, "waiting"]
      ])
      yield* sql`alter table effects drop constraint effects_n_check`
      expect(yield* store.replay("watch")).toBe(1)
      yield* until(
        Effect.map(store.count("watch"), (count) => count === 0),
        "the replay"
      )
      yield* Fiber.interrupt(running)
      const rows = yield* sql<{ readonly n: number }>`select n from effects order by n`
      expect(rows.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
      const order = yield* sql<{ readonly n: number }>`select n from effects where n < 5 order by seq`
      expect(order.map(({ n }) => n)).toEqual([1, 2, 3, 4])
    }).pipe(Effect.provide(Live))
  )
})
