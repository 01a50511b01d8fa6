import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as tree from "../../scripts/tree.ts"

/** A user's project: a folder of its own, with this package installed from its sources. */
export const project = (files: Record<string, string>) => {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "effect-cqrs-cli-")))
  fs.mkdirSync(path.join(folder, "node_modules"))
  for (const [name, target] of [
    ["effect-cqrs", tree.root],
    ["effect", path.join(tree.root, "node_modules/effect")]
  ] as const) {
    fs.symlinkSync(target, path.join(folder, "node_modules", name), "junction")
  }
  const write = (name: string, text: string) => fs.writeFileSync(path.join(folder, name), text)
  write("package.json", JSON.stringify({ type: "module" }))
  for (const [name, text] of Object.entries(files)) write(name, text)
  const run = (args: ReadonlyArray<string>, options: ReadonlyArray<string> = []) => {
    const program = path.join(tree.root, "src/bin/effect-cqrs.ts")
    const { status, stderr, stdout } = spawnSync(
      process.execPath,
      [`--conditions=${tree.sourceCondition}`, ...options, program, ...args],
      { cwd: folder, encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } }
    )
    return { status, stdout, stderr }
  }
  const read = (name: string) => fs.readFileSync(path.join(folder, name), "utf8")
  const exists = (name: string) => fs.existsSync(path.join(folder, name))
  return { folder, write, read, exists, run, remove: () => fs.rmSync(folder, { recursive: true, force: true }) }
}

/** A configuration file with one event, and what else it may say. */
export const config = (fields: string, more = "") => `
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Event, EventStore, Memory, StreamName, TenantContext } from "effect-cqrs"
import { defineConfig } from "effect-cqrs/cli"

class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", ${fields}) {}
${more === "" ? "export default defineConfig({ events: [TaskCreated] })" : more}
`
