/**
 * Reads: streams that are folded, decisions, and the log. Whoever decodes does so by the same schema.
 */
import { Aggregate, EventStore, Position, RecordedEvent, Repository } from "effect-cqrs"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { type Contender, perSecond, type Suite } from "../../harness.ts"
import * as Castore from "../../peers/castorePostgres.ts"
import * as Emmett from "../../peers/emmettPostgres.ts"
import * as Pg from "../../peers/pg.ts"
import * as Tables from "../../tables.ts"
import * as Task from "../../task.ts"
import * as Ours from "./ours.ts"

const Tasks = Aggregate.make("Task", { events: [Ours.TaskCreated], initial: 0 }).evolve({
  TaskCreated: (count) => count + 1
})

const load =
  (count: number): Contender =>
  async ({ database }) => {
    const runtime = Ours.start(database)
    await runtime.runPromise(EventStore.EventStore)
    await Tables.fill(database, { events: Task.streams * count, perStream: count, side: Task.streams })
    let n = 0
    const once = () =>
      Effect.map(Repository.load(Tasks, Tables.stream(n++ % Task.streams).slice("Task-".length)), ({ state }) => {
        if (state !== count) throw new Error(`Not all of them: ${state}`)
      })
    return perSecond(Ours.inFlight(runtime.runPromise, 1, () => once))
  }

const create = (title: string) => Result.succeed([new Ours.TaskCreated({ taskId: "t-1", title })])

const execute =
  (workers: number): Contender =>
  ({ database }) =>
    perSecond(
      Ours.inFlight(Ours.start(database).runPromise, workers, (worker) => {
        const next = Task.walk(worker)
        return () => Repository.execute(Tasks, next().id, "Write", create)
      })
    )

const catchingUp =
  (read: (event: RecordedEvent.Stored) => unknown): Contender =>
  async ({ database }) => {
    const runtime = Ours.start(database)
    await runtime.runPromise(EventStore.EventStore)
    await Tables.fill(database, { events: Task.log, perStream: 100 })
    let after = Position.start
    const once = () =>
      Effect.flatMap(EventStore.EventStore, (store) =>
        Effect.map(store.readAll({ after, limit: Task.page }), ({ cursor, events }) => {
          for (const event of events) read(event)
          after = events.length < Task.page ? Position.start : cursor
        })
      )
    return perSecond(
      Ours.inFlight(runtime.runPromise, 1, () => once),
      Task.page
    )
  }

const suite: Suite = [
  ...[100, 1000].map((count) => ({
    name: `load a stream of ${count.toLocaleString("en")} events, decoded`,
    unit: "/s",
    target: { ratio: 0.75 },
    ours: load(count),
    peers: { "pg, undecoded": Pg.read(count), emmett: Emmett.read(count), castore: Castore.read(count) },
    beside: {
      pg: Pg.readDecoded(count),
      "emmett, undecoded": Emmett.readObjects(count),
      "castore, undecoded": Castore.readObjects(count)
    }
  })),
  {
    name: "load, decide, append, 32 in flight",
    unit: "/s",
    target: { ratio: 1 },
    ours: execute(32),
    peers: { pg: Pg.execute(32), emmett: Emmett.execute(32), castore: Castore.execute(32) }
  },
  {
    name: "catch up, 500 events a page, decoded",
    unit: "events/s",
    target: { ratio: 0.6 },
    ours: catchingUp(RecordedEvent.decoder([Ours.TaskCreated])),
    peers: { "pg, undecoded": Pg.catchUp, emmett: Emmett.catchUp },
    beside: { pg: Pg.catchUpDecoded }
  },
  {
    name: "catch up, 500 events a page, undecoded",
    unit: "events/s",
    target: { ratio: 0.85 },
    ours: catchingUp((event) => event),
    peers: { pg: Pg.catchUp, emmett: Emmett.catchUpObjects }
  }
]

export default suite
