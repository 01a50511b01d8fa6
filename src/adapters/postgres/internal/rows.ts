/**
 * Rows of `es.event` as statements select them, and as the port knows them.
 */
import type { Actor } from "../../../domain/Actor.ts"
import type { Metadata } from "../../../domain/Metadata.ts"
import * as Position from "../../../domain/Position.ts"
import type { Skip, Stored } from "../../../domain/RecordedEvent.ts"
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
  readonly skip_reason?: string | null
  readonly skip_actor?: Actor | null
  readonly skipped_at?: Date | null
}

/** Why readers pass over the event `e`, with the join that finds it. */
export const skipColumns = ", k.reason as skip_reason, k.actor as skip_actor, k.at as skipped_at"
export const skipJoin = `
left join es.skipped_event k on k.tenant = e.tenant and k.stream = e.stream and k.version = e.version`

/** The columns of an event `e`. Whole numbers travel as `float8`, exact as far as positions go, and arrive as numbers. */
export const columns =
  "e.position::float8 as position, e.version::float8 as version, e.id, e.type, e.schema_version, e.data, e.meta, e.tags, e.at"

/** The event of a row, in the tenant and stream that the statement fixed. */
export const toStored = (row: EventRow, tenant: string | undefined, stream: string | undefined): Stored => {
  const { skip_actor: actor, skip_reason: reason, skipped_at: at } = row
  const stored = toEvent(row, tenant, stream)
  return typeof reason === "string" ? { ...stored, skip: toSkip(reason, actor, at) } : stored
}

export const toSkip = (reason: string, actor: Actor | null | undefined, at: Date | null | undefined): Skip => {
  const skippedAt = at?.getTime() ?? 0
  return actor === null || actor === undefined ? { reason, skippedAt } : { reason, actor, skippedAt }
}

const toEvent = (row: EventRow, tenant: string | undefined, stream: string | undefined): Stored => ({
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
