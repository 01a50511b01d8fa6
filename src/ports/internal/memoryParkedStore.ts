/** Parked events on the journal of the memory layers. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Segment from "../../domain/Segment.ts"
import type { Driver, Entry, Failure, Filter, Parked, Ref } from "../ParkedStoreDriver.ts"
import { NotParked, ParkedStoreError, ParkingFull } from "../ParkedStoreError.ts"
import { type Journal, JournalMap, type Transaction } from "./Journal.ts"

const keyOf = ({ consumer, key, position }: Ref) => `${consumer}\0${position}\0${key}`

export const makeMemory = (journal: Journal): Driver => {
  const rows = new JournalMap<string, Parked>()

  const of = (transaction: Transaction | undefined, consumer: string): ReadonlyArray<Parked> =>
    Array.from(rows.entries(transaction), ([, row]) => row)
      .filter((row) => row.consumer === consumer)
      .sort((a, b) => a.position - b.position)

  const pending = (transaction: Transaction | undefined, consumer: string) =>
    of(transaction, consumer).filter((row) => row.status !== "skipped")

  const heads = (transaction: Transaction | undefined, consumer: string): ReadonlyArray<Parked> => {
    const first = new Map<string, Parked>()
    for (const row of pending(transaction, consumer)) if (!first.has(row.key)) first.set(row.key, row)
    return Array.from(first.values())
  }

  const change = (
    ref: Ref,
    f: (row: Parked, now: number) => Parked | undefined
  ): Effect.Effect<void, ParkedStoreError> =>
    journal.write((transaction, fiber) => {
      const row = rows.get(transaction, keyOf(ref))
      if (row === undefined || row.status === "skipped") return Exit.fail(notParked(ref))
      rows.set(transaction, keyOf(ref), f(row, fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()))
      return Exit.void
    })

  return {
    add: (entries, limits) =>
      journal.write((transaction, fiber) => {
        const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
        const fresh = entries.filter((entry) => rows.get(transaction, keyOf(entry)) === undefined)
        for (const consumer of new Set(fresh.map((entry) => entry.consumer))) {
          const own = fresh.filter((entry) => entry.consumer === consumer)
          const full = exceeded(consumer, pending(transaction, consumer), own, limits)
          if (full !== undefined) return Exit.fail(new ParkedStoreError({ reason: full }))
        }
        for (const entry of fresh) rows.set(transaction, keyOf(entry), toRow(entry, now))
        return Exit.void
      }),
    keys: (consumer, segment) =>
      journal.read((transaction) =>
        heads(transaction, consumer).flatMap((row) => (Segment.has(segment, row.hash) ? [row.key] : []))
      ),
    due: (consumer, segment, limit) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        journal.read((transaction) =>
          heads(transaction, consumer)
            .filter((row) => Segment.has(segment, row.hash) && isDue(row, now))
            .slice(0, limit)
        )
      ),
    settle: (ref) => change(ref, () => undefined),
    failed: (ref, failure) => change(ref, (row, now) => ({ ...row, ...afterFailure(failure, now) })),
    list: (consumer, { after = 0, limit = 100, status, ...filter } = {}) =>
      journal.read((transaction) =>
        of(transaction, consumer)
          .filter((row) => row.position > after && (status === undefined || row.status === status) && fits(row, filter))
          .slice(0, limit)
      ),
    get: (ref) =>
      Effect.flatMap(
        journal.read((transaction) => rows.get(transaction, keyOf(ref))),
        (row) => (row === undefined ? Effect.fail(notParked(ref)) : Effect.succeed(row))
      ),
    count: (consumer) => journal.read((transaction) => pending(transaction, consumer).length),
    replay: (consumer, filter = {}) =>
      journal.write((transaction, fiber) => {
        const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
        const chosen = heads(transaction, consumer).filter((row) => fits(row, filter))
        for (const row of chosen) {
          rows.set(transaction, keyOf(row), { ...row, status: "retrying", attempts: 0, due: now })
        }
        return Exit.succeed(chosen.length)
      }),
    edit: (ref, data) =>
      change(ref, (row, now) => {
        const stored = { ...row.stored, data: JSON.parse(JSON.stringify(data)) }
        const edited = { ...row, stored, edited: true }
        return row.status === "waiting" ? edited : { ...edited, status: "retrying", attempts: 0, due: now }
      }),
    skip: (ref, reason) => change(ref, (row) => ({ ...row, status: "skipped", due: undefined, reason }))
  }
}

const notParked = ({ consumer, key, position }: Ref) =>
  new ParkedStoreError({ reason: new NotParked({ consumer, key, position }) })

const exceeded = (
  consumer: string,
  kept: ReadonlyArray<Parked>,
  added: ReadonlyArray<Entry>,
  { perConsumer, perKey }: { readonly perConsumer: number; readonly perKey: number }
): ParkingFull | undefined => {
  for (const key of new Set(added.map((entry) => entry.key))) {
    const count = [...kept, ...added].filter((row) => row.key === key).length
    if (count > perKey) return new ParkingFull({ consumer, key, limit: perKey })
  }
  return kept.length + added.length > perConsumer ? new ParkingFull({ consumer, limit: perConsumer }) : undefined
}

const afterFailure = ({ attempts, category, error, retryInMillis }: Failure, now: number) => ({
  status: retryInMillis === undefined ? ("parked" as const) : ("retrying" as const),
  category,
  error,
  attempts,
  due: retryInMillis === undefined ? undefined : now + retryInMillis
})

const waiting = { status: "waiting", category: undefined, error: undefined, attempts: 0, due: undefined } as const

const toRow = ({ consumer, failure, hash, key, position, stored }: Entry, now: number): Parked => ({
  consumer,
  key,
  position,
  hash,
  tenant: stored.tenant,
  stored,
  edited: false,
  reason: undefined,
  at: now,
  ...(failure === undefined ? waiting : afterFailure(failure, now))
})

const isDue = ({ due, status }: Parked, now: number): boolean =>
  status === "waiting" || (status === "retrying" && due !== undefined && due <= now)

const fits = (row: Parked, { category, error, key, tenant }: Filter): boolean =>
  (key === undefined || row.key === key) &&
  (tenant === undefined || row.tenant === tenant) &&
  (category === undefined || row.category === category) &&
  (error === undefined || row.error?.includes(error) === true)
