/**
 * What an outbox keeps and tells, and what an adapter of one implements.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Metadata } from "../domain/Metadata.ts"
import type { TenantId } from "../domain/TenantId.ts"
import type { OutboxError } from "./OutboxError.ts"

/**
 * What names a message.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ref {
  readonly tenant: TenantId
  readonly id: string
}

/**
 * When a message may leave: at once, after so many milliseconds, or at a time in milliseconds since 1970.
 *
 * @category models
 * @since 0.1.0
 */
export type When =
  | { readonly _tag: "Now" }
  | { readonly _tag: "After"; readonly millis: number }
  | { readonly _tag: "At"; readonly millis: number }

/**
 * A message to keep: encoded and checked.
 *
 * @category models
 * @since 0.1.0
 */
export interface Prepared extends Ref {
  readonly queue: string
  readonly key: string | undefined
  readonly type: string
  readonly version: number
  /** The fields as JSON text. */
  readonly data: string
  readonly headers: Readonly<Record<string, string>>
  readonly metadata: Metadata
  readonly when: When
}

/**
 * A message as it is kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface Message extends Ref {
  readonly queue: string
  readonly key: string | undefined
  /** The order of enqueuing: greater than that of every message that was committed before this one was enqueued. */
  readonly sequence: number
  readonly type: string
  readonly version: number
  readonly data: unknown
  readonly headers: Readonly<Record<string, string>>
  readonly metadata: Metadata
  /** How often its delivery was tried durably before this time. */
  readonly attempts: number
}

/**
 * A claimed message: whoever shows its token may say what became of it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Claimed extends Message {
  readonly token: number
}

/**
 * What names a claim.
 *
 * @category models
 * @since 0.1.0
 */
export interface Held extends Ref {
  readonly token: number
}

/**
 * Why a message was not delivered.
 *
 * **Details**
 *
 * - `DeliveryFailed`: what delivers it failed or died, or took too long.
 * - `UnknownType`: no class of the relay has this type.
 * - `Undecodable`: what was kept does not fit the class.
 *
 * @category models
 * @since 0.1.0
 */
export const Category = Schema.Literals(["DeliveryFailed", "UnknownType", "Undecodable"])

/**
 * @category models
 * @since 0.1.0
 */
export type Category = typeof Category.Type

/**
 * What went wrong with a delivery.
 *
 * @category models
 * @since 0.1.0
 */
export interface Failure {
  readonly category: Category
  readonly error: string
  /** How often it was tried durably, this time included. */
  readonly attempts: number
  /** In how many milliseconds to try again; `undefined` when somebody has to look at it. */
  readonly retryInMillis: number | undefined
}

/**
 * How a message stands.
 *
 * **Details**
 *
 * - `pending`: it waits for its time, for its turn, or for a worker.
 * - `inFlight`: a worker has it, until its lease runs out.
 * - `retrying`: it failed and is tried again at a time.
 * - `parked`: it failed for good, or cannot be read: somebody has to look at it. Those of its key wait.
 * - `delivered`, `skipped`: it is done; kept for a while when that is asked for.
 *
 * @category models
 * @since 0.1.0
 */
export const Status = Schema.Literals(["pending", "inFlight", "retrying", "parked", "delivered", "skipped"])

/**
 * @category models
 * @since 0.1.0
 */
export type Status = typeof Status.Type

/**
 * A message as it can be looked at.
 *
 * @category models
 * @since 0.1.0
 */
export interface Info extends Message {
  readonly status: Status
  /** When it may leave, or when its lease runs out, in milliseconds since 1970; nothing for what somebody has to look at. */
  readonly due: number | undefined
  /** The worker that has it. */
  readonly owner: string | undefined
  readonly category: Category | undefined
  readonly error: string | undefined
  readonly edited: boolean
  /** Why it was skipped. */
  readonly reason: string | undefined
  /** When it was enqueued, in milliseconds since 1970. */
  readonly at: number
}

/**
 * Which messages: all that are given must fit.
 *
 * @category models
 * @since 0.1.0
 */
export interface Filter {
  readonly tenant?: string | undefined
  readonly key?: string | undefined
  readonly type?: string | undefined
  readonly category?: Category | undefined
  /** Text that the error has somewhere. */
  readonly error?: string | undefined
}

/**
 * Which messages to list, in the order of enqueuing.
 *
 * @category models
 * @since 0.1.0
 */
export interface List extends Filter {
  readonly status?: Status | undefined
  /** Only those after this sequence. */
  readonly after?: number | undefined
  /** 100 when absent. */
  readonly limit?: number | undefined
}

/**
 * How many messages of a queue stand how.
 *
 * @category models
 * @since 0.1.0
 */
export interface Counts {
  readonly pending: number
  readonly inFlight: number
  readonly retrying: number
  readonly parked: number
  /** For how many milliseconds the message that has been due longest is due; 0 when none is. */
  readonly lagMillis: number
}

/**
 * What an adapter implements; the promises are those of `Outbox`.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Driver {
  readonly enqueue: (messages: ReadonlyArray<Prepared>) => Effect.Effect<void, OutboxError>
  /** In the order of their sequence. */
  readonly claim: (
    queue: string,
    options: {
      readonly worker: string
      readonly limit: number
      readonly lease: Duration.Duration
      /** Where in the keys to begin, so that all have their turn: any text. */
      readonly from: string
    }
  ) => Effect.Effect<ReadonlyArray<Claimed>, OutboxError>
  readonly renew: (
    held: ReadonlyArray<Held>,
    lease: Duration.Duration
  ) => Effect.Effect<ReadonlyArray<Held>, OutboxError>
  readonly complete: (
    held: ReadonlyArray<Held>,
    options?: { readonly keep?: boolean | undefined }
  ) => Effect.Effect<ReadonlyArray<Held>, OutboxError>
  readonly failed: (held: Held, failure: Failure) => Effect.Effect<boolean, OutboxError>
  readonly release: (held: ReadonlyArray<Held>, delayMillis?: number) => Effect.Effect<void, OutboxError>
  readonly get: (ref: Ref) => Effect.Effect<Info, OutboxError>
  readonly list: (queue: string, options?: List) => Effect.Effect<ReadonlyArray<Info>, OutboxError>
  readonly counts: (queue: string) => Effect.Effect<Counts, OutboxError>
  readonly replay: (queue: string, filter?: Filter) => Effect.Effect<number, OutboxError>
  readonly edit: (ref: Ref, data: unknown) => Effect.Effect<void, OutboxError>
  readonly skip: (ref: Ref, reason: string) => Effect.Effect<void, OutboxError>
  readonly purge: (olderThan: Duration.Duration) => Effect.Effect<void, OutboxError>
  /** Runs a hook after the commit of the transaction that is open, or at once. */
  readonly afterCommit: (hook: Effect.Effect<void>) => Effect.Effect<void>
}
