/**
 * Everything that must hold besides the tests, side by side. Arguments choose checks by name.
 */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as tree from "./tree.ts"

type Command = readonly [program: string, ...args: ReadonlyArray<string>]

const packed = fs.mkdtempSync(path.join(os.tmpdir(), "effect-cqrs-check-"))
// The benches have packages of their own, which `npm run bench` installs.
const benches = ["bench/tsconfig.json", "bench/node_modules/effect-cqrs"].every((file) =>
  fs.existsSync(path.join(tree.root, file))
)

// What was right the last time is not looked at again.
const types = (project: string): Command => {
  const known = path.join(".cache", `${project.replaceAll("/", "-")}.tsbuildinfo`)
  return ["tsc", "-p", project, "--incremental", "--tsBuildInfoFile", known]
}

// The slowest first, so that the others run beside it.
const checks: Record<string, ReadonlyArray<Command>> = {
  docs: [["vitest", "run", "--reporter=dot", "test/docs.test.ts"]],
  package: [
    ["node", "scripts/pack.ts", packed],
    ["publint", "run", path.join(packed, "package.tgz"), "--strict"]
  ],
  architecture: [["vitest", "run", "--reporter=dot", "test/architecture.test.ts"]],
  types: [types("tsconfig.json"), ...(benches ? [types("bench/tsconfig.json")] : [])],
  effect: [["effect-tsgo", "diagnostics", "--project", "tsconfig.json", "--strict", "--severity", "error,warning"]],
  lint: [["oxlint", "--type-aware", "--deny-warnings", ...(benches ? [] : ["--ignore-pattern", "bench"])]],
  unused: [["knip", "--no-progress", "--no-config-hints"]],
  format: [["biome", "format", "."]],
  exports: [["node", "scripts/exports.ts", "--check"]]
}

interface Outcome {
  readonly failed: boolean
  readonly output: string
}

const run = ([program, ...args]: Command): Promise<Outcome> =>
  new Promise((resolve) => {
    const programs = path.join(tree.root, "node_modules/.bin")
    const env = { ...process.env, PATH: `${programs}${path.delimiter}${process.env["PATH"]}` }
    const child = spawn(program, args, { cwd: tree.root, env, stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => void (output += chunk.toString()))
    child.stderr.on("data", (chunk: Buffer) => void (output += chunk.toString()))
    child.once("error", ({ message }) => resolve({ failed: true, output: message }))
    child.once("close", (code) => resolve({ failed: code !== 0, output }))
  })

const check = async (name: string, commands: ReadonlyArray<Command>): Promise<void> => {
  const start = performance.now()
  let outcome: Outcome = { failed: false, output: "" }
  for (const command of commands) {
    outcome = await run(command)
    if (outcome.failed) break
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(`${outcome.failed ? "FAIL" : "ok  "} ${name.padEnd(12)} ${seconds.padStart(5)} s`)
  if (!outcome.failed) return
  process.exitCode = 1
  console.log(outcome.output.trimEnd().replace(/^/gm, "     "))
}

const chosen = process.argv.slice(2)
const queue = Object.entries(checks).filter(([name]) => chosen.length === 0 || chosen.includes(name))
const worker = async () => {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) await check(...next)
}
try {
  await Promise.all(Array.from({ length: os.availableParallelism() }, worker))
} finally {
  fs.rmSync(packed, { recursive: true })
}
