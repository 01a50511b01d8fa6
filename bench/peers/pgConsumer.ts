/**
 * The same by hand: one loop that reads a page, moves a checkpoint and commits. It has one owner for ever, parks nothing, and
 * would lose what commits late if it were not for the mark that ours keeps.
 */
import pg from "pg"
import { type Contender, perSecondOf } from "../harness.ts"
import * as Tables from "../tables.ts"
import * as Task from "../task.ts"

const pageText = `select e.position::float8 as position, e.version::float8 as version, e.id, e.type, e.schema_version, e.data, e.meta,
  e.tags, e.at, e.stream, e.tenant
from es.event e where e.position > $1 and e.type = any($3::text[])
  and e.position <= (select position from es.high_water where id = 1)
order by e.position limit $2`

interface Row {
  readonly position: number
  readonly data: unknown
}

export const catchUp: Contender = async ({ database }) => {
  await Tables.create(database)
  await Tables.fill(database, { events: Task.log, perStream: 100 })
  const client = new pg.Client({ connectionString: database })
  await client.connect()
  await client.query("create table progress (name text primary key, position bigint not null)")
  let round = 0
  return perSecondOf(Task.log, async (times) => {
    const name = `bench-${round++}`
    await client.query("insert into progress values ($1, 0)", [name])
    let position = 0
    let seen = 0
    while (seen < times) {
      const values = [position, Task.page, ["TaskCreated"]]
      const { rows } = await client.query<Row>({ name: "page", text: pageText, values })
      await client.query("begin")
      for (const { data } of rows) {
        Task.decodeObject(data)
        seen++
      }
      const next = rows.at(-1)?.position ?? position
      await client.query({
        name: "progress",
        text: "update progress set position = $2 where name = $1 and position = $3",
        values: [name, next, position]
      })
      await client.query("commit")
      position = next
    }
  })
}
