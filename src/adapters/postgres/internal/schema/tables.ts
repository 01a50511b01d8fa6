/**
 * The tables that all else stands on.
 */

// Names and keys compare by their bytes: the order of every index is the same under each locale.
export const tables: ReadonlyArray<string> = [
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
  // Which events carry a tag, in the order of the log. Kept by triggers: whatever writes or deletes an event, they agree.
  `create table es.event_tag (
    tenant text collate "C" not null,
    tag text collate "C" not null,
    position bigint not null,
    type text collate "C" not null,
    primary key (tenant, tag, position) include (type)
  )`,
  `create function es.keep_tags() returns trigger language plpgsql as $$
  begin
    if tg_op = 'DELETE' then
      delete from es.event_tag t where t.tenant = old.tenant and t.tag = any (old.tags) and t.position = old.position;
    else
      insert into es.event_tag (tenant, tag, position, type)
        select distinct new.tenant, t.tag, new.position, new.type from unnest(new.tags) t (tag);
    end if;
    return null;
  end $$`,
  `create trigger keep_new_tags after insert on es.event for each row when (new.tags <> '{}')
    execute function es.keep_tags()`,
  `create trigger keep_old_tags after delete on es.event for each row when (old.tags <> '{}')
    execute function es.keep_tags()`,
  // What became of an append that named itself, for whoever asks again.
  `create table es.appended (
    tenant text collate "C" not null,
    stream text collate "C" not null,
    id text collate "C" not null,
    version bigint not null,
    position bigint not null,
    count int not null,
    at timestamptz not null default clock_timestamp(),
    primary key (tenant, stream, id)
  )`,
  `create index appended_at on es.appended using brin (at)`,
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
