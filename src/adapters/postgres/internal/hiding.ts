/**
 * Which events are hidden, as conditions on an event `e`, its stream `s` and the metadata `h` of that.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import type { StreamName } from "../../../domain/StreamName.ts"
import type { TenantId } from "../../../domain/TenantId.ts"

/** Whether a stream is archived. */
export const archived = (sql: SqlClient.SqlClient, tenant: TenantId, stream: StreamName): Fragment =>
  sql`exists (select from es.stream_metadata h where h.tenant = ${tenant} and h.stream = ${stream} and h.archived_at is not null)`

/** Retention hides it; the newest event always stays. */
export const retired = `e.version < s.version and (
  e.version < h.truncate_before
  or e.version <= s.version - h.max_count
  or e.at < statement_timestamp() - h.max_age * interval '1 millisecond')`

/** Readers pass over it. */
export const skipped = `exists (
  select from es.skipped_event k where k.tenant = e.tenant and k.stream = e.stream and k.version = e.version)`

/** Readers of the log do not see it. Most streams have nothing that hides, and are not in the index that this asks. */
export const unlisted = (archived: boolean): string => `exists (
  select from es.stream_metadata h
  where h.tenant = e.tenant and h.stream = e.stream and h.hides and (${archived ? "" : "h.archived_at is not null or "}exists (
    select from es.stream s where s.tenant = h.tenant and s.stream = h.stream and ${retired})))`

/**
 * What readers of the log see. Asked of each event in its turn: as a join, it would be asked of all the events there are, before
 * they are brought into their order. And only where anything is hidden at all.
 */
export const listed = (archived: boolean): string =>
  `case when (select exists (select from es.stream_metadata h where h.hides)) then not ${unlisted(archived)} else true end`

/** What readers do not pass over, likewise. */
export const unskipped = `case when (select exists (select from es.skipped_event)) then not ${skipped} else true end`
