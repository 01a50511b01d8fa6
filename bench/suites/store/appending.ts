/**
 * Appends: at the exact version, ten to a stream and then to a new one. Ours checks and encodes the event by its schema.
 */
import { EventStore, StreamName } from "effect-cqrs"
import * as Effect from "effect/Effect"
import { type Aspect, type Contender, cpu, perSecond, perSecondWithCpu, type Suite } from "../../harness.ts"
import * as Castore from "../../peers/castorePostgres.ts"
import * as Emmett from "../../peers/emmettPostgres.ts"
import * as Pg from "../../peers/pg.ts"
import * as Task from "../../task.ts"
import * as Ours from "./ours.ts"

const once = (worker: number) => {
  const next = Task.walk(worker)
  return () => {
    const { id, version } = next()
    return Effect.flatMap(EventStore.EventStore, (store) =>
      store.append({
        stream: StreamName.make("Task", id),
        expected: version === 0 ? "none" : version,
        events: [Ours.created("t-1")]
      })
    )
  }
}

const append =
  (workers: number): Contender =>
  ({ database }) =>
    perSecondWithCpu(Ours.inFlight(Ours.start(database).runPromise, workers, once))

const appendWithoutAgent =
  (workers: number): Contender =>
  ({ database }) =>
    perSecondWithCpu(Ours.inFlight(Ours.startWithoutAgent(database).runPromise, workers, once))

const appendMany =
  (count: number): Contender =>
  ({ database }) => {
    const events = () => Array.from({ length: count }, (_, n) => Ours.created(`t-${n}`))
    let n = 0
    const one = () =>
      Effect.flatMap(EventStore.EventStore, (store) =>
        store.append({ stream: StreamName.make("Task", `${n++}`), expected: "none", events: events() })
      )
    return perSecond(
      Ours.inFlight(Ours.start(database).runPromise, 1, () => one),
      count
    )
  }

const processors = (target: Aspect["target"]): Readonly<Record<string, Aspect>> => ({
  [cpu]: { unit: "us", less: true, ...(target === undefined ? {} : { target }) }
})

const suite: Suite = [
  {
    name: "append, one at a time",
    unit: "/s",
    target: { ratio: 0.9 },
    also: processors({ over: 40 }),
    ours: append(1),
    peers: { pg: Pg.append(1), emmett: Emmett.append(1), castore: Castore.append(1) },
    beside: { "pg, plain insert": Pg.appendPlain(1) }
  },
  {
    name: "append, 8 in flight",
    unit: "/s",
    target: { ratio: 0.9 },
    also: processors(undefined),
    ours: append(8),
    peers: { pg: Pg.append(8), emmett: Emmett.append(8), castore: Castore.append(8) }
  },
  {
    name: "append, 32 in flight",
    unit: "/s",
    target: { ratio: 2 },
    also: processors({ value: 35 }),
    ours: append(32),
    peers: { pg: Pg.append(32), emmett: Emmett.append(32), castore: Castore.append(32) },
    beside: { "pg, plain insert": Pg.appendPlain(32) }
  },
  {
    name: "append of 100 events, one at a time",
    unit: "events/s",
    target: { ratio: 0.85 },
    ours: appendMany(100),
    peers: { pg: Pg.appendMany(100), emmett: Emmett.appendMany(100), castore: Castore.appendMany(100) }
  },
  {
    name: "append with the agent, one at a time",
    unit: "/s",
    target: { ratio: 0.95 },
    ours: append(1),
    peers: { "without it": appendWithoutAgent(1) }
  },
  {
    name: "append with the agent, 8 in flight",
    unit: "/s",
    target: { ratio: 0.95 },
    ours: append(8),
    peers: { "without it": appendWithoutAgent(8) }
  }
]

export default suite
