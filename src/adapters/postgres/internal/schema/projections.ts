/**
 * Which version of each projection is read, and under which names the contents of collections are kept.
 */

export const projections: ReadonlyArray<string> = [
  `create table es.projection (
    name text collate "C" primary key,
    state jsonb
  ) with (fillfactor = 50)`,
  // Only collections whose contents were exchanged have a row.
  `create table es.collection (
    name text collate "C" primary key,
    kept_as text collate "C" not null
  )`
]
