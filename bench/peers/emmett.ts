/**
 * emmett in memory, which keeps events as the objects it is given. It counts all events of all streams in each append.
 */
import { CommandHandler, type Event, getInMemoryEventStore } from "@event-driven-io/emmett"
import { type Contender, perSecond, perSecondOf } from "../harness.ts"
import * as Task from "../task.ts"

type TaskCreated = Event<"TaskCreated", { readonly taskId: string; readonly title: string }>

const created = (taskId: string): TaskCreated => ({ type: "TaskCreated", data: { taskId, title: "Write" } })

export const newStreams: Contender = () =>
  perSecondOf(10_000, async (times) => {
    const store = getInMemoryEventStore()
    for (let n = 0; n < times; n++) {
      await store.appendToStream(`Task-t-${n}`, [created(`t-${n}`)], { expectedStreamVersion: "STREAM_DOES_NOT_EXIST" })
    }
  })

export const oneStream: Contender = () =>
  perSecondOf(20 * Task.long, async (times) => {
    const store = getInMemoryEventStore()
    for (let n = 0; n < times; n++) {
      const version = n % Task.long
      await store.appendToStream(`Task-${n - version}`, [created("t-1")], { expectedStreamVersion: BigInt(version) })
    }
  })

type TaskKept = Event<"TaskCreated", { readonly text: string }>

const kept = (taskId: string): TaskKept => ({ type: "TaskCreated", data: { text: Task.encode(taskId) } })

export const read: Contender = async () => {
  const store = getInMemoryEventStore()
  await store.appendToStream(
    "Task-long",
    Array.from({ length: Task.long }, (_, n) => kept(`t-${n}`))
  )
  return perSecond(async (times) => {
    for (let n = 0; n < times; n++) {
      const { events } = await store.readStream<TaskKept>("Task-long")
      const decoded = events.map((event) => ({ ...event, data: Task.decode(event.data.text) }))
      if (decoded.length !== Task.long) throw new Error("Not all of them")
    }
  })
}

const handle = CommandHandler<number, TaskKept>({
  evolve: (count, { data }) => {
    Task.decode(data.text)
    return count + 1
  },
  initialState: () => 0,
  mapToStreamId: (id) => `Task-${id}`
})

export const execute: Contender = () =>
  perSecondOf(Task.short * 1000, async (times) => {
    const store = getInMemoryEventStore()
    for (let n = 0; n < times; n++) await handle(store, `t-${n % 1000}`, () => [kept("t-1")])
  })
