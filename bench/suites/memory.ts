/**
 * Event stores in memory. Ours checks events and keeps them as the JSON that a database would keep. The peers keep the
 * objects they are given, unchecked: so they do where events are appended, and where events are read they are given JSON.
 */
import {
  Aggregate,
  Event,
  EventStore,
  type EventStoreError,
  Memory,
  RecordedEvent,
  Repository,
  StreamName,
  TenantContext
} from "effect-cqrs"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { type Contender, perSecond, perSecondOf, type Suite } from "../harness.ts"
import * as Castore from "../peers/castore.ts"
import * as Emmett from "../peers/emmett.ts"
import * as Task from "../task.ts"

class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", Task.fields) {}

const Tasks = Aggregate.make("Task", { events: [TaskCreated], initial: 0 }).evolve({
  TaskCreated: (count) => count + 1
})
const create = (title: string, count: number) =>
  count < 0 ? Result.fail("never") : Result.succeed([new TaskCreated({ taskId: "t-1", title })])

/** Runs a program on a store of its own. */
const fresh = <A>(
  program: Effect.Effect<
    A,
    EventStoreError.EventStoreError | string,
    EventStore.EventStore | TenantContext.TenantContext
  >
): Promise<A> => Effect.runPromise(program.pipe(Effect.provide([Memory.layer, TenantContext.layerSingle])))

const appendNew = (store: EventStore.EventStore["Service"], from: number, to: number) =>
  Effect.gen(function* () {
    for (let n = from; n < to; n++) {
      const events = [new TaskCreated({ taskId: `t-${n}`, title: "Write" })]
      yield* store.append({ stream: StreamName.make("Task", `t-${n}`), expected: "none", events })
    }
  })

const newStreams: Contender = () =>
  perSecondOf(100_000, (times) => fresh(Effect.flatMap(EventStore.EventStore, (store) => appendNew(store, 0, times))))

/** The rate of some of the appends to new streams, out of so many that there will be or were before. */
const partOf =
  (from: number, to: number): Contender =>
  () =>
  () =>
    fresh(
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* appendNew(store, 0, from)
        const start = performance.now()
        yield* appendNew(store, from, to)
        return (to - from) / ((performance.now() - start) / 1000)
      })
    )

const oneStream: Contender = () =>
  perSecondOf(20 * Task.long, (times) =>
    fresh(
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        for (let n = 0; n < times; n++) {
          const version = n % Task.long
          const events = [new TaskCreated({ taskId: "t-1", title: "Write" })]
          yield* store.append({ stream: StreamName.make("Task", `${n - version}`), expected: version, events })
        }
      })
    )
  )

const read: Contender = async () => {
  const stream = StreamName.make("Task", "long")
  const events = Array.from({ length: Task.long }, (_, n) => new TaskCreated({ taskId: `t-${n}`, title: "Write" }))
  const store = await fresh(
    Effect.tap(EventStore.EventStore, (store) => store.append({ stream, expected: "none", events }))
  )
  const decode = RecordedEvent.decoder([TaskCreated])
  return perSecond((times) =>
    Effect.runPromise(
      Effect.gen(function* () {
        for (let n = 0; n < times; n++) {
          const decoded = (yield* store.readStream(stream)).map(decode)
          if (decoded.length !== Task.long || !decoded.every(Result.isSuccess)) throw new Error("Not all of them")
        }
      }).pipe(Effect.provide(TenantContext.layerSingle))
    )
  )
}

const execute: Contender = () =>
  perSecondOf(Task.short * 1000, (times) =>
    fresh(
      Effect.gen(function* () {
        for (let n = 0; n < times; n++) yield* Repository.execute(Tasks, `t-${n % 1000}`, "Write", create)
      })
    )
  )

const suite: Suite = [
  {
    name: "append to new streams, in memory, to 100 k",
    unit: "/s",
    target: { value: 300_000 },
    ours: newStreams,
    peers: { castore: Castore.newStreams, "emmett to 10 k": Emmett.newStreams }
  },
  {
    name: "append, last 100 k of a million new streams",
    unit: "/s",
    target: { value: 300_000, ratio: 0.8 },
    ours: partOf(900_000, 1_000_000),
    peers: { "our own first 100 k": partOf(0, 100_000) }
  },
  {
    name: "append to a stream, in memory, to 1,000 events",
    unit: "/s",
    target: { value: 300_000, ratio: 1 },
    ours: oneStream,
    peers: { castore: Castore.oneStream, emmett: Emmett.oneStream }
  },
  {
    name: "read 1,000 events, in memory, decoded",
    unit: "/s",
    target: { ratio: 1 },
    ours: read,
    peers: { castore: Castore.readJson, emmett: Emmett.read },
    beside: { "castore, objects": Castore.readObjects }
  },
  {
    name: "load, decide, append, in memory, 0-9 events",
    unit: "/s",
    target: { ratio: 1 },
    ours: execute,
    peers: { castore: Castore.executeJson, emmett: Emmett.execute },
    beside: { "castore, objects": Castore.executeObjects }
  }
]

export default suite
