/** What is counted of groups. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Name, Standing } from "../../EventGroupsDriver.ts"

const counters = {
  handled: Metric.counter("effect_cqrs_group_handled", { description: "Events that a group has handled" }),
  parked: Metric.counter("effect_cqrs_group_parked", { description: "Events that a group has parked" }),
  redelivered: Metric.counter("effect_cqrs_group_redelivered", {
    description: "Events that a group was given again"
  }),
  missing: Metric.counter("effect_cqrs_group_missing", {
    description: "Times that a group found events gone which it had not been given"
  })
}

const gauges = {
  lag: Metric.gauge("effect_cqrs_group_lag", { description: "Events that a group was not given yet" }),
  pending: Metric.gauge("effect_cqrs_group_pending", {
    description: "Events that a group was given and has not handled yet"
  }),
  waiting: Metric.gauge("effect_cqrs_group_parked_now", { description: "Events that are parked for a group" })
}

/** The metrics of one group. */
export class Metrics {
  private readonly of: { readonly log: string; readonly group: string }

  constructor({ group, log }: Name) {
    this.of = { log, group }
  }

  count(what: keyof typeof counters, times = 1): Effect.Effect<void> {
    return times === 0 ? Effect.void : Metric.update(Metric.withAttributes(counters[what], this.of), times)
  }

  standing(all: ReadonlyArray<Standing>): Effect.Effect<void> {
    const sum = (of: (one: Standing) => number) => all.reduce((total, one) => total + of(one), 0)
    return Effect.all(
      [
        Metric.update(
          Metric.withAttributes(gauges.lag, this.of),
          sum(({ lag }) => lag)
        ),
        Metric.update(
          Metric.withAttributes(gauges.pending, this.of),
          sum(({ pending }) => pending)
        ),
        Metric.update(
          Metric.withAttributes(gauges.waiting, this.of),
          sum(({ parked }) => parked)
        )
      ],
      { discard: true }
    )
  }
}
