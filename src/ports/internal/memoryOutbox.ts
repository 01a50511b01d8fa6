/** An outbox on the journal of the memory layers. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Claimed, Driver, Filter, Held, Info, Prepared, Ref } from "../OutboxDriver.ts"
import { MessageInFlight, NotInOutbox, OutboxError } from "../OutboxError.ts"
import { type Journal, JournalMap, type Transaction } from "./Journal.ts"

interface Row extends Info {
  readonly due: number
  readonly token: number
  /** When it was delivered or skipped. */
  readonly doneAt: number | undefined
}

const keyOf = ({ id, tenant }: Ref) => `${tenant}\0${id}`

const never = Number.POSITIVE_INFINITY

export const makeMemory = (journal: Journal): Driver => {
  const rows = new JournalMap<string, Row>()
  let lastSequence = 0
  let lastToken = 0

  const of = (transaction: Transaction | undefined, queue: string): ReadonlyArray<Row> =>
    Array.from(rows.entries(transaction), ([, row]) => row)
      .filter((row) => row.queue === queue)
      .sort((a, b) => a.sequence - b.sequence)

  const waiting = (transaction: Transaction | undefined, queue: string) => of(transaction, queue).filter(isOpen)

  /** Those of the held messages whose token is still good. */
  const good = (transaction: Transaction | undefined, held: ReadonlyArray<Held>) =>
    held.flatMap((one) => {
      const row = rows.get(transaction, keyOf(one))
      return row?.status === "inFlight" && row.token === one.token ? [{ one, row }] : []
    })

  const put = (transaction: Transaction | undefined, row: Row | undefined, ref: Ref) =>
    rows.set(transaction, keyOf(ref), row)

  /** Changes a message that waits and is not in flight. */
  const change = (ref: Ref, f: (row: Row, now: number) => Row): Effect.Effect<void, OutboxError> =>
    journal.write((transaction, fiber) => {
      const row = rows.get(transaction, keyOf(ref))
      const now = nowOf(fiber)
      if (row === undefined || !isOpen(row)) return Exit.fail(notThere(ref))
      if (row.status === "inFlight" && row.due > now) return Exit.fail(inFlight(ref))
      put(transaction, f(row, now), ref)
      return Exit.void
    })

  return {
    enqueue: (messages) =>
      journal.write((transaction, fiber) => {
        const now = nowOf(fiber)
        for (const message of messages) {
          const known = rows.get(transaction, keyOf(message))
          if (known === undefined || !isOpen(known)) put(transaction, toRow(message, ++lastSequence, now), message)
        }
        return Exit.void
      }),
    claim: (queue, { from, lease, limit, worker }) =>
      journal.write((transaction, fiber) => {
        const now = nowOf(fiber)
        const token = ++lastToken
        const all = waiting(transaction, queue)
        const keyed = Map.groupBy(
          all.filter((row) => row.key !== undefined),
          laneOf
        )
        const lanes = Array.from(keyed.keys()).sort()
        const turn = [...lanes.filter((lane) => lane > from), ...lanes.filter((lane) => lane <= from)]
        const half = Math.ceil(limit / 2)
        const chosen: Array<Row> = []
        for (const lane of turn) {
          const run = keyed.get(lane) ?? []
          const stop = run.findIndex((row) => row.due > now)
          const ready = run.slice(0, Math.min(stop === -1 ? run.length : stop, Math.max(1, Math.floor(limit / 4))))
          chosen.push(...ready.slice(0, half - chosen.length))
        }
        const loose = all.filter((row) => row.key === undefined && row.due <= now).sort((a, b) => a.due - b.due)
        chosen.push(...loose.slice(0, limit - chosen.length))
        for (const row of chosen) {
          const due = now + Duration.toMillis(lease)
          put(transaction, { ...row, status: "inFlight", token, owner: worker, due }, row)
        }
        return Exit.succeed(chosen.map((row) => toClaimed(row, token)).sort((a, b) => a.sequence - b.sequence))
      }),
    renew: (held, lease) =>
      journal.write((transaction, fiber) => {
        const due = nowOf(fiber) + Duration.toMillis(lease)
        const still = good(transaction, held)
        for (const { row } of still) put(transaction, { ...row, due }, row)
        return Exit.succeed(still.map(({ one }) => one))
      }),
    complete: (held, options) =>
      journal.write((transaction, fiber) => {
        const doneAt = nowOf(fiber)
        const done = good(transaction, held)
        for (const { row } of done) {
          const kept: Row = { ...row, status: "delivered", due: never, owner: undefined, doneAt }
          put(transaction, options?.keep === true ? kept : undefined, row)
        }
        return Exit.succeed(done.map(({ one }) => one))
      }),
    failed: (held, { attempts, category, error, retryInMillis }) =>
      journal.write((transaction, fiber) => {
        const [found] = good(transaction, [held])
        if (found === undefined) return Exit.succeed(false)
        const due = retryInMillis === undefined ? never : nowOf(fiber) + retryInMillis
        const status = retryInMillis === undefined ? "parked" : "retrying"
        put(transaction, { ...found.row, status, due, category, error, attempts, owner: undefined }, held)
        return Exit.succeed(true)
      }),
    release: (held, delayMillis = 0) =>
      journal.write((transaction, fiber) => {
        const due = nowOf(fiber) + delayMillis
        for (const { row } of good(transaction, held)) {
          put(transaction, { ...row, status: before(row), due, owner: undefined }, row)
        }
        return Exit.void
      }),
    get: (ref) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.flatMap(
          journal.read((transaction) => rows.get(transaction, keyOf(ref))),
          (row) => (row === undefined ? Effect.fail(notThere(ref)) : Effect.succeed(toInfo(row, now)))
        )
      ),
    list: (queue, { after = 0, limit = 100, status, ...filter } = {}) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        journal.read((transaction) =>
          of(transaction, queue)
            .map((row) => toInfo(row, now))
            .filter((row) => row.sequence > after && (status === undefined || row.status === status))
            .filter((row) => fits(row, filter))
            .slice(0, limit)
        )
      ),
    counts: (queue) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        journal.read((transaction) => {
          const open = waiting(transaction, queue).map((row) => toInfo(row, now))
          const count = (status: Info["status"]) => open.filter((row) => row.status === status).length
          const late = open.flatMap((row) => (row.status === "inFlight" || row.due === undefined ? [] : [row.due]))
          return {
            pending: count("pending"),
            inFlight: count("inFlight"),
            retrying: count("retrying"),
            parked: count("parked"),
            lagMillis: Math.max(0, now - Math.min(now, ...late))
          }
        })
      ),
    replay: (queue, filter = {}) =>
      journal.write((transaction, fiber) => {
        const due = nowOf(fiber)
        const chosen = of(transaction, queue).filter(
          (row) => (row.status === "parked" || row.status === "retrying") && fits(row, filter)
        )
        for (const row of chosen) put(transaction, { ...row, status: "retrying", attempts: 0, due }, row)
        return Exit.succeed(chosen.length)
      }),
    edit: (ref, data) =>
      change(ref, (row, now) => {
        const edited: Row = { ...row, data: JSON.parse(JSON.stringify(data)), edited: true }
        return row.status === "parked" || row.status === "retrying"
          ? { ...edited, status: "retrying", attempts: 0, due: now }
          : edited
      }),
    skip: (ref, reason) =>
      change(ref, (row, doneAt) => ({ ...row, status: "skipped", due: never, owner: undefined, reason, doneAt })),
    purge: (olderThan) =>
      journal.write((transaction, fiber) => {
        const before = nowOf(fiber) - Duration.toMillis(olderThan)
        for (const [, row] of Array.from(rows.entries(transaction))) {
          if (row.doneAt !== undefined && row.doneAt <= before) put(transaction, undefined, row)
        }
        return Exit.void
      }),
    afterCommit: (hook) => journal.afterCommit(hook)
  }
}

const nowOf = (fiber: Fiber.Fiber<unknown, unknown>) => fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()

const notThere = ({ id, tenant }: Ref) => new OutboxError({ reason: new NotInOutbox({ tenant, id }) })

const inFlight = ({ id, tenant }: Ref) => new OutboxError({ reason: new MessageInFlight({ tenant, id }) })

const laneOf = ({ key, tenant }: { readonly tenant: string; readonly key: string | undefined }) =>
  `${tenant}\u001f${key}`

const isOpen = ({ status }: Row) => status !== "delivered" && status !== "skipped"

/** How a message stands that nobody has any more. */
const before = ({ attempts }: Row) => (attempts > 0 ? ("retrying" as const) : ("pending" as const))

const dueOf = ({ when }: Prepared, now: number) =>
  when._tag === "At" ? when.millis : when._tag === "After" ? now + when.millis : now

const toRow = (message: Prepared, sequence: number, now: number): Row => ({
  tenant: message.tenant,
  id: message.id,
  queue: message.queue,
  key: message.key,
  sequence,
  type: message.type,
  version: message.version,
  data: JSON.parse(message.data),
  headers: { ...message.headers },
  metadata: message.metadata,
  attempts: 0,
  status: "pending",
  due: dueOf(message, now),
  owner: undefined,
  category: undefined,
  error: undefined,
  edited: false,
  reason: undefined,
  at: now,
  token: 0,
  doneAt: undefined
})

const toClaimed = (row: Row, token: number): Claimed => ({
  tenant: row.tenant,
  id: row.id,
  queue: row.queue,
  key: row.key,
  sequence: row.sequence,
  type: row.type,
  version: row.version,
  data: row.data,
  headers: row.headers,
  metadata: row.metadata,
  attempts: row.attempts,
  token
})

const toInfo = ({ doneAt: _, token: _token, ...row }: Row, now: number): Info => {
  const lost = row.status === "inFlight" && row.due <= now
  return {
    ...row,
    status: lost ? (row.attempts > 0 ? "retrying" : "pending") : row.status,
    owner: lost ? undefined : row.owner,
    due: row.due === never ? undefined : row.due
  }
}

const fits = (row: Info, { category, error, key, tenant, type }: Filter): boolean =>
  (tenant === undefined || row.tenant === tenant) &&
  (key === undefined || row.key === key) &&
  (type === undefined || row.type === type) &&
  (category === undefined || row.category === category) &&
  (error === undefined || row.error?.includes(error) === true)
