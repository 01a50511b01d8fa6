import { expect, layer } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import * as TenantId from "../../../src/domain/TenantId.ts"
import { FlowStore } from "../../../src/ports/FlowStore.ts"
import { Inbox } from "../../../src/ports/Inbox.ts"
import { freshStore } from "./support.ts"

const tenant = TenantId.make("acme")

const parts = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly name: string }>`select c.relname as name from pg_inherits i
    join pg_class c on c.oid = i.inhrelid where i.inhparent = 'es.inbox'::regclass order by 1`
  return rows.map(({ name }) => name)
})

layer(freshStore, { excludeTestServices: true })("an inbox in parts of a day", (it) => {
  it.effect("drops whole days that are old, keeps the others, and makes those to come", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const inbox = yield* Inbox
      expect((yield* parts).length).toBe(4)
      // As if it had run for a while: one day in a part of its own, two in the part for all else.
      yield* sql`create table es.inbox_20200101 partition of es.inbox for values from ('2020-01-01') to ('2020-01-02')`
      for (const day of ["2020-01-01", "2020-01-02"]) {
        yield* sql`insert into es.inbox (tenant, consumer, id, day) values ('acme', 'c', ${day}, ${day}::date)`
      }
      yield* sql`insert into es.inbox (tenant, consumer, id, day)
        values ('acme', 'c', 'recent', (now() at time zone 'UTC')::date - 3)`
      expect(yield* inbox.take(tenant, "c", "today")).toBe(true)
      expect(yield* inbox.take(tenant, "c", "2020-01-01")).toBe(false)

      yield* inbox.purge(Duration.days(8))
      expect((yield* parts).filter((name) => name.endsWith("20200101"))).toEqual([])
      expect(yield* inbox.take(tenant, "c", "2020-01-02")).toBe(true)
      expect(yield* inbox.take(tenant, "c", "recent")).toBe(false)
      expect(yield* inbox.take(tenant, "c", "today")).toBe(false)
    })
  )

  it.effect("goes on when the part of a day is missing, and when it cannot be made", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const inbox = yield* Inbox
      for (const name of yield* parts) {
        if (!name.endsWith("_other")) yield* sql`drop table es.${sql(name)}`
      }
      expect(yield* inbox.take(tenant, "c", "elsewhere")).toBe(true)
      yield* inbox.purge(Duration.days(8))
      // Today's rows are in the part for all else, so today has no part of its own; the days to come have theirs.
      expect((yield* parts).length).toBe(3)
      expect(yield* inbox.take(tenant, "c", "elsewhere")).toBe(false)
      yield* Effect.all(
        [1, 2, 3, 4].map(() => inbox.purge(Duration.days(8))),
        { concurrency: "unbounded" }
      )
      expect((yield* parts).length).toBe(3)
    })
  )
})

layer(freshStore, { excludeTestServices: true })("flows in parts of a day", (it) => {
  it.effect("merge what was said of a step on several days, and drop the days that are old", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const flows = yield* FlowStore
      for (const [day, attempts, outcome] of [
        ["2020-01-01", 3, "Failed"],
        ["2020-01-02", 4, "Refused"],
        ["2020-01-03", 4, "Succeeded"],
        ["2020-01-04", 2, "Succeeded"]
      ] as const) {
        yield* sql`insert into es.flow_step (tenant, correlation_id, id, kind, name, at, day, outcome, millis, attempts)
          values ('default', 'r', 'e/mails', 'handler', 'mails', 1, ${day}::date, ${outcome}, 1, ${attempts})`
      }
      const outcome = Effect.map(flows.read("r", { limit: 1 }), ({ steps, truncated }) => [
        steps[0]?.outcome,
        truncated
      ])
      expect(yield* outcome).toEqual([{ _tag: "Succeeded", millis: 1, attempts: 4 }, false])
      yield* flows.record([
        { tenant, correlationId: "r", step: { id: "today", kind: "event", name: "n", at: 1 } },
        { tenant: TenantId.make("default"), correlationId: "r", step: { id: "today", kind: "event", name: "n", at: 1 } }
      ])
      yield* flows.purge(Duration.days(8))
      expect((yield* flows.read("r")).steps.map(({ id }) => id)).toEqual(["today"])
    })
  )
})
