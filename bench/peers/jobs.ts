/**
 * Jobs out of a table of PostgreSQL by others: by hand with `pg`, with `pg-boss`, with `graphile-worker`. Each is used as its
 * documents say that it is fast: fetched and completed in batches.
 */
import * as graphile from "graphile-worker"
import { PgBoss } from "pg-boss"
import pg from "pg"
import type { Contender, Round } from "../harness.ts"
import * as Task from "../task.ts"

/** So many jobs a second: they are put there before, and the time is that of doing them. */
export const jobsPerSecond =
  (jobs: number, fill: () => Promise<unknown>, drain: () => Promise<number>): Round =>
  async () => {
    await fill()
    const start = performance.now()
    const done = await drain()
    if (done !== jobs) throw new Error(`Not all of them: ${done} of ${jobs}`)
    return (jobs * 1000) / (performance.now() - start)
  }

const batch = 100

/** A claim with a lease, and what was claimed deleted, each for a batch: what a queue cannot do with less. */
export const byHand =
  (jobs: number): Contender =>
  async ({ database }) => {
    const pool = new pg.Pool({ connectionString: database, max: 1 })
    await pool.query(
      `create table job (id bigserial primary key, data jsonb not null, due timestamptz not null default now())`
    )
    await pool.query("create index job_due on job (due)")
    const claim = `update job set due = now() + interval '30 seconds' where id = any(array(
      select id from job where due <= now() order by due limit ${batch} for update skip locked)) returning id, data`
    return jobsPerSecond(
      jobs,
      () =>
        pool.query(`insert into job (data) select '{"taskId":"t-1","title":"Write"}' from generate_series(1, ${jobs})`),
      async () => {
        let done = 0
        while (true) {
          const { rows } = await pool.query<{ readonly id: string }>({ name: "claim", text: claim })
          if (rows.length === 0) return done
          const ids = rows.map(({ id }) => id)
          const values = [ids]
          const { rowCount } = await pool.query({ name: "done", text: "delete from job where id = any($1)", values })
          done += rowCount ?? 0
        }
      }
    )
  }

export const pgBoss =
  (jobs: number): Contender =>
  async ({ database }) => {
    const boss = new PgBoss({ connectionString: database, max: Task.connections, supervise: false, schedule: false })
    await boss.start()
    await boss.createQueue("jobs")
    return jobsPerSecond(
      jobs,
      () =>
        boss.insert(
          "jobs",
          Array.from({ length: jobs }, () => ({ data: { taskId: "t-1", title: "Write" } }))
        ),
      async () => {
        let done = 0
        while (true) {
          const found = await boss.fetch("jobs", { batchSize: batch })
          if (found.length === 0) return done
          await boss.complete(
            "jobs",
            found.map(({ id }) => id)
          )
          done += found.length
        }
      }
    )
  }

export const graphileWorker =
  (jobs: number): Contender =>
  async ({ database }) => {
    const pool = new pg.Pool({ connectionString: database, max: Task.connections })
    pool.on("error", () => {})
    const logger = new graphile.Logger(() => () => {})
    await graphile.runMigrations({ pgPool: pool, logger })
    return jobsPerSecond(
      jobs,
      () =>
        pool.query(
          `select graphile_worker.add_job('noop', '{"taskId":"t-1","title":"Write"}') from generate_series(1, ${jobs})`
        ),
      async () => {
        let done = 0
        const taskList = { noop: () => void done++ }
        const preset = {
          extends: [graphile.WorkerPreset],
          worker: {
            concurrentJobs: 24,
            localQueue: { size: 500 },
            completeJobBatchDelay: 0,
            failJobBatchDelay: 0
          }
        }
        await graphile.runOnce({ pgPool: pool, taskList, logger, preset })
        return done
      }
    )
  }
