/**
 * Going on when something fails or is slow: retries, time-outs, hedges and fallbacks around handlers.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as DispatchError from "../domain/DispatchError.ts"
import type * as Message from "../domain/Message.ts"
import type * as Query from "../domain/Query.ts"
import * as EventStoreError from "../ports/EventStoreError.ts"
import { type Allowed, type AnyEntry, type Entry, fromRegistrations, type Handlers } from "./Handler.ts"
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
  /** What bounds the retries of all calls together; nothing when absent. */
  readonly budget?: RetryBudget | undefined
}

/**
 * What retries may cost all together: while most calls fail, there are none.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryBudget {
  readonly tokens: number
  readonly ratio: number
  /** A call failed: whether it may be tried again. */
  readonly spendUnsafe: () => boolean
  /** A call succeeded. */
  readonly earnUnsafe: () => void
}

/**
 * A budget of `tokens` (10): a failure takes one and a success gives back the share `ratio` (0.1). While no more than half of
 * them are left, nothing is tried again. It can be shared by several retries. The rule is that of gRPC's retry throttling
 * (proposal A6).
 *
 * @category constructors
 * @since 0.1.0
 */
export const retryBudget = (options?: {
  readonly tokens?: number | undefined
  readonly ratio?: number | undefined
}): RetryBudget => {
  const { ratio = 0.1, tokens = 10 } = options ?? {}
  let left = tokens
  return {
    tokens,
    ratio,
    spendUnsafe: () => {
      left = Math.max(0, left - 1)
      return left > tokens / 2
    },
    earnUnsafe: () => void (left = Math.min(tokens, left + ratio))
  }
}

/**
 * Runs the handler again when it fails with an error that `while` accepts.
 *
 * **Details**
 *
 * An error that says when to come back (`retryAfterMillis`, as `CircuitOpen` and `RateLimited` do) is waited for that long, and
 * not tried again when that is longer than `maxDelay`.
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
  const { budget, delay = "1 second", maxDelay = "10 seconds", times = 3 } = options
  const longest = Duration.toMillis(maxDelay)
  const schedule = Schedule.min([Schedule.exponential(delay), Schedule.spaced(maxDelay)]).pipe(
    Schedule.modifyDelay(({ duration, input }) =>
      Effect.map(Random.next, (random) =>
        Duration.max(Duration.times(duration, 0.8 + random / 5), Duration.millis(retryAfterMillis(input)))
      )
    )
  )
  const again = (error: unknown): boolean =>
    options.while(error) && retryAfterMillis(error) <= longest && (budget === undefined || budget.spendUnsafe())
  const policy = {
    times,
    delay: Duration.format(Duration.fromInputUnsafe(delay)),
    maxDelay: Duration.format(Duration.fromInputUnsafe(maxDelay)),
    ...(budget === undefined ? {} : { budget: { tokens: budget.tokens, ratio: budget.ratio } })
  }
  return Middleware.lift(
    "retry",
    (effect) => {
      const retried = Effect.retry(effect, { while: again, schedule, times })
      return budget === undefined ? retried : Effect.tap(retried, () => Effect.sync(budget.earnUnsafe))
    },
    policy
  )
}

const retryAfterMillis = (error: unknown): number => {
  const said = error instanceof DispatchError.DispatchError ? error.reason : error
  return Predicate.hasProperty(said, "retryAfterMillis") ? Number(said.retryAfterMillis) || 0 : 0
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

/**
 * Asks a query's handler again when it has not answered after a while; who answers first is heard, and the other is interrupted.
 *
 * **Details**
 *
 * It is for the slow, not for the failing: the first that was asked may fail for all, and what fails later is not heard. It is for queries
 * alone, since a command would be done twice. The idea is that of J. Dean and L. Barroso, "The Tail at Scale" (2013).
 *
 * @category middleware
 * @since 0.1.0
 */
export const hedge = (options: {
  /** How long to wait before each further try: best what 95 of 100 calls take. */
  readonly after: Duration.Input
  /** How many further tries; 1 when absent. */
  readonly times?: number | undefined
}): Middleware.Middleware<Query.Any> => {
  const after = Duration.fromInputUnsafe(options.after)
  const { times = 1 } = options
  return Middleware.make<Query.Any>(
    "hedge",
    (next) => (message) => {
      const first = Effect.exit(next(message))
      const further = Array.from({ length: times }, (_, n) =>
        Effect.suspend(() => next(message)).pipe(
          Effect.delay(Duration.times(after, n + 1)),
          Effect.map(Exit.succeed),
          // Not heard: the first is waited for.
          Effect.catchCause(() => Effect.never)
        )
      )
      return Effect.flatten(Effect.raceAllFirst([first, ...further]))
    },
    { after: Duration.format(after), times }
  )
}

/**
 * Answers a message in another way when its handler fails: with what is older, smaller or empty.
 *
 * **Example** (Better nothing than an error)
 *
 * ```ts
 * import { on, Query, QueryBus, Resilience, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * class Advice extends Query.Class<Advice>()("Advice", { payload: {}, success: Schema.Array(Schema.String), error: Schema.String }) {}
 *
 * const Handlers = QueryBus.handlers(
 *   Resilience.fallback(
 *     on(Advice, () => Effect.fail("no answer")),
 *     () => Effect.succeed([])
 *   )
 * )
 * await Effect.runPromise(QueryBus.ask(new Advice()).pipe(Effect.provide([Handlers, TenantContext.layerSingle]))) // => []
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export function fallback<M extends Message.Any, E, R, E2 extends Allowed<M>, R2>(
  handlers: Handlers<Entry<M, E, R>>,
  orElse: (error: E, message: M) => Effect.Effect<Message.Success<M>, E2, R2>
): Handlers<Entry<M, E2, R | R2>>
export function fallback(
  handlers: Handlers<AnyEntry>,
  orElse: (error: unknown, message: Message.Any) => Effect.Effect<unknown, unknown, unknown>
): unknown {
  return fromRegistrations(
    handlers.registrations.map(({ handle, middleware, ...registration }) => ({
      ...registration,
      handle: (message: Message.Any) => Effect.catch(handle(message), (error) => orElse(error, message)),
      middleware: [{ name: "fallback", policy: {} }, ...middleware]
    }))
  )
}

const isConflict = (error: unknown): boolean =>
  (error instanceof EventStoreError.EventStoreError && EventStoreError.isConflict(error)) ||
  (error instanceof DispatchError.DispatchError && error.reason._tag === "Conflict")
