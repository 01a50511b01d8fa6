/**
 * So many messages of a caller in a time.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as DispatchError from "../domain/DispatchError.ts"
import type * as Message from "../domain/Message.ts"
import type { Caller } from "./Bulkhead.ts"
import { callerOf } from "./internal/caller.ts"
import * as Middleware from "./Middleware.ts"

/**
 * How many messages, in which time, of whom.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly limit: number
  readonly window: Duration.Input
  /** A `"fixed-window"`, when absent, or a `"token-bucket"` that is filled again over the window. */
  readonly algorithm?: "fixed-window" | "token-bucket" | undefined
  /** Who is limited: the actor of a tenant, for each kind of message, when absent. */
  readonly key?: ((message: Message.Any, caller: Caller) => string) | undefined
  /** When the store of limits does not answer: `"allow"` the message, as when absent, or `"refuse"` it. */
  readonly onStoreFailure?: "allow" | "refuse" | undefined
}

const rejections = Metric.counter("effect_cqrs_rate_limit_rejections_total", {
  description: "Messages that were one too many",
  incremental: true
})

/**
 * Refuses what is one too many with a `DispatchError` with reason `RateLimited`, which says when the next may come.
 *
 * **Details**
 *
 * The limits are kept by `RateLimiter` of `effect/persistence`: in memory, or in Redis for all processes together. A store that
 * does not answer is logged, and limits nobody unless told to.
 *
 * **Example** (Two in a minute)
 *
 * ```ts
 * import { Command, CommandBus, Middleware, on, RateLimit, TenantContext } from "effect-cqrs"
 * import { Effect, Layer } from "effect"
 * import { RateLimiter } from "effect/persistence"
 *
 * class Ping extends Command.Class<Ping>()("Ping", { payload: {} }) {}
 *
 * const Handlers = CommandBus.handlers(
 *   on(Ping, () => Effect.void).pipe(Middleware.use(RateLimit.middleware({ limit: 2, window: "1 minute" })))
 * )
 * const Limits = RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))
 *
 * const ping = CommandBus.execute(new Ping()).pipe(
 *   Effect.as("pong"),
 *   Effect.catchReason("DispatchError", "RateLimited", ({ limit }) => Effect.succeed(`more than ${limit}`))
 * )
 * await Effect.runPromise(
 *   Effect.all([ping, ping, ping]).pipe(Effect.provide([Layer.provide(Handlers, Limits), TenantContext.layerSingle]))
 * ) // => ["pong", "pong", "more than 2"]
 * ```
 *
 * @category middleware
 * @since 0.1.0
 */
export const middleware = (
  options: Options
): Middleware.Middleware<Message.Any, DispatchError.DispatchError, RateLimiter.RateLimiter> => {
  const { algorithm = "fixed-window", key = ofActor, limit, onStoreFailure = "allow" } = options
  const window = Duration.fromInputUnsafe(options.window)
  return Middleware.make<Message.Any, DispatchError.DispatchError, RateLimiter.RateLimiter>(
    "rateLimit",
    (next) => (message) => {
      const refuse = (reason: DispatchError.Reason, cause?: unknown) =>
        Effect.fail(DispatchError.make(message._tag, reason, cause))
      return Effect.withFiber((fiber) =>
        Effect.flatMap(RateLimiter.RateLimiter, (limiter) =>
          limiter.consume({ algorithm, window, limit, onExceeded: "fail", key: key(message, callerOf(fiber)) })
        ).pipe(
          Effect.catch(({ reason }) => {
            if (reason._tag === "RateLimitStoreError") {
              const logged = Effect.logWarning("The store of rate limits failed", reason)
              const unreachable = new DispatchError.Unreachable({ service: "the store of rate limits" })
              return onStoreFailure === "allow" ? logged : Effect.andThen(logged, refuse(unreachable, reason))
            }
            const retryAfterMillis = Duration.toMillis(reason.retryAfter)
            const remaining = Math.floor(reason.remaining)
            const counted = Metric.update(Metric.withAttributes(rejections, { message: message._tag }), 1)
            return Effect.andThen(
              counted,
              refuse(new DispatchError.RateLimited({ limit, remaining, retryAfterMillis }))
            )
          }),
          Effect.andThen(Effect.suspend(() => next(message)))
        )
      )
    },
    { limit, window: Duration.format(window), algorithm }
  )
}

const ofActor = (message: Message.Any, { actor, tenant }: Caller): string =>
  JSON.stringify([message._tag, tenant ?? null, actor?.kind ?? null, actor?.id ?? null])
