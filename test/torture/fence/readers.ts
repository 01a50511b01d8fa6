/**
 * Readers that follow the log meanwhile: by the library, and by rules that lose events.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import * as Position from "../../../src/domain/Position.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as SystemContext from "../../../src/ports/SystemContext.ts"
import * as session from "../session.ts"

/** What a reader saw, in the order in which it saw it. */
export interface Seen {
  readonly name: string
  readonly positions: ReadonlyArray<number>
  /** How many events were not the next of their stream. */
  readonly torn: number
}

/** Where reading ends, once nothing is written any more. */
export interface End {
  readonly position: Position.Position | undefined
}

/** Follows the log as a program does. */
export const follower = (name: string, end: () => End, limit: number) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const positions: Array<number> = []
    const versions = new Map<string, number>()
    let torn = 0
    let after = Position.start
    while (true) {
      const until = end().position
      if (until !== undefined && after >= until) return { name, positions, torn }
      const page = yield* store.readAllTenants({ after, limit }).pipe(SystemContext.provide("test"))
      for (const { position, stream, version } of page.events) {
        positions.push(position)
        if (version !== (versions.get(stream) ?? 0) + 1) torn++
        versions.set(stream, version)
      }
      if (page.cursor === after) yield* Effect.race(store.changed(after), Effect.sleep("20 millis"))
      after = page.cursor
    }
  })

/** What a rule takes for the next events after a cursor, and how far the cursor moves. */
interface Step {
  readonly positions: ReadonlyArray<number>
  readonly cursor: number
}

type Rule = (own: session.Session) => (after: number) => Effect.Effect<Step, SqlError>

/** A reader that follows the log by a rule of its own, up to a hundred rows at a time. */
export const wrong = (name: string, end: () => End, url: string, rule: Rule): Effect.Effect<Seen, SqlError> =>
  Effect.gen(function* () {
    const next = rule(yield* session.open(url))
    const positions: Array<number> = []
    let after = 0
    while (true) {
      // What is there once all have ended, it may still read: what it has passed by then it has lost.
      const ended = end().position !== undefined
      const step = yield* next(after)
      positions.push(...step.positions)
      if (step.cursor > after || step.positions.length > 0) {
        after = step.cursor
        continue
      }
      if (ended) return { name, positions, torn: 0 }
      yield* Effect.sleep("2 millis")
    }
  }).pipe(Effect.scoped)

const positions = (own: session.Session, text: string, params: ReadonlyArray<string>) =>
  Effect.map(session.rows(own, text, params), (rows) => rows.map((row) => Number(row["position"])))

const upToLast = (after: number, found: ReadonlyArray<number>): Step => ({
  positions: found,
  cursor: found.at(-1) ?? after
})

const plainly = (own: session.Session, after: number) =>
  Effect.map(
    positions(own, "select e.position from es.event e where e.position > $1::int8 order by e.position limit 100", [
      String(after)
    ]),
    (found) => upToLast(after, found)
  )

/** Takes what is visible: events that commit late are behind it by then. */
const plain: Rule = (own) => (after) => plainly(own, after)

/** Takes what was written by transactions older than all that run: one that began early and writes late is behind it. */
const byTransactionId: Rule = (own) => (after) =>
  Effect.map(
    positions(
      own,
      `select e.position from es.event e where e.position > $1::int8
      and e.xmin::text::int8 < (pg_snapshot_xmin(pg_current_snapshot())::text::int8 & 4294967295)
      order by e.position limit 100`,
      [String(after)]
    ),
    (found) => upToLast(after, found)
  )

/** Waits 10 ms for what is missing before an event, and then takes it for rolled back. */
const byGaps: Rule = (own) => (after) =>
  Effect.flatMap(plainly(own, after), (first) =>
    first.positions.every((position, index) => position === after + index + 1)
      ? Effect.succeed(first)
      : Effect.andThen(Effect.sleep("10 millis"), plainly(own, after))
  )

/**
 * Waits, after it has read the sequence, until all transactions below the snapshot's upper end are over: one that runs and is
 * newer than all that have ended is not below it.
 */
const bySnapshotEnd: Rule = (own) => {
  let fence: { readonly last: number; readonly end: number } | undefined
  let safe = 0
  return (after) =>
    Effect.gen(function* () {
      if (fence === undefined) {
        const last = yield* session.number(own, "select coalesce(pg_sequence_last_value('es.position'::regclass), 0)")
        fence = { last, end: yield* session.number(own, "select pg_snapshot_xmax(pg_current_snapshot())::text") }
      }
      if (fence.end <= (yield* session.number(own, "select pg_snapshot_xmin(pg_current_snapshot())::text"))) {
        safe = fence.last
        fence = undefined
      }
      const found = yield* positions(
        own,
        "select e.position from es.event e where e.position > $1::int8 and e.position <= $2::int8 order by e.position limit 100",
        [String(after), String(safe)]
      )
      return { positions: found, cursor: found.length < 100 ? Math.max(after, safe) : (found.at(-1) ?? after) }
    })
}

/** Rules in use elsewhere, each of which has to be seen failing. */
export const wrongRules: Readonly<Record<string, Rule>> = {
  "a plain cursor": plain,
  "transaction ids below the snapshot": byTransactionId,
  "a fence on the end of the snapshot": bySnapshotEnd,
  "a timeout for gaps": byGaps
}
