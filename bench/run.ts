/**
 * Runs suites of benchmarks: `npm run bench -- [suite ...] [--json] [--quick] [--rounds 5] [--seconds 0.3] [--only text]`.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import { compete } from "./competitor.ts"
import type { Server } from "./databases.ts"
import type { SuiteModule } from "./harness.ts"
import { line, resultsOf } from "./report.ts"

const here = import.meta.dirname
const root = path.dirname(here)

// `node --conditions=effect-cqrs-src bench/run.ts` measures the sources, stripped of types as they are loaded.
const sources = process.execArgv.includes("--conditions=effect-cqrs-src")

const say = (text: string) => void process.stderr.write(`${text}\n`)

const run = (folder: string, command: string, ...args: ReadonlyArray<string>) => {
  // What they print is for people; standard output is for results.
  const { error, status } = spawnSync(command, args, { cwd: folder, stdio: ["ignore", 2, 2] })
  if (status === 0) return
  say(`${[command, ...args].join(" ")} failed${error === undefined ? "" : `: ${error.message}`}`)
  process.exit(1)
}

const newest = (folder: string): number =>
  Math.max(...fs.globSync("**/*.{ts,js}", { cwd: folder }).map((file) => fs.statSync(path.join(folder, file)).mtimeMs))

/** The peers, and this package under its own name, as its users have it: built. */
const prepare = () => {
  const modules = path.join(here, "node_modules")
  const installed = path.join(modules, ".package-lock.json")
  const locked = path.join(here, "package-lock.json")
  if (!fs.existsSync(installed) || fs.statSync(installed).mtimeMs < fs.statSync(locked).mtimeMs) {
    say("Installing the packages to compare with into bench/node_modules")
    run(here, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
  }
  const self = path.join(modules, "effect-cqrs")
  if (!fs.existsSync(self)) fs.symlinkSync(root, self, "junction")
  const built = path.join(root, "dist")
  if (sources) say("Measuring the sources, not dist")
  else if (!fs.existsSync(built) || newest(built) < newest(path.join(root, "src"))) {
    say("Building dist")
    run(root, process.execPath, "scripts/build.ts")
  }
}

const main = async () => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      max: { type: "string" },
      only: { type: "string", default: "" },
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      seconds: { type: "string" }
    }
  })
  const { json, quick } = values
  const rounds = Number(values.rounds ?? (quick ? 1 : 5))
  const given = values.seconds ?? (quick ? 0.1 : undefined)
  const max = values.max === undefined ? undefined : Number(values.max)
  const known = fs.globSync("*.ts", { cwd: path.join(here, "suites") }).map((file) => path.basename(file, ".ts"))
  const unknown = positionals.filter((name) => !known.includes(name))
  if (
    unknown.length > 0 ||
    !(rounds >= 1) ||
    !(given === undefined || Number(given) > 0) ||
    !(max === undefined || max >= 1)
  ) {
    say(`Suites are ${known.sort().join(", ")}; --rounds, --seconds and --max are numbers above 0`)
    process.exit(1)
  }
  prepare()
  const chosen = known.sort().filter((suite) => positionals.length === 0 || positionals.includes(suite))
  let missed = 0
  let server: Server | undefined
  let redis: { readonly url: string; readonly stop: () => Promise<void> } | undefined
  try {
    for (const name of chosen) {
      const suite = pathToFileURL(path.join(here, "suites", `${name}.ts`)).href
      const { default: content, needsDatabase, needsRedis, seconds: usual = 0.3 }: SuiteModule = await import(suite)
      const seconds = given === undefined ? usual : Number(given)
      // What it stands on may have been installed just now.
      const databases = needsDatabase === true ? await import("./databases.ts") : undefined
      if (databases !== undefined && server === undefined) {
        server = await databases.server()
        say(server.description)
      }
      if (needsRedis === true) redis ??= await (await import("../test/services/servers.ts")).redis()
      const url = server?.url
      const database = databases === undefined || url === undefined ? undefined : () => databases.create(url)
      if (typeof content === "function") {
        const own = await database?.()
        try {
          await content({
            json,
            quick,
            max,
            rounds,
            seconds,
            database: own?.url ?? "",
            server: server?.description ?? ""
          })
        } finally {
          await own?.drop()
        }
        continue
      }
      const options = { database, redis: needsRedis === true ? redis?.url : undefined, rounds, seconds }
      for (const row of content.filter((one) => one.name.includes(values.only))) {
        try {
          for (const result of resultsOf(row, await compete(suite, row, options))) {
            if (result.holds === false) missed++
            if (json) process.stdout.write(`${JSON.stringify(result)}\n`)
            ;(json ? say : console.log)(line(result))
          }
        } catch (error) {
          // The rows before it have cost their time, and those after it can still be measured.
          say(`FAIL  ${row.name}: ${error instanceof Error ? error.message : String(error)}`)
          process.exitCode = 1
        }
      }
    }
  } finally {
    await server?.stop()
    await redis?.stop()
  }
  if (missed > 0) say(`${missed} targets missed`)
}

await main()
