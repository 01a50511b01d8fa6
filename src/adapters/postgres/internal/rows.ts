/**
 * Rows of `es.event` as statements select them, and as the port knows them.
 */
import type { Metadata } from "../../../domain/Metadata.ts"
import * as Position from "../../../domain/Position.ts"
import type { Stored } from "../../../domain/RecordedEvent.ts"
import * as StreamName from "../../../domain/StreamName.ts"
import * as TenantId from "../../../domain/TenantId.ts"

/** One event; what the statement already fixes is not selected. */
export interface EventRow {
  readonly position: number
  readonly tenant?: string
  readonly stream?: string
  readonly version: number
  readonly id: string
  readonly type: string
  readonly schema_version: number
  readonly data: unknown
  readonly meta: Metadata
  readonly tags: ReadonlyArray<string>
  readonly at: Date
}

/** The columns of an event `e`. Whole numbers travel as `float8`, exact as far as positions go, and arrive as numbers. */
export const columns =
  "e.position::float8 as position, e.version::float8 as version, e.id, e.type, e.schema_version, e.data, e.meta, e.tags, e.at"

/** The event of a row, in the tenant and stream that the statement fixed. */
export const toStored = (row: EventRow, tenant: string | undefined, stream: string | undefined): Stored => ({
  position: Position.make(row.position),
  tenant: TenantId.make(row.tenant ?? tenant ?? ""),
  stream: StreamName.fromString(row.stream ?? stream ?? ""),
  version: row.version,
  id: row.id,
  type: row.type,
  schemaVersion: row.schema_version,
  tags: row.tags,
  metadata: row.meta,
  recordedAt: row.at.getTime(),
  data: row.data
})
