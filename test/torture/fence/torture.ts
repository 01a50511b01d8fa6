/**
 * The order of the log under writers that stall, undo and prepare, for readers of two processes whose agents also take the
 * lease from each other; beside readers by four wrong rules, which must be seen to fail.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type * as Position from "../../../src/domain/Position.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as support from "../../adapters/postgres/support.ts"
import * as database from "../../services/database.ts"
import * as session from "../session.ts"
import { type Counters, type Options, type Torture, unless, type Verdict } from "../Torture.ts"
import * as readers from "./readers.ts"
import * as writers from "./writers.ts"

const inLibrary = 14
const inSessions = 8
const preparing = 2
const total = inLibrary + inSessions + preparing

/** What is wrong with what a reader saw, by how often. */
const faults = ({ positions, torn }: readers.Seen, written: ReadonlySet<number>) => ({
  missed: written.size - new Set(positions.filter((position) => written.has(position))).size,
  duplicated: positions.length - new Set(positions).size,
  inverted: positions.filter((position, index) => index > 0 && position < (positions[index - 1] ?? 0)).length,
  invented: positions.filter((position) => !written.has(position)).length,
  torn
})

type Faults = ReturnType<typeof faults>

const sum = (all: ReadonlyArray<Faults>, key: keyof Faults) => all.reduce((sum, one) => sum + one[key], 0)

/** Ends the lease while its holder is at work, so that another takes it and both move the mark. */
const usurp = (own: session.Session) =>
  Effect.andThen(
    own.query("update es.high_water set lease_until = clock_timestamp(), owner = null"),
    Effect.sleep("30 millis")
  )

const run = ({ seconds, seed, server }: Options) =>
  Effect.gen(function* () {
    const url = yield* database.make(yield* server)
    const one = yield* Layer.build(support.process(url, { maxConnections: inLibrary / 2 + 3 }))
    const other = yield* Layer.build(support.process(url, { maxConnections: inLibrary / 2 + 3 }))
    const own = yield* session.open(url)
    const field = new writers.Field(total)
    let end: Position.Position | undefined
    const until = () => ({ position: end })

    const following = yield* Effect.forkChild(
      Effect.all(
        [
          readers.follower("one process", until, 100).pipe(Effect.provide(one)),
          readers.follower("page by page", until, 3).pipe(Effect.provide(one)),
          readers.follower("another process", until, 500).pipe(Effect.provide(other))
        ],
        { concurrency: "unbounded" }
      )
    )
    const mistaken = yield* Effect.forkChild(
      Effect.all(
        Object.entries(readers.wrongRules).map(([name, rule]) => readers.wrong(name, until, url, rule)),
        { concurrency: "unbounded" }
      )
    )
    const writing = yield* Effect.forkChild(
      Effect.all(
        [
          ...Array.from({ length: inLibrary }, (_, n) =>
            writers.library(field).pipe(Effect.provide(n % 2 === 0 ? one : other))
          ),
          ...Array.from({ length: inSessions }, () => writers.raw(field, url)),
          ...Array.from({ length: preparing }, (_, n) => writers.preparer(field, url, `torture-${n}`)),
          writers.solitary(field, url)
        ],
        { concurrency: "unbounded", discard: true }
      )
    )
    // One leader in the first half, and two that lead at once in the other.
    yield* Effect.sleep(seconds * 500)
    const usurping = yield* Effect.forkChild(Effect.forever(usurp(own)))
    yield* Effect.sleep(seconds * 500)
    field.ended = true
    yield* Fiber.join(writing)
    yield* Fiber.interrupt(usurping)

    // Nothing is written any more: the mark has to come to the last position that was drawn, used or not.
    const last = yield* support.lastDrawn(own)
    const store = yield* Effect.provide(EventStore.EventStore, one)
    const arrived = yield* Effect.timeoutOption(support.settled(store, last), "10 seconds")
    end = yield* store.mark
    const right = yield* Fiber.join(following)
    const wrong = yield* Fiber.join(mistaken)
    const rows = yield* session.rows(own, "select position::float8 as position from es.event")
    const written = new Set(rows.map((row) => Number(row["position"])))
    return judge(field, { written, right, wrong, arrived: arrived._tag === "Some", seconds })
  }).pipe(Random.withSeed(seed))

interface Ran {
  readonly written: ReadonlySet<number>
  readonly right: ReadonlyArray<readers.Seen>
  readonly wrong: ReadonlyArray<readers.Seen>
  readonly arrived: boolean
  readonly seconds: number
}

const judge = (field: writers.Field, { arrived, right, seconds, written, wrong }: Ran): Verdict => {
  const found = right.map((seen) => faults(seen, written))
  const failing = Object.fromEntries(wrong.map((seen) => [seen.name, faults(seen, written)]))
  const lost = [...field.acknowledged].filter((position) => !written.has(position)).length
  const counters: Counters = {
    writers: total,
    events: written.size,
    lulls: field.lulls,
    missed: sum(found, "missed"),
    duplicated: sum(found, "duplicated"),
    inverted: sum(found, "inverted"),
    invented: sum(found, "invented"),
    "versions out of order": sum(found, "torn"),
    "acknowledged and lost": lost,
    "positions against time": field.acausal,
    "missed by wrong readers": Object.fromEntries(Object.entries(failing).map(([name, { missed }]) => [name, missed]))
  }
  const holds = unless({
    "enough was written to mean something": written.size > 40 * seconds,
    "the mark comes to the last position": arrived,
    "no reader missed an event": counters["missed"] === 0,
    "no reader saw an event twice": counters["duplicated"] === 0,
    "no reader saw an event after a later one": counters["inverted"] === 0,
    "no reader saw what is not in the log": counters["invented"] === 0,
    "readers see the versions of a stream in order": counters["versions out of order"] === 0,
    "what was acknowledged is in the log": lost === 0,
    "what was acknowledged before an append began has a lower position": field.acausal === 0
  })
  // A run that cannot see the mistake proves nothing.
  const unseen = wrong.flatMap(({ name }) => (failing[name]?.missed === 0 ? [`${name} was not seen to fail`] : []))
  return { problems: [...holds, ...unseen], counters }
}

export const torture: Torture = {
  promise: "every reader sees every event once and in order, and readers by wrong rules do not",
  run
}
