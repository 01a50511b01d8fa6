// Decisions, folds and upcasters: what is inferred, and which mistakes are seen.
// @effect-diagnostics floatingEffect:off missingEffectContext:off missingEffectError:off missingLayerContext:off
import { expectTypeOf } from "@effect/vitest"
import { type Effect, Result, Schema } from "effect"
import {
  Aggregate,
  Decider,
  Event,
  type EventStore,
  type EventStoreError,
  Fold,
  Repository,
  StreamName,
  type TenantContext,
  Upcaster
} from "../../src/index.ts"

class Opened extends Event.Class<Opened>()("Opened", { by: Schema.String }) {}
class Closed extends Event.Class<Closed>()("Closed", {}) {}
class Foreign extends Event.Class<Foreign>()("Foreign", {}) {}

type Status = "none" | "open" | "done"
const initial: Status = "none"
const none = { status: initial, by: "" } satisfies { readonly status: Status; readonly by: string }
const events = [Opened, Closed] as const

// The state is inferred from `initial` alone; literals stay literals, without an annotation in `evolve`.
const Task = Aggregate.make("Task", { events, initial: "none" as Status }).evolve({
  Opened: (status, { by }) => {
    expectTypeOf(status).toEqualTypeOf<Status>()
    expectTypeOf(by).toEqualTypeOf<string>()
    return "open"
  },
  Closed: () => "done"
})
expectTypeOf(Task.initial).toEqualTypeOf<Status>()
expectTypeOf(Task.name).toEqualTypeOf<"Task">()
expectTypeOf(Task.stream("1")).toEqualTypeOf<StreamName.StreamName>()
Aggregate.make("Task", { events, initial: none }).evolve((state, event) => {
  expectTypeOf(event).toEqualTypeOf<Opened | Closed>()
  return event._tag === "Opened" ? { ...state, by: event.by } : state
})

// @ts-expect-error: Type '"shut"' is not assignable to type 'Status'
Aggregate.make("Task", { events, initial: "none" as Status }).evolve({ Opened: () => "open", Closed: () => "shut" })
// @ts-expect-error: Property 'Closed' is missing in type '{ Opened: () => "open"; }'
Aggregate.make("Task", { events, initial: "none" as Status }).evolve({ Opened: () => "open" })
// @ts-expect-error: 'Foreign' does not exist in type
Aggregate.make("Task", { events, initial: 0 }).evolve({ Opened: () => 1, Closed: () => 2, Foreign: () => 3 })
// @ts-expect-error: Property 'Closed' is missing in type '{ Opened: () => number; }'
Fold.make({ events, initial: 0 }).evolve({ Opened: () => 1 })
// @ts-expect-error: Property 'at' does not exist on type 'Opened'
Aggregate.make("Task", { events, initial: 0 }).evolve({ Opened: (_, { at }) => at, Closed: () => 0 })
// @ts-expect-error: Argument of type 'Foreign' is not assignable to parameter of type
Task.evolve("none", new Foreign())

// A decision may emit fewer kinds than the aggregate has, and no other.
const open = (by: string, status: Status) =>
  status === "open" ? Result.fail("already" as const) : Result.succeed([new Opened({ by })])
const executed = Repository.execute(Task, "1", "ada", open)
expectTypeOf<Effect.Error<typeof executed>>().toEqualTypeOf<"already" | EventStoreError.EventStoreError>()
expectTypeOf<Effect.Success<typeof executed>>().toEqualTypeOf<Repository.Committed<Status, Opened | Closed>>()
expectTypeOf<Effect.Services<typeof executed>>().toEqualTypeOf<EventStore.EventStore | TenantContext.TenantContext>()
// @ts-expect-error: Property 'by' is missing in type 'Foreign' but required in type 'Opened'
Repository.execute(Task, "1", "ada", () => Result.succeed([new Foreign()]))
// @ts-expect-error: Types of parameters '_status' and 'state' are incompatible
Repository.execute(Task, "1", "ada", (_: string, _status: number) => Result.succeed([]))
// @ts-expect-error: Argument of type 'number' is not assignable to parameter of type 'string'
Repository.execute(Task, "1", 1, open)

// The event of a decider is what `evolve` takes; its decision may emit less, and nothing else.
const evolve = (count: number, event: Opened | Closed) => (event._tag === "Opened" ? count + 1 : 0)
const decider = Decider.make({
  initial: 0,
  evolve,
  decide: (_: "close", count) => Result.succeed(count > 0 ? [new Closed()] : [])
})
expectTypeOf(decider).toEqualTypeOf<Decider.Decider<"close", number, Opened | Closed>>()
// @ts-expect-error: Property 'by' is missing in type 'Foreign' but required in type 'Opened'
Decider.make({ initial: 0, evolve, decide: () => Result.succeed([new Foreign()]) })

// A chain of upcasters is checked step by step, and ends in today's fields.
const from = Upcaster.from({ name: Schema.String })
const fields = { first: Schema.String, last: Schema.String }
class Named extends Event.Class<Named>()("Named", fields, {
  upcasters: from
    .next({ names: Schema.Array(Schema.String) }, ({ name }) => ({ names: [name] }))
    .current(({ names }) => {
      expectTypeOf(names).toEqualTypeOf<ReadonlyArray<string>>()
      return { first: names[0] ?? "", last: "" }
    }),
  tags: ({ first }) => [first]
}) {}
expectTypeOf(new Named({ first: "", last: "" })._tag).toEqualTypeOf<"Named">()
// @ts-expect-error: Property 'last' is missing in type '{ readonly first: string; }'
Event.Class<Named>()("Named", fields, { upcasters: from.current(({ name }) => ({ first: name })) })
// @ts-expect-error: Type 'number' is not assignable to type 'string'
Event.Class<Named>()("Named", fields, { upcasters: from.current(() => ({ first: 1, last: "" })) })
// @ts-expect-error: Type 'number' is not assignable to type 'readonly string[]'
from.next({ names: Schema.Array(Schema.String) }, () => ({ names: 1 }))
// @ts-expect-error: Property 'names' does not exist on type
from.current(({ names }) => ({ first: names, last: "" }))
// @ts-expect-error: Property 'nick' does not exist on type
Event.Class<Named>()("Named", fields, { tags: ({ nick }) => [nick] })
// @ts-expect-error: Type 'Chain<{ readonly name: string; }, never>' is not assignable to type 'Of<
Event.Class<Named>()("Named", fields, { upcasters: from })

// Stream names and versions are no mere text and numbers.
declare const store: EventStore.EventStore["Service"]
// @ts-expect-error: Type 'string' is not assignable to type 'string & Brand<"StreamName">'
store.append({ stream: "Task-1", expected: "any", events: [] })
// @ts-expect-error: Type '"latest"' is not assignable to type
store.append({ stream: StreamName.make("Task", "1"), expected: "latest", events: [] })
// @ts-expect-error: Property '[TypeId]' is missing in type '{ _tag: string; }' but required in type 'Any'
store.append({ stream: StreamName.make("Task", "1"), expected: "any", events: [{ _tag: "Opened" }] })

// A decision may refuse in several ways and accept in several: all branches are inferred.
class TooLate extends Schema.TaggedError<TooLate>()("TooLate", {}) {}
class TooEarly extends Schema.TaggedError<TooEarly>()("TooEarly", {}) {}
const branching = Repository.execute(Task, "1", { hour: 9 }, ({ hour }, status) =>
  hour > 17
    ? Result.fail(new TooLate())
    : hour < 8
      ? Result.fail(new TooEarly())
      : status === "none"
        ? Result.succeed([new Opened({ by: "ada" })])
        : Result.succeed([new Closed()])
)
expectTypeOf<Effect.Error<typeof branching>>().toEqualTypeOf<EventStoreError.EventStoreError | TooLate | TooEarly>()
