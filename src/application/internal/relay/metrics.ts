/** What is counted of relays. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Counts } from "../../../ports/OutboxDriver.ts"

const delivered = Metric.counter("effect_cqrs_outbox_delivered", { description: "Messages that a relay has delivered" })
const failed = Metric.counter("effect_cqrs_outbox_failed", {
  description: "Deliveries that failed and are tried again later"
})
const parked = Metric.counter("effect_cqrs_outbox_parked", { description: "Messages that a relay has parked" })
const fenced = Metric.counter("effect_cqrs_outbox_fenced", {
  description: "Messages that another worker took over before their delivery was noted"
})
const waiting = Metric.gauge("effect_cqrs_outbox_waiting", { description: "Messages of a queue by how they stand" })
const lag = Metric.gauge("effect_cqrs_outbox_lag_seconds", {
  description: "For how long the message that has been due longest is due"
})

/** The metrics of one queue. */
export class Metrics {
  private readonly of: { readonly queue: string }
  private readonly deliveries: Metric.Metric<number, unknown>

  constructor(queue: string) {
    this.of = { queue }
    this.deliveries = Metric.withAttributes(delivered, this.of)
  }

  delivered(count: number): Effect.Effect<void> {
    return count === 0 ? Effect.void : Metric.update(this.deliveries, count)
  }

  fenced(count: number): Effect.Effect<void> {
    return count === 0 ? Effect.void : Metric.update(Metric.withAttributes(fenced, this.of), count)
  }

  failed(isParked: boolean): Effect.Effect<void> {
    return Metric.update(Metric.withAttributes(isParked ? parked : failed, this.of), 1)
  }

  standing(counts: Counts): Effect.Effect<void> {
    const { inFlight, lagMillis, parked, pending, retrying } = counts
    return Effect.andThen(
      Effect.forEach(
        Object.entries({ pending, inFlight, retrying, parked }),
        ([status, count]) => Metric.update(Metric.withAttributes(waiting, { ...this.of, status }), count),
        { discard: true }
      ),
      Metric.update(Metric.withAttributes(lag, this.of), lagMillis / 1000)
    )
  }
}
