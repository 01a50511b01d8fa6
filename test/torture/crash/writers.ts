/**
 * Writers that remember what they were told, in transactions and outside of them.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as Projection from "../../../src/application/Projection.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as ReadModelStore from "../../../src/ports/ReadModelStore.ts"
import * as UnitOfWork from "../../../src/ports/UnitOfWork.ts"
import { Noted, noted } from "../../adapters/postgres/support.ts"

/** Where an event was said to be written. */
export interface Place {
  readonly stream: string
  readonly position: number
  readonly version: number
}

/** Events that are written together or not at all, by their numbers. */
export type Group = ReadonlyArray<number>

export class Ledger {
  readonly groups: Array<Group> = []
  /** What was acknowledged: where the last event of each append of it is. */
  readonly acknowledged = new Map<number, Place>()
  failures = 0
  ended = false
  private last: number

  /** Numbers of events count from here. */
  constructor(start = 0) {
    this.last = start
  }

  /** Numbers for new events, noted before they are sent. */
  group(count: number): Group {
    const numbers = Array.from({ length: count }, () => ++this.last)
    this.groups.push(numbers)
    return numbers
  }
}

/** By stream, as a projection in the background counts. */
export const Totals = ReadModelStore.collection(
  "totals",
  Schema.Struct({ count: Schema.Int, sum: Schema.Int, version: Schema.Int })
)

export const totals = Projection.make("totals", {
  events: [Noted],
  on: {
    Noted: ({ n }, { stream, version }) =>
      Totals.update(stream, (before) => {
        const { count, sum } = before._tag === "Some" ? before.value : { count: 0, sum: 0 }
        return { count: count + 1, sum: sum + n, version }
      })
  }
})

/** By writer, the last event that was written in one transaction with this. */
export const Latest = ReadModelStore.collection("latest", Schema.Int)

const shared = Effect.map(Random.nextIntBetween(0, 40), (n) => StreamName.make("Crash", String(n)))

const acknowledge = (
  ledger: Ledger,
  numbers: Group,
  receipt: { readonly stream: string; readonly position: number; readonly version: number }
) =>
  Effect.sync(() => {
    const last = numbers.at(-1)
    if (last === undefined) return
    ledger.acknowledged.set(last, {
      stream: receipt.stream,
      position: receipt.position,
      version: receipt.version
    })
    // Those before it are known by their version alone: others may draw positions between.
    numbers.slice(0, -1).forEach((number, index) => {
      const version = receipt.version - numbers.length + 1 + index
      ledger.acknowledged.set(number, { stream: receipt.stream, position: Number.NaN, version })
    })
  })

const single = (ledger: Ledger) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const numbers = ledger.group(yield* Random.nextIntBetween(1, 5))
    const [first, ...rest] = numbers.map(noted)
    if (first === undefined) return
    const receipt = yield* store.append({ stream: yield* shared, expected: "any", events: [first, ...rest] })
    yield* acknowledge(ledger, numbers, receipt)
  })

const several = (ledger: Ledger) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const streams = [...new Set([yield* shared, yield* shared, yield* shared])]
    const numbers = ledger.group(streams.length)
    const receipts = yield* store.appendAll(
      streams.map((stream, index) => ({ stream, expected: "any", events: [noted(numbers[index] ?? 0)] }))
    )
    for (const [index, receipt] of receipts.entries()) {
      yield* acknowledge(ledger, numbers.slice(index, index + 1), receipt)
    }
  })

/** Two appends and a document in one transaction. */
const together = (ledger: Ledger, writer: string) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const unit = yield* UnitOfWork.UnitOfWork
    const numbers = ledger.group(2)
    const [first = 0, second = 0] = numbers
    const stream = StreamName.make("Latest", writer)
    const receipts = yield* unit.transaction(
      Effect.gen(function* () {
        const one = yield* store.append({ stream: yield* shared, expected: "any", events: [noted(first)] })
        yield* Effect.sleep(yield* Random.nextIntBetween(0, 10))
        const other = yield* store.append({ stream, expected: "any", events: [noted(second)] })
        yield* Latest.set(stream, second)
        return [one, other]
      })
    )
    for (const [index, receipt] of receipts.entries()) {
      yield* acknowledge(ledger, numbers.slice(index, index + 1), receipt)
    }
  })

/** Draws positions and gives them up. */
export const undone = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const unit = yield* UnitOfWork.UnitOfWork
  const append = Effect.flatMap(shared, (stream) => store.append({ stream, expected: "any", events: [noted(0)] }))
  yield* Effect.ignore(unit.transaction(Effect.andThen(append, Effect.fail("undone" as const))))
  yield* Effect.sleep("5 millis")
})

/** Writes until the ledger is closed; what fails may have been written or not. */
export const writer = (ledger: Ledger, name: string) => {
  const work = Effect.gen(function* () {
    const choice = yield* Random.nextIntBetween(0, 4)
    yield* choice < 2 ? single(ledger) : choice === 2 ? several(ledger) : together(ledger, name)
  })
  const failed = Effect.sync(() => ledger.failures++).pipe(Effect.andThen(Effect.sleep("20 millis")))
  return Effect.whileLoop({
    while: () => !ledger.ended,
    body: () => Effect.catch(work, () => failed),
    step: () => undefined
  })
}
