/**
 * Where the consumers write to, and what must be there in the end.
 */
import * as Effect from "effect/Effect"
import * as session from "../session.ts"
import { unless } from "../Torture.ts"

/** How long a worker that gives no sign of life keeps its segments, in milliseconds. */
export const lease = 1200

export const workerName = "torture worker"

export const prepare = (own: session.Session) =>
  Effect.forEach(
    [
      "create table inside (seq bigserial primary key, key text, position bigint, segment int, token bigint)",
      "create table outside (seq bigserial primary key, key text, position bigint, idempotency text)",
      "create table poison as select false as repaired"
    ],
    (text) => own.query(text),
    { discard: true }
  )

interface Effected {
  readonly key: string
  readonly position: number
}

/** How many of a key's events are there before an earlier one of it. */
const inversions = (effects: ReadonlyArray<Effected>): number => {
  const last = new Map<string, number>()
  let count = 0
  for (const { key, position } of effects) {
    if (position < (last.get(key) ?? 0)) count++
    else last.set(key, position)
  }
  return count
}

/** Compares what was handled with the log. */
export const judge = (own: session.Session) =>
  Effect.gen(function* () {
    const effects = (text: string) =>
      Effect.map(session.rows(own, text), (rows) =>
        rows.map((row) => ({ key: String(row["key"]), position: Number(row["position"]) }))
      )
    const log = (yield* session.rows(own, "select position::float8 as position from es.event")).map((row) =>
      Number(row["position"])
    )
    const inside = yield* effects("select key, position from inside order by seq")
    const all = yield* effects("select key, position from outside order by seq")
    const first = yield* effects(
      "select key, position from (select distinct on (idempotency) * from outside order by idempotency, seq) o order by seq"
    )
    const missing = (found: ReadonlyArray<Effected>) => {
      const there = new Set(found.map(({ position }) => position))
      return log.filter((position) => !there.has(position)).length
    }
    const twice = inside.length - new Set(inside.map(({ position }) => position)).size
    // Who owned a segment before wrote before: nothing of a former owner was kept after a later one had begun.
    const stale = yield* session.number(
      own,
      `select count(*) from (select token, max(token) over (partition by segment order by seq) as newest from inside) i
      where token < newest`
    )
    const left = yield* session.number(own, "select count(*) from es.parked")
    const insideOut = inversions(inside)
    const outsideOut = inversions(first)
    return {
      counters: {
        events: log.length,
        "handled twice outside, before deduplication": all.length - first.length,
        "missed inside": missing(inside),
        "missed outside": missing(first),
        "twice inside": twice,
        "out of order inside": insideOut,
        "out of order outside": outsideOut,
        "kept of a former owner": stale,
        "still parked": left
      },
      problems: unless({
        "something was written": log.length > 0,
        "every event was handled inside": missing(inside) === 0,
        "every event was handled outside": missing(first) === 0,
        "what is written in the transaction is written once": twice === 0 && inside.length === log.length,
        "after deduplication each effect outside is there once": first.length === log.length,
        "keys are handled in their order inside": insideOut === 0,
        "keys are handled in their order outside": outsideOut === 0,
        "nothing is kept that a former owner did": stale === 0,
        "nothing that was parked is lost or left": left === 0
      })
    }
  })
