/**
 * The function that imports.
 */
export const importing: ReadonlyArray<string> = [
  // How many events of a source were imported, for a tenant or, with '', for all.
  `create table es.import (
    scope text collate "C" not null,
    name text collate "C" not null,
    imported bigint not null,
    at timestamptz not null default clock_timestamp(),
    primary key (scope, name)
  ) with (fillfactor = 50)`,
  // One batch, whole or not at all. Streams come each once, with the number of its first event
  // in the batch; events in their order. Outcomes: nothing when all is written, otherwise why not: that the import is
  // elsewhere (no stream), or each stream that does not fit.
  `create function es.import_batch(
    p_scope text, p_name text, p_from bigint, p_stream_tenants text[], p_streams text[], p_firsts bigint[],
    p_lasts bigint[], p_rows int[], p_tenants text[], p_names text[], p_versions bigint[], p_ids text[], p_types text[],
    p_schema_versions int[], p_data text[], p_meta text[], p_tags text[], p_at bigint[]
  ) returns table (stream text, "row" int, actual bigint, closed boolean) language plpgsql as $$
  #variable_conflict use_column
  declare
    n constant int := cardinality(p_ids);
    moved boolean;
    there int;
    written int;
  begin
    begin
      if p_from = 0 then
        insert into es.import as i (scope, name, imported) values (p_scope, p_name, n)
        on conflict (scope, name) do update set imported = n, at = clock_timestamp() where i.imported = 0;
      else
        update es.import i set imported = i.imported + n, at = clock_timestamp()
          where i.scope = p_scope and i.name = p_name and i.imported = p_from;
      end if;
      moved := found;
      if not moved then
        raise exception using errcode = 'ES001';
      end if;
      -- A decision that is about to be written does not know these events: one of the two waits. In one order, like all.
      perform es.claim(g.tenant, g.tags, null) from (
        select e.tenant, array_agg(e.tags) as tags from unnest(p_tenants, p_tags) e (tenant, tags)
        group by e.tenant order by e.tenant collate "C"
      ) g;
      -- The rows of the streams first, in the order of their names; es.event after them.
      perform from es.stream s
        join unnest(p_stream_tenants, p_streams) g (tenant, stream) on s.tenant = g.tenant and s.stream = g.stream
        order by s.tenant, s.stream for update of s;
      get diagnostics there = row_count;
      update es.stream s set version = g.last
        from unnest(p_stream_tenants, p_streams, p_firsts, p_lasts) g (tenant, stream, first, last)
        where s.tenant = g.tenant and s.stream = g.stream and not s.deleted and s.version < g.first;
      get diagnostics written = row_count;
      if written = there and there < cardinality(p_streams) then
        insert into es.stream (tenant, stream, version)
          select g.tenant, g.stream, g.last
          from unnest(p_stream_tenants, p_streams, p_lasts) g (tenant, stream, last)
          where not exists (select from es.stream s where s.tenant = g.tenant and s.stream = g.stream)
          order by g.tenant collate "C", g.stream collate "C"
        on conflict (tenant, stream) do nothing;
        get diagnostics there = row_count;
        written := written + there;
      end if;
      if written < cardinality(p_streams) then
        raise exception using errcode = 'ES001';
      end if;
    exception when sqlstate 'ES001' then
      if not moved then
        return query select null::text, null::int,
          coalesce((select i.imported from es.import i where i.scope = p_scope and i.name = p_name), 0), false;
        return;
      end if;
      return query
      select s.stream, g.row, s.version, s.deleted
        from unnest(p_stream_tenants, p_streams, p_firsts, p_rows) g (tenant, stream, first, "row")
        join es.stream s on s.tenant = g.tenant and s.stream = g.stream
        where s.deleted or s.version >= g.first;
      if not found then
        -- Somebody began a stream in between that is not in the way: the same call finds it.
        raise exception 'a stream came to be' using errcode = '40001';
      end if;
      return;
    end;
    insert into es.event (position, tenant, stream, version, id, type, schema_version, data, meta, tags, at)
    select nextval('es.position'), e.tenant, e.stream, e.version, e.id::uuid, e.type, e.schema_version, e.data::jsonb,
      e.meta::jsonb, e.tags::text[], timestamptz 'epoch' + e.at / 1000 * interval '1 second' + e.at % 1000 * interval '1 millisecond'
    from (
      select * from unnest(p_tenants, p_names, p_versions, p_ids, p_types, p_schema_versions, p_data, p_meta, p_tags, p_at)
        with ordinality e (tenant, stream, version, id, type, schema_version, data, meta, tags, at, o)
      order by e.o
    ) e;
  end $$`
]
