/**
 * castore in memory, which keeps events as the objects it is given and validates nothing.
 */
import { EventStore, EventType } from "@castore/core"
import { InMemoryEventStorageAdapter } from "@castore/event-storage-adapter-in-memory"
import { type Contender, perSecond, perSecondOf } from "../harness.ts"
import * as Task from "../task.ts"

interface Payload {
  readonly taskId: string
  readonly title: string
}

interface State {
  readonly aggregateId: string
  readonly version: number
}

const makeStore = () =>
  new EventStore({
    eventStoreId: "TASKS",
    eventTypes: [new EventType<"TaskCreated", Payload>({ type: "TaskCreated" })],
    reducer: (_: State, { aggregateId, version }): State => ({ aggregateId, version }),
    eventStorageAdapter: new InMemoryEventStorageAdapter()
  })

const created = (aggregateId: string, version: number, taskId: string) => ({
  aggregateId,
  version,
  type: "TaskCreated" as const,
  payload: { taskId, title: "Write" }
})

export const newStreams: Contender = () =>
  perSecondOf(100_000, async (times) => {
    const store = makeStore()
    for (let n = 0; n < times; n++) await store.pushEvent(created(`t-${n}`, 1, `t-${n}`))
  })

export const oneStream: Contender = () =>
  perSecondOf(20 * Task.long, async (times) => {
    const store = makeStore()
    for (let n = 0; n < times; n++) {
      const before = n % Task.long
      await store.pushEvent(created(`${n - before}`, before + 1, "t-1"))
    }
  })

export const read: Contender = async () => {
  const store = makeStore()
  for (let n = 0; n < Task.long; n++) await store.pushEvent(created("long", n + 1, `t-${n}`))
  return perSecond(async (times) => {
    for (let n = 0; n < times; n++) {
      const { events } = await store.getEvents("long")
      const decoded = events.map(({ payload, ...envelope }) => ({ ...envelope, payload: Task.decode(payload) }))
      if (decoded.length !== Task.long) throw new Error("Not all of them")
    }
  })
}

export const execute: Contender = () =>
  perSecondOf(Task.short * 1000, async (times) => {
    const store = makeStore()
    for (let n = 0; n < times; n++) {
      const id = `t-${n % 1000}`
      const { aggregate } = await store.getAggregate(id)
      const version = (aggregate?.version ?? 0) + 1
      await store.pushEvent(created(id, version, "t-1"), aggregate === undefined ? {} : { prevAggregate: aggregate })
    }
  })
