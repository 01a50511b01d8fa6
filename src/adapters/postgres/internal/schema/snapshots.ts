/**
 * The table of snapshots.
 */

export const snapshots: ReadonlyArray<string> = [
  // `json` keeps the text as it was written: any escape, any number, without the work of taking it apart.
  `create table es.snapshot (
    tenant text collate "C" not null,
    stream text collate "C" not null,
    version bigint not null,
    event uuid not null,
    schema text collate "C" not null,
    taken_at timestamptz not null,
    state json not null,
    primary key (tenant, stream)
  ) with (fillfactor = 70)`
]
