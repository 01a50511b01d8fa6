/**
 * The statements of parked events, and their rows as the port knows them.
 */
import * as Position from "../../../domain/Position.ts"
import type { Stored } from "../../../domain/RecordedEvent.ts"
import * as TenantId from "../../../domain/TenantId.ts"
import type { Category, Entry, Failure, Parked, Status } from "../../../ports/ParkedStoreDriver.ts"

export interface ParkedRow {
  readonly key: string
  readonly position: number
  readonly tenant: string
  readonly hash: number
  readonly status: Status
  readonly stored: Stored
  readonly edited: boolean
  readonly category: Category | null
  readonly error: string | null
  readonly attempts: number
  readonly due: number | null
  readonly reason: string | null
  readonly at: number
}

const millis = (column: string) => `round(extract(epoch from ${column})::float8 * 1000)::float8`

const columns = `p.key, p.position::float8 as position, p.tenant, p.hash, p.status, p.stored, p.edited, p.category, p.error, p.attempts,
  ${millis("p.due")} as due, p.reason, ${millis("p.at")} as at`

const after = (millis: string) => `clock_timestamp() + ${millis} * interval '1 millisecond'`

export const add = `insert into es.parked as p
  (consumer, key, position, tenant, hash, status, stored, category, error, attempts, due)
select $1::text, e.key, e.position, e.tenant, e.hash, e.status, e.stored, e.category, e.error, e.attempts, ${after("e.retry")}
from jsonb_to_recordset($2::text::jsonb) e(key text, position int8, tenant text, hash int, status text, stored jsonb,
  category text, error text, attempts int, retry float8)
on conflict (consumer, key, position) do nothing
returning p.key`

/** What a limit is passed by, the keys that were added to before the consumer. */
export const exceeded = `select k.key, k.passed from (
  select p.key, count(*) > $3::int8 as passed from es.parked p
  where p.consumer = $1::text and p.key = any($2::text[]) and p.status <> 'skipped' group by p.key
  union all
  select null, count(*) > $4::int8 from es.parked p where p.consumer = $1::text and p.status <> 'skipped'
) k where k.passed order by k.key nulls last limit 1`

const heads = `select distinct on (p.key) p.* from es.parked p
  where p.consumer = $1::text and p.status <> 'skipped'`

export const keys = `select distinct p.key from es.parked p
where p.consumer = $1::text and p.status <> 'skipped' and p.hash & $2::int = $3::int`

export const due = `select ${columns} from (${heads} and p.hash & $2::int = $3::int order by p.key, p.position) p
where p.status = 'waiting' or (p.status = 'retrying' and p.due <= clock_timestamp())
order by p.position limit $4::int8`

const one = `p.consumer = $1::text and p.key = $2::text and p.position = $3::int8`

export const settle = `delete from es.parked p where ${one} and p.status <> 'skipped' returning p.key`

export const failed = `update es.parked p set category = $4::text, error = $5::text, attempts = $6::int,
  status = case when $7::float8 is null then 'parked' else 'retrying' end, due = ${after("$7::float8")}
where ${one} and p.status <> 'skipped' returning p.key`

export const edit = `update es.parked p set stored = jsonb_set(p.stored, '{data}', $4::text::jsonb), edited = true,
  attempts = case when p.status = 'waiting' then p.attempts else 0 end,
  due = case when p.status = 'waiting' then p.due else clock_timestamp() end,
  status = case when p.status = 'waiting' then p.status else 'retrying' end
where ${one} and p.status <> 'skipped' returning p.key`

export const skip = `update es.parked p set status = 'skipped', due = null, reason = $4::text
where ${one} and p.status <> 'skipped' returning p.key`

const fits = (first: number) => {
  const [key, tenant, category, error] = [0, 1, 2, 3].map((n) => `$${first + n}::text`)
  return `(${key} is null or p.key = ${key}) and (${tenant} is null or p.tenant = ${tenant})
  and (${category} is null or p.category = ${category}) and (${error} is null or strpos(p.error, ${error}) > 0)`
}

export const list = `select ${columns} from es.parked p where p.consumer = $1::text
  and p.position > $2::int8 and ($3::text is null or p.status = $3::text) and ${fits(5)}
order by p.position limit $4::int8`

export const get = `select ${columns} from es.parked p where ${one}`

export const count = `select count(*)::float8 as count from es.parked p where p.consumer = $1::text and p.status <> 'skipped'`

export const replay = `with head as (
  select p.key, p.position from (${heads} order by p.key, p.position) p where ${fits(2)}
)
update es.parked p set status = 'retrying', attempts = 0, due = clock_timestamp() from head
where p.consumer = $1::text and p.key = head.key and p.position = head.position and p.status <> 'skipped'
returning p.key`

export const fromEntry = ({ failure, hash, key, position, stored }: Entry) => ({
  key,
  position,
  tenant: stored.tenant,
  hash,
  stored,
  attempts: 0,
  ...(failure === undefined ? { status: "waiting" } : fromFailure(failure))
})

const fromFailure = ({ attempts, category, error, retryInMillis }: Failure) => ({
  status: retryInMillis === undefined ? "parked" : "retrying",
  category,
  error: storable(error),
  attempts,
  retry: retryInMillis ?? null
})

/** Text as a database can keep it, be it what a handler's error says. */
export const storable = (text: string): string => text.replaceAll("\0", "\uFFFD").toWellFormed()

export const toParked = (consumer: string, row: ParkedRow): Parked => ({
  consumer,
  key: row.key,
  position: Position.make(row.position),
  tenant: TenantId.make(row.tenant),
  hash: row.hash,
  status: row.status,
  stored: row.stored,
  edited: row.edited,
  category: row.category ?? undefined,
  error: row.error ?? undefined,
  attempts: row.attempts,
  due: row.due ?? undefined,
  reason: row.reason ?? undefined,
  at: row.at
})
