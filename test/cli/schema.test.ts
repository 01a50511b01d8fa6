import { afterAll, describe, expect, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import * as tree from "../../scripts/tree.ts"
import { config, project } from "./project.ts"

const file = "effect-cqrs.config.ts"
const projects: Array<ReturnType<typeof project>> = []
const make = (files: Record<string, string>) => {
  const made = project(files)
  projects.push(made)
  return made
}
afterAll(() => projects.forEach(({ remove }) => remove()))

const stores = (data: string) => `
class Written extends Event.Class<Written>()("TaskCreated", { title: Schema.Unknown }) {}
const Filled = Layer.effectDiscard(
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const events = ${data}.map((title) => new Written({ title }))
    yield* store.append({ stream: StreamName.make("Task", "1"), expected: "none", events })
  })
).pipe(Layer.provide(TenantContext.layerSingle), Layer.provideMerge(Memory.layer))
export default defineConfig({ events: [TaskCreated], layer: Filled })
`

describe("schema lock and schema check", () => {
  const shop = make({ [file]: config("{ title: Schema.String }") })

  it("need a lock to check", () => {
    const { status, stderr, stdout } = shop.run(["schema", "check"])
    expect([status, stdout]).toEqual([2, ""])
    expect(stderr).toContain(`There is no ${path.join(shop.folder, "events.lock.json")}: write it with \`schema lock\``)
  })

  it("write a lock, and find it up to date", () => {
    expect(shop.run(["schema", "lock"])).toMatchObject({
      status: 0,
      stdout: "Wrote events.lock.json: 1 type of events\n"
    })
    expect(JSON.parse(shop.read("events.lock.json"))).toEqual({
      format: 1,
      events: { TaskCreated: { is: "event", versions: { 1: { title: "string" } } } }
    })
    expect(shop.run(["schema", "check"])).toMatchObject({ status: 0, stdout: "events.lock.json is up to date\n" })
  })

  it("let a harmless change pass, and lock it", () => {
    shop.write(file, config("{ title: Schema.String, note: Schema.optionalKey(Schema.String) }"))
    expect(shop.run(["schema", "check"])).toMatchObject({
      status: 0,
      stdout:
        "ok      TaskCreated version 1: note is optional, string\nNothing breaks. Write the changes to events.lock.json with `schema lock`\n"
    })
    expect(shop.run(["schema", "lock"]).status).toBe(0)
    expect(shop.read("events.lock.json")).toContain('"note"')
  })

  it("find a change that breaks, with exit code 1, in words and as JSON", () => {
    shop.write(file, config("{ title: Schema.Int }"))
    const { status, stderr, stdout } = shop.run(["schema", "check"])
    expect([status, stdout.split("\n").filter((line) => line.startsWith("breaks"))]).toEqual([
      1,
      [
        "breaks  TaskCreated version 1: note was string, is gone",
        "breaks  TaskCreated version 1: title was string, is number that passes isInt"
      ]
    ])
    expect(stdout).toContain("Make today's fields version 2")
    expect(stderr).toContain("2 changes break")
    const json = shop.run(["schema", "check", "--json"])
    expect([json.status, json.stderr]).toEqual([1, stderr])
    expect(JSON.parse(json.stdout)).toMatchObject({
      breaking: 2,
      findings: [{ kind: "field-removed", event: "TaskCreated", version: 1, field: "note" }, { kind: "field-changed" }]
    })
  })

  it("do not lock a change that breaks, unless it is meant", () => {
    const before = shop.read("events.lock.json")
    const refused = shop.run(["schema", "lock"])
    expect(refused.status).toBe(1)
    expect(refused.stderr).toContain("events.lock.json is as it was: 2 changes break. See --force")
    expect(shop.read("events.lock.json")).toBe(before)
    expect(shop.run(["schema", "lock", "--force"]).status).toBe(0)
    expect(shop.run(["schema", "check"]).status).toBe(0)
  })

  it("say so when the lock is not one", () => {
    const odd = make({ [file]: config("{}"), "other.json": '{"format":7}' })
    for (const command of ["check", "lock"]) {
      const { status, stderr } = odd.run(["schema", command, "--lock", "other.json"])
      expect([status, stderr.includes("other.json is not a lock: format")]).toEqual([2, true])
    }
    expect(odd.run(["schema", "lock", "--lock", "other.json", "--force"]).status).toBe(0)
  })

  it("say so when the classes cannot read one log", () => {
    const both = "export default defineConfig({ events: [TaskCreated, Event.retired('TaskCreated')] })"
    const odd = make({ [file]: config("{}", both) })
    const { status, stderr } = odd.run(["schema", "lock"])
    expect([status, odd.exists("events.lock.json")]).toEqual([2, false])
    expect(stderr).toContain('Two event classes are named "TaskCreated"')
  })
})

describe("schema check --stored", () => {
  it("decodes what is in the store", () => {
    const shop = make({ [file]: config("{ title: Schema.String }", stores('["a", 1, "b", 2]')) })
    shop.run(["schema", "lock"])
    const { status, stdout, stderr } = shop.run(["schema", "check", "--stored"])
    expect([status, stderr.includes("1 kind of stored events cannot be decoded")]).toEqual([1, true])
    expect(stdout).toBe(
      "Read 4 stored events, which is all\nbreaks  TaskCreated version 1: 2 cannot be decoded, at 2, 4: title: Expected string\n"
    )
    const json = JSON.parse(shop.run(["schema", "check", "--stored", "--json"]).stdout)
    expect(json).toMatchObject({
      breaking: 0,
      stored: { read: 4, isComplete: true, undecodable: [{ count: 2, positions: [2, 4] }] }
    })
    shop.write(file, config("{ title: Schema.String }", stores('["a"]')))
    expect(shop.run(["schema", "check", "--stored", "--sample", "10"])).toMatchObject({
      status: 0,
      stdout: "Read 1 stored events, which is all\nevents.lock.json is up to date\n"
    })
  })

  it("needs a store that answers", () => {
    const shop = make({ [file]: config("{ title: Schema.String }") })
    shop.run(["schema", "lock"])
    const none = shop.run(["schema", "check", "--stored"])
    expect([none.status, none.stderr.includes("give the configuration a `layer` with the EventStore")]).toEqual([
      2,
      true
    ])
    const down =
      "export default defineConfig({ events: [TaskCreated], layer: Layer.effect(EventStore.EventStore, Effect.fail(new Error('no route'))) })"
    shop.write(file, config("{ title: Schema.String }", down))
    const failed = shop.run(["schema", "check", "--stored"])
    expect([failed.status, failed.stderr.includes("Cannot read the store: no route")]).toEqual([2, true])
  })
})

describe("the configuration file", () => {
  it("is explained when there is none", () => {
    const { status, stderr } = make({}).run(["schema", "check"])
    expect(status).toBe(2)
    expect(stderr).toContain(`There is no ${file} in`)
    expect(stderr).toContain("export default defineConfig({ events: [OrderPlaced] })")
  })

  it.each([
    ["has no default export", "export const events = []", "has no default export"],
    ["exports no events", "export default {}", "exports no `events`"],
    [
      "lists something else",
      "export default { events: [class {}] }",
      "something else than an event class or a join at `events[0]`"
    ],
    ["has a layer that is none", "export default { events: [], layer: {} }", "exports a `layer` that is not a Layer"],
    ["says something unknown", "export default { events: [], stores: {} }", "exports `stores`, which is not known"],
    ["throws", "throw new Error('no database url')", "no database url"],
    ["imports what is not there", "import './nothing.ts'", "Cannot find module"],
    ["is no TypeScript", "export default defineConfig({", "SyntaxError"]
  ])("is refused with exit code 2 when it %s", (_, text, message) => {
    const shop = make({ [file]: text })
    const { status, stderr, stdout } = shop.run(["schema", "lock"])
    expect([status, stdout]).toEqual([2, ""])
    expect(stderr).toContain(path.join(shop.folder, file))
    expect(stderr).toContain(message)
  })

  it("may be JavaScript, of another name, in another folder, where its lock is then", () => {
    const shop = make({
      "effect-cqrs.config.mjs": "export default { events: [] }",
      "other.js": "export default { events: [] }"
    })
    expect(shop.run(["schema", "lock"]).status).toBe(0)
    expect(shop.run(["--config", "missing.js", "schema", "lock"])).toMatchObject({ status: 2 })
    fs.mkdirSync(path.join(shop.folder, "deep"))
    fs.renameSync(path.join(shop.folder, "other.js"), path.join(shop.folder, "deep/other.js"))
    expect(shop.run(["schema", "lock", "--config", "deep/other.js"]).status).toBe(0)
    expect(shop.exists("deep/events.lock.json")).toBe(true)
  })
})

describe("the executable", () => {
  it("shows its version and help without a project", () => {
    const empty = make({})
    expect(empty.run(["--version"]).stdout).toContain(
      JSON.parse(fs.readFileSync(path.join(tree.root, "package.json"), "utf8")).version
    )
    expect(empty.run(["--help"])).toMatchObject({ status: 0, stdout: expect.stringContaining("schema") })
  })

  it("ends with 2 for commands and flags that it does not know", () => {
    const empty = make({})
    expect(empty.run(["schema", "nope"])).toMatchObject({ status: 2, stderr: expect.stringContaining('"nope"') })
    expect(empty.run(["schema", "check", "--nope"]).status).toBe(2)
  })

  it("says what to install when its platform is missing", () => {
    const hide = `import { registerHooks } from "node:module"
registerHooks({ resolve: (specifier, context, next) => {
  if (!specifier.startsWith("@effect/platform-node")) return next(specifier, context)
  throw Object.assign(new Error("Cannot find package '@effect/platform-node'"), { code: "ERR_MODULE_NOT_FOUND" })
} })`
    const shop = make({ [file]: config("{}"), "hide.mjs": hide })
    const { status, stderr, stdout } = shop.run(["schema", "lock"], ["--import", "./hide.mjs"])
    expect([status, stdout]).toEqual([2, ""])
    expect(stderr).toContain("npm install --save-dev @effect/platform-node@~4.1.0")
  })
})
