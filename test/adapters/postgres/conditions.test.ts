import { expect, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as SqlClient from "effect/sql/SqlClient"
import * as PgEventStore from "../../../src/adapters/postgres/PgEventStore.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as UnitOfWork from "../../../src/ports/UnitOfWork.ts"
import { Tagged } from "../../../src/testing/internal/samples.ts"
import { databaseUrl } from "../../services/database.ts"
import { connect, freshStore, process } from "./support.ts"

const name = (id: string | number) => StreamName.make("Condition", String(id))
const tagged = (n: number, ...tags: ReadonlyArray<string>) => new Tagged({ n, tags })

const raw = (stream: string, tag: string) =>
  `select last_position::float8 as position from es.append('default', '${stream}', -1, array[gen_random_uuid()::text], '{LawTagged}', '{1}', '{"{}"}', '{"{}"}', '{"{${tag}}"}')`

it.live("a condition sees what commits late, below what it knows", () =>
  Effect.gen(function* () {
    const url = yield* databaseUrl
    const early = yield* connect(url)
    yield* Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const query = [{ types: ["LawTagged"], tags: ["late"] }]
      // Its position is drawn first, and it commits last.
      yield* early.query("begin")
      const first = yield* early.query(raw("Condition-early", "late"))
      const second = yield* store.append({ stream: name("2"), expected: "none", events: [tagged(2, "late")] })
      const { condition, events } = yield* store.readMatching(query)
      expect(events.map(({ position }) => position)).toEqual([second.position])
      expect(condition.after).toBeLessThan(second.position)
      expect(condition.except).toEqual([second.position])
      yield* early.query("commit")
      const append = { stream: name("3"), expected: "none" as const, events: [tagged(3, "late")], condition }
      const { reason } = yield* Effect.flip(store.append(append))
      expect(reason).toMatchObject({ _tag: "AppendConditionFailed", position: first.rows[0]?.["position"] })
      const again = yield* store.readMatching(query)
      expect(again.events).toHaveLength(2)
      yield* store.append({ ...append, condition: again.condition })
    }).pipe(Effect.provide(process(url)))
  })
)

it.live("a decision waits for an import that is not committed, and sees what it brought", () =>
  Effect.gen(function* () {
    const url = yield* databaseUrl
    const importing = yield* connect(url)
    yield* Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const { condition } = yield* store.readMatching([{ tags: ["imported"] }])
      yield* importing.query("begin")
      yield* importing.query(
        `select * from es.import_batch('', 'i', 0, '{default}', '{Condition-imported}', '{1}', '{1}', '{1}', '{default}', '{Condition-imported}', '{1}', array[gen_random_uuid()::text], '{LawTagged}', '{1}', '{"{}"}', '{"{}"}', '{"{imported}"}', '{0}')`
      )
      const append = { stream: name("decided"), expected: "none" as const, events: [tagged(1, "imported")], condition }
      const deciding = yield* Effect.forkChild(Effect.flip(store.append(append)))
      const waits = Effect.map(
        importing.query("select 1 from pg_locks where locktype = 'advisory' and not granted"),
        ({ rows }) => rows.length > 0
      )
      while (deciding.pollUnsafe() === undefined && !(yield* waits)) yield* Effect.yieldNow
      yield* importing.query("commit")
      expect((yield* Fiber.join(deciding)).reason._tag).toBe("AppendConditionFailed")
    }).pipe(Effect.provide(process(url)))
  })
)

it.live("a condition that cannot be kept fails nobody else of its group", () =>
  Effect.gen(function* () {
    const url = yield* databaseUrl
    const connection = yield* connect(url)
    const database = new URL(url).pathname.slice(1)
    yield* connection.query(`alter database ${database} set default_transaction_isolation = 'repeatable read'`)
    yield* Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const { condition } = yield* store.readMatching([{ tags: ["mixed"] }])
      const results = yield* Effect.forEach(
        Array.from({ length: 40 }, (_, n) => n),
        (n) =>
          Effect.result(
            store.append({
              stream: name(`mixed-${n}`),
              expected: "none",
              events: [tagged(n)],
              condition: n === 20 ? condition : undefined
            })
          ),
        { concurrency: "unbounded" }
      )
      for (const [n, result] of results.entries()) expect(result._tag, String(n)).toBe(n === 20 ? "Failure" : "Success")
    }).pipe(Effect.provide(process(url)))
  })
)

layer(freshStore, { excludeTestServices: true })("conditions", (it) => {
  it.effect("are refused in a transaction whose snapshot is older than what they look at", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const unit = yield* UnitOfWork.UnitOfWork
      const sql = yield* SqlClient.SqlClient
      const { condition } = yield* store.readMatching([{ tags: ["x"] }])
      const append = { stream: name("rr"), expected: "none" as const, events: [tagged(1, "x")], condition }
      for (const level of ["repeatable read", "serializable"]) {
        const refused = yield* Effect.flip(
          unit.transaction(Effect.andThen(sql.unsafe(`set transaction isolation level ${level}`), store.append(append)))
        )
        const reason = { _tag: "InvalidInput", stream: name("rr"), issues: [{ path: "condition" }] }
        expect(refused).toMatchObject({ reason })
        const beside = { stream: name("beside"), expected: "none" as const, events: [tagged(2)] }
        const together = yield* Effect.flip(
          unit.transaction(
            Effect.andThen(sql.unsafe(`set transaction isolation level ${level}`), store.appendAll([beside, append]))
          )
        )
        expect(together).toMatchObject({ reason })
        expect(yield* store.streamState(name("rr"))).toEqual({ version: 0, tombstoned: false })
      }
      yield* unit.transaction(store.append(append))
    })
  )

  it.effect("belong to the transaction they are checked in", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const unit = yield* UnitOfWork.UnitOfWork
      const query = [{ tags: ["own"] }]
      const before = yield* store.readMatching(query)
      const append = (id: string) => ({ stream: name(id), expected: "none" as const, events: [tagged(1, "own")] })
      yield* unit.transaction(
        Effect.gen(function* () {
          const mine = yield* store.append({ ...append("own-1"), condition: before.condition, id: "a" })
          const inside = yield* store.readMatching(query)
          expect(inside.events.map(({ position }) => position)).toEqual([mine.position])
          const late = yield* Effect.flip(store.append({ ...append("own-2"), condition: before.condition }))
          expect(late.reason._tag).toBe("AppendConditionFailed")
          yield* store.append({ ...append("own-2"), condition: inside.condition })
        })
      )
      yield* Effect.flip(
        unit.transaction(Effect.andThen(store.append({ ...append("own-3"), id: "b" }), Effect.fail("undone")))
      )
      expect(yield* store.appended(name("own-1"), "a")).toMatchObject({ version: 1, count: 1 })
      expect(yield* store.appended(name("own-3"), "b")).toBeUndefined()
      expect((yield* store.readMatching(query)).events).toHaveLength(2)
    })
  )

  it.effect("and ids that are old are forgotten", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const sql = yield* SqlClient.SqlClient
      const append = (n: number) =>
        store.append({ stream: name("ids"), expected: "any", events: [tagged(n)], id: `id-${n}` })
      yield* Effect.forEach([1, 2, 3], append)
      yield* sql`update es.appended set at = at - interval '2 days' where stream = ${name("ids")} and id <> 'id-3'`
      expect(yield* PgEventStore.forgetIds({ olderThan: "1 day" })).toBe(2)
      expect(yield* PgEventStore.forgetIds({ olderThan: "1 day" })).toBe(0)
      expect((yield* append(3)).repeated).toBe(true)
      expect((yield* append(1)).version).toBe(4)
    })
  )

  it.effect("go by an index that follows what is deleted", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const sql = yield* SqlClient.SqlClient
      yield* store.append({ stream: name("gone"), expected: "none", events: [tagged(1, "g", "h"), tagged(2, "g")] })
      yield* sql`delete from es.event where stream = ${name("gone")} and version = 1`
      expect((yield* store.readMatching([{ tags: ["g"] }])).events.map(({ version }) => version)).toEqual([2])
      expect(yield* sql`select tag from es.event_tag where tag in ('g', 'h')`).toEqual([{ tag: "g" }])
    })
  )
})
