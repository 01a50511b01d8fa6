/**
 * Rebuilds a projection, version after version, in processes that are killed while they do, over sessions that are ended under
 * them, while others write and read. Beside it a count that is not kept in one transaction, whose mistake has to be seen.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Position from "../../../src/domain/Position.ts"
import * as Projection from "../../../src/application/Projection.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as SystemContext from "../../../src/ports/SystemContext.ts"
import * as support from "../../adapters/postgres/support.ts"
import * as database from "../../services/database.ts"
import * as session from "../session.ts"
import { type Options, type Torture, unless, type Verdict } from "../Torture.ts"
import * as model from "./model.ts"

const system = SystemContext.layer("torture")

const streams = 20
const writers = 3
const workers = 2

/** What all that happens at once knows of each other. */
class Field {
  ended = false
  version = 2
  swaps = 0
  kills = 0
  reads = 0
  appended = 0
  failures = 0
  sessionsEnded = 0
  readonly problems: Array<string> = []
}

const writing = (field: Field) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    while (!field.ended) {
      const stream = StreamName.make("Tally", String(yield* Random.nextIntBetween(0, streams)))
      const count = yield* Random.nextIntBetween(1, 4)
      const events = Array.from({ length: count }, (_, n) => new model.Written({ n: field.appended + n }))
      yield* Effect.matchEffect(store.append({ stream, expected: "any", events }), {
        onSuccess: () => Effect.sync(() => void (field.appended += count)),
        onFailure: () =>
          Effect.andThen(
            Effect.sync(() => field.failures++),
            Effect.sleep("10 millis")
          )
      })
      yield* Effect.sleep("15 millis")
    }
  })

/** A process that works until it is killed, and what it says. */
const spawn = (url: string, field: Field): Effect.Effect<Worker, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new Worker(url, field)),
    (worker) => Effect.promise(() => worker.kill())
  )

class Worker {
  readonly child: ChildProcess
  readonly gone: Promise<void>
  readonly ready: Promise<void>

  constructor(url: string, field: Field) {
    const { version } = field
    this.child = fork(fileURLToPath(new URL("./worker.ts", import.meta.url)), [url, String(version)], {
      execArgv: ["--conditions=effect-cqrs-src"],
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
    this.gone = new Promise((resolve) => this.child.once("exit", () => resolve()))
    this.ready = new Promise((resolve) => this.child.once("message", () => resolve()))
    this.child.on("message", (word) => {
      // Who swapped may be gone before it says so: the next one finds it done.
      if (word !== "swapped" || version < field.version) return
      field.swaps++
      field.version = version + 1
    })
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL")
    await this.gone
  }
}

/** One worker after the other, each killed a little after it has begun to build. */
const killing = (url: string, field: Field) =>
  Effect.gen(function* () {
    while (!field.ended) {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const worker = yield* spawn(url, field)
          yield* Effect.promise(() => Promise.race([worker.ready, worker.gone]))
          yield* Effect.sleep(yield* Random.nextIntBetween(100, 400))
          field.kills++
        })
      )
    }
  })

/** Ends a session of the library now and then, whatever it is doing. */
const terminating = (url: string, field: Field) =>
  Effect.gen(function* () {
    const own = yield* session.open(url)
    while (!field.ended) {
      yield* Effect.sleep(yield* Random.nextIntBetween(100, 300))
      field.sessionsEnded += yield* session.number(
        own,
        `select count(pg_terminate_backend(pid)) from (select pid from pg_stat_activity
          where datname = current_database() and application_name = 'effect-cqrs' order by random() limit 1) as one`
      )
    }
  })

/** What is read at every moment is of one version, and goes back neither in it nor in what it holds. */
const reading = (url: string, field: Field) =>
  Effect.gen(function* () {
    const own = yield* session.open(url)
    let last = { count: 0, version: 0 }
    while (!field.ended) {
      const [row] = yield* session.rows(
        own,
        "select coalesce(sum(count), 0)::int as count, min(version) as oldest, max(version) as newest from tally"
      )
      field.reads++
      const [count, oldest, newest] = [Number(row?.["count"]), Number(row?.["oldest"]), Number(row?.["newest"])]
      if (count < last.count) field.problems.push(`${count} events were read after ${last.count}`)
      if (count > 0 && newest < last.version) field.problems.push(`version ${newest} was read after ${last.version}`)
      last = { count, version: Math.max(newest, last.version) }
      // A version that goes on is of one kind; what it took over while it was swapped in is so as well.
      if (count > 0 && oldest !== newest) field.problems.push(`versions ${oldest} and ${newest} were read together`)
      yield* Effect.sleep("1 millis")
    }
  })

const prepare = (url: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const own = yield* session.open(url)
      yield* own.query("create table wrong_checkpoint as select 0::int8 as position")
      yield* own.query("create table wrong_count as select 0::int8 as count")
    })
  )

const run = ({ seconds, seed, server }: Options) =>
  Effect.gen(function* () {
    const url = yield* database.make(yield* server)
    const field = new Field()
    const services = yield* Layer.build(support.process(url, { maxConnections: 6 }))
    yield* prepare(url)
    // The first version is read before anything happens.
    const first = model.tally(1)
    const store = yield* Effect.provide(EventStore.EventStore, services)
    const running = Projection.run(first, { onNewVersion: "wait" }).pipe(
      Effect.catchCause(() => Effect.sleep("20 millis")),
      Effect.forever
    )
    const old = yield* Effect.forkChild(running.pipe(Effect.provide(services), Effect.provide(system)))
    const append = store.append({
      stream: StreamName.make("Tally", "0"),
      expected: "any",
      events: [new model.Written({ n: 0 })]
    })
    const receipt = yield* append.pipe(Effect.provide(services))
    yield* Projection.waitFor(first, receipt, { timeout: "20 seconds" }).pipe(Effect.provide(services))

    const all = yield* Effect.forkChild(
      Effect.all(
        [
          ...Array.from({ length: writers }, () => Effect.provide(writing(field), services)),
          ...Array.from({ length: workers }, () => killing(url, field)),
          terminating(url, field),
          reading(url, field)
        ],
        { concurrency: "unbounded", discard: true }
      )
    )
    yield* Effect.sleep(seconds * 1000)
    // On a busy machine it takes a while until enough has happened.
    for (let turn = 0; turn < 200 && (field.kills < 6 || field.swaps === 0); turn++) yield* Effect.sleep("100 millis")
    field.ended = true
    yield* Fiber.join(all)
    yield* Fiber.interrupt(old)

    // One that is left alone finishes what the others have begun.
    const scope = yield* Scope.make()
    yield* Scope.provide(spawn(url, field), scope)
    const last = yield* Effect.retry(append.pipe(Effect.provide(services)), { times: 5 })
    const end = model.tally(field.version)
    const caughtUp = yield* Effect.exit(
      Projection.waitFor(end, { position: Position.make(last.position) }, { timeout: "30 seconds" }).pipe(
        Effect.provide(services)
      )
    )
    for (let turn = 0; turn < 200 && field.swaps === 0; turn++) yield* Effect.sleep("50 millis")
    yield* Scope.close(scope, Exit.void)
    const own = yield* session.open(url)
    const expected = yield* session.rows(own, foldText)
    const table = yield* session.rows(own, "select stream, count, sum from tally order by stream")
    const documents = yield* session.rows(own, documentsText)
    const wrong = yield* session.number(own, "select count from wrong_count")
    const right = yield* session.number(
      own,
      "select count(*) from es.event where position <= (select position from wrong_checkpoint)"
    )
    return judge(field, {
      caughtUp: caughtUp._tag === "Success",
      expected: JSON.stringify(expected),
      table: JSON.stringify(table),
      documents: JSON.stringify(documents),
      wrong: wrong - right
    })
  }).pipe(Random.withSeed(seed))

const foldText = `select stream, count(*)::int as count, sum((data->>'n')::int)::int as sum from es.event
group by stream order by stream`

const documentsText = `select id as stream, (data->>'count')::int as count, (data->>'sum')::int as sum from es.document
where collection = (select kept_as from es.collection where name = 'tallies') order by id`

interface Found {
  readonly caughtUp: boolean
  readonly expected: string
  readonly table: string
  readonly documents: string
  readonly wrong: number
}

const judge = (field: Field, { caughtUp, documents, expected, table, wrong }: Found): Verdict => {
  const { appended, sessionsEnded, failures, kills, problems, reads, swaps } = field
  const holds = unless({
    "something was killed, and something swapped": kills > 1 && swaps > 0,
    "what is left alone catches up": caughtUp,
    "the table is a fold of the log": table === expected,
    "the collection is a fold of the log": documents === expected
  })
  return {
    // A run that cannot see the mistake proves nothing.
    problems: [...problems.slice(0, 5), ...holds, ...(wrong === 0 ? ["the wrong count was not seen to be wrong"] : [])],
    counters: {
      events: appended,
      "processes killed": kills,
      "sessions ended": sessionsEnded,
      "versions swapped in": swaps,
      reads,
      "appends that failed": failures,
      "how wrong the wrong count is": wrong
    }
  }
}

export const torture: Torture = {
  promise: "what is rebuilt is a fold of the log, and every reader sees one whole version",
  run
}
