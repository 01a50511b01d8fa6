import { afterAll, describe, expect, it } from "@effect/vitest"
import { project } from "./project.ts"

const program = (more: string) => `
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Event, EventStore, Memory, Projection, ReadModelStore, StreamName, TenantContext } from "effect-cqrs"
import { defineConfig } from "effect-cqrs/cli"

class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", { title: Schema.String }) {}
const Titles = ReadModelStore.collection("titles", Schema.String)
const TitleList = Projection.make("titles", {
  events: [TaskCreated],
  collections: [Titles],
  on: { TaskCreated: ({ title }, { stream }) => Titles.set(stream, title) }
})
const Filled = Layer.effectDiscard(
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const events = ["a", "b", "c"].map((title) => new TaskCreated({ title }))
    yield* store.append({ stream: StreamName.make("Task", "1"), expected: "none", events })
  })
).pipe(Layer.provide(TenantContext.layerSingle), Layer.provideMerge(Memory.layer))
export default defineConfig(${more})
`

const made: Array<ReturnType<typeof project>> = []
const make = (more: string) => {
  const one = project({ "effect-cqrs.config.ts": program(more) })
  made.push(one)
  return one
}
afterAll(() => made.forEach(({ remove }) => remove()))

describe("projections rebuild", () => {
  const full = make("{ events: [TaskCreated], layer: Filled, projections: [TitleList] }")

  it("builds anew what a projection writes, and shows how far it is", () => {
    const { status, stderr, stdout } = full.run(["projections", "rebuild", "titles"])
    expect({ status, stdout }).toEqual({ status: 0, stdout: "titles is rebuilt: 3 events\n" })
    expect(stderr).toMatch(/\[=+\] 100 % done, 3 events/)
  })

  it("prints each step as a line of JSON", () => {
    const { status, stdout } = full.run(["projections", "rebuild", "titles", "--json"])
    expect(status).toBe(0)
    const steps = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
    expect(steps.at(-1)).toMatchObject({ projection: "titles", phase: "done", handled: 3, position: 3, mark: 3 })
  })

  it("says which projections there are, and what the configuration lacks", () => {
    const unknown = full.run(["projections", "rebuild", "names"])
    expect(unknown.status).toBe(2)
    expect(unknown.stderr).toContain("There is no projection names: there are titles")
    const none = make("{ events: [TaskCreated] }").run(["projections", "rebuild", "titles"])
    expect(none.stderr).toContain("the configuration lists no `projections`")
    const strange = make("{ events: [TaskCreated], layer: Filled, projections: [TaskCreated] }")
    expect(strange.run(["projections", "rebuild", "titles"])).toMatchObject({ status: 2 })
  })
})
