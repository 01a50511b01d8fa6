import { Effect, Layer, Schema } from "effect"
import {
  Consumer,
  ConsumerStore,
  Event,
  EventStore,
  Memory,
  ParkedStore,
  StreamName,
  SystemContext,
  TenantContext
} from "../../src/index.ts"

export class Added extends Event.Class<Added>()("Added", { n: Schema.Int }) {}
export class Other extends Event.Class<Other>()("Other", {}) {}
export class Refused extends Schema.TaggedError<Refused>()("Refused", { n: Schema.Int }) {}

export const Live = Layer.mergeAll(Memory.layer, TenantContext.layerSingle, SystemContext.layer("test"))

export const append = (id: string | number, ...events: ReadonlyArray<Event.Any>) =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    store.append({ stream: StreamName.make("Sum", String(id)), expected: "any", events })
  )

export const added = (from: number, to = from): ReadonlyArray<Added> =>
  Array.from({ length: to - from + 1 }, (_, n) => new Added({ n: from + n }))

export const numbers = (from: number, to: number): ReadonlyArray<number> => added(from, to).map(({ n }) => n)

export const consumers = ConsumerStore.ConsumerStore
export const parked = ParkedStore.ParkedStore

/** Waits until a condition holds, in the test's own time. */
export const until = <E = never, R = never>(
  condition: Effect.Effect<boolean, E, R> | (() => boolean),
  what = "the condition"
): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    for (let time = 0; time < 10_000; time++) {
      if (yield* typeof condition === "function" ? Effect.sync(condition) : condition) return
      yield* Effect.sleep("100 millis")
    }
    return yield* Effect.die(new Error(`${what} did not come`))
  })

/** Waits until every segment of a consumer has come to the end of the log, or to a position. */
export const settled = (name: string, position?: number) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const mark = position ?? (yield* store.mark)
    const info = yield* Effect.option((yield* consumers).inspect(name))
    return info._tag === "Some" && info.value.segments.every(({ checkpoint }) => checkpoint.position >= mark)
  })

export const run = Consumer.run
