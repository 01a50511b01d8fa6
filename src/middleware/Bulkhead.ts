/**
 * Bulkheads: so much at a time, so that one kind of work does not take everything from the others.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as DispatchError from "../domain/DispatchError.ts"
import type * as Message from "../domain/Message.ts"
import type { Description } from "./Handler.ts"
import { type Caller as AnyCaller, callerOf } from "./internal/caller.ts"
import { Turnstile, type Waiter } from "./internal/turnstile.ts"
import * as Middleware from "./Middleware.ts"

/**
 * What tells one caller from another; absent where it is not known.
 *
 * @category models
 * @since 0.1.0
 */
export type Caller = AnyCaller

/**
 * How much may run and wait.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** What runs behind it; metrics and errors carry it. */
  readonly name: string
  /** How much runs at a time; 10 when absent. */
  readonly limit?: number | undefined
  /** How much waits for its turn; 100 when absent, 0 for none. */
  readonly queue?: number | undefined
}

/**
 * How a bulkhead is now.
 *
 * @category models
 * @since 0.1.0
 */
export interface Status {
  readonly running: number
  readonly waiting: number
}

/**
 * A bulkhead.
 *
 * **Details**
 *
 * - `protect` runs an effect when there is room, waits when there is none, and fails with `Overloaded` when too many wait. Of
 *   those who wait, keys take turns, and within a key who came first goes first: one caller with a thousand calls holds up
 *   another's one call by one of its own.
 * - Who is interrupted while waiting leaves the queue.
 * - Metric: `effect_cqrs_bulkhead_rejections_total` by `bulkhead`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Bulkhead extends Description {
  readonly protect: <A, E, R>(
    self: Effect.Effect<A, E, R>,
    key?: string
  ) => Effect.Effect<A, E | DispatchError.Overloaded, R>
  /** Runs something else in place of what is refused. */
  readonly protectOr: <A, E, R, A2, E2, R2>(
    self: Effect.Effect<A, E, R>,
    key: string,
    orElse: (refused: DispatchError.Overloaded) => Effect.Effect<A2, E2, R2>
  ) => Effect.Effect<A | A2, E | E2, R | R2>
  readonly status: Effect.Effect<Status>
}

const rejections = Metric.counter("effect_cqrs_bulkhead_rejections_total", {
  description: "Calls that a bulkhead has refused",
  incremental: true
})

/**
 * Makes a bulkhead; nothing of it is shared with another.
 *
 * **Example** (One runs, one waits, the third is refused)
 *
 * ```ts
 * import { Bulkhead } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 *
 * const reports = Bulkhead.make({ name: "reports", limit: 1, queue: 1 })
 * const report = reports.protect(Effect.as(Effect.yieldNow, "done")).pipe(
 *   Effect.catchTag("Overloaded", (error) => Effect.succeed(error.message))
 * )
 * await Effect.runPromise(Effect.all([report, report, report], { concurrency: "unbounded" }))
 * // => ["done", "done", "reports is full: 1 are running and 1 are waiting"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = ({ limit = 10, name, queue = 100 }: Options): Bulkhead => {
  const turnstile = new Turnstile(Math.max(1, Math.floor(limit)), Math.max(0, Math.floor(queue)))
  const rejected = Metric.withAttributes(rejections, { bulkhead: name })

  const leave = () => {
    turnstile.leave()
    return undefined
  }

  const wait = (waiter: Waiter, restore: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>) =>
    Effect.onExitPrimitive(
      restore(
        Effect.callback<void>((resume) => {
          if (waiter.entered) resume(Effect.void)
          else waiter.wake = () => resume(Effect.void)
        })
      ),
      (exit) => {
        if (exit._tag === "Failure") turnstile.giveUp(waiter)
        return undefined
      }
    )

  const protectOr = <A, E, R, A2, E2, R2>(
    self: Effect.Effect<A, E, R>,
    key: string,
    orElse: (refused: DispatchError.Overloaded) => Effect.Effect<A2, E2, R2>
  ) =>
    Effect.uninterruptibleMask((restore): Effect.Effect<A | A2, E | E2, R | R2> => {
      const run = () => Effect.onExitPrimitive(restore(self), leave)
      if (turnstile.enter()) return run()
      const waiter = turnstile.queue(key)
      if (waiter !== undefined) return Effect.flatMap(wait(waiter, restore), run)
      const { running, waiting } = turnstile
      const refusal = new DispatchError.Overloaded({ bulkhead: name, running, waiting })
      return Effect.andThen(Metric.update(rejected, 1), restore(Effect.suspend(() => orElse(refusal))))
    })

  return {
    name,
    policy: { bulkhead: name, limit, queue },
    protect: (self, key = "") => protectOr(self, key, Effect.fail),
    protectOr,
    status: Effect.sync(() => ({ running: turnstile.running, waiting: turnstile.waiting }))
  }
}

/**
 * Puts a bulkhead around handlers; all of them share it. Callers are told apart by `key`: by their tenant when absent. A refused
 * message fails with a `DispatchError` with reason `Overloaded`.
 *
 * **Gotchas**
 *
 * A handler behind a bulkhead that dispatches a message to a handler behind the same one holds its own place meanwhile. With
 * as many of them as there are places, all wait for each other: give what is called a bulkhead of its own.
 *
 * @category middleware
 * @since 0.1.0
 */
export const middleware = (
  bulkhead: Bulkhead,
  key: (message: Message.Any, caller: Caller) => string = (_, { tenant }) => tenant ?? ""
): Middleware.Middleware<Message.Any, DispatchError.DispatchError> =>
  Middleware.make<Message.Any, DispatchError.DispatchError>(
    "bulkhead",
    (next) => (message) =>
      Effect.withFiber((fiber) =>
        bulkhead.protectOr(next(message), key(message, callerOf(fiber)), (reason) =>
          Effect.fail(DispatchError.make(message._tag, reason))
        )
      ),
    bulkhead.policy
  )
