/**
 * Kills and freezes the processes of two groups, and takes Redis away from them in every way there is, while events are written:
 * what the groups have done is compared with the log.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Ref from "effect/Ref"
import * as path from "node:path"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as support from "../../adapters/postgres/support.ts"
import * as database from "../../services/database.ts"
import * as servers from "../../services/servers.ts"
import { Crew } from "../crew.ts"
import * as session from "../session.ts"
import { type Options, type Torture, unless, type Verdict } from "../Torture.ts"
import * as controls from "./controls.ts"
import * as primary from "./primary.ts"
import { judge, lease, log, missing, prepare } from "./sink.ts"

const crowd = 3
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
      yield* store.append({ stream: StreamName.make("Crowd", String(id)), expected: "any", events })
      yield* Effect.sleep(yield* Random.nextIntBetween(2, 12))
    }
    return n
  })

/** Each harm in turn, in another order each time. */
const harming = (server: primary.Primary) =>
  Effect.gen(function* () {
    const harms = primary.harms(server)
    while (true) {
      for (const name of yield* Random.shuffle(Object.keys(harms))) {
        yield* Effect.sleep(yield* Random.nextIntBetween(200, 700))
        yield* harms[name] ?? Effect.void
      }
    }
  })

/** Kills or freezes a worker now and then. */
const disturbing = (crew: Crew) =>
  Effect.gen(function* () {
    while (true) {
      yield* Effect.sleep(yield* Random.nextIntBetween(300, 900))
      const one = yield* Random.nextIntBetween(0, crew.size)
      if ((yield* Random.nextIntBetween(0, 3)) === 0) crew.kill(one)
      else crew.freeze(one, lease * 2)
    }
  })

/** What is wrong must be seen to miss events by the same comparison, and what is right must not. */
const control = Effect.gen(function* () {
  // Each has servers of its own.
  const [right, checkpoint, length, atOnce] = yield* Effect.all(
    [
      controls.missed(controls.right, { promotions: 1, ends: 2 }),
      controls.missed(controls.byCheckpoint, { promotions: 1, ends: 0, isLate: true }),
      controls.missed(controls.byLength, { promotions: 0, ends: 0 }),
      controls.missed(controls.atOnce, { promotions: 0, ends: 3 })
    ],
    { concurrency: "unbounded" }
  )
  return {
    counters: {
      "by a checkpoint beside the log": checkpoint.missed,
      "with streams of bounded length": length.missed,
      "handled when given": atOnce.missed
    },
    problems: unless({
      "in one process nothing is missed": right.missed === 0,
      "a forwarder that goes by its own checkpoint is seen to lose events": checkpoint.missed > 0,
      "a broker that keeps so many entries is seen to lose events": length.missed > 0,
      "a group that has handled what it is given is seen to lose events": atOnce.missed > 0
    })
  }
})

const run = ({ seconds, seed, server }: Options) =>
  Effect.gen(function* () {
    if (servers.redisProgram() === undefined) return { problems: [servers.withoutRedis], counters: {} }
    const wrong = yield* control
    const url = yield* database.make(yield* server)
    const context = yield* Layer.build(support.process(url, { applicationName: "torture", maxConnections: 4 }))
    return yield* Effect.gen(function* () {
      const own = yield* session.open(url)
      yield* prepare(own)
      const redis = yield* primary.start(log)
      const crew = yield* Effect.acquireRelease(
        Effect.sync(() => new Crew(path.join(import.meta.dirname, "worker.ts"), `${url} ${redis.url}`, crowd)),
        (crew) => Effect.sync(() => crew.dismiss())
      )
      const over = yield* Ref.make(false)
      const writer = yield* Effect.forkChild(writing(over))
      yield* crew.ready
      const trouble = Effect.raceFirst(harming(redis), disturbing(crew))
      yield* Effect.raceFirst(trouble, Effect.sleep(seconds * 1000))
      yield* Ref.set(over, true)
      const written = yield* Fiber.join(writer)
      crew.thaw()
      yield* own.query("update poison set repaired = true")
      const deadline = performance.now() + patience * 1000
      const isDone = Effect.map(missing(own), (counts) => counts.every((count) => count === 0))
      while (!(yield* isDone) && performance.now() < deadline) yield* Effect.sleep("250 millis")
      const { counters, problems } = yield* judge(own)
      const { sessions: _, "starts cut off": __, "segments lost to another": ___, ...crewCounts } = crew.counts
      const verdict: Verdict = {
        counters: {
          written,
          workers: crowd,
          ...crewCounts,
          "positions lost by promotions": redis.lost,
          ...counters,
          harm: redis.done,
          "missed by wrong ones": wrong.counters
        },
        problems: [...crew.deaths, ...problems, ...wrong.problems]
      }
      return verdict
    }).pipe(Effect.provide(context))
  }).pipe(Random.withSeed(seed))

export const torture: Torture = {
  promise:
    "groups miss nothing and keep the order of keys, whatever becomes of Redis, its replicas and the groups' processes",
  run
}
