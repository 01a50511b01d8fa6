/**
 * Going on when something fails: retries and time-outs around handlers.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as DispatchError from "../domain/DispatchError.ts"
import type * as Message from "../domain/Message.ts"
import * as EventStoreError from "../ports/EventStoreError.ts"
import * as Middleware from "./Middleware.ts"

/**
 * How often to try again, and how long to wait before it.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryOptions {
  /** How many times to try again; 3 when absent. */
  readonly times?: number | undefined
  /** The first pause, doubled each time; 1 second when absent. Each pause is jittered: up to a fifth shorter. */
  readonly delay?: Duration.Input | undefined
  /** The longest pause; 10 seconds when absent. */
  readonly maxDelay?: Duration.Input | undefined
}

/**
 * Runs the handler again when it fails with an error that `while` accepts.
 *
 * **Gotchas**
 *
 * What the handler did before it failed is done again: use it where that is harmless.
 *
 * @category middleware
 * @since 0.1.0
 */
export const retry = (
  options: RetryOptions & { readonly while: (error: unknown) => boolean }
): Middleware.Middleware => {
  const { delay = "1 second", maxDelay = "10 seconds", times = 3 } = options
  const schedule = Schedule.min([Schedule.exponential(delay), Schedule.spaced(maxDelay)]).pipe(
    Schedule.modifyDelay(({ duration }) =>
      Effect.map(Random.next, (random) => Duration.times(duration, 0.8 + random / 5))
    )
  )
  return Middleware.lift("retry", (effect) => Effect.retry(effect, { while: options.while, schedule, times }), {
    times,
    delay: Duration.format(Duration.fromInputUnsafe(delay)),
    maxDelay: Duration.format(Duration.fromInputUnsafe(maxDelay))
  })
}

/**
 * Runs the handler again when it lost a race for a stream: 3 times, with pauses from 5 ms to 100 ms when not said
 * otherwise.
 *
 * **Details**
 *
 * `Repository.execute` decides again by itself. This is for handlers that append on their own, or that must start over from
 * an earlier read.
 *
 * @category middleware
 * @since 0.1.0
 */
export const retryOnConflict = (options?: RetryOptions): Middleware.Middleware => {
  const { delay = "5 millis", maxDelay = "100 millis", times = 3 } = options ?? {}
  return { ...retry({ times, delay, maxDelay, while: isConflict }), name: "retryOnConflict" }
}

/**
 * Interrupts a handler that takes longer than `duration`; the caller gets a `DispatchError` with reason `Timeout`.
 *
 * @category middleware
 * @since 0.1.0
 */
export const timeout = (duration: Duration.Input): Middleware.Middleware<Message.Any, DispatchError.DispatchError> => {
  const limit = Duration.fromInputUnsafe(duration)
  const reason = new DispatchError.Timeout({ afterMillis: Duration.toMillis(limit), waitingFor: "the handler" })
  return Middleware.make<Message.Any, DispatchError.DispatchError>(
    "timeout",
    (next) => (message) =>
      Effect.timeoutOrElse(next(message), {
        duration: limit,
        orElse: () => Effect.fail(DispatchError.make(message._tag, reason))
      }),
    { duration: Duration.format(limit) }
  )
}

const isConflict = (error: unknown): boolean =>
  (error instanceof EventStoreError.EventStoreError && EventStoreError.isConflict(error)) ||
  (error instanceof DispatchError.DispatchError && error.reason._tag === "Conflict")
