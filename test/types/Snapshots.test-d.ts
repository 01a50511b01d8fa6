// What an aggregate declares of snapshots and of events that commute: what is inferred, and which mistakes are seen.
// @effect-diagnostics floatingEffect:off missingEffectContext:off missingEffectError:off missingLayerContext:off
import { expectTypeOf } from "@effect/vitest"
import { type Effect, Result, Schema } from "effect"
import {
  Aggregate,
  Event,
  type EventStore,
  type EventStoreError,
  Repository,
  type SnapshotStore,
  type Snapshots,
  type TenantContext
} from "../../src/index.ts"

class Added extends Event.Class<Added>()("Added", { n: Schema.Int }) {}
class Noted extends Event.Class<Noted>()("Noted", { text: Schema.String }) {}

const Sum = Schema.Struct({ sum: Schema.Int, notes: Schema.Array(Schema.String) })
const initial: typeof Sum.Type = { sum: 0, notes: [] }
const events = [Added, Noted] as const
const evolve = {
  Added: (state: typeof Sum.Type, { n }: Added) => ({ ...state, sum: state.sum + n }),
  Noted: (state: typeof Sum.Type, { text }: Noted) => ({ ...state, notes: [...state.notes, text] })
}

const Plain = Aggregate.make("Sum", { events, initial }).evolve(evolve)
const Kept = Aggregate.make("Sum", { events, initial, snapshots: { state: Sum } }).evolve(evolve)
expectTypeOf(Plain.snapshots).toEqualTypeOf<undefined>()
expectTypeOf(Kept.snapshots).toEqualTypeOf<Snapshots.Snapshots<typeof Sum.Type>>()

// Only who declares snapshots needs a store of them.
const add = (n: number) => Result.succeed([new Added({ n })])
const loaded = Repository.load(Kept, "1")
expectTypeOf<Effect.Services<typeof loaded>>().toEqualTypeOf<
  EventStore.EventStore | SnapshotStore.SnapshotStore | TenantContext.TenantContext
>()
const executed = Repository.execute(Kept, "1", 1, add)
expectTypeOf<Effect.Services<typeof executed>>().toEqualTypeOf<
  EventStore.EventStore | SnapshotStore.SnapshotStore | TenantContext.TenantContext
>()
expectTypeOf<Effect.Error<typeof executed>>().toEqualTypeOf<EventStoreError.EventStoreError>()
const plain = Repository.execute(Plain, "1", 1, add)
expectTypeOf<Effect.Services<typeof plain>>().toEqualTypeOf<EventStore.EventStore | TenantContext.TenantContext>()

// One of which it is not known may have some.
declare const some: Aggregate.Aggregate<"Sum", typeof Sum.Type, Added | Noted>
const maybe = Repository.load(some, "1")
expectTypeOf<Effect.Services<typeof maybe>>().toEqualTypeOf<
  EventStore.EventStore | SnapshotStore.SnapshotStore | TenantContext.TenantContext
>()
expectTypeOf(Kept).toExtend<Aggregate.Aggregate<"Sum", typeof Sum.Type, Added | Noted>>()
expectTypeOf(Plain).toExtend<Aggregate.Aggregate<"Sum", typeof Sum.Type, Added | Noted>>()

// By hand and verified only where they are declared, and the failure of the store is the caller's there.
const taken = Repository.snapshot(Kept, "1")
expectTypeOf<Effect.Error<typeof taken>>().toEqualTypeOf<
  EventStoreError.EventStoreError | SnapshotStore.SnapshotError
>()
const verified = Repository.verify(Kept, "1")
expectTypeOf<Effect.Success<typeof verified>>().toEqualTypeOf<Snapshots.Verification>()
// @ts-expect-error: Type 'undefined' is not assignable to type 'Snapshots<
Repository.snapshot(Plain, "1")
// @ts-expect-error: Type 'undefined' is not assignable to type 'Snapshots<
Repository.verify(Plain, "1")

// The schema is that of the state.
// @ts-expect-error: Type 'String' is not assignable to type 'Codec<
Aggregate.make("Sum", { events, initial, snapshots: { state: Schema.String } })
// @ts-expect-error: Property 'notes' is missing in type
Aggregate.make("Sum", { events, initial, snapshots: { state: Schema.Struct({ sum: Schema.Int }) } })
// @ts-expect-error: Type 'string' is not assignable to type 'number'
Aggregate.make("Sum", { events, initial, snapshots: { state: Sum, version: "2" } })

// Events that commute are named by their tags, on either side.
Aggregate.make("Sum", { events, initial, commutes: { Added: ["Added", "Noted"] } }).evolve(evolve)
// @ts-expect-error: Type '"Removed"' is not assignable to type '"Added" | "Noted"'
Aggregate.make("Sum", { events, initial, commutes: { Added: ["Removed"] } })
// @ts-expect-error: 'Removed' does not exist in type 'Table<"Added" | "Noted">'
Aggregate.make("Sum", { events, initial, commutes: { Removed: ["Added"] } })
// @ts-expect-error: Type '"always"' is not assignable to type
Repository.execute(Plain, "1", 1, add, { onConflict: "always" })
