/**
 * castore in memory, which keeps events as the objects it is given and validates nothing. Given JSON, of checked fields, it
 * does the same work as a store that checks and encodes.
 */
import { EventStore, EventType } from "@castore/core"
import { InMemoryEventStorageAdapter } from "@castore/event-storage-adapter-in-memory"
import { type Contender, perSecond, perSecondOf } from "../harness.ts"
import * as Task from "../task.ts"

interface State {
  readonly aggregateId: string
  readonly version: number
}

type Payload = string | { readonly taskId: string; readonly title: string }

const read = (payload: Payload) => (typeof payload === "string" ? Task.decode(payload) : payload)

const makeStore = () =>
  new EventStore({
    eventStoreId: "TASKS",
    eventTypes: [new EventType<"TaskCreated", Payload>({ type: "TaskCreated" })],
    reducer: (_: State, { aggregateId, payload, version }: Stored): State => {
      read(payload)
      return { aggregateId, version }
    },
    eventStorageAdapter: new InMemoryEventStorageAdapter()
  })

interface Stored {
  readonly aggregateId: string
  readonly version: number
  readonly payload: Payload
}

const created = (aggregateId: string, version: number, payload: Payload) => ({
  aggregateId,
  version,
  type: "TaskCreated" as const,
  payload
})

const asObject = (taskId: string): Payload => ({ taskId, title: "Write" })

export const newStreams: Contender = () =>
  perSecondOf(100_000, async (times) => {
    const store = makeStore()
    for (let n = 0; n < times; n++) await store.pushEvent(created(`t-${n}`, 1, asObject(`t-${n}`)))
  })

export const oneStream: Contender = () =>
  perSecondOf(20 * Task.long, async (times) => {
    const store = makeStore()
    for (let n = 0; n < times; n++) {
      const before = n % Task.long
      await store.pushEvent(created(`${n - before}`, before + 1, asObject("t-1")))
    }
  })

const reading =
  (write: (taskId: string) => Payload): Contender =>
  async () => {
    const store = makeStore()
    for (let n = 0; n < Task.long; n++) await store.pushEvent(created("long", n + 1, write(`t-${n}`)))
    return perSecond(async (times) => {
      for (let n = 0; n < times; n++) {
        const { events } = await store.getEvents("long")
        const decoded = events.map((event) => ({ ...event, payload: read(event.payload) }))
        if (decoded.length !== Task.long) throw new Error("Not all of them")
      }
    })
  }

export const readJson = reading(Task.encode)
export const readObjects = reading(asObject)

const executing =
  (write: (taskId: string) => Payload): Contender =>
  () =>
    perSecondOf(Task.short * 1000, async (times) => {
      const store = makeStore()
      for (let n = 0; n < times; n++) {
        const id = `t-${n % 1000}`
        const { aggregate } = await store.getAggregate(id)
        await store.pushEvent(created(id, (aggregate?.version ?? 0) + 1, write("t-1")))
      }
    })

export const executeJson = executing(Task.encode)
export const executeObjects = executing(asObject)
