/** What is measured of live connections: counted as it happens, told once a second. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

const connections = Metric.gauge("effect_cqrs_live_connections", { description: "Clients that are connected" })
const lag = Metric.gauge("effect_cqrs_live_lag_positions", {
  description: "How far the client that is furthest behind is from the end of the log"
})
const sent = Metric.counter("effect_cqrs_live_events_sent", { description: "Events given to clients" })
const closed = Metric.counter("effect_cqrs_live_closed", {
  description: "Clients that the server gave up, by the reason"
})

const transports = ["sse", "websocket", "rpc"] as const

export class Measures {
  readonly open = { sse: 0, websocket: 0, rpc: 0 }
  readonly lag = { sse: 0, websocket: 0, rpc: 0 }
  readonly sent = { sse: 0, websocket: 0, rpc: 0 }
  private readonly given = new Map<string, { readonly transport: string; readonly reason: string; count: number }>()

  closed(transport: string, reason: string): void {
    const key = `${transport} ${reason}`
    const known = this.given.get(key) ?? { transport, reason, count: 0 }
    known.count++
    this.given.set(key, known)
  }

  readonly flush: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    for (const transport of transports) {
      yield* Metric.update(Metric.withAttributes(connections, { transport }), this.open[transport])
      yield* Metric.update(Metric.withAttributes(lag, { transport }), this.lag[transport])
      if (this.sent[transport] > 0)
        yield* Metric.update(Metric.withAttributes(sent, { transport }), this.sent[transport])
      this.sent[transport] = 0
    }
    for (const { count, reason, transport } of this.given.values()) {
      yield* Metric.update(Metric.withAttributes(closed, { transport, reason }), count)
    }
    this.given.clear()
  })
}
