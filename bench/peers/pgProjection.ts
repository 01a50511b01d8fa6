/**
 * A projection by hand: a page of events, one statement for its rows, and the checkpoint, in one transaction of `pg`.
 */
import pg from "pg"
import { type Contender, perSecondOf } from "../harness.ts"
import * as Tables from "../tables.ts"
import * as Task from "../task.ts"

export const tableText = "create table if not exists task_list (id text primary key, title text not null)"

export const insertText = `insert into task_list select * from unnest($1::text[], $2::text[])
on conflict (id) do update set title = excluded.title`

const pageText = `select e.position::float8 as position, e.version::float8 as version, e.id, e.type, e.schema_version, e.data, e.meta, e.tags, e.at, e.stream
from es.event e
where e.type = any($3) and e.position > $1 and e.position <= (select position from es.high_water where id = 1)
order by e.position limit $2`

interface Row {
  readonly position: number
  readonly data: { readonly taskId: string; readonly title: string }
}

export const project =
  (events: number, batch: number, read: (data: unknown) => unknown = (data) => data): Contender =>
  async ({ database }) => {
    await Tables.create(database)
    await Tables.fill(database, { events, perStream: 100 })
    const client = new pg.Client({ connectionString: database })
    // Its database is dropped while it is connected.
    client.on("error", () => {})
    await client.connect()
    await client.query(tableText)
    await client.query("create table checkpoint (name text primary key, position bigint not null)")
    return perSecondOf(events, async (times) => {
      await client.query("truncate task_list, checkpoint")
      await client.query("insert into checkpoint values ('task-list', 0)")
      let position = 0
      let done = 0
      while (done < times) {
        const page = { name: "page", text: pageText, values: [position, batch, ["TaskCreated"]] }
        const { rows } = await client.query<Row>(page)
        for (const { data } of rows) read(data)
        const last = rows.at(-1)?.position ?? position
        await client.query("begin")
        const values = [rows.map(({ data }) => data.taskId), rows.map(({ data }) => data.title)]
        await client.query({ name: "insert", text: insertText, values })
        const moved = await client.query({
          name: "move",
          text: "update checkpoint set position = $2 where name = 'task-list' and position = $1",
          values: [position, last]
        })
        if (moved.rowCount !== 1) throw new Error("Somebody else has moved the checkpoint")
        await client.query("commit")
        position = last
        done += rows.length
      }
    })
  }

export const projectDecoded = (events: number, batch: number): Contender => project(events, batch, Task.decodeObject)
