/**
 * What is written to and read from an event store, and what an adapter of one implements.
 *
 * @since 0.1.0
 */
import type * as DateTime from "effect/DateTime"
import type * as Effect from "effect/Effect"
import type * as Event from "../domain/Event.ts"
import type { EventQuery } from "../domain/EventQuery.ts"
import type { Metadata } from "../domain/Metadata.ts"
import type { Position } from "../domain/Position.ts"
import type { Stored } from "../domain/RecordedEvent.ts"
import type { StreamName } from "../domain/StreamName.ts"
import type { TenantId } from "../domain/TenantId.ts"
import type { EventStoreError, ExpectedVersion } from "./EventStoreError.ts"
import type { AppendReceipt } from "./Receipt.ts"

/**
 * Events for one stream, if it is at `expected`, and if nothing has happened that `condition` did not expect.
 *
 * @category models
 * @since 0.1.0
 */
export interface Append {
  readonly stream: StreamName
  readonly expected: ExpectedVersion
  readonly events: ReadonlyArray<Event.Any>
  /**
   * What the append is called, for instance the id of the command that leads to it: within its tenant and stream, an append
   * of this name is written once. Asked again, it is answered with its first receipt, marked `repeated`, whatever has
   * happened since.
   */
  readonly id?: string | undefined
  readonly condition?: Condition | undefined
}

/**
 * That no event fits the query but those that were known: those up to a position, and some after it. `readMatching` gives the
 * condition that belongs to what it has read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Condition {
  readonly query: EventQuery
  /** Events up to here were known. */
  readonly after: Position
  /** These events after it were known too. */
  readonly except?: ReadonlyArray<Position> | undefined
}

/**
 * The events that a query fits, in the order of the log, and the condition that there are no others.
 *
 * @category models
 * @since 0.1.0
 */
export interface Matching {
  readonly events: ReadonlyArray<Stored>
  readonly condition: Condition
}

/**
 * Which events to look at for a decision.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReadMatching {
  /** Only events after this position; from the beginning when absent. */
  readonly after?: Position | undefined
}

/**
 * What became of an append that was given an id. Its events are the last `count` up to `version`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Appended extends Omit<AppendReceipt, "repeated"> {
  readonly count: number
}

/**
 * Which part of a stream to read. Without options: all of it, oldest first.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReadStream {
  /** The lowest version to read, included. */
  readonly fromVersion?: number | undefined
  /** The highest version to read, included. */
  readonly toVersion?: number | undefined
  /** Only events recorded at this time or before. */
  readonly until?: DateTime.DateTime | undefined
  readonly direction?: "forward" | "backward" | undefined
  /** At most so many events, counted in the direction of reading. */
  readonly limit?: number | undefined
  /** Whether to read skipped events as well, each with its `skip`: versions then have no holes but what retention hides. */
  readonly skipped?: boolean | undefined
}

/**
 * Which part of the log to read, in its order. Within one criterion any value fits; all criteria given must fit.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReadAll {
  /** Only events after this position. */
  readonly after: Position
  /** At most so many events in this page. */
  readonly limit: number
  readonly types?: ReadonlyArray<string> | undefined
  readonly categories?: ReadonlyArray<string> | undefined
  /** Events that carry at least one of these tags. */
  readonly tags?: ReadonlyArray<string> | undefined
  /** Whether to read the events of archived streams as well. */
  readonly archived?: boolean | undefined
  /** Whether to read skipped events as well, each with its `skip`. */
  readonly skipped?: boolean | undefined
}

/**
 * A part of the log. `cursor` is where to go on: everything at or before it that fits has now been read, and nothing will
 * appear there later.
 *
 * @category models
 * @since 0.1.0
 */
export interface Page {
  readonly events: ReadonlyArray<Stored>
  readonly cursor: Position
  /** The highest position that could be read at that moment. */
  readonly mark: Position
}

/**
 * How a stream stands: version 0 when nothing was ever appended.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamState {
  readonly version: number
  readonly tombstoned: boolean
}

/**
 * An event ready to be written: checked, encoded, with its id.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface PreparedEvent {
  readonly id: string
  readonly type: string
  readonly schemaVersion: number
  /** The JSON text of the event's fields. */
  readonly data: string
  readonly tags: ReadonlyArray<string>
  readonly metadata: Metadata
}

/**
 * An append ready to be written; it has at least one event.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface PreparedAppend {
  readonly stream: StreamName
  readonly expected: ExpectedVersion
  readonly events: ReadonlyArray<PreparedEvent>
  readonly id: string | undefined
  readonly condition: Condition | undefined
}

/**
 * What an adapter implements: storage alone. `EventStore.make` adds what is the same for all: checks, encoding, ids, metadata, tenants.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Driver {
  /**
   * Writes all appends or none; each is to another stream and has events. Conditions hold for what is committed, wherever
   * the mark is.
   */
  readonly append: (
    tenant: TenantId,
    appends: ReadonlyArray<PreparedAppend>
  ) => Effect.Effect<ReadonlyArray<AppendReceipt>, EventStoreError>
  readonly readStream: (
    tenant: TenantId,
    stream: StreamName,
    options: ReadStream
  ) => Effect.Effect<ReadonlyArray<Stored>, EventStoreError>
  readonly streamState: (tenant: TenantId, stream: StreamName) => Effect.Effect<StreamState, EventStoreError>
  /** What became of the append of this name, if it was written. */
  readonly appended: (
    tenant: TenantId,
    stream: StreamName,
    id: string
  ) => Effect.Effect<Appended | undefined, EventStoreError>
  /** All that is committed and fits, wherever the mark is, in one snapshot with the condition. */
  readonly readMatching: (
    tenant: TenantId,
    query: EventQuery,
    options: ReadMatching
  ) => Effect.Effect<Matching, EventStoreError>
  /** All tenants' events when `tenant` is undefined. */
  readonly readAll: (tenant: TenantId | undefined, options: ReadAll) => Effect.Effect<Page, EventStoreError>
  readonly mark: Effect.Effect<Position, EventStoreError>
  readonly changed: (after: Position) => Effect.Effect<void, EventStoreError>
  readonly tombstone: (
    tenant: TenantId,
    stream: StreamName,
    expected: ExpectedVersion
  ) => Effect.Effect<void, EventStoreError>
}
