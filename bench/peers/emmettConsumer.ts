/**
 * emmett's consumer on PostgreSQL, asked for pages as large as everybody's and as often as it can.
 */
import type { Event } from "@event-driven-io/emmett"
import { getPostgreSQLEventStore, postgreSQLEventStoreConsumer } from "@event-driven-io/emmett-postgresql"
import { type Contender, perSecondOf } from "../harness.ts"
import * as Task from "../task.ts"

type TaskCreated = Event<"TaskCreated", { readonly taskId: string; readonly title: string }>

/** From the beginning of the log to its end, by a processor that never ran. */
export const catchUp: Contender = async ({ database }) => {
  const store = getPostgreSQLEventStore(database)
  await store.schema.migrate()
  for (let n = 0; n < Task.log / 100; n++) {
    const events = Array.from({ length: 100 }, (): TaskCreated => {
      return { type: "TaskCreated", data: { taskId: "t-1", title: "Write" } }
    })
    await store.appendToStream(`Task-${n}`, events, { expectedStreamVersion: "STREAM_DOES_NOT_EXIST" })
  }
  let round = 0
  return perSecondOf(Task.log, async (times) => {
    const consumer = postgreSQLEventStoreConsumer<TaskCreated>({
      connectionString: database,
      pulling: { batchSize: Task.page, pullingFrequencyInMs: 1 }
    })
    await new Promise<void>((resolve, reject) => {
      let seen = 0
      consumer.reactor<TaskCreated>({
        processorId: `bench-${round++}`,
        startFrom: "BEGINNING",
        eachMessage: ({ data }) => {
          Task.decodeObject(data)
          if (++seen === times) resolve()
        }
      })
      consumer.start().catch(reject)
    })
    await consumer.close()
  })
}
