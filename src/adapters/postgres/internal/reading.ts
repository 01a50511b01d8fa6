/**
 * The statements that read events.
 */
import * as DateTime from "effect/DateTime"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Statement } from "effect/sql/Statement"
import type { StreamName } from "../../../domain/StreamName.ts"
import type { TenantId } from "../../../domain/TenantId.ts"
import type { ReadAll, ReadStream } from "../../../ports/EventStoreDriver.ts"
import { whole } from "./number.ts"
import { columns, type EventRow } from "./rows.ts"

/** A row of a page: the mark is in each. */
export interface PageRow extends EventRow {
  readonly mark: number
}

/** The only row of an empty page: the mark alone. */
export interface EmptyPageRow {
  readonly mark: number
  readonly position: null
}

// A tombstoned stream reads as empty, and what was truncated is not read.
const streamText = (direction: "asc" | "desc") => `select ${columns}
from es.stream s
join es.event e on e.tenant = s.tenant and e.stream = s.stream
where s.tenant = $1 and s.stream = $2 and not s.deleted
  and e.version >= greatest($3::int8, s.truncate_before) and e.version <= $4::int8 and ($5::timestamptz is null or e.at < $5)
order by e.version ${direction}
limit $6::int8`

const forward = streamText("asc")
const backward = streamText("desc")

export const stream = (
  sql: SqlClient.SqlClient,
  tenant: TenantId,
  name: StreamName,
  options: ReadStream
): Statement<EventRow> =>
  sql.unsafe(options.direction === "backward" ? backward : forward, [
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
  criteria: ReadonlyArray<Criterion>
): string => `select m.position::float8 as mark, ${columns}, e.stream${criteria.includes("tenant") ? "" : ", e.tenant"}
from (select h.position from es.high_water h where h.id = 1) m
left join lateral (
  select * from es.event e
  where ${[
    "e.position > $1::int8 and e.position <= m.position",
    ...criteria.map((criterion, index) => filters[criterion](`$${index + 3}`))
  ].join(" and ")}
  order by e.position
  limit $2::int8
) e on true
order by e.position`

const pageTexts = new Map<string, string>()

/** A page and the mark. */
export const page = (
  sql: SqlClient.SqlClient,
  tenant: TenantId | undefined,
  { after, categories, limit, tags, types }: ReadAll
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
  const key = criteria.join()
  let text = pageTexts.get(key)
  if (text === undefined) pageTexts.set(key, (text = pageText(criteria)))
  return sql.unsafe(text, params)
}
