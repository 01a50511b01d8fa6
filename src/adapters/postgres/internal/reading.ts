/**
 * The statements that read events.
 */
import * as DateTime from "effect/DateTime"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Statement } from "effect/sql/Statement"
import type { StreamName } from "../../../domain/StreamName.ts"
import type { TenantId } from "../../../domain/TenantId.ts"
import type { EventQuery } from "../../../domain/EventQuery.ts"
import type { Appended, ReadAll, ReadMatching, ReadStream } from "../../../ports/EventStoreDriver.ts"
import { tagsOf, typesOf } from "./criteria.ts"
import { listed, retired, skipped, unlisted, unskipped } from "./hiding.ts"
import { whole } from "./number.ts"
import { columns, type EventRow, skipColumns, skipJoin } from "./rows.ts"

/** A row of a page: the mark is in each. */
export interface PageRow extends EventRow {
  readonly mark: number
}

/** An event that a query fits; a hidden one counts for the condition, and is not read. */
export interface MatchingRow extends PageRow {
  readonly hidden: boolean
}

/** The only row of an empty page: the mark alone. */
export interface EmptyPageRow {
  readonly mark: number
  readonly position: null
}

// A tombstoned stream reads as empty, and what is hidden is not read.
const streamText = (direction: "asc" | "desc", skips: boolean) => `select ${columns}${skips ? skipColumns : ""}
from es.stream s
left join es.stream_metadata h on h.tenant = s.tenant and h.stream = s.stream and h.hides
cross join lateral (
  select * from es.event e
  where e.tenant = s.tenant and e.stream = s.stream
    and e.version >= $3::int8 and e.version <= $4::int8 and ($5::timestamptz is null or e.at < $5)
    and (h.tenant is null or (${retired}) is not true)${skips ? "" : `\n    and not ${skipped}`}
  order by e.version ${direction}
  limit $6::int8
) e${skips ? skipJoin : ""}
where s.tenant = $1 and s.stream = $2 and (not s.deleted or h.archived_at is not null)
order by e.version ${direction}`

const streamTexts = {
  forward: [streamText("asc", false), streamText("asc", true)],
  backward: [streamText("desc", false), streamText("desc", true)]
} as const

export const stream = (
  sql: SqlClient.SqlClient,
  tenant: TenantId,
  name: StreamName,
  options: ReadStream
): Statement<EventRow> =>
  sql.unsafe(streamTexts[options.direction ?? "forward"][options.skipped === true ? 1 : 0], [
    tenant,
    name,
    whole(options.fromVersion, 1),
    whole(options.toVersion, Number.MAX_SAFE_INTEGER),
    // The column is finer than a millisecond.
    options.until === undefined ? null : new Date(DateTime.toEpochMillis(options.until) + 1),
    options.limit === undefined ? null : whole(options.limit, Number.MAX_SAFE_INTEGER)
  ])

/** Which filters a page has; each has its place among the parameters after the first two. */
type Criterion = "tenant" | "types" | "category" | "categories" | "tags"

/** What a page shows that others do not. */
interface Shown {
  readonly archived: boolean
  readonly skipped: boolean
}

const filters: Record<Criterion, (parameter: string) => string> = {
  tenant: (parameter) => `e.tenant = ${parameter}::text`,
  types: (parameter) => `e.type = any(${parameter}::text[])`,
  // One category is read along the index that has it in the order of the log.
  category: (parameter) => `split_part(e.stream, '-', 1) = ${parameter}::text`,
  // Several are not in one order in that index: all of them would be sorted for each page, so they are filtered instead.
  categories: (parameter) => `split_part(e.stream || '', '-', 1) = any(${parameter}::text[])`,
  tags: (parameter) => `e.tags && ${parameter}::text[]`
}

// Mark and events are read in one snapshot, and the mark also when there are no events.
const pageText = (
  criteria: ReadonlyArray<Criterion>,
  shown: Shown
): string => `select m.position::float8 as mark, ${columns}, e.stream${criteria.includes("tenant") ? "" : ", e.tenant"}${shown.skipped ? skipColumns : ""}
from (select h.position from es.high_water h where h.id = 1) m
left join lateral (
  select * from es.event e
  where ${[
    "e.position > $1::int8 and e.position <= m.position",
    ...criteria.map((criterion, index) => filters[criterion](`$${index + 3}`)),
    listed(shown.archived),
    ...(shown.skipped ? [] : [unskipped])
  ].join(" and ")}
  order by e.position
  limit $2::int8
) e on true${shown.skipped ? skipJoin : ""}
order by e.position`

const pageTexts = new Map<string, string>()

/** A page and the mark. */
export const page = (
  sql: SqlClient.SqlClient,
  tenant: TenantId | undefined,
  { after, archived = false, categories, limit, skipped = false, tags, types }: ReadAll
): Statement<PageRow | EmptyPageRow> => {
  const criteria: Array<Criterion> = []
  const params: Array<unknown> = [whole(after, 0), whole(limit, 1)]
  const filter = (criterion: Criterion, value: unknown) => {
    if (value === undefined) return
    criteria.push(criterion)
    params.push(value)
  }
  filter("tenant", tenant)
  filter("types", types)
  if (categories?.length === 1) filter("category", categories[0])
  else filter("categories", categories)
  filter("tags", tags)
  const key = `${criteria.join()} ${archived} ${skipped}`
  let text = pageTexts.get(key)
  if (text === undefined) pageTexts.set(key, (text = pageText(criteria, { archived, skipped })))
  return sql.unsafe(text, params)
}

/** What became of an append that was given an id. */
export const appended = (
  sql: SqlClient.SqlClient,
  tenant: TenantId,
  stream: StreamName,
  id: string
): Statement<Omit<Appended, "stream" | "position"> & { readonly position: number }> =>
  sql.unsafe(
    "select version::float8 as version, position::float8 as position, count from es.appended where tenant = $1 and stream = $2 and id = $3",
    [tenant, stream, id]
  )

// A criterion with tags goes along the index of the first; each criterion by itself, whatever the statistics say of the rest.
const taggedText = `select t.position
  from unnest($3::text[], $4::text[]) c (types, tags)
  cross join lateral (
    select t.position from es.event_tag t
    where t.tenant = $1::text and t.tag = (c.tags::text[])[1] and t.position > $2::int8
      and (c.types = '' or t.type = any (nullif(c.types, '')::text[])) and not exists (
        select from unnest((c.tags::text[])[2:]) x (tag) where not exists (
          select from es.event_tag o where o.tenant = t.tenant and o.tag = x.tag and o.position = t.position offset 0))
    offset 0
  ) t
  where c.tags <> '{}'`

// One without tags walks the tenant's log.
const untaggedText = `select a.position
  from unnest($3::text[], $4::text[]) c (types, tags)
  join es.event a on a.tenant = $1::text and a.position > $2::int8
  where c.tags = '{}' and (c.types = '' or a.type = any (nullif(c.types, '')::text[]))`

// Events beyond the mark are read too: they are committed. Mark and events are of one snapshot, and the mark is read also
// when there are no events.
const matchingText = (
  events: string
): string => `select m.position::float8 as mark, ${columns}, e.stream, ${unlisted(false)} or ${skipped} as hidden
from (select h.position from es.high_water h where h.id = 1) m
left join ${events}
order by e.position`

// By the tags alone there are few: they are fetched one by one, and the log is not walked to find them.
const matchingTags = matchingText(`lateral (
  select e.* from (select distinct t.position from (${taggedText}) t) t
  cross join lateral (select * from es.event e where e.position = t.position offset 0) e
) e on true`)

const matchingAny = matchingText(`es.event e on e.position in (${taggedText} union ${untaggedText})`)

/** The events that a query fits, and the mark. */
export const matching = (
  sql: SqlClient.SqlClient,
  tenant: TenantId,
  query: EventQuery,
  { after }: ReadMatching
): Statement<MatchingRow | EmptyPageRow> =>
  sql.unsafe(query.every(({ tags }) => tags !== undefined && tags.length > 0) ? matchingTags : matchingAny, [
    tenant,
    whole(after, 0),
    query.map(typesOf),
    query.map(tagsOf)
  ])
