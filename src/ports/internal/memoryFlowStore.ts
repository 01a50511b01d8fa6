/** A store of flows on the journal of the memory layers. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import * as Flow from "../../domain/Flow.ts"
import type { Driver } from "../FlowStoreDriver.ts"
import { type Journal, JournalMap } from "./Journal.ts"

interface Row {
  readonly step: Flow.Step
  readonly recordedAt: number
}

export const makeMemory = (journal: Journal): Driver => {
  /** The steps of each flow by their ids. */
  const flows = new JournalMap<string, ReadonlyMap<string, Row>>()
  return {
    record: (entries) =>
      journal.write((transaction, fiber) => {
        const recordedAt = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
        const touched = new Map<string, Map<string, Row>>()
        for (const { correlationId, step, tenant } of entries) {
          const key = `${tenant}\0${correlationId}`
          const steps = touched.get(key) ?? new Map(flows.get(transaction, key))
          touched.set(key, steps)
          const before = steps.get(step.id)
          if (before === undefined || Flow.supersedes(step, before.step)) steps.set(step.id, { step, recordedAt })
        }
        for (const [key, steps] of touched) flows.set(transaction, key, steps)
        return Exit.void
      }),
    read: (tenant, correlationId, { after, limit }) =>
      journal.read((transaction) => {
        const steps = Array.from(
          flows.get(transaction, `${tenant}\0${correlationId}`)?.values() ?? [],
          ({ step }) => step
        )
        return steps
          .filter(({ id }) => inCodePoints(id, after) > 0)
          .sort((a, b) => inCodePoints(a.id, b.id))
          .slice(0, limit)
      }),
    purge: (olderThan) =>
      journal.write((transaction, fiber) => {
        const before = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe() - Duration.toMillis(olderThan)
        for (const [key, steps] of Array.from(flows.entries(transaction))) {
          const kept = new Map(Array.from(steps).filter(([, { recordedAt }]) => recordedAt >= before))
          if (kept.size < steps.size) flows.set(transaction, key, kept.size === 0 ? undefined : kept)
        }
        return Exit.void
      })
  }
}

// UTF-16 would put what is beyond U+FFFF before what is just below it.
const inCodePoints = (a: string, b: string): number => {
  const shorter = Math.min(a.length, b.length)
  for (let index = 0; index < shorter; index++) {
    if (a.charCodeAt(index) === b.charCodeAt(index)) continue
    return (a.codePointAt(index) ?? 0) - (b.codePointAt(index) ?? 0)
  }
  return a.length - b.length
}
