// What can happen to those who write, and what the mark makes of it; beside what `highWater.test.ts` has.
import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, expect, inject, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { randomUUID } from "node:crypto"
import * as PgHealth from "../../../src/adapters/postgres/PgHealth.ts"
import * as PgHighWater from "../../../src/adapters/postgres/PgHighWater.ts"
import * as PgMigrations from "../../../src/adapters/postgres/PgMigrations.ts"
import * as Position from "../../../src/domain/Position.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import { databaseUrl } from "../../services/database.ts"
import * as servers from "../../services/servers.ts"
import { type Connection, connect, lastDrawn, noted, process, quiet, settled } from "./support.ts"

/** One process with its ports, until the scope closes. */
const start = (url: string) =>
  Effect.map(Layer.build(Layer.provide(process(url), quiet)), (context) => {
    const store = Context.get(context, EventStore.EventStore)
    return {
      store,
      state: Context.get(context, PgHighWater.PgHighWater).state,
      health: Effect.provide(PgHealth.check({ degradedAfter: "200 millis" }), context),
      append: Effect.provide(
        store.append({ stream: StreamName.make("Test", "other"), expected: "any", events: [noted(1)] }),
        context
      )
    }
  })

const until = <E>(condition: Effect.Effect<boolean, E>): Effect.Effect<void, E> =>
  Effect.flatMap(condition, (is) => (is ? Effect.void : Effect.andThen(Effect.sleep("10 millis"), until(condition))))

const soon = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.timeout(self, "8 seconds")

/** Appends by hand, within whatever transaction the connection is in. */
const appendBy = (connection: Connection, stream = "Test-open") =>
  Effect.map(
    connection.query(
      `select last_position::float8 as position from es.append('default', $1::text, -1, array[gen_random_uuid()::text], '{Noted}', '{1}', '{"{}"}', '{"{}"}', '{"{}"}')`,
      [stream]
    ),
    ({ rows }) => Position.make(Number(rows[0]?.["position"]))
  )

const ownServer = Effect.acquireRelease(
  Effect.promise(() => servers.postgres({ durable: true })),
  (server) => Effect.promise(server.stop)
)

const again = (server: servers.Server) =>
  Effect.promise(async () => {
    await server.kill()
    await server.restart()
  })

describe("the mark", () => {
  it.live("stands below all of a transaction with savepoints, those undone included, until its end", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const { append, state, store } = yield* start(url)
      const connection = yield* connect(url)
      yield* connection.query("begin")
      yield* connection.query("savepoint a")
      const first = yield* appendBy(connection, "Test-a")
      yield* connection.query("rollback to savepoint a")
      // Its lock went with the savepoint, and so did what it wrote.
      const { position } = yield* append
      yield* soon(settled(store, position))
      yield* connection.query("savepoint b")
      const second = yield* appendBy(connection, "Test-b")
      yield* connection.query("release savepoint b")
      yield* connection.query("savepoint c")
      yield* appendBy(connection, "Test-c")
      yield* connection.query("rollback to savepoint c")
      const after = yield* append
      yield* soon(until(Effect.map(state, ({ waited }) => Duration.toMillis(waited) > 200)))
      const mark = yield* store.mark
      expect(mark).toBeGreaterThan(first)
      expect(mark).toBeLessThan(second)
      yield* connection.query("commit")
      yield* soon(settled(store, after.position))
    })
  )

  it.live("is not held back by dumps, long reads and writers of other databases", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const other = yield* databaseUrl
      const { append, health, store } = yield* start(url)
      const { append: appendThere } = yield* start(other)
      yield* append
      yield* appendThere
      const dump = yield* connect(url)
      yield* dump.query("begin isolation level repeatable read read only")
      yield* dump.query("select pg_export_snapshot()")
      yield* dump.query("lock table es.event, es.stream in access share mode")
      yield* dump.query("select count(*) from es.event")
      const elsewhere = yield* connect(other)
      yield* elsewhere.query("begin")
      yield* appendBy(elsewhere)
      const outside = yield* connect(inject("services").postgres)
      yield* outside.query("begin isolation level serializable")
      yield* outside.query("select pg_current_xact_id()::text")
      yield* Effect.sleep("300 millis")
      for (let n = 0; n < 3; n++) {
        const { position } = yield* append
        yield* soon(settled(store, position))
      }
      expect((yield* health).status).toBe("up")
      for (const connection of [dump, elsewhere, outside]) yield* connection.query("rollback")
    })
  )

  it.live("is not held back by a database cloned from the same template, whose tables have the same numbers", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      yield* Effect.provide(PgMigrations.run, PgClient.layer({ url: Redacted.make(url) }))
      const name = new URL(url).pathname.slice(1)
      const clone = `test_${randomUUID().replaceAll("-", "")}`
      const server = yield* connect(inject("services").postgres)
      // The template must have no session, and the last one takes a moment to go.
      yield* Effect.acquireRelease(
        server.query(`create database ${clone} template ${name}`).pipe(Effect.retry({ times: 100 })),
        () => Effect.orDie(server.query(`drop database ${clone} with (force)`))
      )
      const cloneUrl = new URL(url)
      cloneUrl.pathname = clone
      const here = yield* start(url)
      const there = yield* start(cloneUrl.href)
      const oid = (connection: Connection) =>
        Effect.map(
          connection.query("select 'es.event'::regclass::oid::int8::text as oid"),
          ({ rows }) => rows[0]?.["oid"]
        )
      const connection = yield* connect(cloneUrl.href)
      expect(yield* oid(connection)).toBe(yield* oid(yield* connect(url)))
      yield* connection.query("begin")
      const open = yield* appendBy(connection)
      const written = yield* there.append
      const { position } = yield* here.append
      yield* soon(settled(here.store, position))
      yield* soon(until(Effect.map(there.health, ({ status }) => status === "degraded")))
      expect(yield* there.store.mark).toBeLessThan(open)
      expect((yield* here.health).status).toBe("up")
      yield* connection.query("commit")
      yield* soon(settled(there.store, written.position))
    })
  )

  it.live("is not moved by an agent that wakes after another one has taken over", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const { append, state, store } = yield* start(url)
      const { position } = yield* append
      yield* soon(settled(store, position))
      const connection = yield* connect(url)
      // The agent has looked, and waits for its row to say so; meanwhile the row becomes another's.
      yield* connection.query("begin")
      yield* connection.query("select 1 from es.high_water for update")
      yield* append
      yield* soon(
        until(
          Effect.map(
            connection.query(
              "select 1 from pg_stat_activity where application_name = 'effect-cqrs high-water agent' and wait_event_type = 'Lock' and datname = current_database()"
            ),
            ({ rows }) => rows.length === 1
          )
        )
      )
      yield* connection.query("select setval('es.position', 1000)")
      yield* connection.query(
        "update es.high_water set owner = 'another', term = term + 1, position = 1000, lease_until = clock_timestamp() + interval '1 second'"
      )
      const { term } = yield* state
      yield* connection.query("commit")
      yield* soon(until(Effect.map(state, (now) => now.term === term + 1 && !now.leads)))
      expect(yield* store.mark).toBe(1000)
      // And when it leads again, it goes on from there.
      const after = yield* append
      yield* soon(settled(store, after.position))
      yield* soon(until(Effect.map(state, (now) => now.leads && now.term === term + 2)))
      expect(yield* store.mark).toBe(after.position)
      expect(after.position).toBe(1001)
    })
  )
})

describe("a crash of the server", () => {
  it.live(
    "leaves a prepared transaction under another name, and the mark below it until its end",
    () =>
      Effect.gen(function* () {
        const server = yield* ownServer
        const { append, health, state, store } = yield* start(server.url)
        const before = yield* append
        yield* soon(settled(store, before.position))
        const open = yield* Effect.gen(function* () {
          const connection = yield* connect(server.url)
          yield* connection.query("begin")
          const open = yield* appendBy(connection)
          yield* connection.query("prepare transaction 'left'")
          return open
        }).pipe(Effect.scoped)
        yield* again(server)
        const { position } = yield* append.pipe(Effect.retry({ times: 5 }))
        yield* soon(until(Effect.map(health, ({ status }) => status === "degraded")))
        expect((yield* health).blockers).toMatchObject([
          { process: undefined, prepared: "left", transaction: expect.stringMatching(/^-1\/\d+$/) }
        ])
        yield* soon(until(Effect.map(state, ({ blockedBy }) => /^-1\/\d+ prepared$/.test(blockedBy.join()))))
        expect(yield* store.mark).toBeLessThan(open)
        const connection = yield* connect(server.url)
        yield* connection.query("commit prepared 'left'")
        yield* soon(settled(store, position))
        expect((yield* health).status).toBe("up")
      }),
    60_000
  )

  it.live(
    "lets the sequence jump, and the mark with it",
    () =>
      Effect.gen(function* () {
        const server = yield* ownServer
        const { append, store } = yield* start(server.url)
        let last = Position.start
        for (let round = 0; round < 2; round++) {
          const { position } = yield* append.pipe(Effect.retry({ times: 5 }))
          yield* soon(settled(store, position))
          expect(position).toBeGreaterThan(last)
          last = position
          yield* again(server)
          // No position is drawn again, and at most the 32 that the server logs ahead are lost.
          const connection = yield* connect(server.url)
          const drawn = yield* lastDrawn(connection)
          expect(drawn).toBeGreaterThanOrEqual(last)
          expect(drawn - last).toBeLessThanOrEqual(33)
        }
        const { position } = yield* append.pipe(Effect.retry({ times: 5 }))
        yield* soon(settled(store, position))
      }),
    60_000
  )
})
