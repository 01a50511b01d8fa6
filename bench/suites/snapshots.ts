/**
 * Long streams on PostgreSQL: loaded from a snapshot and the events since, beside a fold of all of them.
 */
import { Aggregate, EventStore, Repository, SnapshotPolicy } from "effect-cqrs"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type Contender, quantile, type Suite } from "../harness.ts"
import * as Tables from "../tables.ts"
import * as Ours from "./store/ours.ts"

export const needsDatabase = true

const State = Schema.Struct({ count: Schema.Int, titles: Schema.Record(Schema.String, Schema.Int) })
const initial: typeof State.Type = { count: 0, titles: {} }
const declared = { events: [Ours.TaskCreated], initial } as const
const evolve = ({ count, titles }: typeof State.Type, { title }: Ours.TaskCreated): typeof State.Type => ({
  count: count + 1,
  titles: { ...titles, [title]: (titles[title] ?? 0) + 1 }
})

const All = Aggregate.make("Task", declared).evolve(evolve)
const kept = (policy: SnapshotPolicy.SnapshotPolicy) =>
  Aggregate.make("Task", { ...declared, snapshots: { state: State, policy } }).evolve(evolve)
const Kept = kept(SnapshotPolicy.manual)
const Every = kept(SnapshotPolicy.every(100))

const id = Tables.stream(0).slice("Task-".length)
const create = (title: string) => Result.succeed([Ours.created(title)])

/** Makes a stream of so many events, of which the last ones came after the snapshot. */
const prepared = async (database: string, events: number, since: number) => {
  const runtime = Ours.start(database)
  await runtime.runPromise(EventStore.EventStore)
  await Tables.fill(database, { events, perStream: events, side: 1 })
  await runtime.runPromise(Repository.snapshot(Kept, id))
  for (let n = 0; n < since; n++) await runtime.runPromise(Repository.execute(Kept, id, "Write", create))
  return runtime
}

const p99 = "p99"

/** How long one takes after the other, in milliseconds: the median, and the 99th percentile. */
const taking =
  (once: Ours.Program, events: number, since: number): Contender =>
  async ({ database }) => {
    const runtime = await prepared(database, events, since)
    return async (seconds) => {
      const until = performance.now() + seconds * 1000
      const taken: Array<number> = []
      do {
        const start = performance.now()
        await runtime.runPromise(once)
        taken.push(performance.now() - start)
      } while (performance.now() < until)
      return { value: quantile(taken, 0.5), also: { [p99]: quantile(taken, 0.99) } }
    }
  }

const loading = (aggregate: typeof Kept | typeof All, count: number) =>
  Effect.map(Repository.load(aggregate, id), ({ state }) => {
    if (state.count !== count) throw new Error(`Not all of them: ${state.count}`)
  })

const many = 100_000
const since = 100

const suite: Suite = [
  {
    name: "load 100,000 events, 100 of them since a snapshot",
    unit: "ms",
    less: true,
    target: { value: 20 },
    also: { [p99]: { unit: "ms", less: true } },
    ours: taking(loading(Kept, many + since), many, since),
    peers: { "all events": taking(loading(All, many + since), many, since) }
  },
  {
    name: "load, decide, append to 100,000 events, a snapshot every 100",
    unit: "ms",
    less: true,
    target: { value: 20 },
    also: { [p99]: { unit: "ms", less: true } },
    ours: taking(Repository.execute(Every, id, "Write", create), many, 0),
    peers: { "all events": taking(Repository.execute(All, id, "Write", create), many, 0) }
  }
]

export default suite
