/**
 * All that makes a handler resilient as one value, in the order that makes sense.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type { RateLimiter } from "effect/persistence/RateLimiter"
import type { DispatchError } from "../domain/DispatchError.ts"
import type * as Message from "../domain/Message.ts"
import type * as Query from "../domain/Query.ts"
import * as Breaker from "./Breaker.ts"
import * as Bulkhead from "./Bulkhead.ts"
import * as Middleware from "./Middleware.ts"
import * as RateLimit from "./RateLimit.ts"
import * as Resilience from "./Resilience.ts"

/**
 * What a policy consists of; what is absent is not there.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly rateLimit?: RateLimit.Options | undefined
  readonly bulkhead?: Bulkhead.Bulkhead | undefined
  readonly breaker?: Breaker.Guard | undefined
  /** For all tries together. */
  readonly timeout?: Duration.Input | undefined
  /** For queries alone. */
  readonly hedge?: Parameters<typeof Resilience.hedge>[0] | undefined
  readonly retry?: Parameters<typeof Resilience.retry>[0] | undefined
}

/**
 * For which messages such a policy is.
 *
 * @category models
 * @since 0.1.0
 */
export type MessageOf<O> = O extends { readonly hedge: object } ? Query.Any : Message.Any

/**
 * What such a policy requires.
 *
 * @category models
 * @since 0.1.0
 */
export type Requires<O> = O extends { readonly rateLimit: object } ? RateLimiter : never

/**
 * One middleware of many: rate limit, bulkhead, breaker, time-out, hedge, retry, handler, from the outside in. So what is too much
 * costs nothing, a place is taken before the breaker is asked, and the breaker sees one outcome per message, a time-out included.
 *
 * **Example** (One policy, seen in the program)
 *
 * ```ts
 * import { Breaker, Bulkhead, Command, CommandBus, Introspection, Middleware, on, Policy } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 *
 * class Charge extends Command.Class<Charge>()("Charge", { payload: {} }) {}
 *
 * const payments = Policy.make({
 *   bulkhead: Bulkhead.make({ name: "payments", limit: 5 }),
 *   breaker: Breaker.make({ name: "payments" }),
 *   timeout: "2 seconds"
 * })
 * const Handlers = CommandBus.handlers(on(Charge, () => Effect.void).pipe(Middleware.use(payments)))
 *
 * const program = Effect.map(Introspection.describe, ({ messages }) => messages[0]?.middleware[0]?.policy)
 * const policy = await Effect.runPromise(program.pipe(Effect.provide(Handlers)))
 * Object.keys(policy ?? {}) // => ["bulkhead", "breaker", "timeout"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export function make<const O extends Options>(
  options: O
): Middleware.Middleware<MessageOf<O>, DispatchError, Requires<O>>
export function make({ breaker, bulkhead, hedge, rateLimit, retry, timeout }: Options): unknown {
  const parts: ReadonlyArray<Middleware.Any | undefined> = [
    rateLimit && RateLimit.middleware(rateLimit),
    bulkhead && Bulkhead.middleware(bulkhead),
    breaker && Breaker.middleware(breaker),
    timeout === undefined ? undefined : Resilience.timeout(timeout),
    hedge && Resilience.hedge(hedge),
    retry && Resilience.retry(retry)
  ]
  const all = parts.filter((part) => part !== undefined)
  return Middleware.make(
    "policy",
    (next) => all.reduceRight((handler, part) => part.wrap(handler), next),
    Object.fromEntries(all.map(({ name, policy }) => [name, policy]))
  )
}
