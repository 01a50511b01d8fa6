/**
 * Writers that do everything that makes positions commit late, out of order, or never.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import * as Semaphore from "effect/Semaphore"
import type { SqlError } from "effect/sql/SqlError"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as UnitOfWork from "../../../src/ports/UnitOfWork.ts"
import { noted } from "../../adapters/postgres/support.ts"
import * as session from "../session.ts"

/** What all writers of a run have in common. */
export class Field {
  readonly size: number
  /** The positions that writers were told to be written. */
  readonly acknowledged = new Set<number>()
  /** How often an append got a position below one that had been acknowledged before it began. */
  acausal = 0
  lulls = 0
  ended = false
  private highest = 0
  private readonly admitted = Latch.makeUnsafe(true)
  private readonly places: Semaphore.Semaphore

  constructor(size: number) {
    this.size = size
    this.places = Semaphore.makeUnsafe(size)
  }

  /** Works again and again until the run ends; lost races of whole transactions are part of it. */
  repeat<E, R>(work: Effect.Effect<ReadonlyArray<number>, E, R>): Effect.Effect<void, never, R> {
    const once = Effect.suspend(() => {
      const before = this.highest
      return Effect.map(work, (positions) => {
        for (const position of positions) {
          if (position <= before) this.acausal++
          this.acknowledged.add(position)
          this.highest = Math.max(this.highest, position)
        }
      })
    })
    const turn = Effect.andThen(this.admitted.await, this.places.withPermits(1)(Effect.ignore(once)))
    return Effect.whileLoop({ while: () => !this.ended, body: () => turn, step: () => undefined })
  }

  /** Works while no other writer does. */
  alone<A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      this.admitted.closeUnsafe()
      return this.places.withPermits(this.size)(work)
    }).pipe(Effect.ensuring(Effect.sync(() => this.admitted.openUnsafe())))
  }
}

// Many: who waits for a stream writes nothing, and who deadlocks writes nothing for a second.
const stream = Effect.map(Random.nextIntBetween(0, 5000), (n) => StreamName.make("Torture", String(n)))

/** Mostly short, sometimes long enough that every other writer is many transactions further. */
const stall = Effect.gen(function* () {
  const long = (yield* Random.next) < 0.03
  yield* Effect.sleep(yield* Random.nextIntBetween(0, long ? 300 : 20))
})

// Through the library.

const write = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const count = yield* Random.nextIntBetween(1, 4)
  const receipt = yield* store.append({
    stream: yield* stream,
    expected: "any",
    events: Array.from({ length: count }, (_, n) => noted(n))
  })
  return [receipt.position]
})

const several = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const names = new Set([yield* stream, yield* stream, yield* stream])
  const receipts = yield* store.appendAll(
    Array.from(names, (name) => ({ stream: name, expected: "any", events: [noted(0)] }))
  )
  return receipts.map(({ position }) => position)
})

const undo = Effect.fail("undo" as const)

const inTransaction = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.flatMap(UnitOfWork.UnitOfWork, (unit) => unit.transaction(self))

const thenStall = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.tap(self, stall)

/** Takes a transaction id long before it draws a position. */
const early = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  yield* sql`select pg_current_xact_id()::text`
  yield* stall
  return yield* write
})

/** Draws positions in a savepoint, gives them up, and goes on. */
const savepoint = Effect.gen(function* () {
  const first = yield* write
  yield* Effect.ignore(inTransaction(Effect.andThen(thenStall(write), undo)))
  const last = yield* Effect.orElseSucceed(inTransaction(Effect.andThen(stall, write)), () => [])
  return [...first, ...last]
})

const work = Effect.gen(function* () {
  switch (yield* Random.nextIntBetween(0, 8)) {
    case 0:
    case 1:
      return yield* write
    case 2:
      return yield* several
    case 3:
      return yield* inTransaction(thenStall(write))
    case 4:
      return yield* inTransaction(Effect.andThen(thenStall(write), undo))
    case 5:
      return yield* inTransaction(early)
    case 6:
      return yield* inTransaction(savepoint)
    default:
      return yield* inTransaction(Effect.andThen(thenStall(write), several))
  }
})

/** One that appends through the library. */
export const library = (field: Field) => field.repeat(work)

// Around the function, statement by statement.

const append = (own: session.Session) =>
  Effect.flatMap(stream, (name) => Effect.map(session.append(own, name), ({ position }) => position))

const script = (own: session.Session) =>
  Effect.gen(function* () {
    const kept: Array<number> = []
    yield* own.query("begin")
    if ((yield* Random.next) < 0.4) {
      yield* own.query("select pg_current_xact_id()::text")
      yield* stall
    }
    if ((yield* Random.next) < 0.7) kept.push(yield* append(own))
    if ((yield* Random.next) < 0.5) {
      yield* own.query("savepoint s")
      const position = yield* append(own)
      yield* stall
      const undone = (yield* Random.next) < 0.5
      yield* own.query(undone ? "rollback to savepoint s" : "release savepoint s")
      if (!undone) kept.push(position)
    }
    kept.push(yield* append(own))
    yield* stall
    const undone = (yield* Random.next) < 0.25
    yield* own.query(undone ? "rollback" : "commit")
    return undone ? [] : kept
  }).pipe(Effect.onError(() => Effect.ignore(own.query("rollback"))))

/** One with a session of its own: early transaction ids, savepoints, rollbacks, stalls. */
export const raw = (field: Field, url: string) =>
  Effect.scoped(Effect.flatMap(session.open(url), (own) => field.repeat(script(own))))

/** One that prepares transactions, and commits or undoes them later. */
export const preparer = (field: Field, url: string, name: string) =>
  Effect.gen(function* () {
    const own = yield* session.open(url)
    let round = 0
    yield* field.repeat(
      Effect.gen(function* () {
        const id = `${name}-${++round}`
        yield* own.query("begin")
        const position = yield* append(own)
        yield* stall
        yield* own.query(`prepare transaction '${id}'`)
        yield* stall
        const undone = (yield* Random.next) < 0.5
        yield* own.query(`${undone ? "rollback" : "commit"} prepared '${id}'`)
        yield* stall
        return undone ? [] : [position]
      })
    )
  }).pipe(Effect.scoped)

/**
 * One for whom all others pause now and then. While nobody else has a transaction, its own is newer than all that the
 * server calls running.
 */
export const solitary = (field: Field, url: string): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    const own = yield* session.open(url)
    while (!field.ended) {
      yield* Effect.sleep("400 millis")
      const position = yield* field.alone(
        Effect.gen(function* () {
          yield* own.query("begin")
          const { position } = yield* session.append(own, "Torture-solitary")
          yield* Effect.sleep("40 millis")
          yield* own.query("commit")
          return position
        })
      )
      field.acknowledged.add(position)
      field.lulls++
    }
  }).pipe(Effect.scoped)
