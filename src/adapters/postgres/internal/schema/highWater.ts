/**
 * The functions that move the mark.
 */

/**
 * What the high-water agent calls. An epoch names one run of one server: transaction names repeat after a restart, and
 * nothing that was seen under one epoch says anything under another.
 */
export const highWater: ReadonlyArray<string> = [
  // A server that recovers from the crash of one of its processes keeps its start time, and resets its statistics.
  `create function es.epoch() returns text language sql stable as $$
    select extract(epoch from pg_postmaster_start_time())::text
      || ' ' || coalesce(extract(epoch from (select b.stats_reset from pg_stat_bgwriter b))::text, '')
  $$`,
  // Takes or keeps the lease. A lease that has more than half of its time left is kept without a write.
  `create function es.lead(p_owner text, p_millis int, out leads boolean, out term bigint, out mark bigint)
  language plpgsql as $$
  #variable_conflict use_column
  declare
    kept boolean;
    free boolean;
  begin
    select h.owner = p_owner and h.lease_until > clock_timestamp() + p_millis * interval '0.5 milliseconds',
        h.owner is null or h.owner = p_owner or h.lease_until <= clock_timestamp(), h.term, h.position
      into kept, free, term, mark from es.high_water h where h.id = 1;
    leads := coalesce(kept, false);
    if not leads and free then
      -- Whatever this loses in a crash, the next agent works out again.
      perform set_config('synchronous_commit', 'off', true);
      update es.high_water h
        set owner = p_owner, term = case when h.owner = p_owner then h.term else h.term + 1 end,
          lease_until = clock_timestamp() + p_millis * interval '1 millisecond'
        where h.id = 1 and (h.owner is null or h.owner = p_owner or h.lease_until <= clock_timestamp())
        returning h.term, h.position into term, mark;
      leads := found;
    end if;
  end $$`,
  `create function es.resign(p_owner text) returns void language plpgsql as $$
  begin
    perform set_config('synchronous_commit', 'off', true);
    update es.high_water h set owner = null, lease_until = clock_timestamp() where h.id = 1 and h.owner = p_owner;
  end $$`,
  // Moves the mark, never back, and only for who knows the term of today and the epoch of the server.
  `create function es.advance(
    p_term bigint, p_epoch text, p_position bigint, p_notify boolean,
    out moved boolean, out term bigint, out mark bigint
  ) language plpgsql as $$
  #variable_conflict use_column
  begin
    -- Flushed before anybody reads it, and with it all that was drawn below: after a crash the sequence cannot give a
    -- position again that a reader has passed.
    perform set_config('synchronous_commit', 'local', true);
    update es.high_water h set position = p_position, at = clock_timestamp()
      where h.id = 1 and h.term = p_term and h.position < p_position and p_epoch = es.epoch()
        and p_position <= coalesce(pg_sequence_last_value('es.position'::regclass), 0)
      returning h.term, h.position into term, mark;
    moved := found;
    if not moved then
      select h.term, h.position into term, mark from es.high_water h where h.id = 1;
    end if;
    if p_notify then
      perform pg_notify('es_high_water', mark::text);
    end if;
  end $$`,
  // The last position drawn, read under the lock of its page: a plain select can see what nextval has there for a moment,
  // which is 32 too high. And then, by a later statement, the transactions that may still write what was drawn. A
  // transaction that has ended is visible before its locks go, and shows without a local number until they do. Nobody is
  // looked for when nothing was drawn since, unless told to; and when nobody is found, all is settled.
  `create function es.look(
    p_term bigint, p_epoch text, p_after bigint, p_always boolean, p_notify boolean,
    out epoch text, out last bigint, out holders text[], out term bigint, out mark bigint
  ) language plpgsql as $$
  begin
    epoch := es.epoch();
    last := coalesce(pg_sequence_last_value('es.position'::regclass), 0);
    if p_always or last <> p_after or epoch <> p_epoch then
      select coalesce(array_agg(l.virtualtransaction || ' ' || coalesce(l.pid::text, 'prepared')), '{}') into holders
        from pg_locks l
        where l.locktype = 'relation' and l.granted and l.mode = 'RowExclusiveLock'
          and l.database = (select d.oid from pg_database d where d.datname = current_database())
          and l.relation = 'es.event'::regclass
          and l.virtualtransaction not like '%/0';
      if cardinality(holders) = 0 then
        select a.term, a.mark into term, mark from es.advance(p_term, epoch, last, p_notify) a;
      end if;
    end if;
  end $$`
]
