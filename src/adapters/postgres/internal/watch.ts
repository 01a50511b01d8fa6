/**
 * What the agent tells of its work: metrics with every look, and a word when the mark is stuck and when it goes on.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Metric from "effect/Metric"
import type { SqlError } from "effect/sql/SqlError"
import * as metrics from "../PgMetrics.ts"
import { describe, fromRow, holdersText } from "./blockers.ts"
import type * as session from "./session.ts"

/** What is to be told of. */
export interface Sight {
  readonly mark: number
  readonly leads: boolean
  readonly term: number
  readonly fences: number
  /** For how long the oldest fence is open, in milliseconds. */
  readonly waited: number
  /** Who holds the mark back, as `transaction process`. */
  readonly blockers: ReadonlyArray<string>
}

export class Watch {
  private readonly stuckAfter: number
  private told: Sight = { mark: -1, leads: false, term: -1, fences: -1, waited: -1, blockers: [] }
  /** For how long it was stuck when last seen; 0 when it is not. */
  private stuck = 0

  constructor(stuckAfter: Duration.Duration) {
    this.stuckAfter = Duration.toMillis(stuckAfter)
  }

  tell(sight: Sight, query: session.Query): Effect.Effect<void, SqlError> {
    return Effect.andThen(this.measure(sight), this.say(sight, query))
  }

  /** Without a session, nobody leads and nothing is seen. */
  resigned(): Effect.Effect<void> {
    return this.measure({ ...this.told, leads: false, fences: 0, waited: 0, blockers: [] })
  }

  private measure(sight: Sight): Effect.Effect<void> {
    return Effect.withFiber(({ context }) => {
      const { told } = this
      this.told = sight
      const set = (gauge: Metric.Gauge<number>, value: number, before: number) => {
        if (value !== before) gauge.updateUnsafe(value, context)
      }
      set(metrics.mark, sight.mark, told.mark)
      set(metrics.term, sight.term, told.term)
      set(metrics.openFences, sight.fences, told.fences)
      set(metrics.markAge, sight.waited / 1000, told.waited / 1000)
      set(metrics.blockingProcess, processOf(sight), told.mark < 0 ? -2 : processOf(told))
      if (sight.leads !== told.leads || told.mark < 0) metrics.leads.updateUnsafe(sight.leads ? 1 : 0, context)
      if (sight.leads && !told.leads) metrics.elections.updateUnsafe(1, context)
      return Effect.void
    })
  }

  /** Once when it gets stuck, and once when it goes on; of many processes, the leader. */
  private say({ blockers, leads, waited }: Sight, query: session.Query): Effect.Effect<void, SqlError> {
    if (!leads) {
      this.stuck = 0
      return Effect.void
    }
    if (waited >= this.stuckAfter) {
      const first = this.stuck === 0
      this.stuck = waited
      return first ? this.complain(blockers, waited, query) : Effect.void
    }
    if (this.stuck === 0) return Effect.void
    const before = this.stuck
    this.stuck = 0
    return Effect.logInfo(`The log goes on; it was held back for ${format(before)}`)
  }

  private complain(
    blockers: ReadonlyArray<string>,
    waited: number,
    query: session.Query
  ): Effect.Effect<void, SqlError> {
    const names = new Set(blockers.map((blocker) => blocker.split(" ")[0]))
    return Effect.flatMap(query(holdersText, []), (rows) => {
      const known = rows.map(fromRow).filter(({ transaction }) => names.has(transaction))
      return Effect.logWarning(
        `The log has been held back for ${format(waited)} by open transactions that have written events: writers go on, readers wait`
      ).pipe(Effect.annotateLogs("blockers", known.length > 0 ? known.map(describe) : blockers))
    })
  }
}

const processOf = ({ blockers }: Sight): number => {
  const [, process] = blockers[0]?.split(" ") ?? []
  if (process === undefined) return 0
  return process === "prepared" ? -1 : Number(process)
}

const format = (millis: number): string => `${(millis / 1000).toFixed(1)} s`
