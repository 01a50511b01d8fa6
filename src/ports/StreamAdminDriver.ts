/**
 * What is known of streams beside their events, and what an adapter of `StreamAdmin` implements.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { Actor } from "../domain/Actor.ts"
import type { Skip } from "../domain/RecordedEvent.ts"
import type { StreamName } from "../domain/StreamName.ts"
import type { TenantId } from "../domain/TenantId.ts"
import type { ExpectedVersion } from "./EventStoreError.ts"
import type { StreamAdminError } from "./StreamAdminError.ts"

/**
 * Which events of a stream are kept: those that all the rules keep, and always the newest.
 *
 * @category models
 * @since 0.1.0
 */
export interface Retention {
  /** Only events recorded within this time; at most 1,000 years, counted in whole milliseconds. */
  readonly maxAge?: Duration.Duration | undefined
  /** Only so many of the newest events, at least 1. */
  readonly maxCount?: number | undefined
  /** Only events of this version and later, at least 1. */
  readonly truncateBefore?: number | undefined
}

/**
 * `Retention` as one writes it.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetentionInput {
  readonly maxAge?: Duration.Input | undefined
  readonly maxCount?: number | undefined
  readonly truncateBefore?: number | undefined
}

/**
 * The metadata of a stream. `version` counts how often it was set, and is 0 when it never was.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamMetadata<out A = unknown> {
  readonly version: number
  readonly retention: Retention
  /** JSON, of whatever the program wants to know of the stream; absent when none was set. */
  readonly data: A | undefined
}

/**
 * How a stream stands.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamInfo {
  readonly stream: StreamName
  /** The version of its newest event; 0 when nothing was ever appended. */
  readonly version: number
  /** How many events a reader of the stream gets. */
  readonly count: number
  /** When the earliest and the latest of these were recorded, in milliseconds since 1970. */
  readonly firstRecordedAt: number | undefined
  readonly lastRecordedAt: number | undefined
  readonly tombstoned: boolean
  readonly archived: boolean
}

/**
 * Which streams to list, in the order of their names by UTF-8 bytes.
 *
 * @category models
 * @since 0.1.0
 */
export interface ListStreams {
  /** Only streams of this category. */
  readonly category?: string | undefined
  /** Only streams whose name begins with this. */
  readonly prefix?: string | undefined
  /** Only streams after this one: the last of the page before. */
  readonly after?: StreamName | undefined
  /** At most so many; 100 when absent. */
  readonly limit?: number | undefined
}

/**
 * One event of one stream.
 *
 * @category models
 * @since 0.1.0
 */
export interface EventRef {
  readonly stream: StreamName
  readonly version: number
}

/**
 * A skipped event, and why.
 *
 * @category models
 * @since 0.1.0
 */
export interface SkippedEvent extends EventRef, Skip {}

/**
 * Which skipped events to list, by stream and version.
 *
 * @category models
 * @since 0.1.0
 */
export interface ListSkipped {
  /** Only those of this stream. */
  readonly stream?: StreamName | undefined
  /** Only events after this one: the last of the page before. */
  readonly after?: EventRef | undefined
  /** At most so many; 100 when absent. */
  readonly limit?: number | undefined
}

/**
 * One batch of scavenging: how many events of a stream were removed by it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Scavenged {
  readonly stream: StreamName
  readonly removed: number
}

/**
 * Metadata as it is kept; `data` is JSON as text.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface KeptMetadata {
  readonly data: string | undefined
  readonly retention: KeptRetention
}

/**
 * The rules as whole numbers; `maxAge` in milliseconds.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface KeptRetention {
  readonly maxAge?: number | undefined
  readonly maxCount?: number | undefined
  readonly truncateBefore?: number | undefined
}

/**
 * Which streams a page has: names within bounds, and of one category where one is given.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface NameRange {
  readonly from: string
  /** The first name that is too far; absent when none is. */
  readonly to: string | undefined
  readonly after: string
  readonly category: string | undefined
  readonly limit: number
}

/**
 * What an adapter implements; `StreamAdmin.make` adds what is the same for all: checks, JSON, tenants, paging.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Driver {
  readonly metadata: (
    tenant: TenantId,
    stream: StreamName
  ) => Effect.Effect<
    { readonly version: number; readonly data: unknown; readonly retention: KeptRetention },
    StreamAdminError
  >
  /** Answers with the new version. */
  readonly setMetadata: (
    tenant: TenantId,
    stream: StreamName,
    expected: ExpectedVersion,
    metadata: KeptMetadata
  ) => Effect.Effect<number, StreamAdminError>
  readonly archive: (
    tenant: TenantId,
    stream: StreamName,
    expected: number | "exists"
  ) => Effect.Effect<void, StreamAdminError>
  readonly restore: (tenant: TenantId, stream: StreamName) => Effect.Effect<void, StreamAdminError>
  readonly skip: (
    tenant: TenantId,
    event: EventRef,
    reason: string,
    actor: Actor | undefined
  ) => Effect.Effect<void, StreamAdminError>
  readonly unskip: (tenant: TenantId, event: EventRef) => Effect.Effect<void, StreamAdminError>
  readonly skipped: (
    tenant: TenantId,
    options: { readonly stream: StreamName | undefined; readonly after: EventRef; readonly limit: number }
  ) => Effect.Effect<ReadonlyArray<SkippedEvent>, StreamAdminError>
  readonly list: (tenant: TenantId, range: NameRange) => Effect.Effect<ReadonlyArray<StreamInfo>, StreamAdminError>
  /** Streams after one that have rules of retention, by name. */
  readonly retaining: (
    tenant: TenantId,
    after: string,
    limit: number
  ) => Effect.Effect<ReadonlyArray<StreamName>, StreamAdminError>
  /** Removes up to so many events that retention hides, oldest first, and answers with how many. */
  readonly remove: (tenant: TenantId, stream: StreamName, limit: number) => Effect.Effect<number, StreamAdminError>
}
