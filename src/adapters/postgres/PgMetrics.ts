/**
 * What an agent of the log measures while it works, as metrics of Effect: any exporter shows them.
 *
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"

/**
 * The position up to which the log is settled.
 *
 * @category metrics
 * @since 0.1.0
 */
export const mark: Metric.Gauge<number> = Metric.gauge("effect_cqrs_log_mark", {
  description: "The position up to which the log is settled"
})

/**
 * For how many seconds the mark has been held back by an open transaction that has written; 0 when it is not.
 *
 * @category metrics
 * @since 0.1.0
 */
export const markAge: Metric.Gauge<number> = Metric.gauge("effect_cqrs_log_mark_age_seconds", {
  description: "For how long the mark has been held back by an open transaction; 0 when it is not"
})

/**
 * How many fences are open: moments at which somebody was writing who has not ended since.
 *
 * @category metrics
 * @since 0.1.0
 */
export const openFences: Metric.Gauge<number> = Metric.gauge("effect_cqrs_log_open_fences", {
  description: "Moments at which somebody was writing who has not ended since"
})

/**
 * The server process that holds the mark back: 0 when nobody does, -1 when a prepared transaction does, which has none.
 *
 * @category metrics
 * @since 0.1.0
 */
export const blockingProcess: Metric.Gauge<number> = Metric.gauge("effect_cqrs_log_blocking_pid", {
  description: "The server process that holds the mark back; 0 for nobody, -1 for a prepared transaction"
})

/**
 * 1 when this process's agent leads, 0 when it stands by.
 *
 * @category metrics
 * @since 0.1.0
 */
export const leads: Metric.Gauge<number> = Metric.gauge("effect_cqrs_log_agent_leads", {
  description: "1 when this process's agent leads, 0 when it stands by"
})

/**
 * The term of the leader, as far as this process knows: it counts the changes of leader.
 *
 * @category metrics
 * @since 0.1.0
 */
export const term: Metric.Gauge<number> = Metric.gauge("effect_cqrs_log_agent_term", {
  description: "Counts the changes of leader in the database"
})

/**
 * How often this process's agent became the leader.
 *
 * @category metrics
 * @since 0.1.0
 */
export const elections: Metric.Counter<number> = Metric.counter("effect_cqrs_log_agent_elections_total", {
  description: "How often this process's agent became the leader",
  incremental: true
})
