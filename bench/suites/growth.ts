/**
 * How the cost of appending and of reading grows with the log: in one database that is filled step by step, ten times as many
 * events each time, and measured at every step. Writes the table and the plot of `docs/performance.md`.
 */
import { EventStore, Position, StreamName } from "effect-cqrs"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import pg from "pg"
import { perSecond, quantile, type Round, type Study } from "../harness.ts"
import { type Growth, type Point, plot, table } from "../plot.ts"
import * as Tables from "../tables.ts"
import * as Task from "../task.ts"
import * as Ours from "./store/ours.ts"

export const needsDatabase = true

/** Ten times as many each time, up to so many. */
const sizesTo = (max: number): ReadonlyArray<number> => {
  const powers = [10_000, 100_000, 1_000_000, 10_000_000].filter((size) => size < max)
  return [...powers, max]
}

const perStream = 100
const tagged = 10

/** The work of a step, on a log of so many events. */
type Make = (run: (program: Ours.Program) => Promise<unknown>, events: number) => Round

interface Measure {
  readonly name: string
  readonly make: Make
}

const store = <A>(f: (store: EventStore.EventStore["Service"]) => Effect.Effect<A, unknown, Ours.Provided>) =>
  Effect.flatMap(EventStore.EventStore, f)

// Streams of their own at each step.
let steps = 0

const appending =
  (workers: number): Make =>
  (run) => {
    const step = steps++
    return perSecond(
      Ours.inFlight(run, workers, (worker) => {
        const next = Task.walk(worker)
        return () => {
          const { id, version } = next()
          const stream = StreamName.make("Task", `append-${step}-${id}`)
          const events = [Ours.created("t-1")]
          return store((store) => store.append({ stream, expected: version === 0 ? "none" : version, events }))
        }
      })
    )
  }

const reading =
  (read: (events: number) => Ours.Program): Make =>
  (run, events) =>
    perSecond(Ours.inFlight(run, 1, () => () => read(events)))

const below = (limit: number): number => Math.floor(Math.random() * limit)

const expectEvents = (found: ReadonlyArray<unknown>, count: number) => {
  if (found.length !== count) throw new Error(`${found.length} events, not ${count}`)
}

const measures: ReadonlyArray<Measure> = [
  { name: "append, one at a time", make: appending(1) },
  { name: "append, 8 in flight", make: appending(8) },
  {
    name: "read a stream of 100 events",
    make: reading((events) =>
      store((store) =>
        Effect.map(
          store.readStream(StreamName.fromString(Tables.stream(below(Math.floor(events / perStream))))),
          (found) => expectEvents(found, perStream)
        )
      )
    )
  },
  {
    name: "read a page of 500 events of the log",
    make: reading((events) =>
      store((store) =>
        Effect.map(store.readAll({ after: Position.make(below(events - 1000)), limit: 500 }), (page) =>
          expectEvents(page.events, 500)
        )
      )
    )
  },
  {
    name: "read the 10 events of a tag",
    make: reading((events) =>
      store((store) =>
        Effect.map(store.readMatching([{ tags: [Tables.tag(below(events / tagged))] }]), (found) =>
          expectEvents(found.events, 10)
        )
      )
    )
  }
]

/** As after a while of normal work: what was filled in is written out, and the first round is not counted. */
const settle = async (database: string) => {
  const client = new pg.Client({ connectionString: database })
  await client.connect()
  try {
    await client.query("checkpoint")
  } finally {
    await client.end()
  }
}

const measure = async (round: Round, rounds: number, seconds: number): Promise<Point> => {
  await round(seconds)
  const rates: Array<number> = []
  for (let n = 0; n < rounds; n++) {
    globalThis.gc?.()
    const measured = await round(seconds)
    rates.push(typeof measured === "number" ? measured : measured.value)
  }
  const [first, middle, last] = [0, 0.5, 1].map((part) => 1000 / quantile(rates, part))
  return { median: middle ?? Number.NaN, low: last ?? Number.NaN, high: first ?? Number.NaN }
}

const docs = path.join(import.meta.dirname, "../../docs")

/** Writes the part of a page between its markers. */
const writeBetween = (file: string, name: string, text: string) => {
  const [begin, end] = [`<!-- ${name}: made by the bench -->`, `<!-- ${name}: end -->`]
  const page = fs.readFileSync(file, "utf8")
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from === -1 || to < from) throw new Error(`${file} has no place for "${name}"`)
  fs.writeFileSync(file, `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`)
}

const study: Study = async ({ database, json, max, quick, rounds, seconds, server }) => {
  const say = (text: string) => void (json ? process.stderr : process.stdout).write(`${text}\n`)
  const runtime = Ours.start(database)
  await runtime.runPromise(EventStore.EventStore)
  const sizes = sizesTo(max ?? (quick ? 100_000 : 5_000_000))
  const growths = new Map(measures.map(({ name }): [string, Array<Point>] => [name, []]))
  let events = 0
  for (const size of sizes) {
    const start = performance.now()
    await Tables.fill(database, { after: events, events: size, perStream, tagged })
    await settle(database)
    const rate = (size - events) / ((performance.now() - start) / 1000)
    say(`${size.toLocaleString("en")} events, filled in at ${Math.round(rate).toLocaleString("en")} a second`)
    events = size
    for (const { make, name } of measures) {
      const point = await measure(make(runtime.runPromise, events), rounds, seconds)
      growths.get(name)?.push(point)
      say(
        `  ${name.padEnd(44)} ${point.median.toFixed(3).padStart(9)} ms  (${point.low.toFixed(3)} to ${point.high.toFixed(3)})`
      )
      if (json) process.stdout.write(`${JSON.stringify({ name, events, unit: "ms", ...point })}\n`)
    }
  }
  await runtime.dispose()
  const all = [...growths].map(([name, points]): Growth => ({ name, points }))
  const image = plot(sizes, all)
  if (quick) return say(table(sizes, all))
  fs.writeFileSync(path.join(docs, "growth.svg"), image)
  const text = [
    "![Cost by the size of the log](growth.svg)",
    table(sizes, all),
    `Medians in milliseconds, on ${os.cpus().length} cores of ${os.cpus()[0]?.model.trim()} with Node ${process.versions.node} and ${server}.`
  ]
  writeBetween(path.join(docs, "performance.md"), "growth", text.join("\n\n"))
}

export default study
