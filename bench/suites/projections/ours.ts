/**
 * Our projection into a table of tasks, one statement for a batch.
 */
import { Projection, Rebuild, SystemContext } from "effect-cqrs"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import * as Pg from "../../peers/pgProjection.ts"
import * as Ours from "../store/ours.ts"

export const taskList = (batchSize: number) =>
  Projection.batched("task-list", {
    events: [Ours.TaskCreated],
    tables: ["task_list"],
    batchSize,
    setup: Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const table = sql(yield* Projection.table("task_list"))
      yield* sql`create table if not exists ${table} (id text primary key, title text not null)`
    }),
    handle: (batch) =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const table = yield* Projection.table("task_list")
        yield* sql.unsafe(Pg.insertText.replace("task_list", table), [
          batch.map(({ event }) => event.taskId),
          batch.map(({ event }) => event.title)
        ])
      })
  })

/** Builds the table anew from so many events, 500 a batch, and swaps it in. */
export const rebuild = (events: number) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`create table if not exists task_list (id text primary key, title text not null)`
    const { handled } = yield* Rebuild.run(taskList(500), { dropAfter: 0 })
    if (handled !== events) throw new Error(`Not all of them: ${handled}`)
  }).pipe(SystemContext.provide("projections"))
