/**
 * Kills, freezes and cuts off the processes of two consumers again and again while much is written, and compares what they
 * have done with the log.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Ref from "effect/Ref"
import * as path from "node:path"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as ConsumerStore from "../../../src/ports/ConsumerStore.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as ParkedStore from "../../../src/ports/ParkedStore.ts"
import * as support from "../../adapters/postgres/support.ts"
import * as database from "../../services/database.ts"
import * as session from "../session.ts"
import type { Options, Torture, Verdict } from "../Torture.ts"
import { Crew, disturb } from "../crew.ts"
import { judge, lease, prepare, workerName } from "./sink.ts"

const crowd = 4
const streams = 60
/** How long everything may take to come to the end once it is left in peace, in seconds. */
const patience = 60

const writing = (over: Ref.Ref<boolean>) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    let n = 0
    while (!(yield* Ref.get(over))) {
      const id = yield* Random.nextIntBetween(0, streams)
      const events = [support.noted(++n), support.noted(++n)]
      yield* Effect.ignore(store.append({ stream: StreamName.make("Crowd", String(id)), expected: "any", events }))
      yield* Effect.sleep(yield* Random.nextIntBetween(1, 8))
    }
    return n
  })

const run = ({ seconds, seed, server }: Options) =>
  Effect.gen(function* () {
    const url = yield* database.make(yield* server)
    const context = yield* Layer.build(support.process(url, { applicationName: "torture", maxConnections: 4 }))
    return yield* Effect.gen(function* () {
      const own = yield* session.open(url)
      yield* prepare(own)
      const crew = yield* Effect.acquireRelease(
        Effect.sync(() => new Crew(path.join(import.meta.dirname, "worker.ts"), url, crowd)),
        (crew) => Effect.sync(() => crew.dismiss())
      )
      const over = yield* Ref.make(false)
      const writer = yield* Effect.forkChild(writing(over))
      yield* crew.ready
      const until = performance.now() + seconds * 1000
      while (performance.now() < until) yield* disturb(crew, own, { application: workerName, lease })
      yield* Ref.set(over, true)
      const written = yield* Fiber.join(writer)
      crew.thaw()

      const parked = yield* ParkedStore.ParkedStore
      const poisoned = yield* parked.count("inside")
      yield* own.query("update poison set repaired = true")
      const consumers = yield* ConsumerStore.ConsumerStore
      const last = yield* support.lastDrawn(own)
      const isDone = Effect.gen(function* () {
        yield* parked.replay("inside")
        for (const name of ["inside", "outside"]) {
          const { segments } = yield* consumers.inspect(name)
          if (segments.some(({ checkpoint }) => checkpoint.position < last)) return false
          if ((yield* parked.count(name)) > 0) return false
        }
        return true
      })
      const deadline = performance.now() + patience * 1000
      let isThere = false
      while (!isThere && performance.now() < deadline) {
        yield* Effect.sleep("250 millis")
        isThere = yield* isDone
      }
      const { counters, problems } = yield* judge(own)
      const verdict: Verdict = {
        counters: { written, "parked meanwhile": poisoned, ...crew.counts, ...counters },
        problems: [
          ...(isThere ? [] : [`not so: all was handled within ${patience} seconds`]),
          ...crew.deaths,
          ...problems
        ]
      }
      return verdict
    }).pipe(Effect.provide(context))
  }).pipe(Random.withSeed(seed))

export const torture: Torture = {
  promise:
    "consumers whose processes die, freeze and are cut off miss nothing, keep the order of keys, and do nothing twice",
  run
}
