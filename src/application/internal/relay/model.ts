/** What a relay is made of, for the parts that run it. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import type { Category, Claimed } from "../../../ports/OutboxDriver.ts"

/** What cannot be given to a handler, and why. */
interface Unreadable {
  readonly category: Category
  readonly error: string
}

/** The call that delivers a message. */
export type Call<R> = (claimed: Claimed) => Result.Result<Effect.Effect<unknown, unknown, R>, Unreadable>

export interface Settings {
  /** How many messages a worker delivers at the same time. */
  readonly concurrency: number
  /** How many messages a worker has claimed at most. */
  readonly prefetch: number
  readonly lease: Duration.Duration
  readonly timeout: Duration.Duration | undefined
  /** How often a delivery is repeated at once, before it counts as failed. */
  readonly retries: number
  /** How often a message is tried durably before it is parked. */
  readonly attempts: number
  /** How long to wait after so many durable attempts. */
  readonly backoff: (attempts: number) => Duration.Input
  readonly pollInterval: Duration.Duration
  /** How long what is in flight may take to end when the relay ends. */
  readonly drain: Duration.Duration
  readonly keepDelivered: boolean
  readonly keepFor: Duration.Duration
}
