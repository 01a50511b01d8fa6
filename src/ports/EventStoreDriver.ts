/**
 * What is written to and read from an event store, and what an adapter of one implements.
 *
 * @since 0.1.0
 */
import type * as DateTime from "effect/DateTime"
import type * as Effect from "effect/Effect"
import type * as Event from "../domain/Event.ts"
import type { Metadata } from "../domain/Metadata.ts"
import type { Position } from "../domain/Position.ts"
import type { Stored } from "../domain/RecordedEvent.ts"
import type { StreamName } from "../domain/StreamName.ts"
import type { TenantId } from "../domain/TenantId.ts"
import type { EventStoreError, ExpectedVersion } from "./EventStoreError.ts"
import type { AppendReceipt } from "./Receipt.ts"

/**
 * Events for one stream, if it is at `expected`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Append {
  readonly stream: StreamName
  readonly expected: ExpectedVersion
  readonly events: ReadonlyArray<Event.Any>
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
}

/**
 * What an adapter implements: storage alone. `EventStore.make` adds what is the same for all: checks, encoding, ids, metadata, tenants.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Driver {
  /** Writes all appends or none; each is to another stream and has events. */
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
