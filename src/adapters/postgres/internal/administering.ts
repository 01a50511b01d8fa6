/**
 * The statements that administer streams.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Statement } from "effect/sql/Statement"
import type { Actor } from "../../../domain/Actor.ts"
import type { StreamName } from "../../../domain/StreamName.ts"
import type { TenantId } from "../../../domain/TenantId.ts"
import type { ExpectedVersion } from "../../../ports/EventStoreError.ts"
import type {
  EventRef,
  KeptMetadata,
  KeptRetention,
  NameRange,
  SkippedEvent,
  StreamInfo
} from "../../../ports/StreamAdminDriver.ts"
import { encodeExpected } from "./appending.ts"
import * as hiding from "./hiding.ts"
import { whole } from "./number.ts"
import { toSkip } from "./rows.ts"

interface MetadataRow {
  readonly version: number
  readonly data: unknown
  readonly has_data: boolean
  readonly max_age: number | null
  readonly max_count: number | null
  readonly truncate_before: number | null
}

export const metadata = (sql: SqlClient.SqlClient, tenant: TenantId, stream: StreamName): Statement<MetadataRow> =>
  sql`select version::float8 as version, data, data is not null as has_data, max_age::float8 as max_age,
  max_count::float8 as max_count, truncate_before::float8 as truncate_before
from es.stream_metadata where tenant = ${tenant} and stream = ${stream}`

export const toMetadata = (
  row: MetadataRow | undefined
): { readonly version: number; readonly data: unknown; readonly retention: KeptRetention } =>
  row === undefined
    ? { version: 0, data: undefined, retention: {} }
    : {
        version: row.version,
        data: row.has_data ? row.data : undefined,
        retention: {
          maxAge: row.max_age ?? undefined,
          maxCount: row.max_count ?? undefined,
          truncateBefore: row.truncate_before ?? undefined
        }
      }

interface Outcome {
  readonly written: boolean
  readonly version: number
}

const setMetadataText = `select written, version::float8 as version
from es.set_metadata($1::text, $2::text, $3::int8, $4::jsonb, $5::int8, $6::int8, $7::int8)`

const orNull = (value: number | undefined): string | null => (value === undefined ? null : whole(value, 0))

export const setMetadata = (
  sql: SqlClient.SqlClient,
  tenant: TenantId,
  stream: StreamName,
  expected: ExpectedVersion,
  { data, retention }: KeptMetadata
): Statement<Outcome> =>
  sql.unsafe(setMetadataText, [
    tenant,
    stream,
    String(encodeExpected(expected)),
    data ?? null,
    orNull(retention.maxAge),
    orNull(retention.maxCount),
    orNull(retention.truncateBefore)
  ])

export const archive = (
  sql: SqlClient.SqlClient,
  tenant: TenantId,
  stream: StreamName,
  expected: ExpectedVersion
): Statement<Outcome & { readonly deleted: boolean }> =>
  sql.unsafe("select written, version::float8 as version, deleted from es.archive($1::text, $2::text, $3::int8)", [
    tenant,
    stream,
    String(encodeExpected(expected))
  ])

export const restore = (sql: SqlClient.SqlClient, tenant: TenantId, stream: StreamName): Statement<object> =>
  sql`select es.restore(${tenant}, ${stream})`

// A snapshot that the event is in, or should be in, is no longer what a fold of the stream gives.
const forgetText = `with forgotten as (
  delete from es.snapshot s where s.tenant = $1::text and s.stream = $2::text and s.version >= $3::int8
)`

const skipText = `${forgetText}
insert into es.skipped_event as k (tenant, stream, version, reason, actor)
select e.tenant, e.stream, e.version, $4::text, $5::jsonb from es.event e
where e.tenant = $1::text and e.stream = $2::text and e.version = $3::int8
on conflict (tenant, stream, version) do update set reason = excluded.reason, actor = excluded.actor, at = excluded.at
returning true as skipped`

export const skip = (
  sql: SqlClient.SqlClient,
  tenant: TenantId,
  { stream, version }: EventRef,
  reason: string,
  actor: Actor | undefined
): Statement<object> =>
  sql.unsafe(skipText, [tenant, stream, whole(version, 0), reason, actor === undefined ? null : JSON.stringify(actor)])

export const unskip = (sql: SqlClient.SqlClient, tenant: TenantId, { stream, version }: EventRef): Statement<object> =>
  sql.unsafe(unskipText, [tenant, stream, whole(version, 0)])

const unskipText = `${forgetText}
delete from es.skipped_event k where k.tenant = $1::text and k.stream = $2::text and k.version = $3::int8`

interface SkippedRow {
  readonly stream: StreamName
  readonly version: number
  readonly reason: string
  readonly actor: Actor | null
  readonly at: Date
}

const skippedText = `select stream, version::float8 as version, reason, actor, at from es.skipped_event
where tenant = $1::text and ($2::text is null or stream = $2) and (stream, version) > ($3::text, $4::int8)
order by stream, version limit $5::int8`

export const skipped = (
  sql: SqlClient.SqlClient,
  tenant: TenantId,
  options: { readonly stream: StreamName | undefined; readonly after: EventRef; readonly limit: number }
): Statement<SkippedRow> =>
  sql.unsafe(skippedText, [
    tenant,
    options.stream ?? null,
    options.after.stream,
    whole(options.after.version, 0),
    whole(options.limit, 0)
  ])

export const toSkipped = ({ actor, at, reason, stream, version }: SkippedRow): SkippedEvent => ({
  stream,
  version,
  ...toSkip(reason, actor, at)
})

interface InfoRow {
  readonly stream: StreamName
  readonly version: number
  readonly count: number
  readonly first_at: Date | null
  readonly last_at: Date | null
  readonly tombstoned: boolean
  readonly archived: boolean
}

const listText = `select s.stream, s.version::float8 as version, c.count::float8 as count, c.first_at, c.last_at,
  s.deleted and h.archived_at is null as tombstoned, h.archived_at is not null as archived
from (
  select * from es.stream s
  where s.tenant = $1::text and s.stream > $2::text and s.stream >= $3::text and ($4::text is null or s.stream < $4)
    and ($5::text is null or split_part(s.stream, '-', 1) = $5)
  order by s.stream limit $6::int8
) s
left join es.stream_metadata h on h.tenant = s.tenant and h.stream = s.stream and h.hides
cross join lateral (
  select count(*) as count, min(e.at) as first_at, max(e.at) as last_at from es.event e
  where e.tenant = s.tenant and e.stream = s.stream and (not s.deleted or h.archived_at is not null)
    and (h.tenant is null or (${hiding.retired}) is not true) and not ${hiding.skipped}
) c
order by s.stream`

export const list = (sql: SqlClient.SqlClient, tenant: TenantId, range: NameRange): Statement<InfoRow> =>
  sql.unsafe(listText, [
    tenant,
    range.after,
    range.from,
    range.to ?? null,
    range.category ?? null,
    whole(range.limit, 0)
  ])

export const toInfo = ({ first_at: first, last_at: last, ...row }: InfoRow): StreamInfo => ({
  stream: row.stream,
  version: row.version,
  count: row.count,
  firstRecordedAt: first?.getTime(),
  lastRecordedAt: last?.getTime(),
  tombstoned: row.tombstoned,
  archived: row.archived
})

export const retaining = (
  sql: SqlClient.SqlClient,
  tenant: TenantId,
  after: string,
  limit: number
): Statement<{ readonly stream: StreamName }> =>
  sql`select stream from es.stream_metadata
where tenant = ${tenant} and stream > ${after} and hides and retains
order by stream limit ${whole(limit, 0)}::int8`

export const remove = (
  sql: SqlClient.SqlClient,
  tenant: TenantId,
  stream: StreamName,
  limit: number
): Statement<{ readonly removed: number }> =>
  sql`select es.scavenge(${tenant}, ${stream}, ${whole(Math.min(limit, 1_000_000), 1)}::int4) as removed`
