/**
 * What a parked store keeps and tells, and what an adapter of one implements.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Position } from "../domain/Position.ts"
import type { Stored } from "../domain/RecordedEvent.ts"
import type { Segment } from "../domain/Segment.ts"
import type { TenantId } from "../domain/TenantId.ts"
import type { ParkedStoreError } from "./ParkedStoreError.ts"

/**
 * Why an event could not be handled.
 *
 * **Details**
 *
 * - `HandlerFailed`: the handler failed or died, or took too long.
 * - `UnknownType`: no class of the consumer has this type.
 * - `Undecodable`: what was stored in today's version does not fit the class.
 * - `UpcastFailed`: what was stored in an older version, or under a former tag, could not be brought to today's.
 * - `Other`: anything else, such as a key that could not be told.
 *
 * @category models
 * @since 0.1.0
 */
export const Category = Schema.Literals(["HandlerFailed", "UnknownType", "Undecodable", "UpcastFailed", "Other"])

/**
 * @category models
 * @since 0.1.0
 */
export type Category = typeof Category.Type

/**
 * What went wrong with an event that is kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface Failure {
  readonly category: Category
  readonly error: string
  /** How often the event was tried durably: once when it came, and once for each time it was due. */
  readonly attempts: number
  /** In how many milliseconds to try again; `undefined` when somebody has to look at it. */
  readonly retryInMillis: number | undefined
}

/**
 * What names a kept event.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ref {
  readonly consumer: string
  readonly key: string
  readonly position: Position
}

/**
 * An event to keep: one that failed, or, without a failure, one that comes after such a one of its key.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry extends Ref {
  /** The hash of the key. */
  readonly hash: number
  /** As it was read, undecoded. */
  readonly stored: Stored
  readonly failure: Failure | undefined
}

/**
 * How an event stands that is kept: it waits for those of its key before it, it is tried again at a time, somebody has to look
 * at it, or somebody has decided to leave it out.
 *
 * @category models
 * @since 0.1.0
 */
export type Status = "waiting" | "retrying" | "parked" | "skipped"

/**
 * An event that is kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface Parked extends Ref {
  /** The hash of the key. */
  readonly hash: number
  readonly tenant: TenantId
  readonly status: Status
  /** With the contents that will be handled: those of an edit, when there was one. */
  readonly stored: Stored
  readonly edited: boolean
  readonly category: Category | undefined
  readonly error: string | undefined
  readonly attempts: number
  /** When it is tried again, in milliseconds since 1970. */
  readonly due: number | undefined
  /** Why it was skipped. */
  readonly reason: string | undefined
  /** When it was kept first, in milliseconds since 1970. */
  readonly at: number
}

/**
 * How many events may be kept before a consumer stops.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  readonly perKey: number
  readonly perConsumer: number
}

/**
 * Which kept events: all that are given must fit.
 *
 * @category models
 * @since 0.1.0
 */
export interface Filter {
  readonly key?: string | undefined
  readonly tenant?: string | undefined
  readonly category?: Category | undefined
  /** Text that the error has somewhere. */
  readonly error?: string | undefined
}

/**
 * Which kept events to list, by position.
 *
 * @category models
 * @since 0.1.0
 */
export interface List extends Filter {
  readonly status?: Status | undefined
  readonly after?: Position | undefined
  /** 100 when absent. */
  readonly limit?: number | undefined
}

/**
 * What an adapter implements; the promises are those of `ParkedStore`.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Driver {
  readonly add: (entries: ReadonlyArray<Entry>, limits: Limits) => Effect.Effect<void, ParkedStoreError>
  readonly keys: (consumer: string, segment: Segment) => Effect.Effect<ReadonlyArray<string>, ParkedStoreError>
  readonly due: (
    consumer: string,
    segment: Segment,
    limit: number
  ) => Effect.Effect<ReadonlyArray<Parked>, ParkedStoreError>
  readonly settle: (ref: Ref) => Effect.Effect<void, ParkedStoreError>
  readonly failed: (ref: Ref, failure: Failure) => Effect.Effect<void, ParkedStoreError>
  readonly list: (consumer: string, options?: List) => Effect.Effect<ReadonlyArray<Parked>, ParkedStoreError>
  readonly get: (ref: Ref) => Effect.Effect<Parked, ParkedStoreError>
  readonly count: (consumer: string) => Effect.Effect<number, ParkedStoreError>
  readonly replay: (consumer: string, filter?: Filter) => Effect.Effect<number, ParkedStoreError>
  readonly edit: (ref: Ref, data: unknown) => Effect.Effect<void, ParkedStoreError>
  readonly skip: (ref: Ref, reason: string) => Effect.Effect<void, ParkedStoreError>
}
