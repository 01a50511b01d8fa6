/**
 * Checks the model of the log's order, and that the model finds each wrong variant wrong:
 * `npm run model -- [name ...] [--json]`. Variants that are named show their counterexample step by step.
 */
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { parseArgs } from "node:util"
import * as tree from "./tree.ts"

interface Variant {
  readonly name: string
  /** What is defined for it, see `model/README.md`. */
  readonly switches: string
  /** What is found wrong; nothing, where it is to hold. */
  readonly wrong?: string
  /** To look for runs that go on for ever instead of wrong steps. */
  readonly endless?: boolean
}

const missed = "an event appears at or below a cursor that has passed it"
const leftOut = "the cursor passes a visible event that was not delivered"
const backwards = "the mark goes back"
const stuck = "the log comes to rest with an event that was not delivered"
const endless = "a run goes on for ever"

const restart = "RESTARTS=1 CRASH PREPARES=0"
const handOver = "SMALL AGENTS=2 TERMS=2 AT_ONCE"

// The longest first, so that the others run beside them.
const variants: ReadonlyArray<Variant> = [
  // The design.
  { name: "hand-over", switches: `${handOver} DEATHS=1` },
  { name: "design", switches: "" },
  { name: "hand-over-and-restart", switches: `PAIR AGENTS=2 TERMS=2 AT_ONCE ${restart}` },
  { name: "restart", switches: `SMALL DOUBLE ${restart}` },
  { name: "restarts", switches: "PAIR RESTARTS=2 CRASH PREPARES=0" },
  { name: "standby", switches: "SMALL DOUBLE STANDBY" },
  { name: "scan", switches: "SMALL PREPARES=0 SCAN" },
  { name: "locked-stream", switches: "SMALL STUCK" },
  { name: "hand-over-ends", switches: "PAIR AGENTS=2 TERMS=2 DEATHS=1 AT_ONCE", endless: true },
  { name: "restart-ends", switches: `SMALL ${restart}`, endless: true },
  { name: "standby-ends", switches: "SMALL STANDBY", endless: true },
  // What it could do without.
  { name: "no-term", switches: `${handOver} DEATHS=1 NO_TERM` },
  { name: "term-alone", switches: "PAIR AGENTS=2 TERMS=3 AT_ONCE MARK_BACK" },
  { name: "lazy-commits", switches: `SMALL ${restart} LAZY` },
  { name: "mark-behind-flush", switches: `SMALL ${restart} LAZY MARK_BEHIND` },
  { name: "epoch-alone", switches: `SMALL ${restart} RESTARTED_FORGOTTEN` },
  { name: "names-alone", switches: "SMALL RESTARTS=1 PREPARES=0 ANY_EPOCH" },
  { name: "prepared-keep", switches: `SMALL DOUBLE ${restart} PROCESS_NAMES PREPARED_KEEP` },
  { name: "row-last-loses-nothing", switches: "SMALL DOUBLE ROW_LAST" },
  // What is wrong.
  { name: "h-first", switches: "SMALL H_FIRST", wrong: missed },
  { name: "read-ahead", switches: "SMALL AHEAD", wrong: missed },
  { name: "committed", switches: "SMALL COMMITTED", wrong: missed },
  { name: "cached", switches: "CACHED", wrong: missed },
  { name: "draw-first", switches: "SMALL DRAW_FIRST", wrong: missed },
  { name: "release-first", switches: "SMALL RELEASE_FIRST", wrong: missed },
  { name: "process-names", switches: "SMALL PREPARES=0 PROCESS_NAMES", wrong: missed },
  {
    name: "restarted-forgotten",
    switches: "SMALL RESTARTS=1 PREPARES=0 ANY_EPOCH RESTARTED_FORGOTTEN",
    wrong: missed
  },
  { name: "any-epoch", switches: "SMALL RESTARTS=1 CRASH ANY_EPOCH", wrong: missed },
  { name: "mark-unflushed", switches: "SMALL RESTARTS=1 CRASH MARK_UNFLUSHED", wrong: missed },
  { name: "two-snapshots", switches: "SMALL TWO_SNAPSHOTS", wrong: leftOut },
  { name: "mark-beside", switches: "SMALL STANDBY MARK_BESIDE", wrong: leftOut },
  { name: "mark-back", switches: `${handOver} NO_TERM MARK_BACK`, wrong: backwards },
  { name: "keep-seen", switches: `${handOver} DEATHS=1 KEEP_SEEN`, wrong: stuck },
  { name: "row-last", switches: "SMALL STUCK ROW_LAST", wrong: stuck }
]

const { positionals, values } = parseArgs({ allowPositionals: true, options: { json: { type: "boolean" } } })

const fail = (message: string): never => {
  console.error(message)
  process.exit(1)
}

const unknown = positionals.filter((name) => !variants.some((variant) => variant.name === name))
if (unknown.length > 0) fail(`No variant is called ${unknown.join(" or ")}`)

const programs = [
  // Another program goes by the name of spin, too.
  {
    program: "spin",
    version: "-V",
    starts: "Spin Version",
    what: "the model checker (https://spinroot.com): `apt-get install spin` on Debian and Ubuntu, `brew install spin` on macOS"
  },
  {
    program: "gcc",
    version: "--version",
    starts: "",
    what: "the compiler: `apt-get install gcc` on Debian and Ubuntu, `xcode-select --install` on macOS"
  }
]
const missing = programs.filter(({ program, starts, version }) => {
  const { error, stdout } = spawnSync(program, [version], { encoding: "utf8" })
  return error !== undefined || !stdout.startsWith(starts)
})
if (missing.length > 0) fail(missing.map(({ program, what }) => `${program} is missing, ${what}`).join("\n"))

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "effect-cqrs-model-"))
process.once("exit", () => fs.rmSync(folder, { recursive: true, force: true }))
process.once("SIGINT", () => process.exit(130))
process.once("SIGTERM", () => process.exit(143))

const model = "fence.pml"

const run = (cwd: string, command: string, args: ReadonlyArray<string>): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => void (output += chunk.toString()))
    child.stderr.on("data", (chunk: Buffer) => void (output += chunk.toString()))
    child.once("error", reject)
    child.once("close", (code) =>
      code === 0 ? resolve(output) : reject(new Error(`${command} ${args.join(" ")} failed:\n${output}`))
    )
  })

interface Result {
  readonly found: string | undefined
  readonly states: number
  readonly seconds: number
  /** The counterexample. */
  readonly steps: ReadonlyArray<string>
}

const check = async ({ endless: isEndless = false, name, switches, wrong }: Variant): Promise<Result> => {
  const start = performance.now()
  const cwd = path.join(folder, name)
  fs.mkdirSync(cwd)
  fs.copyFileSync(path.join(tree.root, "model", model), path.join(cwd, model))
  // Breadth first, the first counterexample is a shortest; depth first takes less memory.
  const shortest = wrong !== undefined
  const defined = [...switches.split(" ").filter(Boolean), ...(shortest ? ["SHORTEST"] : [])].map((one) => `-D${one}`)
  await run(cwd, "spin", ["-a", ...defined, model])
  const search = isEndless ? ["-DNP"] : shortest ? ["-DSAFETY", "-DBFS"] : ["-DSAFETY"]
  await run(cwd, "gcc", ["-O2", "-w", "-DNOREDUCE", "-DMEMLIM=1900", ...search, "-o", "pan", "pan.c"])
  const output = await run(cwd, path.join(cwd, "pan"), [
    "-m10000",
    shortest ? "-w20" : "-w24",
    ...(isEndless ? ["-l"] : [])
  ])
  const errors = Number(/errors: (\d+)/.exec(output)?.[1])
  const states = Number(/([\d.e+]+) states, stored/.exec(output)?.[1])
  if (!(states > 0) || !(errors >= 0) || (errors === 0 && /not completed|too small|out of memory/i.test(output))) {
    throw new Error(`${name} was not searched to the end:\n${output}`)
  }
  const steps = errors === 0 ? [] : await replay(cwd, defined)
  const found = errors === 0 ? undefined : foundIn(/^pan:\d+: (.*)/m.exec(output)?.[1] ?? "", steps)
  fs.rmSync(cwd, { recursive: true })
  return { found, states, seconds: (performance.now() - start) / 1000, steps }
}

/** What the search stopped at. */
const foundIn = (error: string, steps: ReadonlyArray<string>): string => {
  if (error.startsWith("invalid end state")) return stuck
  if (error.startsWith("non-progress cycle")) return endless
  const last = steps.at(-1) ?? ""
  return last.startsWith("WRONG: ") ? last.slice("WRONG: ".length) : error
}

/** The steps of the counterexample, in words; the last one may say what is wrong. */
const replay = async (cwd: string, defined: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const output = await run(cwd, "spin", ["-T", "-t", ...defined, model])
  const steps = output.split("\n").flatMap((line) => (line.startsWith("| ") ? [line.slice(2)] : []))
  const end = steps.findIndex((step) => step.startsWith("WRONG: "))
  return end < 0 ? steps : steps.slice(0, end + 1)
}

/** The steps in one line, those that one party takes in a row joined. */
const summary = (steps: ReadonlyArray<string>): string => {
  let text = ""
  let before: string | undefined
  for (const step of steps) {
    if (step.startsWith("WRONG: ")) continue
    const who = /^(?:T\d|agent \d|the \w+)/.exec(step)?.[0] ?? ""
    text += who === before ? `,${step.slice(who.length)}` : `${text === "" ? "" : "; "}${step}`
    before = who
  }
  return text
}

const report = ({ name, wrong }: Variant, { found, seconds, states, steps }: Result): void => {
  const isExpected = found === wrong
  if (!isExpected) process.exitCode = 1
  if (values.json === true) {
    const expected = wrong ?? "holds"
    const rounded = Number(seconds.toFixed(3))
    console.log(
      JSON.stringify({ name, expected, found: found ?? "holds", states, seconds: rounded, holds: found === undefined })
    )
    return
  }
  const size = `${states} states, ${seconds.toFixed(1)} s`
  if (found === undefined) {
    console.log(isExpected ? `${name} holds: ${size}` : `NOT AS EXPECTED: ${name} holds, and should not: ${size}`)
    return
  }
  const isLong = positionals.length > 0 || !isExpected
  console.log(
    `${isExpected ? "wrong as expected" : "NOT AS EXPECTED"}: ${name}: ${found} (${size})${isLong ? "" : `: ${summary(steps)}`}`
  )
  if (isLong) for (const step of steps) console.log(`  ${step}`)
}

const chosen = variants.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
const results = chosen.map((variant) => ({ variant, result: Promise.withResolvers<Result>() }))
const queue = results.values()
const worker = async () => {
  for (const { result, variant } of queue) {
    try {
      result.resolve(await check(variant))
    } catch (error) {
      result.reject(error)
      return
    }
  }
}
// Two at once stay well below four gigabytes.
const workers = Array.from({ length: Math.min(2, os.availableParallelism()) }, worker)
for (const { result, variant } of results) {
  try {
    report(variant, await result.promise)
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error))
  }
}
await Promise.all(workers)
