/**
 * Whether what clients did and saw has an order that explains it: cycles of what must come before what, and of time.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Position from "../../../src/domain/Position.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as SystemContext from "../../../src/ports/SystemContext.ts"
import * as support from "../../adapters/postgres/support.ts"
import * as database from "../../services/database.ts"
import * as session from "../session.ts"
import { type Options, type Torture, unless, type Verdict } from "../Torture.ts"
import { check, type Kind } from "./checker.ts"
import * as clients from "./clients.ts"
import type { Transaction } from "./history.ts"

const crowd = 8

/** What may not be there in each phase; the last one does without what reads of old states explain. */
const phases = {
  Deciding: { client: clients.deciding, allowed: [] },
  Serializable: { client: clients.serializable, allowed: [] },
  ReadCommitted: {
    client: clients.readCommitted,
    allowed: ["G-single", "G2", "G-single-realtime", "G2-realtime"]
  }
} as const satisfies Record<string, { readonly client: unknown; readonly allowed: ReadonlyArray<Kind> }>

/** Reads the log from its start to the mark, again and again. */
const reading = (prefixes: Array<ReadonlyArray<number>>, isOver: () => boolean) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    while (!isOver()) {
      const prefix: Array<number> = []
      let after = Position.start
      // Page by page, while the mark moves on: together the pages are a beginning of the log all the same.
      while (true) {
        const page = yield* store.readAllTenants({ after, limit: 1000 }).pipe(SystemContext.provide("test"))
        for (const { data } of page.events) prefix.push(clients.valueOf(data))
        if (page.events.length < 1000) break
        after = page.cursor
      }
      prefixes.push(prefix)
      yield* Effect.sleep("100 millis")
    }
  })

interface Logged {
  readonly position: number
  readonly stream: string
  readonly value: number
}

const run = ({ seconds, seed, server }: Options) =>
  Effect.gen(function* () {
    const url = yield* database.make(yield* server)
    const context = yield* Layer.build(support.process(url, { maxConnections: crowd + 2 }))
    const recorders: Array<clients.Recorder> = []
    const prefixes: Array<ReadonlyArray<number>> = []
    let isOver = false
    const following = yield* Effect.forkChild(
      Effect.all([reading(prefixes, () => isOver), reading(prefixes, () => isOver)], {
        concurrency: "unbounded",
        discard: true
      }).pipe(Effect.provide(context))
    )
    for (const [phase, { client }] of Object.entries(phases)) {
      const recorder = new clients.Recorder(phase)
      recorders.push(recorder)
      const working = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: crowd }, () => client(recorder)),
          {
            concurrency: "unbounded",
            discard: true
          }
        ).pipe(Effect.provide(context))
      )
      yield* Effect.sleep((seconds * 1000) / Object.keys(phases).length)
      recorder.ended = true
      yield* Fiber.join(working)
    }
    isOver = true
    yield* Fiber.join(following)
    const own = yield* session.open(url)
    const rows = yield* session.rows(
      own,
      "select position::float8 as position, stream, (data->>'n')::int4 as n from es.event order by stream, version"
    )
    const log = rows.map(
      (row): Logged => ({
        position: Number(row["position"]),
        stream: String(row["stream"]),
        value: Number(row["n"])
      })
    )
    return judge(recorders, prefixes, log, seconds)
  }).pipe(Random.withSeed(seed))

const judge = (
  recorders: ReadonlyArray<clients.Recorder>,
  prefixes: ReadonlyArray<ReadonlyArray<number>>,
  log: ReadonlyArray<Logged>,
  seconds: number
): Verdict => {
  const streams = new Map<string, Array<number>>()
  for (const { stream, value } of log) {
    const values = streams.get(stream)
    if (values === undefined) streams.set(stream, [value])
    else values.push(value)
  }
  const problems: Array<string> = []
  const counters: Record<string, number> = {}
  let seen = 0
  for (const { phase, transactions } of recorders) {
    const own = new Map([...streams].filter(([name]) => name.startsWith(`${phase}-`)))
    const allowed: ReadonlyArray<string> = Object.entries(phases).find(([name]) => name === phase)?.[1].allowed ?? []
    const committed = transactions.filter((one) => one.committed).length
    counters[`${phase}: committed`] = committed
    counters[`${phase}: undone`] = transactions.length - committed
    const anomalies = check({ transactions, streams: own })
    const forbidden = anomalies.filter(({ kind }) => !allowed.includes(kind))
    counters[`${phase}: anomalies`] = forbidden.length
    seen += anomalies.length - forbidden.length
    for (const { kind, transactions: cycle } of forbidden) {
      const story = cycle.map((index) => JSON.stringify(transactions[index])).join(" -> ")
      problems.push(`${phase} has ${kind}: ${story.slice(0, 2000)}`)
    }
    problems.push(...unless({ [`${phase} has committed enough to mean something`]: committed > 5 * seconds }))
  }

  const ordered = [...log].sort((a, b) => a.position - b.position)
  const order = ordered.map(({ value }) => value)
  const torn = prefixes.filter((prefix) => prefix.some((value, index) => order[index] !== value)).length
  const positions = new Map(log.map(({ position, value }) => [value, position]))
  const against = recorders.reduce((sum, { transactions }) => sum + againstTime(transactions, positions), 0)
  const last = new Map<string, number>()
  let inverted = 0
  for (const { position, stream } of log) {
    if (position < (last.get(stream) ?? 0)) inverted++
    last.set(stream, position)
  }
  return {
    problems: [
      ...problems,
      ...unless({
        "the log read up to the mark is always a beginning of the log": torn === 0,
        "the log was read": prefixes.length > 2,
        "who had ended before another began has the lower positions": against === 0,
        "positions follow versions": inverted === 0,
        "the default isolation was seen to let transactions decide by what they no longer see": seen > 0
      })
    ],
    counters: {
      clients: crowd,
      events: log.length,
      ...counters,
      "anomalies seen where they are allowed": seen,
      "reads of the log": prefixes.length,
      "reads that are no beginning of it": torn,
      "positions against time": against,
      "positions against versions": inverted
    }
  }
}

/** How many transactions have a position below one of a transaction that had ended before they began. */
const againstTime = (transactions: ReadonlyArray<Transaction>, positions: ReadonlyMap<number, number>): number => {
  const writers = transactions.flatMap(({ committed, end, operations, start }) => {
    const own = operations.flatMap((one) => (one.kind === "append" ? [positions.get(one.value) ?? Number.NaN] : []))
    return committed && own.length > 0 ? [{ start, end, lowest: Math.min(...own), highest: Math.max(...own) }] : []
  })
  const ends = writers.toSorted((a, b) => a.end - b.end)
  let ended = 0
  let highest = 0
  let count = 0
  for (const writer of writers.toSorted((a, b) => a.start - b.start)) {
    for (let one = ends[ended]; one !== undefined && one.end < writer.start; one = ends[++ended]) {
      highest = Math.max(highest, one.highest)
    }
    if (writer.lowest < highest) count++
  }
  return count
}

export const torture: Torture = {
  promise: "there is an order that explains what everybody did and saw, and the log is in it",
  run
}
