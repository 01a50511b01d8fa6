import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Projection from "../../src/application/Projection.ts"
import * as Event from "../../src/domain/Event.ts"
import * as Memory from "../../src/ports/Memory.ts"
import * as ReadModelStore from "../../src/ports/ReadModelStore.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"
import * as ProjectionSpec from "../../src/testing/ProjectionSpec.ts"

class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", { title: Schema.String }) {}
class TaskDeleted extends Event.Class<TaskDeleted>()("TaskDeleted", {}) {}
class Unrelated extends Event.Class<Unrelated>()("Unrelated", {}) {}

const Titles = ReadModelStore.collection("titles", Schema.String)

const TaskTitles = Projection.make("task-titles", {
  events: [TaskCreated, TaskDeleted],
  batchSize: 2,
  on: {
    TaskCreated: ({ title }, { position, stream, version }) => Titles.set(stream, `${title} ${version} ${position}`),
    TaskDeleted: (_, { stream }) => Titles.remove(stream)
  }
})

const history = [
  ["Task-1", new TaskCreated({ title: "Write" })],
  ["Other-1", new Unrelated()],
  ["Task-2", new TaskCreated({ title: "Read" })],
  ["Task-1", new TaskDeleted()],
  ["Task-1", new TaskCreated({ title: "Write again" })]
] as const

describe("ProjectionSpec", () => {
  it.effect("passes where the query reads what is expected", () =>
    Effect.gen(function* () {
      const spec = ProjectionSpec.given(TaskTitles, history)
      yield* spec.thenReads(Titles.list(), [
        { id: "Task-1", document: "Write again 3 5" },
        { id: "Task-2", document: "Read 1 3" }
      ])
      yield* spec.thenReads(Titles.get("Task-3"), Option.none())
      yield* ProjectionSpec.given(TaskTitles, []).thenReads(Titles.list(), [])
    })
  )

  it.effect("says how what is read differs", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(
        ProjectionSpec.given(TaskTitles, history).thenReads(Titles.get("Task-2"), Option.none())
      )
      expect(String(exit)).toContain("What is read after task-titles has handled 5 events")
      expect(String(exit)).toContain("Read 1 3")
    })
  )

  it.effect("has ports of its own, whatever is provided around it", () =>
    Effect.gen(function* () {
      yield* Titles.set("Task-9", "elsewhere")
      yield* ProjectionSpec.given(TaskTitles, []).thenReads(Titles.list(), [])
      expect(yield* Titles.list()).toEqual([{ id: "Task-9", document: "elsewhere" }])
    }).pipe(Effect.provide([Memory.layer, TenantContext.layer("acme")]))
  )

  it.effect("fails with what a handler fails with", () =>
    Effect.gen(function* () {
      const refusing = Projection.make("refusing", {
        events: [TaskCreated],
        on: { TaskCreated: () => Effect.fail("no" as const) }
      })
      const error = yield* Effect.flip(ProjectionSpec.given(refusing, history).thenReads(Effect.void, undefined))
      expect(error).toBe("no")
    })
  )

  it.effect("leaves required what is not a port", () =>
    Effect.gen(function* () {
      class Suffix extends Context.Service<Suffix, string>()("Suffix") {}
      const suffixed = Projection.make("suffixed", {
        events: [TaskCreated],
        on: {
          TaskCreated: ({ title }, { stream }) => Effect.flatMap(Suffix, (suffix) => Titles.set(stream, title + suffix))
        }
      })
      const spec: Effect.Effect<void, unknown, Suffix> = ProjectionSpec.given(suffixed, [
        ["Task-1", new TaskCreated({ title: "Write" })]
      ]).thenReads(Titles.get("Task-1"), Option.some("Write!"))
      expect(Exit.isSuccess(yield* Effect.exit(Effect.provideService(spec, Suffix, "!")))).toBe(true)
      // @ts-expect-error a query reads texts, not numbers
      void ProjectionSpec.given(TaskTitles, []).thenReads(Titles.get("Task-1"), Option.some(1))
    })
  )
})
