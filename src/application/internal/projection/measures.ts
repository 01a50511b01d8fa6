/** What is measured of each projection that runs, under its name. */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Page } from "../../../ports/EventStoreDriver.ts"

const position = Metric.gauge("effect_cqrs_projection_position", {
  description: "The position up to which a projection has handled the log"
})
const lag = Metric.gauge("effect_cqrs_projection_lag_positions", {
  description: "How many positions of the log a projection is behind the mark, at most as many events"
})
const lagMillis = Metric.gauge("effect_cqrs_projection_lag_milliseconds", {
  description:
    "How long ago the last event was recorded that a projection has handled while it is behind; 0 when it is not"
})
const events = Metric.counter("effect_cqrs_projection_events_total", {
  description: "Events that a projection has handled",
  incremental: true
})
const failures = Metric.counter("effect_cqrs_projection_failures_total", {
  description: "Batches that a projection has not handled, tries that followed included",
  incremental: true
})
const batches = Metric.timer("effect_cqrs_projection_batch", {
  description: "How long a projection's transactions take"
})

export interface Measures {
  /** Where the projection stands once it has handled a page. */
  readonly standing: (page: Page) => Effect.Effect<void>
  readonly handled: (page: Page, took: Duration.Duration) => Effect.Effect<void>
  readonly failed: Effect.Effect<void>
}

export const of = (projection: string): Measures => {
  const attributes = { projection }
  const mine = {
    position: Metric.withAttributes(position, attributes),
    lag: Metric.withAttributes(lag, attributes),
    lagMillis: Metric.withAttributes(lagMillis, attributes),
    events: Metric.withAttributes(events, attributes),
    failures: Metric.withAttributes(failures, attributes),
    batches: Metric.withAttributes(batches, attributes)
  }
  const standing = (page: Page) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const behind = Math.max(0, page.mark - page.cursor)
      const last = page.events.at(-1)
      const late = behind === 0 || last === undefined ? 0 : Math.max(0, now - last.recordedAt)
      return Effect.all(
        [
          Metric.update(mine.position, page.cursor),
          Metric.update(mine.lag, behind),
          Metric.update(mine.lagMillis, late)
        ],
        { discard: true }
      )
    })
  return {
    standing,
    handled: (page, took) =>
      Effect.all([standing(page), Metric.update(mine.events, page.events.length), Metric.update(mine.batches, took)], {
        discard: true
      }),
    failed: Metric.update(mine.failures, 1)
  }
}
