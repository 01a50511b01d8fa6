// What does a handler do when the log has written its event and the answer is lost? This one loses the charge.
import { Console, Effect, Layer, Ref, Schema } from "effect"
import { Event, EventStore, EventStoreError, Memory, StorageFailure, StreamName, TenantContext } from "effect-cqrs"
import { Fault, Faults } from "effect-cqrs/testing"

class Charged extends Event.Class<Charged>()("Charged", { euros: Schema.Int }) {}

const program = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const cards = yield* Ref.make(0)
  const stream = StreamName.make("Order", "1")

  // The first attempt is written and its answer lost; the second finds the order charged, and leaves the card alone.
  const charge = Effect.gen(function* () {
    yield* store.append({ stream, expected: "none", events: [new Charged({ euros: 5 })] })
    yield* Ref.update(cards, (count) => count + 1)
  }).pipe(
    Effect.retry({ times: 3, while: ({ reason }) => reason._tag === "StorageFailure" && reason.retryable }),
    Effect.catchReason("EventStoreError", "VersionConflict", () => Console.log("was charged before"))
  )
  yield* charge

  yield* Console.log("events:", (yield* Faults.without(store.readStream(stream))).length)
  yield* Console.log("cards charged:", yield* Ref.get(cards))
  for (const { at, call, fault } of yield* (yield* Faults.Faults).injected) {
    yield* Console.log(`${fault} in call ${call} of ${at}`)
  }
})

const unanswered = new EventStoreError.EventStoreError({
  reason: StorageFailure.make({ operation: "append", retryable: true, cause: "on purpose" })
})
const faulty = Faults.layer(EventStore.EventStore, { append: Fault.nth(1, Fault.loseAnswer(unanswered)) })
const layer = faulty.pipe(Layer.provideMerge(Layer.merge(Memory.layer, TenantContext.layerSingle)))

await Effect.runPromise(Effect.provide(program, layer))

// prints:
// was charged before
// events: 1
// cards charged: 0
// loseAnswer in call 1 of EventStore.append
