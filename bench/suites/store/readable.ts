/**
 * From the answer to an append until a reader of the log has its event: in the process that appended, and in another that
 * has layers of its own. It is the reader's time, who waits for the mark and then reads a page.
 */
import { EventStore, Position, StreamName } from "effect-cqrs"
import * as Effect from "effect/Effect"
import type { Contender, Suite } from "../../harness.ts"
import { latencies, p99 } from "../../latency.ts"
import * as Emmett from "../../peers/emmettPostgres.ts"
import * as Pg from "../../peers/pg.ts"
import * as Task from "../../task.ts"
import * as Ours from "./ours.ts"

/** Waits for the mark, and reads, until the event of this position is there. */
const arrival = (position: Position.Position): Effect.Effect<number, unknown, Ours.Provided> =>
  Effect.flatMap(EventStore.EventStore, (store) => {
    const after = Position.make(position - 1)
    const read: Effect.Effect<number, unknown, Ours.Provided> = Effect.flatMap(
      store.readAll({ after, limit: 1 }),
      ({ events }) =>
        events.length > 0 ? Effect.sync(() => performance.now()) : Effect.andThen(store.changed(after), read)
    )
    return Effect.andThen(store.changed(after), read)
  })

const readable =
  (writers: number, elsewhere: boolean): Contender =>
  async ({ database }) => {
    const runtime = Ours.start(database)
    const store = await runtime.runPromise(EventStore.EventStore)
    const reader = elsewhere ? Ours.start(database) : runtime
    await reader.runPromise(EventStore.EventStore)
    const appendTo = (id: string, version: number) =>
      store.append({
        stream: StreamName.make("Task", id),
        expected: version === 0 ? "none" : version,
        events: [Ours.created("t-1")]
      })
    let n = 0
    return latencies({
      writers,
      write: (worker) => {
        const next = Task.walk(worker)
        return () => {
          const { id, version } = next()
          return runtime.runPromise(appendTo(id, version))
        }
      },
      probe: async () => {
        const { position } = await runtime.runPromise(appendTo(`probe-${n++}`, 0))
        const committed = performance.now()
        return (await reader.runPromise(arrival(position))) - committed
      }
    })
  }

const suite: Suite = [0, 8, 32].map((writers) => ({
  name: `commit to readable, ${writers === 0 ? "idle" : `${writers} writers`}`,
  unit: "ms",
  less: true,
  target: { value: 10 },
  also: { [p99]: { unit: "ms", less: true, target: { value: 50 } } },
  ours: readable(writers, false),
  peers: { emmett: Emmett.readable(writers) },
  beside: { "ours, another process": readable(writers, true), "pg, polled, unsafe": Pg.readable(writers) }
}))

export default suite
