/**
 * The statements of consumers, and their rows as the port knows them.
 */
import * as Position from "../../../domain/Position.ts"
import type * as Store from "../../../ports/ConsumerStoreDriver.ts"
import type { Part } from "../../../ports/SegmentLayout.ts"

export interface SegmentRow {
  readonly segment: number
  readonly mask: number
  readonly position: number
  readonly event_position: number | null
  readonly event_id: string | null
  readonly trail: ReadonlyArray<Store.EventMark>
  readonly epoch: string | null
  readonly ahead: ReadonlyArray<{ readonly segment: Store.Ahead["segment"]; readonly until: number }>
}

export interface ClaimRow extends SegmentRow {
  readonly token: number
}

export interface BeatRow {
  readonly state: Store.ConsumerState | null
  readonly epoch: string
  readonly held: ReadonlyArray<{ readonly segment: number; readonly mask: number; readonly token: number }>
  readonly share: number
}

export interface InfoRow {
  readonly name: string
  readonly state: Store.ConsumerState
  readonly since: number
  readonly workers: ReadonlyArray<string>
  readonly segments: ReadonlyArray<ClaimRow & { readonly owner: string | null }>
}

const columns = `s.segment, s.mask, s.position::float8 as position, s.event_position::float8 as event_position,
  s.event_id, s.trail, s.ahead, s.epoch`

export const open = `with c as (
  insert into es.consumer (name) values ($1::text) on conflict do nothing returning name
)
insert into es.consumer_segment (consumer, segment, mask, position, trail)
select c.name, n, $2::int - 1, $3::int8,
  case when $3::int8 = 0 then '[]' else jsonb_build_array(jsonb_build_object('position', $3::int8, 'id', '')) end
from c, generate_series(0, $2::int - 1) n`

// The first of the workers by name are given what does not divide evenly.
export const beat = `select b.state, b.epoch, b.held,
  b.segments / b.workers + case when b.rank < b.segments % b.workers then 1 else 0 end as share
from es.consumer_beat($1::text, $2::text, $3::float8) b`

// A segment whose owner is about to commit is not free yet, whatever its lease says.
export const claim = `with free as (
  select s.segment from es.consumer_segment s
  join es.consumer c on c.name = s.consumer and c.state ->> 'status' = 'running'
  where s.consumer = $1::text and (s.owner is null or s.lease_until <= clock_timestamp())
  order by s.segment limit $3::int for update of s skip locked
)
update es.consumer_segment s
set owner = $2::text, token = nextval('es.consumer_token'),
  lease_until = clock_timestamp() + $4::float8 * interval '1 millisecond'
from free where s.consumer = $1::text and s.segment = free.segment
returning ${columns}, s.token::float8 as token`

export const commit = `update es.consumer_segment s
set position = $5::int8, event_position = coalesce($6::int8, s.event_position), event_id = coalesce($7::text, s.event_id),
  trail = coalesce($8::text::jsonb, s.trail), epoch = coalesce($9::text, s.epoch), at = clock_timestamp()
where s.consumer = $1::text and s.segment = $2::int and s.token = $3::int8 and s.position = $4::int8 and s.owner is not null
returning s.segment`

export const release = `update es.consumer_segment s set owner = null
where s.consumer = $1::text and s.segment = $2::int and s.token = $3::int8`

export const leave = `with gone as (
  delete from es.consumer_worker w where w.consumer = $1::text and w.worker = $2::text
)
update es.consumer_segment s set owner = null where s.consumer = $1::text and s.owner = $2::text`

// One change of the layout at a time: the others wait here, and then see what it was changed to.
export const lockedConsumer = `select name from es.consumer where name = $1::text for no key update`

export const locked = `select ${columns} from es.consumer_segment s
where s.consumer = $1::text order by s.segment for update`

export const put = `insert into es.consumer_segment
  (consumer, segment, mask, position, event_position, event_id, trail, ahead, epoch)
values ($1::text, $2::int, $3::int, $4::int8, $5::int8, $6::text, $7::text::jsonb, $8::text::jsonb, $9::text)
on conflict (consumer, segment) do update set mask = excluded.mask, position = excluded.position,
  event_position = excluded.event_position, event_id = excluded.event_id, trail = excluded.trail, ahead = excluded.ahead,
  epoch = excluded.epoch,  token = excluded.token, owner = null, lease_until = '-infinity', at = clock_timestamp()`

export const removeSegment = `delete from es.consumer_segment where consumer = $1::text and segment = $2::int`

export const setState = `update es.consumer set state = $2::text::jsonb, since = clock_timestamp()
where name = $1::text returning name`

export const remove = `delete from es.consumer where name = $1::text`

export const infos = `select c.name, c.state, extract(epoch from c.since)::float8 * 1000 as since,
  coalesce((select jsonb_agg(w.worker order by w.worker) from es.consumer_worker w
    where w.consumer = c.name and w.lease_until > clock_timestamp()), '[]') as workers,
  coalesce((select jsonb_agg(jsonb_build_object('segment', s.segment, 'mask', s.mask, 'position', s.position,
      'event_position', s.event_position, 'event_id', s.event_id, 'trail', s.trail, 'ahead', s.ahead, 'epoch', s.epoch,
      'token', s.token,
      'owner', case when s.lease_until > clock_timestamp() then s.owner end) order by s.segment)
    from es.consumer_segment s where s.consumer = c.name), '[]') as segments
from es.consumer c where $1::text is null or c.name = $1::text order by c.name`

const toCheckpoint = (row: SegmentRow): Store.Checkpoint => ({
  position: Position.make(row.position),
  event:
    row.event_position === null || row.event_id === null
      ? undefined
      : { position: row.event_position, id: row.event_id },
  trail: row.trail,
  epoch: row.epoch ?? undefined
})

export const toPart = (row: SegmentRow): Part => ({
  segment: { id: row.segment, mask: row.mask },
  checkpoint: toCheckpoint(row),
  ahead: row.ahead.map(({ segment, until }) => ({ segment, until: Position.make(until) }))
})

export const toClaim = (consumer: string, row: ClaimRow): Store.Claim => ({
  consumer,
  token: row.token,
  ...toPart(row)
})

export const toBeat = (
  consumer: string,
  { epoch, held, share, state }: BeatRow & { readonly state: Store.ConsumerState | null }
): Store.Beat => ({
  state: state ?? { status: "running" },
  epoch,
  held: held.map(({ mask, segment, token }) => ({ consumer, segment: { id: segment, mask }, token })),
  share
})

export const toInfo = ({ name, segments, since, state, workers }: InfoRow): Store.ConsumerInfo => ({
  name,
  state,
  since: Math.round(since),
  workers,
  segments: segments.map((row) => ({
    segment: { id: row.segment, mask: row.mask },
    checkpoint: toCheckpoint(row),
    token: row.token,
    owner: row.owner ?? undefined
  }))
})
