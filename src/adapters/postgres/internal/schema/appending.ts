/**
 * The functions that append.
 *
 * Expected versions travel as numbers: -1 any, 0 none, -2 exists, otherwise exact.
 *
 * In each of these the row of the stream is locked by a statement of its own before the insert into `es.event` begins, and
 * positions are drawn inside that insert only: whoever has drawn a position holds the lock of that insert since before.
 */
export const appending: ReadonlyArray<string> = [
  // For one stream. Refused, it changes nothing and answers with how the stream stands, read after the wait for its row.
  `create function es.append(
    p_tenant text, p_stream text, p_expected bigint, p_ids text[], p_types text[], p_schema_versions int[],
    p_data text[], p_meta text[], p_tags text[],
    out written boolean, out version bigint, out last_position bigint, out deleted boolean
  ) language plpgsql as $$
  #variable_conflict use_column
  declare
    n constant int := cardinality(p_ids);
  begin
    if p_expected in (-1, 0) then
      insert into es.stream as s (tenant, stream, version) values (p_tenant, p_stream, n)
      on conflict (tenant, stream) do update set version = s.version + n
        where not s.deleted and (p_expected = -1 or s.version = 0)
      returning s.version into version;
    else
      update es.stream s set version = s.version + n
        where s.tenant = p_tenant and s.stream = p_stream and not s.deleted
          and case p_expected when -2 then s.version > 0 else s.version = p_expected end
      returning s.version into version;
    end if;
    written := version is not null;
    deleted := false;
    if not written then
      select s.version, s.deleted into version, deleted from es.stream s
        where s.tenant = p_tenant and s.stream = p_stream;
      version := coalesce(version, 0);
      deleted := coalesce(deleted, false);
    elsif n = 1 then
      insert into es.event (position, tenant, stream, version, id, type, schema_version, data, meta, tags)
      values (nextval('es.position'), p_tenant, p_stream, version, p_ids[1]::uuid, p_types[1], p_schema_versions[1],
        p_data[1]::jsonb, p_meta[1]::jsonb, p_tags[1]::text[])
      returning position into last_position;
    else
      with inserted as (
        insert into es.event (position, tenant, stream, version, id, type, schema_version, data, meta, tags)
        select nextval('es.position'), p_tenant, p_stream, version - n + e.o, e.id::uuid, e.type, e.schema_version,
          e.data::jsonb, e.meta::jsonb, e.tags::text[]
        from (
          select * from unnest(p_ids, p_types, p_schema_versions, p_data, p_meta, p_tags)
            with ordinality e (id, type, schema_version, data, meta, tags, o)
          order by e.o
        ) e
        returning position
      )
      select max(i.position) into last_position from inserted i;
    end if;
  end $$`,
  // For several different streams. Atomic, one refusal undoes all, and only refusals are in the answer; otherwise each
  // stands for itself. Event i is number p_numbers[i] of append p_owners[i], both from 1.
  `create function es.append_all(
    p_atomic boolean, p_tenant text, p_streams text[], p_expected bigint[], p_counts int[], p_owners int[],
    p_numbers int[], p_ids text[], p_types text[], p_schema_versions int[], p_data text[], p_meta text[], p_tags text[]
  ) returns table (append int, written boolean, version bigint, last_position bigint, deleted boolean) language plpgsql as $$
  #variable_conflict use_column
  declare
    versions bigint[];
  begin
    begin
      -- Rows are locked in the order of their names, whatever the order of the appends: two groups cannot deadlock.
      with g as (
        select * from unnest(p_streams, p_expected, p_counts) with ordinality g (stream, expected, n, a)
      ),
      bumped as (
        insert into es.stream as s (tenant, stream, version)
        select p_tenant, g.stream, g.n from g
          where g.expected in (-1, 0)
            or exists (select from es.stream x where x.tenant = p_tenant and x.stream = g.stream)
          order by g.stream collate "C"
        on conflict (tenant, stream) do update set version = s.version + excluded.version
          where not s.deleted and (
            select case g.expected when -1 then true when -2 then s.version > 0 else s.version = g.expected end
            from g where g.stream = excluded.stream)
        returning s.stream, s.version
      )
      select array_agg(b.version order by g.a) into versions from g left join bumped b on b.stream = g.stream;
      if p_atomic and array_position(versions, null) is not null then
        raise exception using errcode = 'ES001';
      end if;
    exception when sqlstate 'ES001' then
      return query
      select g.a::int, false, coalesce(s.version, 0), null::bigint, coalesce(s.deleted, false)
        from unnest(p_streams) with ordinality g (stream, a)
        left join es.stream s on s.tenant = p_tenant and s.stream = g.stream
        where versions[g.a] is null
        order by g.a;
      return;
    end;
    return query
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
    )
    select g.a::int, true, versions[g.a], max(i.position), false
      from unnest(p_streams) with ordinality g (stream, a) join inserted i on i.stream = g.stream
      group by g.a;
    return query
    select g.a::int, false, coalesce(s.version, 0), null::bigint, coalesce(s.deleted, false)
      from unnest(p_streams) with ordinality g (stream, a)
      left join es.stream s on s.tenant = p_tenant and s.stream = g.stream
      where versions[g.a] is null;
  end $$`,
  `create function es.tombstone(
    p_tenant text, p_stream text, p_expected bigint, out written boolean, out version bigint, out deleted boolean
  ) language plpgsql as $$
  #variable_conflict use_column
  begin
    if p_expected in (-1, 0) then
      insert into es.stream as s (tenant, stream, version, deleted) values (p_tenant, p_stream, 0, true)
      on conflict (tenant, stream) do update set deleted = true
        where not s.deleted and (p_expected = -1 or s.version = 0)
      returning s.version into version;
    else
      update es.stream s set deleted = true
        where s.tenant = p_tenant and s.stream = p_stream and not s.deleted
          and case p_expected when -2 then s.version > 0 else s.version = p_expected end
      returning s.version into version;
    end if;
    written := version is not null;
    deleted := written;
    if not written then
      select s.version, s.deleted into version, deleted from es.stream s
        where s.tenant = p_tenant and s.stream = p_stream;
      version := coalesce(version, 0);
      deleted := coalesce(deleted, false);
    end if;
  end $$`
]
