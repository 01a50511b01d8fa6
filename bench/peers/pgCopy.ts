/**
 * The same import by hand: `COPY` into our own tables, in one transaction for each ten thousand events, with positions that are
 * counted here and cost nothing.
 */
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import pg from "pg"
import { from as copyFrom } from "pg-copy-streams"
import { type Contender, perSecond } from "../harness.ts"
import * as Tables from "../tables.ts"
import * as Task from "../task.ts"

const copyText =
  "copy es.event (position, tenant, stream, version, id, type, schema_version, data, meta, tags, at) from stdin"

const streamsText = `insert into es.stream (tenant, stream, version)
select 'default', u.stream, u.version from unnest($1::text[], $2::int8[]) u (stream, version)`

export const copy: Contender = async ({ database }) => {
  await Tables.create(database)
  const client = new pg.Client({ connectionString: database })
  await client.connect()
  let round = 0
  let position = 0
  return perSecond(async (times) => {
    for (let n = 0; n < times; n++) {
      const versions = new Map<string, number>()
      const lines = Task.imported(round++).map((event) => {
        versions.set(event.stream, event.version)
        return `${[
          ++position,
          event.tenant,
          event.stream,
          event.version,
          event.id,
          event.type,
          event.schemaVersion,
          JSON.stringify(event.data),
          JSON.stringify(event.metadata),
          "{}",
          new Date(event.recordedAt).toISOString()
        ].join("\t")}\n`
      })
      await client.query("begin")
      await client.query(streamsText, [[...versions.keys()], [...versions.values()]])
      await pipeline(Readable.from([lines.join("")]), client.query(copyFrom(copyText)))
      await client.query("commit")
    }
  }, Task.imports)
}
