/**
 * Runs tortures: `npm run torture -- [name ...] [--seconds 20] [--seed n] [--json]`, all of them when none is named.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as fs from "node:fs"
import * as path from "node:path"
import { parseArgs } from "node:util"
import * as servers from "../services/servers.ts"
import type { Torture, Verdict } from "./Torture.ts"

const here = import.meta.dirname
const known = fs
  .globSync("*/torture.ts", { cwd: here })
  .map((file) => path.dirname(file))
  .sort()

const fail = (message: string): never => {
  console.error(message)
  process.exit(2)
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "20" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) }
  }
})
const unknown = positionals.filter((name) => !known.includes(name))
if (unknown.length > 0) fail(`No torture is called ${unknown.join(" or ")}; there are ${known.join(", ")}`)
const seconds = Number(values.seconds)
const seed = Number(values.seed)
if (!(seconds > 0) || !Number.isSafeInteger(seed)) fail("--seconds is a number above 0, and --seed a whole one")

// Started by the first who asks; it goes with this process, and none is left when that is interrupted.
let started: Promise<servers.Server> | undefined
const server = Effect.promise(async () => (await (started ??= servers.postgres())).url)
process.once("SIGINT", () => process.exit(130))
process.once("SIGTERM", () => process.exit(143))

interface Line extends Verdict {
  readonly torture: string
  readonly holds: boolean
  readonly seed: number
  readonly seconds: number
}

const report = (line: Line, promise: string): void => {
  if (!line.holds) process.exitCode = 1
  if (values.json) return console.log(JSON.stringify(line))
  console.log(`${line.holds ? "holds " : "BROKEN"} ${line.torture}: ${promise} (seed ${line.seed}, ${line.seconds} s)`)
  for (const [name, value] of Object.entries(line.counters)) {
    if (typeof value !== "object") console.log(`         ${name}: ${value}`)
    else for (const [inner, one] of Object.entries(value)) console.log(`         ${name}, ${inner}: ${one}`)
  }
  for (const problem of line.problems) console.log(`       ! ${problem}`)
}

try {
  for (const name of positionals.length === 0 ? known : positionals) {
    const { torture }: { readonly torture: Torture } = await import(`./${name}/torture.ts`)
    if (!values.json) console.error(`${name} ...`)
    const start = performance.now()
    // What the log says of servers that are gone is not for this output.
    const work = torture.run({ seconds, seed, server }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))
    const exit = await Effect.runPromiseExit(work)
    const verdict: Verdict = Exit.isSuccess(exit)
      ? exit.value
      : { problems: [`it could not be run to its end: ${Cause.pretty(exit.cause)}`], counters: {} }
    const took = Number(((performance.now() - start) / 1000).toFixed(1))
    const holds = verdict.problems.length === 0
    report({ torture: name, holds, seed, seconds: took, ...verdict }, torture.promise)
  }
} finally {
  await (await started)?.stop()
}
