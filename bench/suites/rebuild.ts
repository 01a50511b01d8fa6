/**
 * How long it takes to build a projection anew from a large log, beside a loop by hand: in one database, in turns.
 */
import { median, type Study } from "../harness.ts"
import * as Pg from "../peers/pgProjection.ts"
import { line, type Result } from "../report.ts"
import * as Projecting from "./projections/ours.ts"
import * as Ours from "./store/ours.ts"

export const needsDatabase = true

const study: Study = async ({ database, json, max = 1_000_000, quick, rounds, seconds }) => {
  const events = quick ? 20_000 : max
  // It fills the log, which both read.
  const byHand = await Pg.project(events, 500)({ database, redis: "" })
  const runtime = Ours.start(database)
  const taken: { readonly ours: Array<number>; readonly pg: Array<number> } = { ours: [], pg: [] }
  for (let round = 0; round < rounds; round++) {
    const value = await byHand(seconds)
    taken.pg.push(typeof value === "number" ? value : value.value)
    const start = performance.now()
    await runtime.runPromise(Projecting.rebuild(events))
    taken.ours.push((events * 1000) / (performance.now() - start))
  }
  await runtime.dispose()
  const [ours, pg] = [median(taken.ours), median(taken.pg)]
  const spread = (values: ReadonlyArray<number>) => [Math.min(...values), Math.max(...values)] as const
  const result: Result = {
    name: `rebuild of ${events.toLocaleString("en")} events, with the swap`,
    unit: "events/s",
    ours,
    reference: "pg",
    referenceValue: pg,
    ratio: ours / pg,
    target: null,
    holds: null,
    others: {},
    spread: { ours: spread(taken.ours), pg: spread(taken.pg) }
  }
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`)
  ;(json ? process.stderr : process.stdout).write(`${line(result)}\n`)
}

export default study
