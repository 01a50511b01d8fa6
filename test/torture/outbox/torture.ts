/**
 * Kills, freezes and cuts off the processes of a relay again and again while much is enqueued, and compares what was received
 * with what was committed.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Ref from "effect/Ref"
import * as SqlClient from "effect/sql/SqlClient"
import * as path from "node:path"
import * as Outbox from "../../../src/ports/Outbox.ts"
import { UnitOfWork } from "../../../src/ports/UnitOfWork.ts"
import * as support from "../../adapters/postgres/support.ts"
import * as database from "../../services/database.ts"
import { Crew, disturb } from "../crew.ts"
import * as session from "../session.ts"
import type { Options, Torture, Verdict } from "../Torture.ts"
import { judge, lease, prepare, records, Sent, workerName } from "./sink.ts"

const crowd = 3
const producers = 3
const keys = 8
/** How long everything may take to come to the end once it is left in peace, in seconds. */
const patience = 60

/** Enqueues with a note of it in the same transaction; every fifth transaction is rolled back. */
const producing = (producer: number, over: Ref.Ref<boolean>) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const unit = yield* UnitOfWork
    let n = 0
    while (!(yield* Ref.get(over))) {
      const isLost = (yield* Random.nextIntBetween(0, 5)) === 0
      const one = Effect.gen(function* () {
        const chosen = yield* Random.nextIntBetween(0, keys + 4)
        const key = chosen < keys ? `${producer}-${chosen}` : undefined
        const message = new Sent({ n: ++n, ...(key !== undefined && { key }) })
        const id = yield* Outbox.enqueue(message, { queue: "torture" })
        yield* sql`insert into sent (id, key, n) values (${id}, ${key ?? null}, ${n})`
      })
      const several = Effect.andThen(one, Effect.andThen(one, one))
      yield* Effect.ignore(unit.transaction(isLost ? Effect.andThen(several, Effect.fail("no")) : several))
      yield* Effect.sleep(yield* Random.nextIntBetween(2, 12))
    }
    return n
  })

/** Claims with a lease that is too short, and says that it has delivered what another has by then. */
const beingStale = (over: Ref.Ref<boolean>, problems: Array<string>) =>
  Effect.gen(function* () {
    const outbox = yield* Outbox.Outbox
    const claim = (worker: string, millis: number) =>
      outbox.claim("stale", { worker, limit: 5, lease: Duration.millis(millis), from: "" })
    let refused = 0
    while (!(yield* Ref.get(over))) {
      const round = Effect.gen(function* () {
        yield* Outbox.enqueue(new Sent({ n: 1 }), { queue: "stale" })
        const stale = yield* claim("stale", 5)
        yield* Effect.sleep("20 millis")
        const fresh = yield* claim("fresh", 60_000)
        if (fresh.length !== stale.length) return
        const noted = yield* outbox.complete(stale)
        if (noted.length > 0) problems.push("what a worker said of messages that another has was taken for true")
        refused += stale.length
        yield* outbox.complete(fresh)
      })
      yield* Effect.ignore(round)
      yield* Effect.sleep("50 millis")
    }
    return refused
  })

const run = ({ seconds, seed, server }: Options) =>
  Effect.gen(function* () {
    const url = yield* database.make(yield* server)
    const context = yield* Layer.build(support.process(url, { applicationName: "torture", maxConnections: 6 }))
    return yield* Effect.gen(function* () {
      const own = yield* session.open(url)
      yield* prepare(own)
      const crew = yield* Effect.acquireRelease(
        Effect.sync(() => new Crew(path.join(import.meta.dirname, "worker.ts"), url, crowd)),
        (crew) => Effect.sync(() => crew.dismiss())
      )
      const over = yield* Ref.make(false)
      const problems: Array<string> = []
      const working = yield* Effect.forEach(Array.from({ length: producers }), (_, n) =>
        Effect.forkChild(producing(n, over))
      )
      const stale = yield* Effect.forkChild(beingStale(over, problems))
      yield* crew.ready
      const until = performance.now() + seconds * 1000
      while (performance.now() < until) yield* disturb(crew, own, { application: workerName, lease })
      yield* Ref.set(over, true)
      yield* Fiber.joinAll(working)
      const refused = yield* Fiber.join(stale)
      crew.thaw()

      const outbox = yield* Outbox.Outbox
      const isQuiet = Effect.map(outbox.counts("torture"), ({ inFlight, parked, pending, retrying }) => ({
        parked,
        others: inFlight + pending + retrying
      }))
      const deadline = performance.now() + patience * 1000
      // What is parked stays for as long as nobody looks, and all else that waits does so behind it.
      let standing = yield* isQuiet
      let parked = 0
      let calm = 0
      while (calm < 3 && performance.now() < deadline) {
        yield* Effect.sleep("300 millis")
        const next = yield* isQuiet
        calm = next.parked === standing.parked && next.others === standing.others ? calm + 1 : 0
        standing = next
      }
      parked = standing.parked
      yield* own.query("update poison set repaired = true")
      while (standing.parked + standing.others > 0 && performance.now() < deadline) {
        yield* outbox.replay("torture")
        yield* Effect.sleep("300 millis")
        standing = yield* isQuiet
      }
      const { received, sent } = yield* records(own)
      const verdict: Verdict = {
        counters: {
          sent: sent.length,
          received: received.length,
          "received again": received.length - new Set(received.map(({ id }) => id)).size,
          parked,
          "stale claims refused": refused,
          kills: crew.counts.kills,
          freezes: crew.counts.freezes,
          sessions: crew.counts.sessions
        },
        problems: [
          ...(standing.parked + standing.others === 0 ? [] : [`not so: all was delivered within ${patience} seconds`]),
          ...crew.deaths,
          ...problems,
          ...judge(sent, received).slice(0, 20)
        ]
      }
      return verdict
    }).pipe(Effect.provide(context))
  }).pipe(Random.withSeed(seed))

export const torture: Torture = {
  promise: "relays whose processes die, freeze and are cut off deliver all that was committed, in the order of keys",
  run
}
