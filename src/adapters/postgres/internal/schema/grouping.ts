/**
 * The functions that append to several streams, and only while nothing else has happened.
 */
export const grouping: ReadonlyArray<string> = [
  // What keeps a condition true until its append is there: exclusive keys of the tags it asks for, against the shared keys
  // of the tags that others write. One tag of a criterion is enough, since an event that fits carries all of them. A
  // criterion without tags can be met by any append, so it takes the tenant's key, which all others share; so does who would
  // need too many keys. In one order, so that two who append cannot deadlock.
  `create function es.claim(p_tenant text, p_tags text[], p_item_tags text[]) returns void language plpgsql as $$
  declare
    tenant_key constant bigint := hashtextextended(p_tenant, 1);
    keys bigint[];
    modes boolean[];
  begin
    -- A snapshot that is older than the keys cannot tell what was committed before they were ours.
    if p_item_tags is not null and current_setting('transaction_isolation') not in ('read committed', 'read uncommitted')
    then
      raise exception using errcode = 'ES002';
    end if;
    select array_agg(k.key order by k.key), array_agg(k.exclusive order by k.key) into keys, modes from (
      select hashtextextended(w.tag, hashtextextended(p_tenant, 2)) as key, bool_or(w.exclusive) as exclusive
      from (
        select unnest(t.tags::text[]), false from unnest(p_tags) t (tags) where t.tags <> '{}'
        union all
        select (i.tags::text[])[1], true from unnest(p_item_tags) i (tags) where i.tags <> '{}'
      ) w (tag, exclusive)
      group by 1
    ) k;
    if '{}' = any (p_item_tags) or cardinality(keys) > 64 then
      perform pg_advisory_xact_lock(tenant_key);
      return;
    end if;
    perform pg_advisory_xact_lock_shared(tenant_key);
    for i in 1 .. coalesce(cardinality(keys), 0) loop
      if modes[i] then
        perform pg_advisory_xact_lock(keys[i]);
      else
        perform pg_advisory_xact_lock_shared(keys[i]);
      end if;
    end loop;
  end $$`,
  // The first event after a position that a criterion fits, but for those excepted. The mark is no limit here: what is
  // committed counts.
  `create function es.first_match(
    p_tenant text, p_after bigint, p_except bigint[], p_types text[], p_tags text[]
  ) returns bigint language plpgsql set plan_cache_mode = force_generic_plan as $$
  begin
    if p_tags = '{}' then
      return (
        select e.position from es.event e
        where e.tenant = p_tenant and e.position > p_after and e.position <> all (p_except)
          and (p_types is null or e.type = any (p_types))
        order by e.position limit 1);
    end if;
    return (
      select t.position from es.event_tag t
      where t.tenant = p_tenant and t.tag = p_tags[1] and t.position > p_after and t.position <> all (p_except)
        and (p_types is null or t.type = any (p_types))
        and not exists (
          select from unnest(p_tags[2:]) x (tag) where not exists (
            select from es.event_tag o where o.tenant = p_tenant and o.tag = x.tag and o.position = t.position))
      order by t.position limit 1);
  end $$`,
  `create type es.outcome as (
    append int, written boolean, version bigint, last_position bigint, deleted boolean, failed bigint,
    repeated boolean
  )`,
  // Planning these statements anew for each call, as a server does that takes the plan for these very values to be better,
  // takes longer than running them.
  //
  // To several different streams, each append for itself. Event i is number p_numbers[i] of append p_owners[i], criterion i
  // belongs to the condition of append p_item_owners[i]; all count from 1. An outcome's "failed" is the event that a
  // condition did not expect. With patience, who waits longer than so many milliseconds for a lock fails all.
  `create function es.append_each(
    p_tenant text, p_streams text[], p_expected bigint[], p_counts int[], p_owners int[],
    p_numbers int[], p_ids text[], p_types text[], p_schema_versions int[], p_data text[], p_meta text[], p_tags text[],
    p_keys text[], p_after bigint[], p_except text[], p_item_owners int[], p_item_types text[], p_item_tags text[],
    p_patience int
  ) returns setof es.outcome language plpgsql set plan_cache_mode = force_generic_plan as $$
  #variable_conflict use_column
  declare
    versions bigint[];
    positions bigint[];
    failed bigint[];
    known int[] := '{}';
    o int;
    r record;
  begin
    if p_patience is not null then
      perform set_config('lock_timeout', p_patience::text, true);
    end if;
    if p_item_owners is null and '{}' = all (p_tags) then
      if pg_advisory_xact_lock_shared(hashtextextended(p_tenant, 1)) is null then return; end if;
    else
      perform es.claim(p_tenant, p_tags, p_item_tags);
    end if;
    if p_item_owners is not null then
      for i in 1 .. cardinality(p_item_owners) loop
        o := p_item_owners[i];
        failed[o] := least(failed[o], es.first_match(
          p_tenant, p_after[o], p_except[o]::bigint[], nullif(p_item_types[i], '')::text[], p_item_tags[i]::text[]));
      end loop;
    end if;
    -- Rows are locked in the order of their names, whatever the order of the appends: two groups cannot deadlock.
    with g as (
      select * from unnest(p_streams, p_expected, p_counts) with ordinality g (stream, expected, n, a)
    ),
    bumped as (
      insert into es.stream as s (tenant, stream, version)
      select p_tenant, g.stream, g.n from g
        where failed[g.a] is null and (g.expected in (-1, 0)
          or exists (select from es.stream x where x.tenant = p_tenant and x.stream = g.stream))
        order by g.stream collate "C"
      on conflict (tenant, stream) do update set version = s.version + excluded.version
        where not s.deleted and (
          select case g.expected when -1 then true when -2 then s.version > 0 else s.version = g.expected end
          from g where g.stream = excluded.stream)
      returning s.stream, s.version
    )
    select array_agg(b.version order by g.a) into versions from g left join bumped b on b.stream = g.stream;
    if p_keys is not null then
      -- After the wait for the streams: who was before us with the same name is seen, and goes before all else.
      for r in
        select g.a::int as a, d.version, d.position from unnest(p_streams, p_keys) with ordinality g (stream, key, a)
          join es.appended d on d.tenant = p_tenant and d.stream = g.stream and d.id = g.key
      loop
        if versions[r.a] is not null then
          update es.stream s set version = s.version - p_counts[r.a]
            where s.tenant = p_tenant and s.stream = p_streams[r.a];
          versions[r.a] := null;
        end if;
        known := known || r.a;
        return next (r.a, true, r.version, r.position, false, null, true)::es.outcome;
      end loop;
    end if;
    with inserted as (
      insert into es.event (position, tenant, stream, version, id, type, schema_version, data, meta, tags)
      select nextval('es.position'), p_tenant, p_streams[e.a], versions[e.a] - p_counts[e.a] + e.k, e.id::uuid, e.type,
        e.schema_version, e.data::jsonb, e.meta::jsonb, e.tags::text[]
      from (
        select * from unnest(p_owners, p_numbers, p_ids, p_types, p_schema_versions, p_data, p_meta, p_tags)
          with ordinality e (a, k, id, type, schema_version, data, meta, tags, o)
        where versions[e.a] is not null
        order by e.o
      ) e
      returning stream, position
    ),
    ended as (
      select i.stream, max(i.position) as position from inserted i group by i.stream
    )
    select array_agg(e.position order by g.a) into positions
      from unnest(p_streams) with ordinality g (stream, a) left join ended e on e.stream = g.stream;
    if p_keys is not null then
      insert into es.appended (tenant, stream, id, version, position, count)
        select p_tenant, g.stream, g.key, versions[g.a], positions[g.a], p_counts[g.a]
          from unnest(p_streams, p_keys) with ordinality g (stream, key, a)
          where versions[g.a] is not null and g.key is not null;
    end if;
    for i in 1 .. cardinality(p_streams) loop
      if versions[i] is not null then
        return next (i, true, versions[i], positions[i], false, null, false)::es.outcome;
      elsif i <> all (known) then
        select s.version, s.deleted into r from es.stream s where s.tenant = p_tenant and s.stream = p_streams[i];
        return next (i, false, coalesce(r.version, 0), null, coalesce(r.deleted, false), failed[i], false)
          ::es.outcome;
      end if;
    end loop;
  end $$`,
  // The same as one: one refusal undoes all, and only refusals are in the answer.
  `create function es.append_all(
    p_tenant text, p_streams text[], p_expected bigint[], p_counts int[], p_owners int[],
    p_numbers int[], p_ids text[], p_types text[], p_schema_versions int[], p_data text[], p_meta text[], p_tags text[],
    p_keys text[], p_after bigint[], p_except text[], p_item_owners int[], p_item_types text[], p_item_tags text[],
    p_patience int
  ) returns setof es.outcome language plpgsql as $$
  declare
    outcomes es.outcome[];
  begin
    begin
      outcomes := array(
        select e from es.append_each(p_tenant, p_streams, p_expected, p_counts, p_owners, p_numbers, p_ids, p_types,
          p_schema_versions, p_data, p_meta, p_tags, p_keys, p_after, p_except, p_item_owners, p_item_types, p_item_tags,
          p_patience) e);
      if exists (select from unnest(outcomes) e where not e.written) then
        raise exception using errcode = 'ES001';
      end if;
    exception when sqlstate 'ES001' then
      outcomes := array(select e from unnest(outcomes) e where not e.written);
    end;
    return query select * from unnest(outcomes);
  end $$`
]
