// Faults fit the port they are put on: its methods, what these are given, and what they can fail with.
// @effect-diagnostics floatingEffect:off missingEffectContext:off missingEffectError:off missingLayerContext:off
import { expectTypeOf } from "@effect/vitest"
import { Context, Effect, type Layer } from "effect"
import {
  type CheckpointStore,
  EventBus,
  type EventBusError,
  EventStore,
  type EventStoreError,
  ReadModelStore,
  UnitOfWork
} from "../../src/index.ts"
import { Fault, Faults } from "../../src/testing/index.ts"

declare const lost: EventStoreError.EventStoreError
declare const unit: UnitOfWork.UnitOfWorkError
declare const model: ReadModelStore.ReadModelError
declare const checkpoint: CheckpointStore.CheckpointError
declare const bus: EventBusError.EventBusError

// The service is taken and given back, beside the record.
const layer = Faults.layer(EventStore.EventStore, {
  // What a call is given is known.
  append: [
    Fault.where(({ expected, stream }) => stream === "a" && expected === "none", Fault.nth(2, Fault.fail(lost))),
    Fault.delay("1 second"),
    Fault.duplicate
  ],
  mark: Fault.chance(0.1, Fault.loseAnswer(lost)),
  tombstone: undefined
})
expectTypeOf(layer).toEqualTypeOf<Layer.Layer<EventStore.EventStore | Faults.Faults, never, EventStore.EventStore>>()

// Also where a method passes on what others fail with.
Faults.layer(UnitOfWork.UnitOfWork, { transaction: Fault.fail(unit) })
expectTypeOf<
  Faults.Failure<UnitOfWork.UnitOfWork["Service"]["transaction"]>
>().toEqualTypeOf<UnitOfWork.UnitOfWorkError>()
Faults.layer(EventBus.EventBus, { publish: Fault.fail(bus), subscribe: Fault.fail(bus) })
Faults.layer(ReadModelStore.ReadModelStore, { set: Fault.every(2, Fault.fail(model)) })

// @ts-expect-error: 'apend' does not exist in type
Faults.layer(EventStore.EventStore, { apend: Fault.duplicate })
// @ts-expect-error: 'stream' does not exist in type
Faults.layer(EventBus.EventBus, { stream: Fault.duplicate })
// @ts-expect-error: Type 'string' is not assignable to type 'EventStoreError'.
Faults.layer(EventStore.EventStore, { append: Fault.fail("no") })
// @ts-expect-error: Type 'CheckpointError' is not assignable to type 'EventStoreError'
Faults.layer(EventStore.EventStore, { append: [Fault.delay(1), Fault.nth(2, Fault.fail(checkpoint))] })
// @ts-expect-error: Type 'EventStoreError' is not assignable to type 'UnitOfWorkError'
Faults.layer(UnitOfWork.UnitOfWork, { transaction: Fault.loseAnswer(lost) })
// @ts-expect-error: Type 'string' is not assignable to type 'never'.
Faults.layer(UnitOfWork.UnitOfWork, { afterCommit: Fault.fail("no") })

// A service of one's own.
class Mail extends Context.Service<
  Mail,
  {
    readonly from: string
    readonly send: (to: string) => Effect.Effect<number, "refused">
    readonly pending: Effect.Effect<number>
  }
>()("test/Mail") {}
expectTypeOf<Faults.Methods<Mail["Service"]>>().toEqualTypeOf<"send" | "pending">()
Faults.layer(Mail, { send: Fault.where((to) => to === "Bob", Fault.fail("refused" as const)) })
// @ts-expect-error: 'from' does not exist in type
Faults.layer(Mail, { from: Fault.duplicate })

// Around one's own effects, the errors are added in plain sight.
const send = Effect.succeed(1).pipe(Faults.inject("send", Fault.fail("lost" as const), Fault.duplicate))
expectTypeOf(send).toEqualTypeOf<Effect.Effect<number, "lost", Faults.Faults>>()
const wrapped = Faults.wrap(
  "send",
  Fault.where((to: string) => to === "", Fault.fail("lost" as const))
)((to: string) => Effect.succeed(to))
expectTypeOf(wrapped).toEqualTypeOf<(to: string) => Effect.Effect<string, "lost", Faults.Faults>>()
