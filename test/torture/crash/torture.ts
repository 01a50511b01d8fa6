/**
 * Kills the server again and again while much is written, read and projected, and compares what was acknowledged with what
 * is there. Beside it a server that acknowledges before it has flushed, whose loss has to be seen.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Projection from "../../../src/application/Projection.ts"
import * as Position from "../../../src/domain/Position.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as SystemContext from "../../../src/ports/SystemContext.ts"
import type * as servers from "../../services/servers.ts"
import * as support from "../../adapters/postgres/support.ts"
import * as database from "../../services/database.ts"
import * as server from "../server.ts"
import * as session from "../session.ts"
import { type Options, type Torture, unless, type Verdict } from "../Torture.ts"
import * as control from "./control.ts"
import { type Found, judge } from "./judge.ts"
import * as writers from "./writers.ts"

const crowd = 12

/** How often the server is killed: a short run has two crashes. */
const killsIn = (seconds: number) => (seconds < 8 ? 2 : 4)

/** What a reader that goes on over all crashes was given: the event at each position, in its order. */
const follower = (store: EventStore.EventStore["Service"], seen: Array<readonly [position: number, id: string]>) => {
  let after = Position.start
  const page = Effect.gen(function* () {
    const found = yield* store.readAllTenants({ after, limit: 200 }).pipe(SystemContext.provide("test"))
    for (const { id, position } of found.events) seen.push([position, id])
    if (found.cursor === after) yield* Effect.race(store.changed(after), Effect.sleep("50 millis"))
    after = found.cursor
  })
  return Effect.forever(Effect.catch(page, () => Effect.sleep("50 millis")))
}

/**
 * Prepares a transaction that has drawn a position and lets the server crash over it, which gives it another name: the mark
 * must not pass it while it is pending. Answers with how far it did pass.
 */
const crashOverPrepared = (one: servers.Server, url: string, round: number, pending: Array<number>) =>
  Effect.gen(function* () {
    const position = yield* Effect.scoped(
      Effect.gen(function* () {
        const own = yield* session.open(url)
        yield* own.query("begin")
        const { position } = yield* session.append(own, `Prepared-${round}`)
        yield* own.query(`prepare transaction 'crash-${round}'`)
        return position
      })
    )
    pending.push(position)
    const start = performance.now()
    yield* server.crash(one)
    const down = performance.now() - start
    return yield* Effect.scoped(
      Effect.gen(function* () {
        const own = yield* session.open(url)
        // So much is drawn that an agent which does not know it has passed it.
        const drawn = yield* session.number(own, "select pg_sequence_last_value('es.position'::regclass)")
        yield* Effect.repeat(
          Effect.andThen(
            Effect.sleep("10 millis"),
            session.number(own, "select coalesce(pg_sequence_last_value('es.position'::regclass), 0)")
          ),
          { until: (last) => last > drawn + 100 }
        ).pipe(Effect.timeoutOption("5 seconds"))
        const mark = yield* session.number(own, "select position from es.high_water where id = 1")
        yield* own.query(`commit prepared 'crash-${round}'`)
        return { passed: mark >= position ? 1 : 0, down }
      })
    )
  })

const run = ({ seconds, seed }: Options) =>
  Effect.gen(function* () {
    const kills = killsIn(seconds)
    const one = yield* server.start({ durable: true })
    const url = yield* database.make(one.url)
    const ledger = new writers.Ledger()
    const seen: Array<readonly [position: number, id: string]> = []
    const pending: Array<number> = []
    const context = yield* Layer.build(support.process(url, { maxConnections: crowd + 4 }))
    const store = yield* Effect.provide(EventStore.EventStore, context)

    const writing = yield* Effect.forkChild(
      Effect.all(
        Array.from({ length: crowd }, (_, n) => writers.writer(ledger, String(n))),
        { concurrency: "unbounded", discard: true }
      ).pipe(Effect.provide(context))
    )
    const following = yield* Effect.forkChild(follower(store, seen))
    const projecting = yield* Effect.forkChild(
      Projection.run(writers.totals).pipe(
        Effect.retry(Schedule.spaced("50 millis")),
        SystemContext.provide("test"),
        Effect.provide(context)
      )
    )
    let passed = 0
    let down = 0
    for (let round = 0; round < kills; round++) {
      yield* Effect.sleep((seconds * 1000) / kills)
      const crash = yield* crashOverPrepared(one, url, round, pending)
      passed += crash.passed
      down += crash.down
    }
    yield* Effect.sleep(200)
    ledger.ended = true
    yield* Fiber.join(writing)

    const own = yield* session.open(url)
    const last = yield* support.lastDrawn(own)
    // The pool may still hold sessions of a server that is gone.
    const settled = support.settled(store, last).pipe(Effect.retry(Schedule.spaced("50 millis")))
    const arrived = (yield* Effect.timeoutOption(settled, "15 seconds"))._tag === "Some"
    const found: Found = { ledger, seen, pending, own }
    const caughtUp = yield* waitFor(
      Effect.map(
        session.number(own, "select count(*) from es.event e, es.high_water h where e.position <= h.position"),
        (count) => seen.length >= count
      )
    )
    const projected = yield* waitFor(
      Effect.map(
        session.number(
          own,
          `select count(*) from es.high_water h where h.position <= (select c.position from es.checkpoint c where c.name like '%totals%')`
        ),
        (count) => count === 1
      )
    )
    yield* Fiber.interrupt(following)
    yield* Fiber.interrupt(projecting)
    const judged = yield* judge(found).pipe(Effect.provide(context))
    const lax = yield* control.run
    const verdict: Verdict = {
      problems: [
        ...unless({
          "the mark comes to the last position after all crashes": arrived,
          "the reader comes to the mark": caughtUp,
          "the projection comes to the mark": projected,
          "the mark waits for what was prepared before a crash": passed === 0,
          "something was written between all crashes": ledger.acknowledged.size > 10 * kills
        }),
        ...judged.problems,
        ...lax.problems
      ],
      counters: {
        kills,
        writers: crowd,
        "seconds without a server": Number((down / 1000).toFixed(2)),
        ...judged.counters,
        ...lax.counters
      }
    }
    return verdict
  }).pipe(Random.withSeed(seed))

const waitFor = <E, R>(condition: Effect.Effect<boolean, E, R>) =>
  Effect.map(
    Effect.timeoutOption(Effect.repeat(Effect.delay(condition, 20), { until: (isTrue) => isTrue }), "15 seconds"),
    (outcome) => outcome._tag === "Some"
  )

export const torture: Torture = {
  promise: "what was acknowledged outlives SIGKILL of the server, and nothing else appears",
  run
}
