// Boundaries: what is inferred, and which mistakes are seen.
// @effect-diagnostics floatingEffect:off missingEffectContext:off missingEffectError:off missingLayerContext:off
import { expectTypeOf } from "@effect/vitest"
import { type Effect, Result, Schema } from "effect"
import {
  Boundary,
  BoundaryRepository,
  Event,
  type EventStore,
  type EventStoreError,
  type TenantContext
} from "../../src/index.ts"

class Opened extends Event.Class<Opened>()("Opened", { seats: Schema.Int }) {}
class Enrolled extends Event.Class<Enrolled>()("Enrolled", { student: Schema.String }) {}
class Foreign extends Event.Class<Foreign>()("Foreign", {}) {}

const initial = { seats: 0, taken: 0 }

const Seats = Boundary.make("Seats", { events: [Opened, Enrolled], initial }).evolve({
  Opened: (state, { seats }) => {
    expectTypeOf(seats).toEqualTypeOf<number>()
    return { ...state, seats }
  },
  Enrolled: (state) => ({ ...state, taken: state.taken + 1 })
})
expectTypeOf(Seats.name).toEqualTypeOf<"Seats">()
expectTypeOf(Seats.initial).toEqualTypeOf<typeof initial>()

// @ts-expect-error: Property 'Enrolled' is missing in type
Boundary.make("Seats", { events: [Opened, Enrolled], initial }).evolve({ Opened: (state) => state })
// @ts-expect-error: 'joins' does not exist in type
Boundary.make("Seats", { events: [Opened, Enrolled], initial, joins: [] })

const enrol = (student: string, { seats, taken }: typeof initial) =>
  taken < seats ? Result.succeed([new Enrolled({ student })]) : Result.fail("full" as const)
const executed = BoundaryRepository.execute(Seats, ["course:1", { tags: ["student:7"] }], "ada", enrol)
expectTypeOf(executed).toEqualTypeOf<
  Effect.Effect<
    BoundaryRepository.Committed<typeof initial, Opened | Enrolled>,
    EventStoreError.EventStoreError | "full",
    EventStore.EventStore | TenantContext.TenantContext
  >
>()

BoundaryRepository.execute(Seats, ["course:1"], undefined, (_, state) => {
  expectTypeOf(state).toEqualTypeOf<typeof initial>()
  return Result.succeed([])
})
// @ts-expect-error: Type 'Foreign' is not assignable to type
BoundaryRepository.execute(Seats, ["course:1"], undefined, () => Result.succeed([new Foreign()]))
// @ts-expect-error: Argument of type 'string' is not assignable to parameter of type 'Scope'
BoundaryRepository.execute(Seats, "course:1", "ada", enrol)
