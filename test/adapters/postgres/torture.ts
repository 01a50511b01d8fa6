/**
 * Writers that do everything that makes positions commit late or never, and readers that follow the log meanwhile.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import type { SqlError } from "effect/sql/SqlError"
import * as Position from "../../../src/domain/Position.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as SystemContext from "../../../src/ports/SystemContext.ts"
import * as UnitOfWork from "../../../src/ports/UnitOfWork.ts"
import { noted } from "./support.ts"

/** What a reader saw, in the order in which it saw it. */
export interface Seen {
  readonly name: string
  readonly positions: Array<number>
}

// Many: who waits for a stream writes nothing, and who deadlocks writes nothing for a second.
const stream = Effect.map(Random.nextIntBetween(0, 5000), (n) => StreamName.make("Torture", String(n)))

const write = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const count = yield* Random.nextIntBetween(1, 4)
  yield* store.append({
    stream: yield* stream,
    expected: "any",
    events: Array.from({ length: count }, (_, n) => noted(n))
  })
})

/** Mostly short, sometimes long enough that every other writer is many transactions further. */
const stall = Effect.gen(function* () {
  const long = (yield* Random.next) < 0.03
  yield* Effect.sleep(yield* Random.nextIntBetween(0, long ? 300 : 20))
})

const undo = Effect.fail("undo" as const)

const inTransaction = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.flatMap(UnitOfWork.UnitOfWork, (unit) => unit.transaction(self))

/** Takes a transaction id long before it draws a position. */
const early = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  yield* sql`select pg_current_xact_id()::text`
  yield* stall
  yield* write
})

/** Draws positions in a savepoint, gives them up, and goes on. */
const savepoint = Effect.gen(function* () {
  yield* write
  yield* Effect.ignore(inTransaction(Effect.andThen(write, Effect.andThen(stall, undo))))
  yield* Effect.ignore(inTransaction(Effect.andThen(stall, write)))
})

const several = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const names = new Set([yield* stream, yield* stream, yield* stream])
  yield* store.appendAll(Array.from(names, (name) => ({ stream: name, expected: "any", events: [noted(0)] })))
})

const work = Effect.gen(function* () {
  const choice = yield* Random.nextIntBetween(0, 8)
  switch (choice) {
    case 0:
    case 1:
      return yield* write
    case 2:
      return yield* several
    case 3:
      return yield* inTransaction(Effect.andThen(write, stall))
    case 4:
      return yield* inTransaction(Effect.andThen(Effect.andThen(write, stall), undo))
    case 5:
      return yield* inTransaction(early)
    case 6:
      return yield* inTransaction(savepoint)
    default:
      return yield* inTransaction(Effect.andThen(Effect.andThen(write, stall), several))
  }
})

/** Writes until it is told to stop; lost races of whole transactions are part of it. */
export const writer = (stopped: Ref.Ref<boolean>) =>
  Effect.gen(function* () {
    while (!(yield* Ref.get(stopped))) yield* Effect.ignore(work)
  })

/** Prepares transactions, and commits or undoes them later from wherever. */
export const preparer = (stopped: Ref.Ref<boolean>, url: string) =>
  Effect.gen(function* () {
    const connection = yield* PgConnection.make({ url: Redacted.make(url) })
    for (let round = 0; !(yield* Ref.get(stopped)); round++) {
      yield* connection.query("begin")
      yield* connection.query(
        `select * from es.append('default', 'Prepared-${round}', -1, array[gen_random_uuid()::text], '{Noted}', '{1}', '{"{}"}', '{"{}"}', '{"{}"}')`
      )
      yield* stall
      yield* connection.query(`prepare transaction 'torture-${round}'`)
      yield* stall
      const end = (yield* Random.next) < 0.5 ? "commit" : "rollback"
      yield* connection.query(`${end} prepared 'torture-${round}'`)
      yield* stall
    }
  }).pipe(Effect.scoped)

/** Follows the log as a program does. */
export const follower = (name: string, end: Ref.Ref<Position.Position | undefined>, limit: number) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const seen: Seen = { name, positions: [] }
    let after = Position.start
    while (true) {
      const until = yield* Ref.get(end)
      if (until !== undefined && after >= until) return seen
      const page = yield* store.readAllTenants({ after, limit }).pipe(SystemContext.provide("test"))
      for (const event of page.events) seen.positions.push(event.position)
      if (page.cursor === after) yield* Effect.race(store.changed(after), Effect.sleep("20 millis"))
      after = page.cursor
    }
  })

/** A reader that follows the log by a rule of its own, up to a hundred rows at a time. */
export const wrongFollower = (
  name: string,
  end: Ref.Ref<Position.Position | undefined>,
  url: string,
  rows: (connection: PgConnection.PgConnection, after: number) => Effect.Effect<ReadonlyArray<number>, SqlError>
) =>
  Effect.gen(function* () {
    const connection = yield* PgConnection.make({ url: Redacted.make(url) })
    const seen: Seen = { name, positions: [] }
    let after = 0
    while (true) {
      // What is there once all have ended, it may still read: what it has skipped by then it has lost.
      const ended = (yield* Ref.get(end)) !== undefined
      const found = yield* rows(connection, after)
      seen.positions.push(...found)
      after = found.at(-1) ?? after
      if (found.length > 0) continue
      if (ended) return seen
      yield* Effect.sleep("2 millis")
    }
  }).pipe(Effect.scoped)

const positions = (text: string) => (connection: PgConnection.PgConnection, after: number) =>
  Effect.map(connection.query(text, [String(after)]), ({ rows }) => rows.map((row) => Number(row["position"])))

/** Takes what is visible: events that commit late are behind it by then. */
export const naive = positions(
  "select e.position from es.event e where e.position > $1::int8 order by e.position limit 100"
)

/** Takes what was written by transactions older than all that run: one that began early and writes late is behind it. */
export const byTransactionId = positions(
  `select e.position from es.event e where e.position > $1::int8
   and e.xmin::text::int8 < (pg_snapshot_xmin(pg_current_snapshot())::text::int8 & 4294967295)
   order by e.position limit 100`
)

/** Waits 10 ms for what is missing before an event, and then takes it for rolled back. */
export const byGaps = (connection: PgConnection.PgConnection, after: number) =>
  Effect.gen(function* () {
    const first = yield* naive(connection, after)
    if (first.every((position, index) => position === after + index + 1)) return first
    yield* Effect.sleep("10 millis")
    return yield* naive(connection, after)
  })
