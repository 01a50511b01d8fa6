/**
 * emmett on PostgreSQL, with its tables made beforehand, and a pool of `pg` as large as everybody's. It checks nothing; where
 * events are read they are decoded by the same schema.
 */
import { dumbo } from "@event-driven-io/dumbo"
import { CommandHandler, type Event } from "@event-driven-io/emmett"
import {
  getPostgreSQLEventStore,
  type PostgresEventStore,
  postgreSQLEventStoreConsumer,
  readMessagesBatch
} from "@event-driven-io/emmett-postgresql"
import pg from "pg"
import { type Contender, inFlight, perSecond, perSecondWithCpu } from "../harness.ts"
import { latencies } from "../latency.ts"
import * as Task from "../task.ts"

type TaskCreated = Event<"TaskCreated", { readonly taskId: string; readonly title: string }>

const created = (taskId: string): TaskCreated => ({ type: "TaskCreated", data: { taskId, title: "Write" } })

const many = (count: number) => Array.from({ length: count }, (_, n) => created(`t-${n}`))

const open = async (database: string): Promise<PostgresEventStore> => {
  const before = getPostgreSQLEventStore(database)
  await before.schema.migrate()
  await before.close()
  const pool = new pg.Pool({ connectionString: database, max: Task.connections })
  // Otherwise it asks before each call whether its tables are there.
  return getPostgreSQLEventStore(database, {
    schema: { autoMigration: "None" },
    connectionOptions: { pooled: true, pool }
  })
}

const appendTo = (store: PostgresEventStore, id: string, version: number, events: Array<TaskCreated>) =>
  store.appendToStream(`Task-${id}`, events, {
    expectedStreamVersion: version === 0 ? "STREAM_DOES_NOT_EXIST" : BigInt(version)
  })

export const append =
  (workers: number): Contender =>
  async ({ database }) => {
    const store = await open(database)
    return perSecondWithCpu(
      inFlight(workers, (worker) => {
        const next = Task.walk(worker)
        return () => {
          const { id, version } = next()
          return appendTo(store, id, version, [created("t-1")])
        }
      })
    )
  }

export const appendMany =
  (count: number): Contender =>
  async ({ database }) => {
    const store = await open(database)
    let n = 0
    return perSecond(
      inFlight(1, () => () => appendTo(store, `many-${n++}`, 0, many(count))),
      count
    )
  }

const reading =
  (count: number, read: (data: unknown) => unknown): Contender =>
  async ({ database }) => {
    const store = await open(database)
    for (let n = 0; n < Task.streams; n++) await appendTo(store, `${n}`, 0, many(count))
    let n = 0
    return perSecond(async (times) => {
      for (let i = 0; i < times; i++) {
        const { state } = await store.aggregateStream<number, TaskCreated>(`Task-${n++ % Task.streams}`, {
          evolve: (state: number, { data }: TaskCreated) => (read(data) === null ? state : state + 1),
          initialState: () => 0
        })
        if (state !== count) throw new Error("Not all of them")
      }
    })
  }

export const read = (count: number): Contender => reading(count, Task.decodeObject)
export const readObjects = (count: number): Contender => reading(count, (data) => data)

const handle = CommandHandler<number, TaskCreated>({
  evolve: (count, { data }) => {
    Task.decodeObject(data)
    return count + 1
  },
  initialState: () => 0,
  mapToStreamId: (id) => `Task-${id}`
})

export const execute =
  (workers: number): Contender =>
  async ({ database }) => {
    const store = await open(database)
    return perSecond(
      inFlight(workers, (worker) => {
        const next = Task.walk(worker)
        return () => handle(store, next().id, () => [created("t-1")])
      })
    )
  }

const catchingUp =
  (read: (data: unknown) => unknown): Contender =>
  async ({ database }) => {
    const store = await open(database)
    for (let n = 0; n < Task.log / 100; n++) await appendTo(store, `${n}`, 0, many(100))
    const { execute } = dumbo({ connectionString: database })
    let after = 0n
    return perSecond(async (times) => {
      for (let n = 0; n < times; n++) {
        const page = await readMessagesBatch<TaskCreated>(execute, { after, batchSize: Task.page })
        for (const { data } of page.messages) read(data)
        after = page.areMessagesLeft ? page.currentGlobalPosition : 0n
      }
    }, Task.page)
  }

export const catchUp = catchingUp(Task.decodeObject)
export const catchUpObjects = catchingUp((data) => data)

/** Its consumer waits 100 ms after it has found nothing, then twice as long each time up to a second. */
export const readable =
  (writers: number): Contender =>
  async ({ database }) => {
    const store = await open(database)
    const arrived = new Map<string, () => void>()
    const consumer = postgreSQLEventStoreConsumer<TaskCreated>({
      connectionString: database,
      pulling: { batchSize: Task.page, pullingFrequencyInMs: 2 }
    })
    consumer.reactor<TaskCreated>({
      processorId: "bench",
      eachMessage: ({ data }) => arrived.get(data.taskId)?.()
    })
    void consumer.start()
    let n = 0
    return latencies({
      writers,
      write: (worker) => {
        const next = Task.walk(worker)
        return () => {
          const { id, version } = next()
          return appendTo(store, id, version, [created("t-1")])
        }
      },
      probe: async () => {
        const id = `probe-${n++}`
        const seen = new Promise<number>((resolve) => arrived.set(id, () => resolve(performance.now())))
        await appendTo(store, id, 0, [created(id)])
        const committed = performance.now()
        return Math.max(0, (await seen) - committed)
      }
    })
  }
