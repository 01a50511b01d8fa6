/**
 * The migrations of the schema `es`, oldest first. One that was released is never edited: a change is a new one.
 */

/** Statements that run in one transaction, in order. */
export interface Migration {
  readonly id: number
  readonly name: string
  readonly statements: ReadonlyArray<string>
}

// Names and keys compare by their bytes: the order of every index is the same under each locale.
const tables: ReadonlyArray<string> = [
  // A cached block of numbers would be drawn before its owner holds the lock that the order of the log rests on.
  `create sequence es.position as bigint cache 1`,
  `create table es.stream (
    tenant text collate "C" not null,
    stream text collate "C" not null,
    version bigint not null,
    deleted boolean not null default false,
    truncate_before bigint not null default 1,
    meta jsonb not null default '{}',
    primary key (tenant, stream)
  ) with (fillfactor = 80)`,
  `create table es.event (
    position bigint not null,
    tenant text collate "C" not null,
    stream text collate "C" not null,
    version bigint not null,
    id uuid not null,
    type text collate "C" not null,
    schema_version int not null,
    data jsonb not null,
    meta jsonb not null,
    tags text[] collate "C" not null default '{}',
    at timestamptz not null default clock_timestamp(),
    primary key (tenant, stream, version),
    unique (position)
  )`,
  `create index event_tenant_position on es.event (tenant, position)`,
  // The part of a stream's name before the first dash.
  `create index event_tenant_category on es.event (tenant, (split_part(stream, '-', 1)), position)`,
  `create table es.high_water (
    id smallint primary key check (id = 1),
    position bigint not null,
    at timestamptz not null,
    owner text collate "C",
    term bigint not null,
    lease_until timestamptz not null
  ) with (fillfactor = 10)`,
  `insert into es.high_water values (1, 0, clock_timestamp(), null, 0, clock_timestamp())`,
  `create table es.checkpoint (
    name text collate "C" primary key,
    position bigint not null,
    at timestamptz not null default clock_timestamp()
  ) with (fillfactor = 50)`,
  `create table es.document (
    tenant text collate "C" not null,
    collection text collate "C" not null,
    id text collate "C" not null,
    data jsonb not null,
    primary key (tenant, collection, id)
  )`
]

/**
 * Expected versions travel as numbers: -1 any, 0 none, -2 exists, otherwise exact.
 *
 * In each of these the row of the stream is locked by a statement of its own before the insert into `es.event` begins, and
 * positions are drawn inside that insert only: whoever has drawn a position holds the lock of that insert since before.
 */
const appending: ReadonlyArray<string> = [
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

/**
 * What the high-water agent calls. An epoch names one run of one server: transaction names repeat after a restart, and
 * nothing that was seen under one epoch says anything under another.
 */
const highWater: ReadonlyArray<string> = [
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

/** All migrations, numbered from 1 without holes. */
export const migrations: ReadonlyArray<Migration> = [
  { id: 1, name: "tables", statements: tables },
  { id: 2, name: "appending", statements: appending },
  { id: 3, name: "high_water", statements: highWater }
]
