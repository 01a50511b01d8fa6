/** What is counted of consumers. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

const handled = Metric.counter("effect_cqrs_consumer_handled", { description: "Events that a consumer has handled" })
const parked = Metric.counter("effect_cqrs_consumer_parked", { description: "Events that a consumer has parked" })
const fenced = Metric.counter("effect_cqrs_consumer_fenced", {
  description: "Commits of former owners that were refused"
})
const stopped = Metric.gauge("effect_cqrs_consumer_stopped", {
  description: "1 while a consumer is paused or diverged, 0 while it runs"
})

/** The metrics of one consumer. */
export class Metrics {
  private readonly of: { readonly consumer: string }

  constructor(consumer: string) {
    this.of = { consumer }
  }

  handled(count: number): Effect.Effect<void> {
    return count === 0 ? Effect.void : Metric.update(Metric.withAttributes(handled, this.of), count)
  }

  parked(count: number): Effect.Effect<void> {
    return count === 0 ? Effect.void : Metric.update(Metric.withAttributes(parked, this.of), count)
  }

  get fenced(): Effect.Effect<void> {
    return Metric.update(Metric.withAttributes(fenced, this.of), 1)
  }

  stopped(isStopped: boolean): Effect.Effect<void> {
    return Metric.update(Metric.withAttributes(stopped, this.of), isStopped ? 1 : 0)
  }
}
