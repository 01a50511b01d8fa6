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
