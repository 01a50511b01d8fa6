/**
 * Consumers on PostgreSQL: from the beginning of a log to its end with a handler that does nothing, and from the answer to an
 * append until a handler has the event. Ours reads for sixteen segments, and commits each checkpoint in a transaction.
 */
import { Consumer, EventStore, StreamName, SystemContext } from "effect-cqrs"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { type Contender, perSecondOf, type Suite } from "../harness.ts"
import { latencies, p99 } from "../latency.ts"
import * as EmmettConsumer from "../peers/emmettConsumer.ts"
import * as Emmett from "../peers/emmettPostgres.ts"
import * as PgConsumer from "../peers/pgConsumer.ts"
import * as Tables from "../tables.ts"
import * as Task from "../task.ts"
import * as Ours from "./store/ours.ts"

export const needsDatabase = true

const catchUp =
  (options: { readonly segments?: number; readonly transactional?: boolean }): Contender =>
  async ({ database }) => {
    await Tables.create(database)
    await Tables.fill(database, { events: Task.log, perStream: 100 })
    const runtime = Ours.start(database)
    await runtime.runPromise(EventStore.EventStore)
    let round = 0
    return perSecondOf(Task.log, async (times) => {
      let seen = 0
      let done = () => {}
      const all = new Promise<void>((resolve) => (done = resolve))
      const consumer = Consumer.make(`bench-${round++}`, {
        ...options,
        events: [Ours.TaskCreated],
        handle: () => {
          if (++seen === times) done()
          return Effect.void
        }
      })
      const running = runtime.runFork(Consumer.run(consumer).pipe(SystemContext.provide("bench")))
      await all
      await runtime.runPromise(Fiber.interrupt(running))
    })
  }

const arrival =
  (writers: number): Contender =>
  async ({ database }) => {
    const runtime = Ours.start(database)
    const store = await runtime.runPromise(EventStore.EventStore)
    const arrived = new Map<string, () => void>()
    const consumer = Consumer.make("bench", {
      events: [Ours.TaskCreated],
      handle: ({ event }) => Effect.sync(() => arrived.get(event.taskId)?.())
    })
    runtime.runFork(Consumer.run(consumer).pipe(SystemContext.provide("bench")))
    const appendTo = (id: string, version: number, taskId: string) =>
      store.append({
        stream: StreamName.make("Task", id),
        expected: version === 0 ? "none" : version,
        events: [Ours.created(taskId)]
      })
    let n = 0
    return latencies({
      writers,
      write: (worker) => {
        const next = Task.walk(worker)
        return () => {
          const { id, version } = next()
          return runtime.runPromise(appendTo(id, version, "t-1"))
        }
      },
      probe: async () => {
        const id = `probe-${n++}`
        const seen = new Promise<number>((resolve) => arrived.set(id, () => resolve(performance.now())))
        await runtime.runPromise(appendTo(id, 0, id))
        const committed = performance.now()
        return Math.max(0, (await seen) - committed)
      }
    })
  }

const suite: Suite = [
  {
    name: "catch up with 20 k events, no-op handler",
    unit: "events/s",
    target: { value: 60_000, ratio: 1 },
    ours: catchUp({}),
    peers: { emmett: EmmettConsumer.catchUp },
    beside: {
      "ours, 1 segment": catchUp({ segments: 1 }),
      "ours, no transaction": catchUp({ transactional: false }),
      "pg by hand, one loop": PgConsumer.catchUp
    }
  },
  ...[0, 32].map((writers) => ({
    name: `append to handler, ${writers === 0 ? "idle" : `${writers} writers`}`,
    unit: "ms",
    less: true,
    target: { value: 10 },
    also: { [p99]: { unit: "ms", less: true, target: { value: 50 } } },
    ours: arrival(writers),
    peers: { emmett: Emmett.readable(writers) }
  }))
]

export default suite
