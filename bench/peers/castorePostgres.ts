/**
 * castore on PostgreSQL, whose pool of `postgres` is by default as large as everybody's and prepares its statements. It checks
 * nothing; where events are read they are decoded by the same schema. It keeps no order of all events.
 */
import { EventStore, EventType } from "@castore/core"
import { PostgresEventStorageAdapter } from "@castore/event-storage-adapter-postgres"
import { type Contender, inFlight, perSecond, perSecondWithCpu } from "../harness.ts"
import * as Task from "../task.ts"

interface Payload {
  readonly taskId: string
  readonly title: string
}

interface Stored {
  readonly aggregateId: string
  readonly version: number
  readonly payload: Payload
}

interface State {
  readonly aggregateId: string
  readonly version: number
}

const open = async (connectionString: string, read: (payload: unknown) => unknown) => {
  await PostgresEventStorageAdapter.createEventTable({ connectionString, aggregateId: { type: "VARCHAR", length: 64 } })
  return new EventStore({
    eventStoreId: "TASKS",
    eventTypes: [new EventType<"TaskCreated", Payload>({ type: "TaskCreated" })],
    reducer: (_: State, { aggregateId, payload, version }: Stored): State => {
      read(payload)
      return { aggregateId, version }
    },
    eventStorageAdapter: new PostgresEventStorageAdapter({ connectionString })
  })
}

const nothing = (payload: unknown) => payload

const created = (aggregateId: string, version: number) => ({
  aggregateId,
  version,
  type: "TaskCreated" as const,
  payload: { taskId: "t-1", title: "Write" }
})

/** All or none, which its adapter does in a transaction, one insert after the other. */
const pushMany = async (store: Awaited<ReturnType<typeof open>>, id: string, count: number) => {
  const [first, ...others] = Array.from({ length: count }, (_, n) => store.groupEvent(created(id, n + 1)))
  if (first !== undefined) await EventStore.pushEventGroup({ force: false }, first, ...others)
}

export const append =
  (workers: number): Contender =>
  async ({ database }) => {
    const store = await open(database, nothing)
    return perSecondWithCpu(
      inFlight(workers, (worker) => {
        const next = Task.walk(worker)
        return () => {
          const { id, version } = next()
          return store.pushEvent(created(id, version + 1))
        }
      })
    )
  }

export const appendMany =
  (count: number): Contender =>
  async ({ database }) => {
    const store = await open(database, nothing)
    let n = 0
    return perSecond(
      inFlight(1, () => () => pushMany(store, `many-${n++}`, count)),
      count
    )
  }

const reading =
  (count: number, read: (payload: unknown) => unknown): Contender =>
  async ({ database }) => {
    const store = await open(database, read)
    for (let n = 0; n < Task.streams; n++) await pushMany(store, `${n}`, count)
    let n = 0
    return perSecond(async (times) => {
      for (let i = 0; i < times; i++) {
        const { aggregate } = await store.getAggregate(`${n++ % Task.streams}`)
        if (aggregate?.version !== count) throw new Error("Not all of them")
      }
    })
  }

export const read = (count: number): Contender => reading(count, Task.decodeObject)
export const readObjects = (count: number): Contender => reading(count, nothing)

export const execute =
  (workers: number): Contender =>
  async ({ database }) => {
    const store = await open(database, Task.decodeObject)
    return perSecond(
      inFlight(workers, (worker) => {
        const next = Task.walk(worker)
        return async () => {
          const { id } = next()
          const { aggregate } = await store.getAggregate(id)
          await store.pushEvent(created(id, (aggregate?.version ?? 0) + 1))
        }
      })
    )
  }
