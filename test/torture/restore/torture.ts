/**
 * Moves the log to a new server while it is written to, and goes on there: readers from where they were, appends behind all
 * that is there.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Projection from "../../../src/application/Projection.ts"
import * as Position from "../../../src/domain/Position.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as SystemContext from "../../../src/ports/SystemContext.ts"
import * as support from "../../adapters/postgres/support.ts"
import * as database from "../../services/database.ts"
import * as servers from "../../services/servers.ts"
import { foldOf, logOf } from "../crash/judge.ts"
import * as writers from "../crash/writers.ts"
import * as server from "../server.ts"
import * as session from "../session.ts"
import { type Options, type Torture, unless, type Verdict } from "../Torture.ts"
import * as transfers from "./transfer.ts"

const crowd = 8

/** A reader outside of the database, which keeps its own cursor. */
class Reader {
  cursor = Position.start
  readonly seen: Array<readonly [position: number, id: string]> = []

  /** Reads up to the mark. */
  get read() {
    return Effect.gen({ self: this }, function* () {
      const store = yield* EventStore.EventStore
      while (true) {
        const page = yield* store.readAllTenants({ after: this.cursor, limit: 200 }).pipe(SystemContext.provide("test"))
        for (const { id, position } of page.events) this.seen.push([position, id])
        if (page.cursor === this.cursor) return
        this.cursor = page.cursor
      }
    })
  }

  copy(): Reader {
    const reader = new Reader()
    reader.cursor = this.cursor
    reader.seen.push(...this.seen)
    return reader
  }
}

const projecting = Projection.run(writers.totals).pipe(
  Effect.retry(Schedule.spaced("50 millis")),
  SystemContext.provide("test")
)

const writing = (ledger: writers.Ledger) =>
  Effect.all(
    [
      ...Array.from({ length: crowd }, (_, n) => writers.writer(ledger, String(n))),
      // Leaves holes, below the mark and above.
      Effect.whileLoop({ while: () => !ledger.ended, body: () => writers.undone, step: () => undefined })
    ],
    { concurrency: "unbounded", discard: true }
  )

/** Writes on one database for a while, and moves it meanwhile. */
const before = (from: string, to: string, transfer: transfers.Transfer, seconds: number) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(support.process(from, { maxConnections: crowd + 3 }))
    return yield* Effect.gen(function* () {
      const ledger = new writers.Ledger()
      const work = yield* Effect.forkChild(writing(ledger))
      const projection = yield* Effect.forkChild(projecting)
      const reader = new Reader()
      yield* Effect.sleep(seconds * 500)
      yield* reader.read
      const early = reader.copy()
      yield* transfer(from, to)
      yield* Effect.sleep(seconds * 100)
      ledger.ended = true
      yield* Fiber.join(work)
      yield* Fiber.interrupt(projection)
      const store = yield* EventStore.EventStore
      const own = yield* session.open(from)
      yield* support.settled(store, yield* support.lastDrawn(own)).pipe(Effect.timeout("10 seconds"))
      yield* reader.read
      return { early, late: reader }
    }).pipe(Effect.provide(context))
  }).pipe(Effect.scoped)

/** Goes on where it was moved to. */
const after = (url: string, early: Reader, late: Reader, seconds: number, behind: boolean) =>
  Effect.gen(function* () {
    const own = yield* session.open(url)
    const restored = yield* logOf(own)
    const mark = yield* session.number(own, "select position from es.high_water where id = 1")
    const highest = Math.max(mark, ...restored.map(({ position }) => position))
    const context = yield* Layer.build(support.process(url, { maxConnections: crowd + 3 }))
    return yield* Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      // As for a program that was connected before the rows came.
      if (behind) yield* own.query("alter sequence es.position restart")
      const next = yield* Effect.result(
        store.append({
          stream: StreamName.make("Restored", "first"),
          expected: "none",
          events: [support.noted(1_000_000_000)]
        })
      )
      const first = next._tag === "Success" ? next.success.position : Number.NaN
      const ledger = new writers.Ledger(1_000_000_000)
      const work = yield* Effect.forkChild(writing(ledger))
      const projection = yield* Effect.forkChild(projecting)
      yield* Effect.sleep(seconds * 300)
      ledger.ended = true
      yield* Fiber.join(work)
      const last = yield* support.lastDrawn(own)
      const arrived = yield* Effect.timeoutOption(support.settled(store, last), "10 seconds")
      const reader = early.copy()
      yield* reader.read
      const caughtUp = Effect.map(
        session.number(
          own,
          "select count(*) from es.high_water h where h.position <= (select c.position from es.checkpoint c where c.name like '%totals%')"
        ),
        (count) => count === 1
      )
      yield* Effect.timeoutOption(Effect.repeat(Effect.delay(caughtUp, 20), { until: (isSo) => isSo }), "10 seconds")
      yield* Fiber.interrupt(projection)
      const log = yield* logOf(own)
      const documents = Object.fromEntries((yield* writers.Totals.list()).map(({ document, id }) => [id, document]))
      const totals = foldOf(log)
      const ids = new Map(log.map(({ id, position }) => [position, id]))
      const given = new Set(reader.seen.map(([position]) => position))
      return {
        restored: restored.length,
        "written after it": log.length - restored.length,
        "next append above all": first > highest ? 1 : 0,
        "mark comes to the last position": arrived._tag === "Some" ? 1 : 0,
        missed: log.filter(({ position }) => !given.has(position)).length,
        duplicated: reader.seen.length - given.size,
        replaced: reader.seen.filter(([position, id]) => ids.get(position) !== id).length,
        "documents that differ from the log": [...new Set([...Object.keys(documents), ...Object.keys(totals)])].filter(
          (key) => JSON.stringify(documents[key]) !== JSON.stringify(totals[key])
        ).length,
        // What was read on the old server after the dump, and is not here: only the id tells.
        "read elsewhere and not here": late.seen.filter(([position, id]) => ids.get(position) !== id).length,
        "of these told by position alone": late.seen.filter(([position]) => !ids.has(position)).length
      }
    }).pipe(Effect.provide(context))
  }).pipe(Effect.scoped)

const move = (from: string, to: string, transfer: transfers.Transfer, seconds: number, behind = false) =>
  Effect.flatMap(before(from, to, transfer, seconds), ({ early, late }) => after(to, early, late, seconds, behind))

const migrated = (url: string) => Effect.scoped(Layer.build(support.process(url)))

const byDump = (programs: string, seconds: number) =>
  Effect.gen(function* () {
    const [one, other] = yield* Effect.all([server.start({ programs }), server.start({ programs })], {
      concurrency: "unbounded"
    })
    const from = yield* database.make(one.url)
    const to = yield* database.make(other.url)
    yield* migrated(from)
    return yield* move(from, to, transfers.dump(programs), seconds)
  })

const byRows = (on: string, seconds: number, how: { readonly sequence: boolean; readonly behind?: boolean }) =>
  Effect.gen(function* () {
    const from = yield* database.make(on)
    const to = yield* database.make(on)
    yield* migrated(from)
    yield* migrated(to)
    return yield* move(from, to, transfers.rows(how), seconds, how.behind)
  })

const holds = (name: string, moved: Effect.Success<ReturnType<typeof move>>) =>
  unless({
    [`${name}: something was moved, and something written after it`]:
      moved.restored > 10 && moved["written after it"] > 10,
    [`${name}: the next append is above all positions and the mark`]: moved["next append above all"] === 1,
    [`${name}: the mark comes to the last position`]: moved["mark comes to the last position"] === 1,
    [`${name}: a reader that goes on misses nothing`]: moved.missed === 0,
    [`${name}: it sees nothing twice`]: moved.duplicated === 0,
    [`${name}: what it had read is there`]: moved.replaced === 0,
    [`${name}: read models are what the log comes to`]: moved["documents that differ from the log"] === 0,
    [`${name}: ids tell what was read on the old server and is not here`]: moved["read elsewhere and not here"] > 0
  })

const run = ({ seconds, seed, server: shared }: Options) =>
  Effect.gen(function* () {
    const on = yield* shared
    const share = seconds / 4
    const programs = servers.dumpPrograms()
    const dumped = programs === undefined ? undefined : yield* byDump(programs, share)
    const copied = yield* byRows(on, share, { sequence: true })
    const alone = yield* byRows(on, share, { sequence: false })
    const forgotten = yield* byRows(on, share, { sequence: false, behind: true })
    const verdict: Verdict = {
      problems: [
        ...(dumped === undefined ? [] : holds("pg_dump | psql", dumped)),
        ...holds("rows and the sequence", copied),
        ...holds("rows alone, before the program starts", alone),
        ...unless({
          "rows alone, after the program has started, were seen to lose events":
            forgotten["next append above all"] === 0
        })
      ],
      counters: {
        "pg_dump | psql":
          dumped ?? "not run: this machine has no pg_dump beside a server; PG_BIN=/folder/of/programs names one",
        "rows and the sequence": copied,
        "rows alone, before the program starts": alone,
        "rows alone, after the program has started": forgotten
      }
    }
    return verdict
  }).pipe(Random.withSeed(seed))

export const torture: Torture = {
  promise: "a log that was moved while it was written to goes on on its new server, and readers with it",
  run
}
