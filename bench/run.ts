/**
 * Runs suites of benchmarks: `npm run bench -- [suite ...] [--json] [--rounds 5] [--seconds 0.3] [--only text]`.
 */
import { type ChildProcess, fork, spawnSync } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import type { Answer, Question } from "./contender.ts"
import type { Row, Suite, Target } from "./harness.ts"

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

class Competitor {
  readonly name: string
  readonly values: Array<number> = []
  private readonly child: ChildProcess

  constructor(name: string) {
    this.name = name
    const execArgv = ["--expose-gc", ...process.execArgv]
    this.child = fork(path.join(here, "contender.ts"), { execArgv, stdio: ["ignore", 2, 2, "ipc"] })
  }

  async ask(question: Question): Promise<number> {
    const ended = once(this.child, "exit").then(([code]): Answer => ({ failure: `it ended with ${code}` }))
    const replied = once(this.child, "message").then(([answer]: ReadonlyArray<Answer>) => answer)
    this.child.send(question)
    const answer = (await Promise.race([replied, ended])) ?? { failure: "it said nothing" }
    if ("failure" in answer) throw new Error(`${this.name}: ${answer.failure}`)
    return answer.value
  }

  get median(): number {
    const sorted = this.values.toSorted((a, b) => a - b)
    const middle = sorted.length / 2
    return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle) - 1] ?? Number.NaN)) / 2
  }

  end() {
    this.child.kill()
  }
}

interface Options {
  readonly rounds: number
  readonly seconds: number
}

/** All contenders are ready and warm before the first round, and only one of them works at a time. */
const measure = async (suite: string, row: Row, { rounds, seconds }: Options) => {
  const ours = new Competitor("ours")
  const peers = Object.keys(row.peers).map((name) => new Competitor(name))
  const beside = Object.keys(row.beside ?? {}).map((name) => new Competitor(name))
  const all = [ours, ...peers, ...beside]
  try {
    await Promise.all(
      all.map((one) => one.ask({ task: { suite, row: row.name, peer: one === ours ? undefined : one.name } }))
    )
    for (const one of all) for (let warm = 0; warm < 2; warm++) await one.ask({ seconds })
    for (let round = 0; round < rounds; round++) for (const one of all) one.values.push(await one.ask({ seconds }))
  } finally {
    for (const one of all) one.end()
  }
  return { beside, ours, peers }
}

interface Result {
  readonly name: string
  readonly unit: string
  readonly ours: number
  readonly reference: string | null
  readonly referenceValue: number | null
  readonly ratio: number | null
  readonly target: string | null
  readonly holds: boolean | null
  /** All others of the row. */
  readonly others: Readonly<Record<string, number>>
}

const holds = (target: Target, less: boolean, value: number, ratio: number | null): boolean => {
  const reached = (actual: number, wanted: number) => (less ? actual <= wanted : actual >= wanted)
  return (
    (target.value === undefined || reached(value, target.value)) &&
    (target.ratio === undefined || (ratio !== null && reached(ratio, target.ratio)))
  )
}

const describe = ({ ratio, value }: Target, less: boolean, unit: string): string => {
  const sign = less ? "<=" : ">="
  return [
    ...(value === undefined ? [] : [`${sign} ${value} ${unit}`]),
    ...(ratio === undefined ? [] : [`${sign} ${ratio}x`])
  ].join(" and ")
}

const rounded = (value: number): number => Number(value.toPrecision(4))

const resultOf = (row: Row, { beside, ours, peers }: Awaited<ReturnType<typeof measure>>): Result => {
  const less = row.less === true
  const [best, ...others] = peers.toSorted((a, b) => (less ? a.median - b.median : b.median - a.median))
  const ratio = best === undefined ? null : ours.median / best.median
  return {
    name: row.name,
    unit: row.unit,
    ours: rounded(ours.median),
    reference: best?.name ?? null,
    referenceValue: best === undefined ? null : rounded(best.median),
    ratio: ratio === null ? null : rounded(ratio),
    target: row.target === undefined ? null : describe(row.target, less, row.unit),
    holds: row.target === undefined ? null : holds(row.target, less, ours.median, ratio),
    others: Object.fromEntries([...others, ...beside].map((other) => [other.name, rounded(other.median)]))
  }
}

const inWords = (value: number, unit: string): string => `${Math.round(value).toLocaleString("en")} ${unit}`

const line = (result: Result): string => {
  const { holds, name, others, ours, ratio, reference, referenceValue, target, unit } = result
  const compared = referenceValue === null ? "" : `${ratio?.toFixed(2)}x ${reference} ${inWords(referenceValue, unit)}`
  const rest = Object.entries(others).map(([other, value]) => `${other} ${inWords(value, unit)}`)
  const verdict = holds === null ? "    " : holds ? "ok  " : "MISS"
  return [
    verdict,
    name.padEnd(46),
    inWords(ours, unit).padStart(14),
    [compared, ...rest].join(", ").padEnd(44),
    target ?? ""
  ].join("  ")
}

const main = async () => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "0.3" }
    }
  })
  const options = { rounds: Number(values.rounds), seconds: Number(values.seconds) }
  const known = fs.globSync("*.ts", { cwd: path.join(here, "suites") }).map((file) => path.basename(file, ".ts"))
  const unknown = positionals.filter((name) => !known.includes(name))
  if (unknown.length > 0 || !(options.rounds >= 1) || !(options.seconds > 0)) {
    say(`Suites are ${known.sort().join(", ")}; --rounds and --seconds are numbers above 0`)
    process.exit(1)
  }
  prepare()
  let missed = 0
  for (const name of known.sort().filter((suite) => positionals.length === 0 || positionals.includes(suite))) {
    const suite = pathToFileURL(path.join(here, "suites", `${name}.ts`)).href
    const { default: rows }: { readonly default: Suite } = await import(suite)
    for (const row of rows.filter((one) => one.name.includes(values.only))) {
      const result = resultOf(row, await measure(suite, row, options))
      if (result.holds === false) missed++
      if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`)
      ;(values.json ? say : console.log)(line(result))
    }
  }
  if (missed > 0) say(`${missed} targets missed`)
}

await main()
