/** Claims of messages in memory. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Position from "../../domain/Position.ts"
import type { Claimed, ClaimingDriver, Place } from "../InboxDriver.ts"

/** How far a message or a segment is, by whom, and who has it until when. */
interface Row {
  done: Position.Position
  by: string | undefined
  token: string | undefined
  until: number
}

export const makeClaiming = (keep: number): ClaimingDriver => {
  const rows = new Map<string, Row>()
  /** When each id was confirmed, in that order. */
  const confirmed = new Map<string, number>()
  const segmentKey = (consumer: string, source: string, segment: number) => `${consumer}\0${source}\0${segment}\0`
  const keyOf = (place: Place) =>
    "id" in place
      ? `${place.tenant}\0${place.consumer}\0${place.id}`
      : segmentKey(place.consumer, place.source, place.segment)
  // An id is at its only position.
  const positionOf = (place: Place) => ("id" in place ? Position.make(1) : place.position)

  const forget = (now: number) => {
    for (const [key, at] of confirmed) {
      if (at + keep > now) return
      confirmed.delete(key)
      rows.delete(key)
    }
  }

  const at = <A>(place: Place, f: (row: Row, now: number, key: string) => A): Effect.Effect<A> =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      forget(now)
      const key = keyOf(place)
      const row = rows.get(key) ?? { done: Position.start, by: undefined, token: undefined, until: 0 }
      const result = f(row, now, key)
      if (row.token === undefined && row.done === Position.start) rows.delete(key)
      else rows.set(key, row)
      return result
    })

  const isDone = (row: Row, place: Place) => row.done >= positionOf(place)
  const isHeldByOther = (row: Row, token: string, now: number) =>
    row.token !== undefined && row.token !== token && row.until > now

  return {
    claim: (place, token, millis) =>
      at(place, (row, now): Claimed => {
        if (isDone(row, place)) return { _tag: "Handled" }
        if (isHeldByOther(row, token, now)) return { _tag: "Held", remaining: row.until - now }
        row.token = token
        row.until = now + millis
        return { _tag: "Claimed" }
      }),
    renew: (place, token, millis) =>
      at(place, (row, now) => {
        if (isDone(row, place) || isHeldByOther(row, token, now)) return false
        row.token = token
        row.until = now + millis
        return true
      }),
    confirm: (place, token) =>
      at(place, (row, now, key) => {
        if (isDone(row, place)) return row.done === positionOf(place) && row.by === token
        if (isHeldByOther(row, token, now)) return false
        row.done = positionOf(place)
        row.by = token
        row.token = undefined
        if ("id" in place) confirmed.set(key, now)
        return true
      }),
    release: (place, token) =>
      at(place, (row) => {
        if (row.token === token) row.token = undefined
      }),
    position: (consumer, source, segment) =>
      Effect.sync(() => rows.get(segmentKey(consumer, source, segment))?.done ?? Position.start)
  }
}
