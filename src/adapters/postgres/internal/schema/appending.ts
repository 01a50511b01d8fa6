/**
 * The functions that append to one stream, and that end one.
 *
 * Expected versions travel as numbers: -1 any, 0 none, -2 exists, otherwise exact.
 *
 * Whoever appends locks in this order: the tenant's key and those of tags (`es.claim`), the rows of streams, each by a
 * statement of its own, and then `es.event` by the insert. Positions are drawn inside that insert only: whoever has drawn one
 * holds the lock of that insert since before.
 */
export const appending: ReadonlyArray<string> = [
  // Refused, it changes nothing and answers with how the stream stands, read after the wait for its row. An append that
  // names itself is written once: asked again, it answers as it did, whatever has happened since.
  `create function es.append(
    p_tenant text, p_stream text, p_expected bigint, p_ids text[], p_types text[], p_schema_versions int[],
    p_data text[], p_meta text[], p_tags text[], p_key text default null,
    p_after bigint default null, p_except text default null, p_item_types text[] default null,
    p_item_tags text[] default null,
    out written boolean, out version bigint, out last_position bigint, out deleted boolean, out failed bigint,
    out repeated boolean
  ) language plpgsql as $$
  #variable_conflict use_column
  declare
    n constant int := cardinality(p_ids);
    known_version bigint;
  begin
    -- As one expression: a statement would cost several times as much.
    if p_item_tags is null and '{}' = all (p_tags) then
      if pg_advisory_xact_lock_shared(hashtextextended(p_tenant, 1)) is null then return; end if;
    else
      perform es.claim(p_tenant, p_tags, p_item_tags);
      for i in 1 .. coalesce(cardinality(p_item_tags), 0) loop
        failed := least(failed, es.first_match(
          p_tenant, p_after, p_except::bigint[], nullif(p_item_types[i], '')::text[], p_item_tags[i]::text[]));
      end loop;
    end if;
    if failed is not null then
      null;
    elsif p_expected in (-1, 0) then
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
    repeated := false;
    if p_key is not null then
      -- After the wait for the stream: who was before us with the same name is seen.
      select d.version, d.position into known_version, last_position from es.appended d
        where d.tenant = p_tenant and d.stream = p_stream and d.id = p_key;
      if known_version is not null then
        if written then
          update es.stream s set version = s.version - n where s.tenant = p_tenant and s.stream = p_stream;
        end if;
        written := true;
        version := known_version;
        failed := null;
        repeated := true;
        return;
      end if;
    end if;
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
    if written and p_key is not null then
      insert into es.appended (tenant, stream, id, version, position, count)
      values (p_tenant, p_stream, p_key, version, last_position, n);
    end if;
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
