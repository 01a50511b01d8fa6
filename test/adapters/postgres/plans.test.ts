import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import type { Statement } from "effect/sql/Statement"
import * as reading from "../../../src/adapters/postgres/internal/reading.ts"
import * as Position from "../../../src/domain/Position.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as TenantId from "../../../src/domain/TenantId.ts"
import { freshStore } from "./support.ts"

const events = 20_000
const perStream = 100
const tenant = TenantId.make("default")

/** A log in which streams of a hundred events lie side by side, and every tenth event has a tag that ten share. */
const fill = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`insert into es.stream (tenant, stream, version)
    select 'default', 'Task-' || n, ${perStream} from generate_series(0, ${events / perStream - 1}) n`
  yield* sql`insert into es.event (position, tenant, stream, version, id, type, schema_version, data, meta, tags)
    select nextval('es.position'), 'default', 'Task-' || (p - 1) % ${events / perStream},
      (p - 1) / ${events / perStream} + 1, gen_random_uuid(), 'Done', 1, '{}', '{}',
      case when p % 10 = 0 then array['list:' || p / 100] else '{}' end
    from generate_series(1, ${events}) p order by p`
  yield* sql`update es.high_water set position = ${events}`
  yield* sql`analyze`.unprepared
})

interface Node {
  readonly "Relation Name"?: string
  readonly "Actual Rows": number
  readonly "Actual Loops": number
  readonly "Rows Removed by Filter"?: number
  readonly "Rows Removed by Index Recheck"?: number
  readonly Plans?: ReadonlyArray<Node>
}

const Node: Schema.Codec<Node> = Schema.Struct({
  "Relation Name": Schema.optionalKey(Schema.String),
  "Actual Rows": Schema.Number,
  "Actual Loops": Schema.Number,
  "Rows Removed by Filter": Schema.optionalKey(Schema.Number),
  "Rows Removed by Index Recheck": Schema.optionalKey(Schema.Number),
  Plans: Schema.optionalKey(Schema.Array(Schema.suspend((): Schema.Codec<Node> => Node)))
})
const decode = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ Plan: Node })]))

/** How many rows of the log and of its tags a plan went through. */
const touched = (node: Node): number =>
  (node["Relation Name"] === "event" || node["Relation Name"] === "event_tag"
    ? (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0) + (node["Rows Removed by Index Recheck"] ?? 0)) *
      node["Actual Loops"]
    : 0) + (node.Plans ?? []).reduce((sum, child) => sum + touched(child), 0)

const rowsTouched = (make: (sql: SqlClient.SqlClient) => Statement<object>) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const [text, params] = make(sql).compile()
    const [row] = yield* sql.unsafe<{ readonly "QUERY PLAN": unknown }>(
      `explain (analyze, format json) ${text}`,
      params
    )
    const [{ Plan }] = yield* decode(row?.["QUERY PLAN"])
    return touched(Plan)
  })

const page = (options: Partial<Parameters<typeof reading.page>[2]>) =>
  rowsTouched((sql) => reading.page(sql, tenant, { after: Position.make(5000), limit: 500, ...options }))

const hide = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`insert into es.stream_metadata (tenant, stream, max_count) values ('default', 'Task-1', 10)`
  yield* sql`insert into es.skipped_event (tenant, stream, version, reason) values ('default', 'Task-2', 60, 'why not')`
})

layer(freshStore, { excludeTestServices: true })("in a log of many events", (it) => {
  it.effect("a page goes through no more of it than it shows", () =>
    Effect.gen(function* () {
      yield* fill
      expect(yield* page({})).toBe(500)
      expect(yield* page({ categories: ["Task"] })).toBe(500)
      expect(yield* page({ types: ["Done"] })).toBe(500)
      yield* hide
      expect(yield* page({})).toBeLessThan(520)
    })
  )

  it.effect("a stream goes through its own events", () =>
    Effect.gen(function* () {
      const stream = StreamName.make("Task", "7")
      expect(yield* rowsTouched((sql) => reading.stream(sql, tenant, stream, {}))).toBe(perStream)
    })
  )

  it.effect("what fits tags is found by them", () =>
    Effect.gen(function* () {
      const tagged = (tags: ReadonlyArray<string>) =>
        rowsTouched((sql) => reading.matching(sql, tenant, [{ tags }, { tags: ["list:7"], types: ["Done"] }], {}))
      expect(yield* tagged(["list:5"])).toBe(40)
      expect(yield* tagged(["list:5", "list:6"])).toBeLessThan(60)
    })
  )
})
