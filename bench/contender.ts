/**
 * The process of one contender: makes it ready, warms it up, and measures whenever it is asked to.
 */
import type { Measured, SuiteModule } from "./harness.ts"

export interface Task {
  readonly suite: string
  readonly row: string
  /** A peer's name; ours when absent. */
  readonly peer: string | undefined
  readonly database: string
  readonly redis: string
}

/** Seconds to measure for, and what came of it. */
export type Question = { readonly task: Task } | { readonly seconds: number }
export type Answer = Measured | { readonly failure: string }

const load = async ({ database, peer, redis, row, suite }: Task) => {
  const { default: rows }: SuiteModule = await import(suite)
  if (typeof rows === "function") throw new Error(`${suite} has no rows`)
  const found = rows.find(({ name }) => name === row)
  const contender = peer === undefined ? found?.ours : (found?.peers[peer] ?? found?.beside?.[peer])
  if (contender === undefined) throw new Error(`${suite} has no ${peer ?? "ours"} in "${row}"`)
  return await contender({ database, redis })
}

let round: ReturnType<typeof load> | undefined

const answer = async (question: Question): Promise<Answer> => {
  try {
    if ("task" in question) {
      round = load(question.task)
      await round
      return { value: 0, also: {} }
    }
    if (round === undefined) throw new Error("asked before it was told what to measure")
    const measure = await round
    // What the round before left is not this one's to clean up.
    globalThis.gc?.()
    const measured = await measure(question.seconds)
    return typeof measured === "number" ? { value: measured, also: {} } : measured
  } catch (error) {
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

process.on("disconnect", () => process.exit())
process.on("message", (question: Question) => void answer(question).then((reply) => process.send?.(reply)))
