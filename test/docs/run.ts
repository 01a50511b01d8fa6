/**
 * Runs in a process of its own: imports each program it is told of, one after the other, and answers with what failed.
 */
import { setTimeout } from "node:timers/promises"
import { inspect } from "node:util"
import { outcomes } from "./expectations.ts"

export interface Task {
  readonly url: string
  readonly expectations: ReadonlyArray<string>
  /** How long to wait, in milliseconds, for expectations that are reached after the module has ended. */
  readonly patience: number
}

export interface Answer {
  readonly failures: ReadonlyArray<string>
}

let failures: Array<string> = []
const named = (error: Error) => (error.stack ?? error.message).replace(/\n *at .*node:internal.*/g, "")
const fail = (error: unknown) => void failures.push(error instanceof Error ? named(error) : inspect(error))
process.on("unhandledRejection", fail)
process.on("uncaughtException", fail)

const run = async ({ expectations, patience, url }: Task) => {
  failures = []
  const active = process.getActiveResourcesInfo().length
  await import(url).catch(fail)
  await setTimeout(1)
  // A block may start what outlives its module, such as a main fiber. What it has promised is worth a longer wait than
  // what it merely leaves open, such as a server.
  for (let waited = 0; waited < patience && failures.length === 0; waited += 10) {
    const promised = expectations.some((key) => !outcomes.has(key))
    const open = process.getActiveResourcesInfo().length > active
    if (!promised && (!open || waited > patience / 5)) break
    await setTimeout(10)
  }
  for (const key of expectations) {
    // What was thrown says more than what was not reached for it.
    const unreached = failures.length === 0 ? "never reached" : undefined
    const wrong = outcomes.has(key) ? outcomes.get(key) : unreached
    if (wrong !== undefined) failures.push(`${key.slice(key.indexOf(" ") + 1)}: ${wrong}`)
  }
  process.send?.({ failures } satisfies Answer)
}

process.on("disconnect", () => process.exit())
process.on("message", (task: Task) => void run(task))
