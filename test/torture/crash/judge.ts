/**
 * Compares what was acknowledged, read and projected with the log.
 */
import * as Effect from "effect/Effect"
import * as session from "../session.ts"
import { unless } from "../Torture.ts"
import { Latest, type Ledger, Totals } from "./writers.ts"

export interface Found {
  readonly ledger: Ledger
  /** What a reader was given, in its order. */
  readonly seen: ReadonlyArray<readonly [position: number, id: string]>
  /** Positions that were prepared before a crash and committed after it. */
  readonly pending: ReadonlyArray<number>
  readonly own: session.Session
}

interface Stored {
  readonly position: number
  readonly stream: string
  readonly version: number
  readonly id: string
  readonly n: number
}

/** The log as it is stored, in its order. */
export const logOf = (own: session.Session) =>
  Effect.map(
    session.rows(
      own,
      "select position::float8 as position, stream, version::float8 as version, id, (data->>'n')::int4 as n from es.event order by position"
    ),
    (rows) =>
      rows.map(
        (row): Stored => ({
          position: Number(row["position"]),
          stream: String(row["stream"]),
          version: Number(row["version"]),
          id: String(row["id"]),
          n: Number(row["n"])
        })
      )
  )

/** What the projection has to come to. */
export const foldOf = (events: ReadonlyArray<Stored>) => {
  const totals: Record<string, { count: number; sum: number; version: number }> = {}
  for (const { n, stream, version } of events) {
    const before = totals[stream] ?? { count: 0, sum: 0 }
    totals[stream] = { count: before.count + 1, sum: before.sum + n, version }
  }
  return totals
}

const differing = (one: Readonly<Record<string, unknown>>, other: Readonly<Record<string, unknown>>): number =>
  [...new Set([...Object.keys(one), ...Object.keys(other)])].filter(
    (key) => JSON.stringify(one[key]) !== JSON.stringify(other[key])
  ).length

export const judge = ({ ledger, own, pending, seen }: Found) =>
  Effect.gen(function* () {
    const events = yield* logOf(own)
    const written = events.filter(({ stream }) => !stream.startsWith("Prepared-"))
    const byNumber = new Map(written.map((event) => [event.n, event]))
    const ids = new Map(events.map(({ id, position }) => [position, id]))

    const lost = [...ledger.acknowledged].filter(([n, place]) => {
      const event = byNumber.get(n)
      const isThere = event?.stream === place.stream && event.version === place.version
      return !isThere || (!Number.isNaN(place.position) && event.position !== place.position)
    }).length
    const sent = new Set(ledger.groups.flat())
    const phantoms = written.filter(({ n }) => !sent.has(n)).length + (written.length - byNumber.size)
    const halves = ledger.groups.filter((group) => {
      const there = group.filter((n) => byNumber.has(n)).length
      return there > 0 && there < group.length
    }).length

    const versions = new Map<string, number>()
    let gaps = 0
    for (const { stream, version } of events) {
      if (version !== (versions.get(stream) ?? 0) + 1) gaps++
      versions.set(stream, version)
    }
    const states = yield* session.rows(own, "select stream, version::float8 as version from es.stream")
    const untrue = states.filter(({ stream, version }) => (versions.get(String(stream)) ?? 0) !== version).length

    const given = new Set(seen.map(([position]) => position))
    const missed = events.filter(({ position }) => !given.has(position)).length
    const inverted = seen.filter(([position], index) => position < (seen[index - 1]?.[0] ?? 0)).length
    const replaced = seen.filter(([position, id]) => ids.get(position) !== id).length

    const totals = Object.fromEntries((yield* Totals.list()).map(({ document, id }) => [id, document]))
    const latest = Object.fromEntries((yield* Latest.list()).map(({ document, id }) => [id, document]))
    const lastOf = Object.fromEntries(
      written.flatMap(({ n, stream }) => (stream.startsWith("Latest-") ? [[stream, n] as const] : []))
    )
    const counters = {
      acknowledged: ledger.acknowledged.size,
      "failed while the server was gone": ledger.failures,
      events: events.length,
      "acknowledged and lost": lost,
      phantoms,
      "half written": halves,
      "gaps in versions": gaps,
      missed,
      duplicated: seen.length - given.size,
      inverted,
      "read and then replaced": replaced,
      "documents that differ from the log": differing(totals, foldOf(events)) + differing(latest, lastOf)
    }
    const problems = unless({
      "what was acknowledged is where it was said to be": lost === 0,
      "nothing is there that was not sent, nor twice": phantoms === 0,
      "what is written together is there as a whole": halves === 0,
      "versions have no gaps": gaps === 0,
      "streams know their versions": untrue === 0,
      "the reader missed nothing over all crashes": missed === 0,
      "it saw nothing twice": counters.duplicated === 0,
      "it saw all in order": inverted === 0,
      "what it has read stays what it was": replaced === 0,
      "read models are what the log comes to": counters["documents that differ from the log"] === 0,
      "what was prepared is there once it is committed": pending.every((position) => ids.has(position))
    })
    return { counters, problems }
  })
