/** What a consumer is to those who run it. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Position from "../../../domain/Position.ts"
import type { Stored } from "../../../domain/RecordedEvent.ts"
import type { Owned } from "../../../ports/ConsumerStoreDriver.ts"
import type { Category, Limits } from "../../../ports/ParkedStoreDriver.ts"

/** An event of the log with the key that orders it. */
export interface Item {
  readonly stored: Stored
  readonly key: string
  readonly hash: number
  /** Why the key could not be told; it is that of the stream then. */
  readonly problem: string | undefined
}

/** How often and how fast an event is tried again. */
export interface Retry {
  /** How often it is tried at once, the first time included. */
  readonly times: number
  readonly base: Duration.Duration
  /** After how long it is tried again later, when all that failed. */
  readonly later: ReadonlyArray<Duration.Duration>
}

/** Which events are read. */
export interface Filter {
  /** All types when absent. */
  readonly types: ReadonlyArray<string> | undefined
  readonly categories: ReadonlyArray<string> | undefined
  readonly tags: ReadonlyArray<string> | undefined
  readonly wants: (stored: Stored) => boolean
}

/** In which delivery an event is handled. */
export interface Round {
  readonly owned: Owned
  /** Counted from 1. */
  readonly attempt: number
  /** How often it was tried before it was parked, beside the one time that its attempts count that as. */
  readonly earlier?: number | undefined
}

/** How handling ended that did not succeed. */
export interface Failed {
  readonly _tag: "Failed"
  /** Which of the events it was; `undefined` when all were handled as one. */
  readonly index: number | undefined
  readonly category: Category
  /** What the handler failed with, when it did. */
  readonly error: { readonly value: unknown } | undefined
  readonly message: string
  /** Whether another attempt can end otherwise. */
  readonly again: boolean
  /** Whether it was the storage, which is expected to come back. */
  readonly passing: boolean
}

export type Outcome = { readonly _tag: "Handled" } | Failed

export interface Definition<out R> {
  readonly name: string
  readonly events: ReadonlyArray<string>
  readonly filter: Filter
  readonly key: (stored: Stored) => string
  readonly segments: number
  readonly startAt: "beginning" | "now" | Position.Position
  readonly batchSize: number
  /** How long to wait for a batch to be full. */
  readonly within: Duration.Duration | undefined
  readonly transactional: boolean
  readonly concurrency: number
  readonly lease: Duration.Duration
  readonly retry: Retry
  readonly limits: Limits
  /** Handles events in order, or tells which was the first that it could not handle. */
  readonly handle: (items: ReadonlyArray<Item>, round: Round) => Effect.Effect<Outcome, never, R>
  /** Makes up for an event that could not be handled, and answers with whether it did. */
  readonly compensate: ((item: Item, round: Round, error: unknown) => Effect.Effect<Outcome, never, R>) | undefined
}
