/**
 * Circuit breakers: what fails too often is left alone for a while.
 *
 * The pattern is that of M. Nygard's "Release It!". A circuit lives in the memory of its process; those of `SharedBreaker` are shared.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as DispatchError from "../domain/DispatchError.ts"
import * as Message from "../domain/Message.ts"
import type { Description } from "./Handler.ts"
import * as Circuits from "./internal/circuit.ts"
import * as Middleware from "./Middleware.ts"

/**
 * What opens a circuit; made with {@link failures}, {@link consecutive} or {@link rate}.
 *
 * @category models
 * @since 0.1.0
 */
export type Trip = Consecutive | Failures | Rate

/**
 * So many failures with no success between them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Consecutive extends Circuits.Consecutive {}

/**
 * So many failures within so many milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Failures extends Circuits.Failures {}

/**
 * A share of the last calls, once a minimum of them was seen.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rate extends Circuits.Rate {}

/**
 * `Closed` lets calls through, `Open` refuses them, `HalfOpen` lets some through to see how they end.
 *
 * @category models
 * @since 0.1.0
 */
export type State = Circuits.State

/**
 * How a breaker is now. `since` is when the state began, in milliseconds since 1970, 0 for the first; `rejected` counts the
 * calls that were refused.
 *
 * @category models
 * @since 0.1.0
 */
export interface Status {
  readonly state: State
  readonly since: number
  readonly rejected: number
}

/**
 * What a breaker is called, and when it opens and closes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** What the calls go to; metrics and errors carry it. */
  readonly name: string
  /** What opens it; 5 failures in 10 seconds when absent. */
  readonly trip?: Trip | undefined
  /** How long it stays open before it lets calls through to see; 30 seconds when absent. */
  readonly openFor?: Duration.Input | undefined
  /** How many calls are let through to see; all must succeed to close it. 1 when absent. */
  readonly probes?: number | undefined
  /** Which errors count as failures; defects always count, interruptions never. When absent: all, and behind a middleware {@link isOutage}. */
  readonly isFailure?: ((error: unknown) => boolean) | undefined
}

/**
 * What calls go through.
 *
 * @category models
 * @since 0.1.0
 */
export interface Guard extends Description {
  readonly protect: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | DispatchError.CircuitOpen, R>
  /** Runs something else in place of what is refused; `isFailure` is for a breaker that was told none. */
  readonly protectOr: <A, E, R, A2, E2, R2>(
    self: Effect.Effect<A, E, R>,
    orElse: (refused: DispatchError.CircuitOpen) => Effect.Effect<A2, E2, R2>,
    isFailure?: (error: unknown) => boolean
  ) => Effect.Effect<A | A2, E | E2, R | R2>
}

/**
 * A breaker with one circuit.
 *
 * **Details**
 *
 * - `protect` runs an effect, or fails with `CircuitOpen` at once. Which effect it is does not matter: all count together.
 * - An outcome counts only in the state in which its call began; an interrupted call counts for nothing.
 * - A call that is let through to see and does not end holds the others up for `openFor` at most.
 * - Metrics: `effect_cqrs_breaker_state` (0 closed, 1 half open, 2 open), `effect_cqrs_breaker_transitions_total` and
 *   `effect_cqrs_breaker_rejections_total`, each by `breaker`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Breaker extends Guard {
  readonly status: Effect.Effect<Status>
  /** Closes it by hand. */
  readonly reset: Effect.Effect<void>
}

/**
 * Opens after so many failures within a time, with successes between them or not.
 *
 * @category trips
 * @since 0.1.0
 */
export const failures = (count: number, within: Duration.Input): Failures => ({
  _tag: "Failures",
  failures: atLeastOne(count),
  within: Duration.toMillis(within)
})

/**
 * Opens after so many failures with no success between them.
 *
 * @category trips
 * @since 0.1.0
 */
export const consecutive = (count: number): Consecutive => ({ _tag: "Consecutive", failures: atLeastOne(count) })

/**
 * Opens when of the last `calls` (100) at least the share `threshold` failed, and at least `minimum` (10) were seen.
 *
 * @category trips
 * @since 0.1.0
 */
export const rate = (
  threshold: number,
  options?: { readonly calls?: number | undefined; readonly minimum?: number | undefined }
): Rate => {
  const calls = atLeastOne(options?.calls ?? 100)
  return { _tag: "Rate", threshold, calls, minimum: Math.min(calls, atLeastOne(options?.minimum ?? 10)) }
}

const atLeastOne = (count: number): number => Math.max(1, Math.floor(count))

const stateGauge = Metric.gauge("effect_cqrs_breaker_state", { description: "0 closed, 1 half open, 2 open" })
const transitions = Metric.counter("effect_cqrs_breaker_transitions_total", {
  description: "Changes of a breaker's state, by the state it went to",
  incremental: true
})
const rejections = Metric.counter("effect_cqrs_breaker_rejections_total", {
  description: "Calls that a breaker has refused",
  incremental: true
})

const levels: Readonly<Record<State, number>> = { Closed: 0, HalfOpen: 1, Open: 2 }

/**
 * Makes a breaker; nothing of it is shared with another.
 *
 * **Example** (Two failures open it)
 *
 * ```ts
 * import { Breaker } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 *
 * const payments = Breaker.make({ name: "payments", trip: Breaker.consecutive(2) })
 * const charge = payments.protect(Effect.fail("no answer"))
 *
 * const program = Effect.gen(function* () {
 *   const first = yield* Effect.flip(charge)
 *   yield* Effect.flip(charge)
 *   const third = yield* Effect.flip(charge)
 *   return [first, typeof third === "string" ? third : third._tag, (yield* payments.status).state]
 * })
 * await Effect.runPromise(program) // => ["no answer", "CircuitOpen", "Open"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Breaker => {
  const { isFailure, name, trip = failures(5, "10 seconds") } = options
  const openFor = Duration.fromInputUnsafe(options.openFor ?? "30 seconds")
  const probes = atLeastOne(options.probes ?? 1)
  const of = { breaker: name }
  const gauge = Metric.withAttributes(stateGauge, of)
  const rejected = Metric.withAttributes(rejections, of)
  // The metrics that count a change, and the clock that tells its time, are those of the call that brings it about.
  const circuit = new Circuits.Circuit(trip, Duration.toMillis(openFor), probes, timeOf, (to, { context }) => {
    gauge.updateUnsafe(levels[to], context)
    Metric.withAttributes(transitions, { ...of, to }).updateUnsafe(1, context)
  })

  const protectOr = <A, E, R, A2, E2, R2>(
    self: Effect.Effect<A, E, R>,
    orElse: (refused: DispatchError.CircuitOpen) => Effect.Effect<A2, E2, R2>,
    counts: (error: unknown) => boolean = all
  ) =>
    Effect.withFiber((fiber): Effect.Effect<A | A2, E | E2, R | R2> => {
      const term = circuit.admit(fiber)
      if (term === Circuits.refused) {
        rejected.updateUnsafe(1, fiber.context)
        return orElse(new DispatchError.CircuitOpen({ breaker: name, retryAfterMillis: circuit.retryAfter(fiber) }))
      }
      return Effect.onExitPrimitive(self, (exit) => {
        if (exit._tag === "Success") circuit.succeeded(term, fiber)
        else if (Cause.hasInterruptsOnly(exit.cause)) circuit.ignored(term)
        else if (isCounted(exit.cause, isFailure ?? counts)) circuit.failed(term, fiber)
        else circuit.succeeded(term, fiber)
        return undefined
      })
    })

  return {
    name,
    policy: { breaker: name, trip, openFor: Duration.format(openFor), probes },
    protect: (self) => protectOr(self, Effect.fail),
    protectOr,
    status: Effect.sync(() => ({ state: circuit.state, since: circuit.since, rejected: circuit.rejected })),
    reset: Effect.withFiber((fiber) => {
      circuit.reset(fiber)
      return Effect.void
    })
  }
}

const timeOf = (fiber: Fiber.Fiber<unknown, unknown>): number => fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()

const all = () => true

/**
 * Whether what a call came to counts: a defect does, and an error that `counts` says does.
 *
 * @category guards
 * @since 0.1.0
 */
export const isCounted = (cause: Cause.Cause<unknown>, counts: (error: unknown) => boolean): boolean =>
  Cause.hasDies(cause) || cause.reasons.some((reason) => Cause.isFailReason(reason) && counts(reason.error))

/**
 * Whether an error says that what a message needs does not work: a storage that failed, something out of reach, a time-out, a
 * bug elsewhere. What a handler refuses for the class's own reasons, and what is the caller's fault, does not.
 *
 * @category guards
 * @since 0.1.0
 */
export const isOutage = (message: Message.Any, error: unknown): boolean => {
  if (error instanceof DispatchError.DispatchError) return outages.has(error.reason._tag)
  const isOwn: boolean = Schema.is(message[Message.TypeId].error)(error)
  if (isOwn) return false
  return !Predicate.hasProperty(error, "reason") || Predicate.isTagged(error.reason, "StorageFailure")
}

const outages: ReadonlySet<DispatchError.Reason["_tag"]> = new Set([
  "Storage",
  "Unreachable",
  "Timeout",
  "CircuitOpen",
  "Overloaded",
  "Defect"
])

/**
 * Puts a breaker around handlers; all of them share its circuit. A refused message fails with a `DispatchError` with reason
 * `CircuitOpen`.
 *
 * **Gotchas**
 *
 * An error of the message's class does not count, for it is nearly always a refusal. Where it says that something does not
 * work, tell the breaker with `isFailure`.
 *
 * @category middleware
 * @since 0.1.0
 */
export const middleware = (breaker: Guard): Middleware.Middleware<Message.Any, DispatchError.DispatchError> =>
  Middleware.make<Message.Any, DispatchError.DispatchError>(
    "breaker",
    (next) => (message) =>
      breaker.protectOr(
        next(message),
        (reason) => Effect.fail(DispatchError.make(message._tag, reason)),
        (error) => isOutage(message, error)
      ),
    breaker.policy
  )
