/**
 * Consumers: their segments, their workers, and what they have parked.
 */

export const consumers: ReadonlyArray<string> = [
  `create table es.consumer (
    name text collate "C" primary key,
    state jsonb not null default '{"status": "running"}',
    since timestamptz not null default clock_timestamp()
  )`,
  // A token is never given twice, not even after a consumer was removed and opened again.
  `create sequence es.consumer_token as bigint`,
  `create table es.consumer_segment (
    consumer text collate "C" not null references es.consumer on delete cascade,
    segment int not null,
    mask int not null,
    position bigint not null,
    event_position bigint,
    event_id text collate "C",
    trail jsonb not null default '[]',
    ahead jsonb not null default '[]',
    epoch text collate "C",
    token bigint not null default nextval('es.consumer_token'),
    owner text collate "C",
    lease_until timestamptz not null default '-infinity',
    at timestamptz not null default clock_timestamp(),
    primary key (consumer, segment)
  ) with (fillfactor = 20)`,
  `create table es.consumer_worker (
    consumer text collate "C" not null references es.consumer on delete cascade,
    worker text collate "C" not null,
    lease_until timestamptz not null,
    primary key (consumer, worker)
  ) with (fillfactor = 50)`,
  `create table es.parked (
    consumer text collate "C" not null,
    key text collate "C" not null,
    position bigint not null,
    tenant text collate "C" not null,
    hash int not null,
    status text collate "C" not null check (status in ('waiting', 'retrying', 'parked', 'skipped')),
    stored jsonb not null,
    edited boolean not null default false,
    category text collate "C",
    error text,
    attempts int not null default 0,
    due timestamptz,
    reason text,
    at timestamptz not null default clock_timestamp(),
    primary key (consumer, key, position)
  )`,
  `create index parked_position on es.parked (consumer, position)`,
  // Renews the leases of a worker and tells how it stands: one round trip for each beat.
  `create function es.consumer_beat(
    p_consumer text, p_worker text, p_millis float8,
    out state jsonb, out epoch text, out held jsonb, out segments int, out workers int, out rank int
  ) language plpgsql as $$
  #variable_conflict use_column
  declare
    v_until timestamptz := clock_timestamp() + p_millis * interval '1 millisecond';
  begin
    select c.state into state from es.consumer c where c.name = p_consumer for key share;
    if not found then
      return;
    end if;
    insert into es.consumer_worker as w (consumer, worker, lease_until) values (p_consumer, p_worker, v_until)
      on conflict (consumer, worker) do update set lease_until = excluded.lease_until;
    delete from es.consumer_worker w
      where w.consumer = p_consumer and w.lease_until < clock_timestamp() - interval '1 minute';
    -- In the order in which all who lock several segments lock them.
    with mine as (
      select s.segment from es.consumer_segment s
        where s.consumer = p_consumer and s.owner = p_worker order by s.segment for no key update
    ), renewed as (
      update es.consumer_segment s set lease_until = v_until from mine
        where s.consumer = p_consumer and s.segment = mine.segment
        returning s.segment, s.mask, s.token
    )
    select coalesce(jsonb_agg(jsonb_build_object('segment', r.segment, 'mask', r.mask, 'token', r.token)), '[]')
      into held from renewed r;
    select count(*), count(*) filter (where w.worker < p_worker) into workers, rank
      from es.consumer_worker w where w.consumer = p_consumer and w.lease_until > clock_timestamp();
    select count(*) into segments from es.consumer_segment s where s.consumer = p_consumer;
    epoch := es.epoch();
  end $$`
]
