/** What is counted of kept answers. */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"

const lookups = Metric.counter("effect_cqrs_cache_lookups_total", {
  description: "Cached queries by what came of them",
  incremental: true
})
const refusals = Metric.counter("effect_cqrs_cache_refused_fills_total", {
  description: "Answers that were not kept: older than an invalidation or than what is kept, too heavy, or no storage",
  incremental: true
})
const ages = Metric.histogram("effect_cqrs_cache_age_milliseconds", {
  description: "How old answers were that were served",
  boundaries: Metric.exponentialBoundaries({ start: 1, factor: 4, count: 12 })
})

/** What came of a lookup. */
type Came =
  /** From this process, fresh. */
  | "hit"
  /** From another process, fresh. */
  | "shared"
  /** After its time, while a new one is made. */
  | "stale"
  /** Worked out. */
  | "miss"
  /** Together with somebody who worked it out: a stampede of one less. */
  | "joined"
  /** Not asked: inside a unit of work. */
  | "bypass"
  /** Worked out in the background, before its time was over or after it. */
  | "refresh"

export interface Counts {
  readonly came: (what: Came, services: Context.Context<never>) => void
  readonly age: (millis: number, services: Context.Context<never>) => void
  readonly refused: (services: Context.Context<never>) => void
}

export const countsOf = (query: string): Counts => {
  const of = (outcome: Came) => Metric.withAttributes(lookups, { query, outcome })
  const each: Record<Came, ReturnType<typeof of>> = {
    hit: of("hit"),
    shared: of("shared"),
    stale: of("stale"),
    miss: of("miss"),
    joined: of("joined"),
    bypass: of("bypass"),
    refresh: of("refresh")
  }
  const age = Metric.withAttributes(ages, { query })
  const refused = Metric.withAttributes(refusals, { query })
  return {
    came: (what, services) => each[what].updateUnsafe(1, services),
    age: (millis, services) => age.updateUnsafe(millis, services),
    refused: (services) => refused.updateUnsafe(1, services)
  }
}
