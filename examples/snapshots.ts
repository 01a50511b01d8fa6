// A long stream, loaded from a snapshot: one option of the aggregate, and a check that it says what all events say.
import { Effect, Option, Result, Schema } from "effect"
import {
  Aggregate,
  Event,
  EventStore,
  Memory,
  Repository,
  SnapshotPolicy,
  SnapshotStore,
  TenantContext
} from "effect-cqrs"

class Measured extends Event.Class<Measured>()("Measured", { celsius: Schema.Finite }) {}

const Range = Schema.Struct({ count: Schema.Int, lowest: Schema.Finite, highest: Schema.Finite })

const initial: typeof Range.Type = { count: 0, lowest: 100, highest: -100 }

const evolve = ({ count, highest, lowest }: typeof Range.Type, { celsius }: Measured) => ({
  count: count + 1,
  lowest: Math.min(lowest, celsius),
  highest: Math.max(highest, celsius)
})

const Sensor = Aggregate.make("Sensor", {
  events: [Measured],
  initial,
  snapshots: { state: Range, policy: SnapshotPolicy.any(SnapshotPolicy.every(1000), SnapshotPolicy.older("1 day")) }
}).evolve(evolve)

const measure = (celsius: number) => Result.succeed([new Measured({ celsius })])

const program = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const stream = Sensor.stream("roof")
  const events = Array.from({ length: 5000 }, (_, n) => new Measured({ celsius: (n % 400) / 10 }))
  yield* store.append({ stream, expected: "none", events })

  // The first command folds all of them, and leaves a snapshot.
  yield* Repository.execute(Sensor, "roof", -12.5, measure)
  const { version } = yield* Repository.execute(Sensor, "roof", 41, measure)
  const snapshot = yield* Effect.flatMap(SnapshotStore.SnapshotStore, (snapshots) => snapshots.load(stream))
  console.log(`version ${version}, snapshot of`, Option.getOrUndefined(snapshot)?.version)

  const { state } = yield* Repository.load(Sensor, "roof")
  console.log(state)
  console.log(yield* Repository.verify(Sensor, "roof"))

  // A schema of another shape reads no old snapshot: all events are folded, and the next snapshot is of the new shape.
  const Mean = Schema.Struct({ count: Schema.Int, sum: Schema.Finite })
  const Later = Aggregate.make("Sensor", {
    events: [Measured],
    initial: { count: 0, sum: 0 },
    snapshots: { state: Mean }
  }).evolve({ Measured: ({ count, sum }, { celsius }) => ({ count: count + 1, sum: sum + celsius }) })
  console.log(yield* Repository.verify(Later, "roof"))
  const mean = yield* Repository.load(Later, "roof")
  console.log((mean.state.sum / mean.state.count).toFixed(2))
})

await Effect.runPromise(program.pipe(Effect.provide([Memory.layer, TenantContext.layerSingle])))

// prints:
// version 5002, snapshot of 5000
// { count: 5002, lowest: -12.5, highest: 41 }
// { _tag: 'Same', version: 5000 }
// { _tag: 'Ignored', version: 5000, because: 'schema', issues: [] }
// 19.55
