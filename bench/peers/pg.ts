/**
 * The same work by hand: `pg` with prepared statements, on our own tables, by the statements that ours sends. Nothing is checked
 * or decoded on its way in and out, but for what `pg` makes of JSON, dates and arrays.
 */
import { randomUUID } from "node:crypto"
import { setTimeout as pause } from "node:timers/promises"
import pg from "pg"
import { type Contender, inFlight, perSecond, perSecondWithCpu } from "../harness.ts"
import { latencies } from "../latency.ts"
import * as Tables from "../tables.ts"
import * as Task from "../task.ts"

const open = (database: string) => new pg.Pool({ connectionString: database, max: Task.connections })

const appendText = `select written, version::float8 as version, last_position::float8 as position, deleted
from es.append($1::text, $2::text, $3::int8, $4::text[], $5::text[], $6::int4[], $7::text[], $8::text[], $9::text[])`

interface Row {
  readonly written: boolean
  readonly position: number
}

const appendTo = async (pool: pg.Pool, stream: string, expected: number, count: number): Promise<number> => {
  const events = Array.from({ length: count }, () => randomUUID())
  // As much as ours keeps with every event.
  const metadata = JSON.stringify({ correlationId: randomUUID(), occurredAt: Date.now() })
  const values = [
    "default",
    stream,
    expected,
    events,
    events.map(() => "TaskCreated"),
    events.map(() => 1),
    events.map(() => JSON.stringify({ taskId: "t-1", title: "Write" })),
    events.map(() => metadata),
    events.map(() => "{}")
  ]
  const [row] = (await pool.query<Row>({ name: "append", text: appendText, values })).rows
  if (row?.written !== true) throw new Error(`Refused: ${stream} at ${expected}`)
  return row.position
}

const readText = `select e.position::float8 as position, e.version::float8 as version, e.id, e.type, e.schema_version, e.data, e.meta, e.tags, e.at
from es.event e where e.tenant = $1 and e.stream = $2 order by e.version`

interface Event {
  readonly version: number
  readonly data: unknown
}

const readFrom = async (pool: pg.Pool, stream: string): Promise<ReadonlyArray<Event>> =>
  (await pool.query<Event>({ name: "read", text: readText, values: ["default", stream] })).rows

export const append =
  (workers: number): Contender =>
  async ({ database }) => {
    await Tables.create(database)
    const pool = open(database)
    return perSecondWithCpu(
      inFlight(workers, (worker) => {
        const next = Task.walk(worker)
        return () => {
          const { id, version } = next()
          return appendTo(pool, `Task-${id}`, version, 1)
        }
      })
    )
  }

export const appendMany =
  (count: number): Contender =>
  async ({ database }) => {
    await Tables.create(database)
    const pool = open(database)
    let n = 0
    return perSecond(
      inFlight(1, () => () => appendTo(pool, `Task-${n++}`, 0, count)),
      count
    )
  }

const plainTable = `create table event (position bigserial primary key, stream text not null, version bigint not null,
  id uuid not null, type text not null, data jsonb not null, meta jsonb not null, unique (stream, version))`

const plainText = `insert into event (stream, version, id, type, data, meta) values ($1, $2, $3, $4, $5, $6) returning position`

/** The least that keeps events of a stream in their order: one insert, no row for the stream, an order of the log with gaps. */
export const appendPlain =
  (workers: number): Contender =>
  async ({ database }) => {
    const pool = open(database)
    await pool.query(plainTable)
    return perSecondWithCpu(
      inFlight(workers, (worker) => {
        const next = Task.walk(worker)
        return () => {
          const { id, version } = next()
          const data = JSON.stringify({ taskId: "t-1", title: "Write" })
          const metadata = JSON.stringify({ correlationId: randomUUID(), occurredAt: Date.now() })
          const values = [`Task-${id}`, version + 1, randomUUID(), "TaskCreated", data, metadata]
          return pool.query({ name: "append", text: plainText, values })
        }
      })
    )
  }

const reading =
  (count: number, read: (data: unknown) => unknown): Contender =>
  async ({ database }) => {
    await Tables.create(database)
    await Tables.fill(database, { events: Task.streams * count, perStream: count, side: Task.streams })
    const pool = open(database)
    let n = 0
    return perSecond(async (times) => {
      for (let i = 0; i < times; i++) {
        const events = await readFrom(pool, Tables.stream(n++ % Task.streams))
        let state = 0
        for (const { data } of events) if (read(data) !== null) state++
        if (state !== count) throw new Error(`Not all of them: ${state}`)
      }
    })
  }

export const read = (count: number): Contender => reading(count, (data) => data)
export const readDecoded = (count: number): Contender => reading(count, Task.decodeObject)

export const execute =
  (workers: number): Contender =>
  async ({ database }) => {
    await Tables.create(database)
    const pool = open(database)
    return perSecond(
      inFlight(workers, (worker) => {
        const next = Task.walk(worker)
        return async () => {
          const stream = `Task-${next().id}`
          let version = 0
          for (const event of await readFrom(pool, stream)) version = event.version
          await appendTo(pool, stream, version, 1)
        }
      })
    )
  }

const pageText = `select e.position::float8 as position, e.version::float8 as version, e.id, e.type, e.schema_version, e.data, e.meta, e.tags, e.at, e.stream
from es.event e
where e.tenant = $3 and e.position > $1 and e.position <= (select position from es.high_water where id = 1)
order by e.position limit $2`

const catchingUp =
  (read: (data: unknown) => unknown): Contender =>
  async ({ database }) => {
    await Tables.create(database)
    await Tables.fill(database, { events: Task.log, perStream: 100 })
    const pool = open(database)
    let position = 0
    return perSecond(async (times) => {
      for (let n = 0; n < times; n++) {
        const { rows } = await pool.query<Event & { readonly position: number }>({
          name: "page",
          text: pageText,
          values: [position, Task.page, "default"]
        })
        for (const { data } of rows) read(data)
        position = rows.length < Task.page ? 0 : (rows.at(-1)?.position ?? 0)
      }
    }, Task.page)
  }

export const catchUp = catchingUp((data) => data)
export const catchUpDecoded = catchingUp(Task.decodeObject)

/** Whoever polls the log by its positions loses what commits late; this is what waiting for it costs. */
export const readable =
  (writers: number): Contender =>
  async ({ database }) => {
    await Tables.create(database)
    const pool = open(database)
    let n = 0
    return latencies({
      writers,
      write: (worker) => {
        const next = Task.walk(worker)
        return () => {
          const { id, version } = next()
          return appendTo(pool, `Task-${id}`, version, 1)
        }
      },
      probe: async () => {
        const position = await appendTo(pool, `Task-probe-${n++}`, 0, 1)
        const committed = performance.now()
        await pause(Math.random() * 2)
        const { rows } = await pool.query({ name: "poll", text: pollText, values: [position - 1] })
        if (rows.length !== 1) throw new Error("Not there")
        return performance.now() - committed
      }
    })
  }

const pollText =
  "select e.position::float8 as position, e.data from es.event e where e.position > $1 order by e.position limit 1"
