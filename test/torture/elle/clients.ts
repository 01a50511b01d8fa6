/**
 * Clients that read and append in transactions, and write down what they did and saw.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as SqlClient from "effect/sql/SqlClient"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import type { ExpectedVersion } from "../../../src/ports/EventStoreError.ts"
import * as UnitOfWork from "../../../src/ports/UnitOfWork.ts"
import { noted } from "../../adapters/postgres/support.ts"
import type { Operation, Transaction } from "./history.ts"

/** How many streams there are at a time; others take their place, so that reading them whole stays cheap. */
const streams = 10
const generation = 300

/** What the clients of one phase share. */
export class Recorder {
  readonly transactions: Array<Transaction> = []
  ended = false
  readonly phase: string
  private static last = 0

  constructor(phase: string) {
    this.phase = phase
  }

  value(): number {
    return ++Recorder.last
  }

  get stream(): Effect.Effect<StreamName.StreamName> {
    const age = Math.floor(this.transactions.length / generation)
    return Effect.map(Random.nextIntBetween(0, streams), (n) => StreamName.make(this.phase, `${age}-${n}`))
  }

  /** Several different streams, in the order of their names: transactions that lock one by one do not deadlock so. */
  get several(): Effect.Effect<ReadonlyArray<StreamName.StreamName>> {
    return Effect.map(Effect.all([this.stream, this.stream, this.stream]), (names) => [...new Set(names)].sort())
  }

  /** Runs a transaction that notes what it does, and what became of it. */
  record<E, R>(
    work: (note: (operation: Operation) => void) => Effect.Effect<unknown, E, R>
  ): Effect.Effect<void, never, R> {
    return Effect.suspend(() => {
      const operations: Array<Operation> = []
      const start = performance.now()
      return Effect.map(Effect.result(work((operation) => void operations.push(operation))), (result) => {
        this.transactions.push({
          operations,
          start,
          end: performance.now(),
          committed: result._tag === "Success"
        })
      })
    })
  }
}

type Note = (operation: Operation) => void

const read = (stream: StreamName.StreamName, note: Note) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const events = yield* store.readStream(stream)
    note({ kind: "read", stream, values: events.map(({ data }) => valueOf(data)) })
    return events.length
  })

/** The number in a noted event. */
export const valueOf = (data: unknown): number =>
  typeof data === "object" && data !== null && "n" in data ? Number(data.n) : Number.NaN

const append = (recorder: Recorder, stream: StreamName.StreamName, note: Note, expected: ExpectedVersion = "any") =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const value = recorder.value()
    // Before it is sent: what fails may be there all the same, and must not be.
    note({ kind: "append", stream, value })
    yield* store.append({ stream, expected, events: [noted(value)] })
  })

const inTransaction = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.flatMap(UnitOfWork.UnitOfWork, (unit) => unit.transaction(self))

const pause = Effect.flatMap(Random.nextIntBetween(0, 4), (millis) => Effect.sleep(millis))

/** Appends only to what it has read, and only while that stands: nothing else is asked of the database. */
const decide = (recorder: Recorder) =>
  Effect.gen(function* () {
    const names = yield* recorder.several
    yield* recorder.record((note) =>
      inTransaction(
        Effect.gen(function* () {
          const versions: Array<number> = []
          for (const name of names) versions.push(yield* read(name, note))
          yield* pause
          for (const [index, name] of names.entries()) yield* append(recorder, name, note, versions[index] ?? 0)
        })
      )
    )
  })

/** The same as an append to several streams at once, whose reads were outside of any transaction. */
const decideAtOnce = (recorder: Recorder) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const names = yield* recorder.several
    yield* recorder.record((note) =>
      Effect.gen(function* () {
        const versions: Array<number> = []
        for (const name of names) versions.push(yield* read(name, note))
        yield* pause
        const appends = names.map((stream, index) => {
          const value = recorder.value()
          note({ kind: "append", stream, value })
          return { stream, expected: versions[index] ?? 0, events: [noted(value)] as const }
        })
        yield* store.appendAll(appends)
      })
    )
  })

/** Reads some streams and appends to others. */
const wander = (recorder: Recorder) =>
  Effect.gen(function* () {
    const reads = yield* recorder.several
    const writes = (yield* recorder.several).slice(0, 2)
    const undone = (yield* Random.next) < 0.1
    yield* recorder.record((note) =>
      inTransaction(
        Effect.gen(function* () {
          for (const name of reads) yield* read(name, note)
          yield* pause
          for (const name of writes) yield* append(recorder, name, note)
          yield* pause
          const [first] = writes
          if (first !== undefined) yield* read(first, note)
          if (undone) return yield* Effect.fail("undone" as const)
        })
      )
    )
  })

const single = (recorder: Recorder) =>
  Effect.gen(function* () {
    const name = yield* recorder.stream
    const reads = (yield* Random.next) < 0.5
    yield* recorder.record((note) => (reads ? read(name, note) : append(recorder, name, note)))
  })

const repeat = <R>(recorder: Recorder, work: Effect.Effect<void, never, R>) =>
  Effect.whileLoop({ while: () => !recorder.ended, body: () => work, step: () => undefined })

type Client = (recorder: Recorder) => Effect.Effect<void, never, SqlClient.SqlClient | Services>
type Services = Effect.Services<ReturnType<typeof decide | typeof wander | typeof single>>

/** Decides by expected versions: serializable by the store alone, in whatever isolation. */
export const deciding: Client = (recorder) =>
  repeat(
    recorder,
    Effect.flatMap(Random.nextIntBetween(0, 2), (n) => (n === 0 ? decide(recorder) : decideAtOnce(recorder)))
  )

/** Anything, under the database's strictest isolation. */
export const serializable: Client = (recorder) =>
  repeat(recorder, wander(recorder)).pipe(
    Effect.provideService(SqlClient.BeginTransaction, "begin isolation level serializable")
  )

/** Anything, as transactions are by default: what is written is in order, what was read may be old. */
export const readCommitted: Client = (recorder) =>
  repeat(
    recorder,
    Effect.flatMap(Random.nextIntBetween(0, 3), (n) => (n === 0 ? single(recorder) : wander(recorder)))
  )
