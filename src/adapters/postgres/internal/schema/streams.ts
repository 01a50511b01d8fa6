/**
 * What is known of streams beside their events: metadata, retention, archive, and events that readers pass over.
 */
import { retired } from "../hiding.ts"

export const streams: ReadonlyArray<string> = [
  // The metadata of a name, whether there is a stream or not. A table of its own: setting it waits for no append, and
  // readers of the log look only at the rows that hide something.
  `create table es.stream_metadata (
    tenant text collate "C" not null,
    stream text collate "C" not null,
    version bigint not null default 0,
    data jsonb,
    truncate_before bigint,
    max_count bigint,
    max_age bigint,
    archived_at timestamptz,
    retains boolean not null
      generated always as (truncate_before is not null or max_count is not null or max_age is not null) stored,
    hides boolean not null generated always as (truncate_before is not null or max_count is not null
      or max_age is not null or archived_at is not null) stored,
    primary key (tenant, stream)
  )`,
  `create index stream_metadata_hides on es.stream_metadata (tenant, stream) where hides`,
  `create table es.skipped_event (
    tenant text collate "C" not null,
    stream text collate "C" not null,
    version bigint not null,
    reason text not null,
    actor jsonb,
    at timestamptz not null default clock_timestamp(),
    primary key (tenant, stream, version)
  )`,
  `alter table es.stream drop column truncate_before, drop column meta`,
  `create function es.set_metadata(
    p_tenant text, p_stream text, p_expected bigint, p_data jsonb, p_max_age bigint, p_max_count bigint,
    p_truncate_before bigint, out written boolean, out version bigint
  ) language plpgsql as $$
  #variable_conflict use_column
  begin
    if p_expected in (-1, 0) then
      insert into es.stream_metadata as m (tenant, stream, version, data, max_age, max_count, truncate_before)
      values (p_tenant, p_stream, 1, p_data, p_max_age, p_max_count, p_truncate_before)
      on conflict (tenant, stream) do update set version = m.version + 1, data = p_data, max_age = p_max_age,
          max_count = p_max_count, truncate_before = p_truncate_before
        where p_expected = -1 or m.version = 0
      returning m.version into version;
    else
      update es.stream_metadata m set version = m.version + 1, data = p_data, max_age = p_max_age,
          max_count = p_max_count, truncate_before = p_truncate_before
        where m.tenant = p_tenant and m.stream = p_stream
          and case p_expected when -2 then m.version > 0 else m.version = p_expected end
      returning m.version into version;
    end if;
    written := version is not null;
    if not written then
      select m.version into version from es.stream_metadata m where m.tenant = p_tenant and m.stream = p_stream;
      version := coalesce(version, 0);
    end if;
  end $$`,
  // An archived stream is closed like a tombstoned one, for all that append; what tells them apart is its metadata.
  `create function es.archive(
    p_tenant text, p_stream text, p_expected bigint, out written boolean, out version bigint, out deleted boolean
  ) language plpgsql as $$
  #variable_conflict use_column
  declare
    archived boolean;
  begin
    select s.version, s.deleted into version, deleted from es.stream s
      where s.tenant = p_tenant and s.stream = p_stream for update;
    version := coalesce(version, 0);
    archived := exists (select from es.stream_metadata m
      where m.tenant = p_tenant and m.stream = p_stream and m.archived_at is not null);
    deleted := coalesce(deleted, false) and not archived;
    written := not deleted and version > 0 and (p_expected = -2 or version = p_expected);
    if written and not archived then
      update es.stream s set deleted = true where s.tenant = p_tenant and s.stream = p_stream;
      insert into es.stream_metadata as m (tenant, stream, archived_at) values (p_tenant, p_stream, clock_timestamp())
      on conflict (tenant, stream) do update set archived_at = excluded.archived_at;
    end if;
  end $$`,
  `create function es.restore(p_tenant text, p_stream text) returns void language plpgsql as $$
  begin
    perform from es.stream s where s.tenant = p_tenant and s.stream = p_stream for update;
    update es.stream_metadata m set archived_at = null
      where m.tenant = p_tenant and m.stream = p_stream and m.archived_at is not null;
    if found then
      update es.stream s set deleted = false where s.tenant = p_tenant and s.stream = p_stream;
    end if;
  end $$`,
  // Removes events that retention hides, oldest first. All that may wait or take long comes before the delete: only that
  // locks es.event, and holds the mark until the end of the transaction. The rules cannot change before that.
  `create function es.scavenge(p_tenant text, p_stream text, p_limit int) returns int language plpgsql as $$
  declare
    versions bigint[];
    removed int;
  begin
    perform from es.stream_metadata h where h.tenant = p_tenant and h.stream = p_stream and h.hides for share;
    select array_agg(d.version) into versions from (
      select e.version
      from es.stream_metadata h
      join es.stream s on s.tenant = h.tenant and s.stream = h.stream
      join es.event e on e.tenant = s.tenant and e.stream = s.stream
      where h.tenant = p_tenant and h.stream = p_stream and h.hides and ${retired}
      order by e.version limit p_limit
    ) d;
    if versions is null then
      return 0;
    end if;
    delete from es.skipped_event k where k.tenant = p_tenant and k.stream = p_stream and k.version = any (versions);
    delete from es.event e where e.tenant = p_tenant and e.stream = p_stream and e.version = any (versions);
    get diagnostics removed = row_count;
    return removed;
  end $$`
]
