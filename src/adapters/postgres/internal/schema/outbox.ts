/**
 * The outbox: what waits, and what was done with it.
 */

const columns = `
    tenant text collate "C" not null,
    id text collate "C" not null,
    sequence bigint not null,
    queue text collate "C" not null,
    key text collate "C",
    type text collate "C" not null,
    version int not null,
    data jsonb not null,
    headers jsonb not null,
    meta jsonb not null,
    attempts int not null default 0,
    category text collate "C",
    error text,
    edited boolean not null default false,
    at timestamptz not null default clock_timestamp()`

/**
 * The outbox's statements keep to its indexes. A queue is empty when all is well: what the planner knows of it then is that
 * reading all of it costs nothing, and it keeps the plan when the queue is long.
 */
const keepsToIndexes = "set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off"

export const outbox: ReadonlyArray<string> = [
  // A cached block of numbers would be drawn long before it is used, and the order of a key rests on this one.
  `create sequence es.outbox_sequence as bigint cache 1`,
  `create sequence es.outbox_token as bigint`,
  // A claim writes a row in its place, and its index entries stay as they are: no index has the lease, and each page has room
  // for the second version of every row. Then the row goes, and what it leaves behind is cleared early.
  `create table es.outbox (${columns},
    -- Tenant and key, which share one order; no tenant holds a control character.
    lane text collate "C" generated always as (tenant || chr(31) || key) stored,
    status text collate "C" not null default 'pending' check (status in ('pending', 'retrying', 'parked')),
    -- When it may be claimed first, or again.
    due timestamptz not null,
    -- Until when its owner has it. The status stays what it was before, and so does when it was due.
    lease_until timestamptz not null default '-infinity',
    token bigint not null default 0,
    owner text collate "C",
    primary key (tenant, id)
  ) with (fillfactor = 45, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0)`,
  `create index outbox_due on es.outbox (queue, due) where lane is null and status <> 'parked'`,
  `create index outbox_lane on es.outbox (queue, lane, sequence) where lane is not null`,
  `create index outbox_failed on es.outbox (queue, sequence) where status in ('retrying', 'parked')`,
  `create table es.outbox_done (${columns},
    status text collate "C" not null check (status in ('delivered', 'skipped')),
    reason text,
    day date not null default (clock_timestamp() at time zone 'UTC')::date,
    done_at timestamptz not null default clock_timestamp(),
    primary key (tenant, id, day)
  ) partition by range (day)`,
  `create index outbox_done_queue on es.outbox_done (queue, sequence)`,
  `create table es.outbox_done_other partition of es.outbox_done default`,
  `select es.make_days('outbox_done', 2)`,
  // Claims up to half of what is asked for from keys, in turn from a key on, and the rest from what has none. Of a key, what
  // is due before the first that is not; that first is what the others wait for.
  `create function es.outbox_claim(p_queue text, p_worker text, p_limit int, p_millis float8, p_from text)
  returns setof es.outbox language plpgsql ${keepsToIndexes} as $$
  declare
    v_token constant bigint := nextval('es.outbox_token');
    v_now constant timestamptz := clock_timestamp();
    v_until constant timestamptz := v_now + p_millis * interval '1 millisecond';
    v_keyed constant int := (p_limit + 1) / 2;
    v_lanes text[];
    v_more text[];
    v_locked bigint[];
    v_run int;
    v_count int := 0;
  begin
    v_lanes := es.outbox_lanes(p_queue, p_from, null, v_keyed, v_now);
    if cardinality(v_lanes) < v_keyed and p_from <> '' then
      v_more := es.outbox_lanes(p_queue, '', p_from, v_keyed - cardinality(v_lanes), v_now);
      v_lanes := v_lanes || v_more;
    end if;
    if cardinality(v_lanes) > 0 then
      -- As many of each as there is room for: what is locked and not claimed is work for nothing.
      v_run := greatest(1, v_keyed / cardinality(v_lanes));
      -- Who is still at one of these, with a lease that has run out, must not change it between the look and the claim.
      select array_agg(r.sequence) into v_locked
        from unnest(v_lanes) l(lane) cross join lateral (
          select m.sequence from es.outbox m where m.queue = p_queue and m.lane = l.lane
            order by m.sequence limit v_run for update skip locked
        ) r;
      -- A statement of its own: it sees what was committed before the locks were had.
      return query
      with run as (
        select r.id, r.row_id from unnest(v_lanes) l(lane) cross join lateral (
          select m.id, m.ctid as row_id, m.sequence, bool_and(
              m.due <= v_now and m.lease_until <= v_now and m.sequence = any(v_locked)) over (order by m.sequence) as ready
            from es.outbox m where m.queue = p_queue and m.lane = l.lane
            order by m.sequence limit v_run
        ) r where r.ready order by l.lane, r.sequence limit v_keyed
      )
      update es.outbox m set token = v_token, owner = p_worker, lease_until = v_until
        where m.ctid = any(array(select run.row_id from run))
        returning m.*;
      get diagnostics v_count = row_count;
    end if;
    return query
    update es.outbox m set token = v_token, owner = p_worker, lease_until = v_until
      where m.ctid = any(array(
        select f.ctid from es.outbox f
          where f.queue = p_queue and f.lane is null and f.status <> 'parked' and f.due <= v_now and f.lease_until <= v_now
          order by f.due limit p_limit - v_count for update skip locked))
      returning m.*;
  end $$`,
  // The keys after one (and up to another) whose first message is due and that nobody else claims now, each looked up by
  // itself: a key with a long tail costs no more than one with a short.
  `create function es.outbox_lanes(p_queue text, p_after text, p_until text, p_limit int, p_now timestamptz)
  returns text[] language plpgsql ${keepsToIndexes} as $$
  begin
    return array(
      select h.lane from (
        with recursive head as (
          (select m.lane, m.due, m.lease_until, m.status from es.outbox m
            where m.queue = p_queue and m.lane > p_after order by m.lane, m.sequence limit 1)
          union all
          select n.* from head h cross join lateral (
            select m.lane, m.due, m.lease_until, m.status from es.outbox m
              where m.queue = p_queue and m.lane > h.lane order by m.lane, m.sequence limit 1) n
            where p_until is null or h.lane <= p_until
        )
        select head.lane from head
          where head.due <= p_now and head.lease_until <= p_now and head.status <> 'parked'
            and (p_until is null or head.lane <= p_until)
          limit p_limit
      ) h
      where pg_try_advisory_xact_lock(hashtextextended(p_queue || chr(31) || h.lane, 20260)));
  end $$`,
  // Each is looked up by itself, and locked: where a renewal has moved it to is where it is deleted.
  `create function es.outbox_complete(p_tenants text[], p_ids text[], p_tokens int8[])
  returns table (tenant text, id text, token bigint) language plpgsql ${keepsToIndexes} as $$
  #variable_conflict use_column
  begin
    return query
    delete from es.outbox m where m.ctid = any(array(
      select r.row_id from (select * from unnest(p_tenants, p_ids, p_tokens) u(tenant, id, token) order by 1, 2) h
        cross join lateral (
          select o.ctid as row_id from es.outbox o
            where o.tenant = h.tenant and o.id = h.id and o.token = h.token and o.owner is not null
            offset 0 for update
        ) r))
      returning m.tenant, m.id, m.token;
  end $$`
]
