/**
 * Our own tables, and many events in them.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { PgMigrations } from "effect-cqrs/postgres"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { createHash } from "node:crypto"
import pg from "pg"

/** Creates the tables in an empty database. */
export const create = (database: string): Promise<void> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.asVoid(
        Layer.build(
          Layer.provide(PgMigrations.layer, PgClient.layer({ url: Redacted.make(database), maxConnections: 1 }))
        )
      )
    )
  )

export interface Log {
  /** How many there are to be, and how many of them are there already. */
  readonly events: number
  readonly after?: number | undefined
  /** How long streams become, and how many of them are written at the same time. */
  readonly perStream: number
  readonly side?: number | undefined
  /** Every so many events carry a tag, which ten events share; none when absent. */
  readonly tagged?: number | undefined
}

/** The name of a stream of the log, by its number. Names are in no order, as those made of random ids are. */
export const stream = (n: number): string => `Task-${createHash("md5").update(String(n)).digest("hex")}`

/** The tag of a tagged event of the log, by its number among those, from 0. */
export const tag = (n: number): string => `list:${Math.floor(n / 1000) * 100 + (n % 100)}`

// Streams grow side by side: the events of one lie as far apart as those of busy streams do. The streams' rows, the
// sequence and the mark end up as if each event had been appended.
const text = `with drawn as (
  select p, 'Task-' || md5((((p - 1) / (c.length * c.side)) * c.side + (p - 1) % c.side)::text) as stream,
    ((p - 1) / c.side) % c.length + 1 as version
  from generate_series($1::bigint, $2::bigint) p, (select $3::bigint as length, $4::bigint as side) c
),
streams as (
  insert into es.stream as s (tenant, stream, version)
  select 'default', d.stream, max(d.version) from drawn d group by d.stream
  on conflict (tenant, stream) do update set version = greatest(s.version, excluded.version)
)
insert into es.event (position, tenant, stream, version, id, type, schema_version, data, meta, tags)
select nextval('es.position'), 'default', d.stream, d.version, gen_random_uuid(), 'TaskCreated', 1,
  jsonb_build_object('taskId', 't-' || d.p, 'title', 'Write'),
  jsonb_build_object('correlationId', gen_random_uuid(), 'occurredAt', 1795000000000 + d.p),
  case when $5::bigint > 0 and d.p % $5 = 0
    then array['list:' || ((d.p / $5 - 1) / 1000) * 100 + (d.p / $5 - 1) % 100] else '{}' end
from drawn d order by d.p`

/**
 * Fills the log by large statements, in an otherwise quiet database: two at a time, each with whole streams, so that their
 * positions and versions go the same way. What is there already must be whole streams too.
 */
export const fill = async (database: string, log: Log): Promise<void> => {
  const { after, events, perStream, side = 100, tagged = 0 } = log
  const block = perStream * side
  const chunk = Math.ceil(50_000 / block) * block
  let first = (after ?? 0) + 1
  const work = async (client: pg.Client) => {
    while (first <= events) {
      const from = first
      first += chunk
      await client.query(text, [from, Math.min(events, from + chunk - 1), perStream, side, tagged])
    }
  }
  const clients = [1, 2].map(() => new pg.Client({ connectionString: database }))
  try {
    await Promise.all(clients.map((client) => client.connect()))
    await Promise.all(clients.map(work))
    for (const statement of settle) await clients[0]?.query(statement)
  } finally {
    await Promise.all(clients.map((client) => client.end()))
  }
}

const settle = [
  "update es.high_water set position = pg_sequence_last_value('es.position') where id = 1",
  "vacuum analyze es.event, es.event_tag, es.stream"
]
