/**
 * The process of one contender: makes it ready, warms it up, and measures whenever it is asked to.
 */
import type { Suite } from "./harness.ts"

export interface Task {
  readonly suite: string
  readonly row: string
  /** A peer's name; ours when absent. */
  readonly peer: string | undefined
}

/** Seconds to measure for, and what came of it. */
export type Question = { readonly task: Task } | { readonly seconds: number }
export type Answer = { readonly value: number } | { readonly failure: string }

const load = async ({ peer, row, suite }: Task) => {
  const { default: rows }: { readonly default: Suite } = await import(suite)
  const found = rows.find(({ name }) => name === row)
  const contender = peer === undefined ? found?.ours : (found?.peers[peer] ?? found?.beside?.[peer])
  if (contender === undefined) throw new Error(`${suite} has no ${peer ?? "ours"} in "${row}"`)
  return await contender()
}

let round: ReturnType<typeof load> | undefined

const answer = async (question: Question): Promise<Answer> => {
  try {
    if ("task" in question) {
      round = load(question.task)
      await round
      return { value: 0 }
    }
    if (round === undefined) throw new Error("asked before it was told what to measure")
    const measure = await round
    // What the round before left is not this one's to clean up.
    globalThis.gc?.()
    return { value: await measure(question.seconds) }
  } catch (error) {
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

process.on("disconnect", () => process.exit())
process.on("message", (question: Question) => void answer(question).then((reply) => process.send?.(reply)))
