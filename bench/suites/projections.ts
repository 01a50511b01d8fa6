/**
 * Projections into a table of PostgreSQL that catch up with a log, each event exactly once: the rows and the checkpoint commit
 * together. Everybody makes one statement of a batch.
 */
import { EventStore, Position, Projection, SystemContext } from "effect-cqrs"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import { type Contender, perSecondOf, type Suite } from "../harness.ts"
import * as Pg from "../peers/pgProjection.ts"
import * as Tables from "../tables.ts"
import * as Projecting from "./projections/ours.ts"
import * as Ours from "./store/ours.ts"

export const needsDatabase = true

const open = async (database: string, events: number) => {
  const runtime = Ours.start(database)
  await runtime.runPromise(EventStore.EventStore)
  await Tables.fill(database, { events, perStream: 100 })
  return runtime
}

const project =
  (events: number, batchSize: number): Contender =>
  async ({ database }) => {
    const runtime = await open(database, events)
    const projection = Projecting.taskList(batchSize)
    return perSecondOf(events, () =>
      runtime.runPromise(
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          yield* sql`drop table if exists task_list`
          yield* sql`delete from es.checkpoint`
          const position = Position.make(events)
          const caughtUp = Projection.waitFor(projection, { position }, { timeout: "5 minutes" })
          yield* Effect.raceFirst(caughtUp, Effect.orDie(Projection.run(projection)))
        }).pipe(SystemContext.provide("projections"))
      )
    )
  }

const rebuild =
  (events: number): Contender =>
  async ({ database }) => {
    const runtime = await open(database, events)
    return perSecondOf(events, (times) => runtime.runPromise(Projecting.rebuild(times)))
  }

const many = 20_000
const few = 1000

const suite: Suite = [
  {
    name: "project exactly once, 500 events a batch",
    unit: "events/s",
    target: { ratio: 0.7 },
    ours: project(many, 500),
    peers: { pg: Pg.project(many, 500) },
    beside: { "pg, decoded": Pg.projectDecoded(many, 500) }
  },
  {
    name: "project exactly once, event by event",
    unit: "events/s",
    target: { ratio: 0.7 },
    ours: project(few, 1),
    peers: { pg: Pg.project(few, 1) }
  },
  {
    name: "rebuild, 500 events a batch, with the swap",
    unit: "events/s",
    ours: rebuild(many),
    peers: { pg: Pg.project(many, 500) }
  }
]

export default suite
