/**
 * The leases of the outbox's messages, in columns that no index has: a claim writes a row in its place, and its index entries
 * stay as they are.
 */

export const leases: ReadonlyArray<string> = [
  // Until when the owner has it. The status stays what it was before, and so does when it was due.
  `alter table es.outbox add column lease_until timestamptz not null default '-infinity'`,
  // Room on each page for the second version of every row, which the claim writes.
  `alter table es.outbox set (fillfactor = 45)`,
  `update es.outbox set lease_until = due, due = least(due, clock_timestamp()),
    status = case when attempts > 0 then 'retrying' else 'pending' end where status = 'inFlight'`,
  `alter table es.outbox drop constraint outbox_status_check`,
  `alter table es.outbox add constraint outbox_status_check check (status in ('pending', 'retrying', 'parked'))`,
  `create or replace function es.outbox_claim(p_queue text, p_worker text, p_limit int, p_millis float8, p_from text)
  returns setof es.outbox language plpgsql as $$
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
  `create or replace function es.outbox_lanes(p_queue text, p_after text, p_until text, p_limit int, p_now timestamptz)
  returns text[] language plpgsql as $$
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
  end $$`
]
