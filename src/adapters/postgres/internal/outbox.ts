/**
 * The statements of the outbox, and its rows as the port knows them.
 */
import type { Metadata } from "../../../domain/Metadata.ts"
import * as TenantId from "../../../domain/TenantId.ts"
import type { Category, Claimed, Info, Message, Prepared, Status } from "../../../ports/OutboxDriver.ts"

interface MessageRow {
  readonly tenant: string
  readonly id: string
  readonly sequence: number
  readonly queue: string
  readonly key: string | null
  readonly type: string
  readonly version: number
  readonly data: unknown
  readonly headers: Readonly<Record<string, string>>
  readonly meta: Metadata
  readonly attempts: number
}

export interface ClaimedRow extends MessageRow {
  readonly token: number
}

export interface InfoRow extends MessageRow {
  readonly status: Status
  readonly due: number | null
  readonly owner: string | null
  readonly category: Category | null
  readonly error: string | null
  readonly edited: boolean
  readonly reason: string | null
  readonly at: number
}

const message =
  "m.tenant, m.id, m.sequence::float8 as sequence, m.queue, m.key, m.type, m.version, m.data, m.headers, m.meta, m.attempts"

const millis = (column: string) => `round(extract(epoch from ${column})::float8 * 1000)::float8`

const after = (parameter: string) => `clock_timestamp() + ${parameter}::float8 * interval '1 millisecond'`

// Of several messages with one id the first is kept, in one call as in two.
export const enqueue = `insert into es.outbox as m (tenant, id, sequence, queue, key, type, version, data, headers, meta, due)
select e.tenant, e.id, nextval('es.outbox_sequence'), e.queue, nullif(e.key, ''), e.type, e.version, e.data::jsonb, e.headers::jsonb,
  e.meta::jsonb,
  case e.kind when 'At' then to_timestamp(e.millis::float8 / 1000)
    else clock_timestamp() + e.millis::float8 * interval '1 millisecond' end
from (
  select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[])
    with ordinality e(tenant, id, queue, key, type, version, data, headers, meta, kind, millis, o)
  order by e.o
) e
on conflict (tenant, id) do nothing`

export const claim = `select ${message}, m.token::float8 as token
from es.outbox_claim($1::text, $2::text, $3::int, $4::float8, $5::text) m`

const held = `unnest($1::text[], $2::text[], $3::int8[]) h(tenant, id, token)
where m.tenant = h.tenant and m.id = h.id and m.token = h.token and m.owner is not null`

export const renew = `update es.outbox m set lease_until = ${after("$4")} from ${held} returning m.tenant, m.id, m.token::float8 as token`

export const complete = `select m.tenant, m.id, m.token::float8 as token
from es.outbox_complete($1::text[], $2::text[], $3::int8[]) m`

const moved =
  "tenant, id, sequence, queue, key, type, version, data, headers, meta, attempts, category, error, edited, at"

export const completeAndKeep = `with done as (delete from es.outbox m using ${held} returning m.*),
kept as (insert into es.outbox_done (${moved}, status) select ${moved}, 'delivered' from done)
select done.tenant, done.id, done.token::float8 as token from done`

const free = "owner = null, lease_until = '-infinity'"

export const failed = `update es.outbox m set category = $4::text, error = $5::text, attempts = $6::int, ${free},
  status = case when $7::float8 is null then 'parked' else 'retrying' end,
  due = case when $7::float8 is null then 'infinity' else ${after("$7")} end
where m.tenant = $1::text and m.id = $2::text and m.token = $3::int8 and m.owner is not null returning m.id`

const before = "case when m.attempts > 0 then 'retrying' else 'pending' end"

export const release = `update es.outbox m set status = ${before}, ${free}, due = ${after("$4")} from ${held}`

const inFlight = "m.owner is not null and m.lease_until > clock_timestamp()"

const status = `case when m.owner is null then m.status when ${inFlight} then 'inFlight' else ${before} end`

// When it may be claimed: at its time, or at the end of its lease.
const due = "greatest(m.due, m.lease_until)"

const waiting = `${message}, ${status} as status,
  case when m.due = 'infinity' then null else ${millis(due)} end as due,
  case when ${inFlight} then m.owner end as owner, m.category, m.error, m.edited, null as reason, ${millis("m.at")} as at`

const done = `${message}, m.status, null::float8 as due, null as owner, m.category, m.error, m.edited, m.reason, ${millis("m.at")} as at`

export const get = `select * from (
  select ${waiting} from es.outbox m where m.tenant = $1::text and m.id = $2::text
  union all
  (select ${done} from es.outbox_done m where m.tenant = $1::text and m.id = $2::text order by m.done_at desc limit 1)
) m limit 1`

const fits = (first: number) => {
  const [tenant, key, type, category, error] = [0, 1, 2, 3, 4].map((n) => `$${first + n}::text`)
  return `(${tenant} is null or m.tenant = ${tenant}) and (${key} is null or m.key = ${key})
  and (${type} is null or m.type = ${type}) and (${category} is null or m.category = ${category})
  and (${error} is null or strpos(m.error, ${error}) > 0)`
}

export const list = `select * from (
  select ${waiting} from es.outbox m
    where m.queue = $1::text and m.sequence > $2::int8 and ${fits(5)} and ($4::text is null or ${status} = $4::text)
  union all
  select ${done} from es.outbox_done m
    where m.queue = $1::text and m.sequence > $2::int8 and ${fits(5)} and ($4::text is null or m.status = $4::text)
) m order by m.sequence limit $3::int8`

export const counts = `select
  count(*) filter (where s.status = 'pending')::float8 as pending,
  count(*) filter (where s.status = 'inFlight')::float8 as "inFlight",
  count(*) filter (where s.status = 'retrying')::float8 as retrying,
  count(*) filter (where s.status = 'parked')::float8 as parked,
  coalesce(greatest(0, ${millis("clock_timestamp()")} - ${millis("min(s.due) filter (where s.status <> 'inFlight' and s.status <> 'parked')")}), 0) as "lagMillis"
from (select ${status} as status, ${due} as due from es.outbox m where m.queue = $1::text) s`

export const replay = `update es.outbox m set status = 'retrying', attempts = 0, due = clock_timestamp()
where m.queue = $1::text and m.status in ('retrying', 'parked') and m.owner is null and ${fits(2)} returning m.id`

const open = `m.tenant = $1::text and m.id = $2::text and not (${inFlight})`

export const edit = `update es.outbox m set data = $3::text::jsonb, edited = true,
  attempts = case when m.status in ('retrying', 'parked') then 0 else m.attempts end,
  due = case when m.status in ('retrying', 'parked') then clock_timestamp() else m.due end,
  status = case when m.status in ('retrying', 'parked') then 'retrying' else m.status end
where ${open} returning m.id`

export const skip = `with done as (delete from es.outbox m where ${open} returning m.*)
insert into es.outbox_done (${moved}, status, reason) select ${moved}, 'skipped', $3::text from done returning id`

export const isThere = `select 1 from es.outbox m where m.tenant = $1::text and m.id = $2::text`

export const makeDays = `select es.make_days('outbox_done', 2)`

export const dropDays = `select es.drop_days('outbox_done',
  ((clock_timestamp() - $1::float8 * interval '1 millisecond') at time zone 'UTC')::date)`

/** The columns of messages as arrays, which are one statement whatever their number. */
export const toColumns = (all: ReadonlyArray<Prepared>): ReadonlyArray<unknown> => [
  all.map((one) => one.tenant),
  all.map((one) => one.id),
  all.map((one) => one.queue),
  all.map((one) => one.key ?? ""),
  all.map((one) => one.type),
  all.map((one) => one.version),
  all.map((one) => one.data),
  all.map((one) => JSON.stringify(one.headers)),
  all.map((one) => JSON.stringify(one.metadata)),
  all.map((one) => one.when._tag),
  all.map((one) => String(one.when._tag === "Now" ? 0 : one.when.millis))
]

const toMessage = (row: MessageRow): Message => ({
  tenant: TenantId.make(row.tenant),
  id: row.id,
  queue: row.queue,
  key: row.key ?? undefined,
  sequence: row.sequence,
  type: row.type,
  version: row.version,
  data: row.data,
  headers: row.headers,
  metadata: row.meta,
  attempts: row.attempts
})

export const toClaimed = (row: ClaimedRow): Claimed => ({ ...toMessage(row), token: row.token })

export const toInfo = (row: InfoRow): Info => ({
  ...toMessage(row),
  status: row.status,
  due: row.due ?? undefined,
  owner: row.owner ?? undefined,
  category: row.category ?? undefined,
  error: row.error ?? undefined,
  edited: row.edited,
  reason: row.reason ?? undefined,
  at: row.at
})
