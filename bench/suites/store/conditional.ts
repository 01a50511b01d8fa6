/**
 * Appends under a condition: that nobody has appended an event with the same tag since. Each worker has tags of its own, so
 * that nobody waits for anybody; the events of all rows carry two tags.
 */
import { Event, EventStore, Position, StreamName } from "effect-cqrs"
import * as Effect from "effect/Effect"
import { type Contender, perSecond, type Suite } from "../../harness.ts"
import * as Task from "../../task.ts"
import * as Ours from "./ours.ts"

class TaskTagged extends Event.Class<TaskTagged>()("TaskTagged", Task.fields, {
  tags: ({ taskId }) => [`task:${taskId}`, `list:${taskId}`]
}) {}

const append =
  (workers: number, make: (id: string) => Event.Any, conditional: boolean): Contender =>
  ({ database }) =>
    perSecond(
      Ours.inFlight(Ours.start(database).runPromise, workers, (worker) => {
        const next = Task.walk(worker)
        let last = Position.start
        return () => {
          const { id, version } = next()
          const condition = { query: [{ tags: [`task:${id}`] }], after: version === 0 ? Position.start : last }
          return Effect.flatMap(EventStore.EventStore, (store) =>
            Effect.map(
              store.append({
                stream: StreamName.make("Task", id),
                expected: version === 0 ? "none" : version,
                events: [make(id)],
                ...(conditional ? { condition } : {})
              }),
              ({ position }) => void (last = position)
            )
          )
        }
      })
    )

const tagged = (taskId: string) => new TaskTagged({ taskId, title: "Write" })

const suite: Suite = [1, 32].map((workers) => ({
  name: `append under a condition, ${workers === 1 ? "one at a time" : `${workers} in flight`}`,
  unit: "/s",
  target: { ratio: 0.8 },
  ours: append(workers, tagged, true),
  peers: { "without it": append(workers, tagged, false) },
  beside: { "nor tags": append(workers, Ours.created, false) }
}))

export default suite
