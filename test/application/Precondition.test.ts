import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Result, Schema } from "effect"
import {
  Aggregate,
  Command,
  CommandBus,
  Event,
  type EventStore,
  Memory,
  on,
  type Precondition,
  Receipt,
  Repository,
  TenantContext
} from "../../src/index.ts"
import { freshStore } from "../adapters/postgres/support.ts"

class Added extends Event.Class<Added>()("Added", { n: Schema.Int }) {}
const Sum = Aggregate.make("Sum", { events: [Added], initial: 0 }).evolve({ Added: (sum, { n }) => sum + n })
const Audit = Aggregate.make("Audit", { events: [Added], initial: 0 }).evolve({ Added: (sum, { n }) => sum + n })
const add = (id: string, n: number, options?: Repository.Options) =>
  Repository.execute(Sum, id, n, (by) => Result.succeed([new Added({ n: by })]), options)

/** Its class says which aggregate it is for. */
class Add extends Command.Class<Add>()("Add", {
  payload: { id: Schema.String, times: Schema.Int },
  success: Schema.Int,
  aggregateId: ({ id }) => id
}) {}
/** Which aggregate is the first of several. */
class AddAll extends Command.Class<AddAll>()("AddAll", { payload: { ids: Schema.Array(Schema.String) } }) {}
/** Does something to aggregates of two kinds that have one id. */
class AddBoth extends Command.Class<AddBoth>()("AddBoth", {
  payload: { id: Schema.String },
  aggregateId: ({ id }) => id
}) {}
class Outer extends Command.Class<Outer>()("Outer", { payload: { id: Schema.String } }) {}

const Handlers = CommandBus.handlers(
  on(Add, ({ id, times }) =>
    Effect.gen(function* () {
      yield* add("beside", 1)
      yield* Effect.forEach(Array.from({ length: times - 1 }), () => add(id, 1), { discard: true })
      return (yield* add(id, 1)).version
    })
  ),
  on(AddAll, ({ ids }) => Effect.forEach(ids, (id) => add(id, 1), { discard: true })),
  on(AddBoth, ({ id }) =>
    Effect.andThen(
      add(id, 1),
      Repository.execute(Audit, id, 1, (n) => Result.succeed([new Added({ n })]))
    )
  ),
  on(Outer, ({ id }) => Effect.andThen(add(id, 1), CommandBus.execute(new Add({ id, times: 1 }))))
)

const outcome = <A, E extends { readonly message: string }, R>(self: Effect.Effect<A, E, R>) =>
  Effect.match(self, { onFailure: ({ message }) => message, onSuccess: () => "done" })
const expecting = (expected: Precondition.Expected, id = "a", times = 1) =>
  outcome(CommandBus.execute(new Add({ id, times }), { expected }))

describe.each<[string, Layer.Layer<EventStore.EventStore, unknown>]>([
  ["memory", Memory.layer],
  ["Postgres", freshStore]
])("what a command expects, on %s", (_, store) => {
  const run = <A, E>(
    program: Effect.Effect<
      A,
      E,
      CommandBus.HandlerOf<"Add" | "AddAll" | "AddBoth" | "Outer"> | TenantContext.TenantContext
    >
  ) => program.pipe(Effect.provide(Layer.provideMerge(Handlers, Layer.merge(store, TenantContext.layerSingle))))

  it.live("is the version before its handler has appended", () =>
    run(
      Effect.gen(function* () {
        expect(yield* expecting("exists")).toBe("Add: Sum-a is at 0, expected exists")
        expect(yield* expecting("none")).toBe("done")
        expect(yield* expecting("none")).toBe("Add: Sum-a is at 1, expected none")
        expect(yield* expecting(2)).toBe("Add: Sum-a is at 1, expected 2")
        expect(yield* expecting(1, "a", 3)).toBe("done")
        expect(yield* expecting([1, 4])).toBe("done")
        expect(yield* expecting([1, 4])).toBe("Add: Sum-a is at 5, expected 4")
        expect(yield* expecting("exists")).toBe("done")
        expect(yield* expecting("any")).toBe("done")
      })
    )
  )

  it.live("is asked of the first aggregate of those with one id", () =>
    run(
      Effect.gen(function* () {
        expect(yield* expecting("none", "both")).toBe("done")
        const both = (expected: number) => outcome(CommandBus.execute(new AddBoth({ id: "both" }), { expected }))
        expect(yield* both(1)).toBe("done")
        expect(yield* both(1)).toBe("AddBoth: Sum-both is at 2, expected 1")
      })
    )
  )

  it.live("is asked of the first aggregate where its class names none", () =>
    run(
      Effect.gen(function* () {
        const all = (expected: number, ...ids: ReadonlyArray<string>) =>
          outcome(CommandBus.execute(new AddAll({ ids }), { expected }))
        expect(yield* all(0, "a", "b", "a")).toBe("done")
        expect(yield* all(1, "b", "a")).toBe("done")
        expect(yield* all(2, "a", "b")).toBe("AddAll: Sum-a is at 3, expected 2")
      })
    )
  )

  it.live("is not asked of the commands that it leads to", () =>
    run(
      Effect.gen(function* () {
        expect(yield* outcome(CommandBus.execute(new Outer({ id: "a" }), { expected: 0 }))).toBe("done")
        expect(yield* expecting(2)).toBe("done")
        // What the outer one has appended is not the inner one's own.
        const inner = CommandBus.execute(new Add({ id: "a", times: 1 }), { expected: 1 })
        const appends = [{ stream: "Sum-a", version: 3, position: 1 }].map((one) => ({
          ...one,
          position: Receipt.fromAppends([]).position
        }))
        expect(yield* outcome(Effect.provideService(inner, Receipt.Collector, appends))).toBe(
          "Add: Sum-a is at 3, expected 1"
        )
      })
    )
  )

  it.live("is true for one of many that expect the same", () =>
    run(
      Effect.gen(function* () {
        for (const round of [0, 1, 2]) {
          const all = yield* Effect.all(
            Array.from({ length: 12 }, () => expecting(round)),
            { concurrency: "unbounded" }
          )
          expect(all.filter((one) => one === "done")).toHaveLength(1)
          expect(new Set(all)).toEqual(new Set(["done", `Add: Sum-a is at ${round + 1}, expected ${round}`]))
        }
      })
    )
  )

  it.live("changes nothing of the receipt", () =>
    run(
      Effect.gen(function* () {
        yield* outcome(CommandBus.execute(new AddAll({ ids: ["a"] }), { expected: 0 }))
        const { receipt } = yield* CommandBus.dispatch(new Add({ id: "a", times: 2 }), { expected: 1 })
        expect(receipt.streams).toContainEqual({ stream: "Sum-a", version: 3 })
      })
    )
  )
})
