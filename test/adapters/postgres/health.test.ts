import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, expect, inject, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import { randomUUID } from "node:crypto"
import * as PgliteClient from "../../../src/adapters/pglite/PgliteClient.ts"
import * as PgEventStore from "../../../src/adapters/postgres/PgEventStore.ts"
import * as PgHealth from "../../../src/adapters/postgres/PgHealth.ts"
import * as PgHighWater from "../../../src/adapters/postgres/PgHighWater.ts"
import * as PgMetrics from "../../../src/adapters/postgres/PgMetrics.ts"
import * as PgMigrations from "../../../src/adapters/postgres/PgMigrations.ts"
import * as PgNotifier from "../../../src/adapters/postgres/PgNotifier.ts"
import * as PgRoles from "../../../src/adapters/postgres/PgRoles.ts"
import * as Postgres from "../../../src/adapters/postgres/Postgres.ts"
import * as Position from "../../../src/domain/Position.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as TenantContext from "../../../src/ports/TenantContext.ts"
import { databaseUrl } from "../../services/database.ts"
import { type Connection, connect, noted, quiet, settled } from "./support.ts"

interface Line {
  readonly level: string
  readonly text: string
}

/** A process whose log and metrics are kept. */
const start = (url: string) =>
  Effect.gen(function* () {
    const lines: Array<Line> = []
    const logger = Logger.make(({ fiber, logLevel, message }) => {
      const annotations = JSON.stringify(fiber.getRef(References.CurrentLogAnnotations))
      lines.push({ level: logLevel, text: `${[message].flat().join(" ")} ${annotations}` })
    })
    const layer = PgEventStore.layerStore.pipe(
      Layer.provideMerge(PgHighWater.layer({ stuckAfter: "200 millis" })),
      Layer.provide(PgNotifier.layer),
      Layer.provide(PgMigrations.layer),
      Layer.provideMerge(PgClient.layer({ url: Redacted.make(url) })),
      Layer.provideMerge(
        Layer.mergeAll(
          TenantContext.layerSingle,
          Logger.layer([logger]),
          Layer.succeed(Metric.MetricRegistry, new Map())
        )
      )
    )
    const context = yield* Layer.build(layer)
    const store = Context.get(context, EventStore.EventStore)
    return {
      lines,
      store,
      health: Effect.provide(PgHealth.check({ degradedAfter: "200 millis" }), context),
      measured: Effect.provide(
        Effect.all({
          mark: Metric.value(PgMetrics.mark),
          age: Metric.value(PgMetrics.markAge),
          fences: Metric.value(PgMetrics.openFences),
          process: Metric.value(PgMetrics.blockingProcess),
          leads: Metric.value(PgMetrics.leads),
          term: Metric.value(PgMetrics.term),
          elections: Metric.value(PgMetrics.elections)
        }),
        context
      ).pipe(
        Effect.map((states) =>
          Object.fromEntries(
            Object.entries(states).map(([name, state]) => [name, "value" in state ? state.value : state.count])
          )
        )
      ),
      append: Effect.provide(
        store.append({ stream: StreamName.make("Test", "other"), expected: "any", events: [noted(1)] }),
        context
      )
    }
  })

const until = <E>(condition: Effect.Effect<boolean, E>): Effect.Effect<void, E> =>
  Effect.flatMap(condition, (is) => (is ? Effect.void : Effect.andThen(Effect.sleep("10 millis"), until(condition))))

const soon = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.timeout(self, "6 seconds")

const appendText = `select last_position::float8 as position from es.append('default', 'Test-open', -1, array[gen_random_uuid()::text], '{Noted}', '{1}', '{"{}"}', '{"{}"}', '{"{}"}')`

const appendBy = (connection: Connection) =>
  Effect.map(connection.query(appendText), ({ rows }) => Position.make(Number(rows[0]?.["position"])))

/** A role of one's own, which may do all, and its URL. */
const role = (url: string, rights = "superuser") =>
  Effect.gen(function* () {
    const name = `role_${randomUUID().replaceAll("-", "")}`
    const server = yield* connect(inject("services").postgres)
    yield* Effect.acquireRelease(server.query(`create role ${name} login ${rights}`), () =>
      Effect.orDie(server.query(`drop role ${name}`))
    )
    const own = new URL(url)
    own.username = name
    return { name, url: own.href }
  })

describe("the health of the log", () => {
  it.live("tells of a forgotten transaction before the server ends it, and the mark moves on", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const { append, health, lines, measured, store } = yield* start(url)
      const forgetful = yield* role(url)
      yield* PgRoles.limit({ role: forgetful.name, idleInTransaction: "1500 millis" }).pipe(
        Effect.provide(PgClient.layer({ url: Redacted.make(url) }))
      )
      yield* soon(until(Effect.map(health, ({ status }) => status === "up")))

      const connection = yield* connect(forgetful.url)
      yield* connection.query("begin")
      const open = yield* appendBy(connection)
      const { position } = yield* append
      yield* soon(until(Effect.map(health, ({ status }) => status === "degraded")))
      const seen = yield* health
      expect(seen).toMatchObject({
        status: "degraded",
        drawn: position,
        blockers: [
          {
            process: connection.processId,
            prepared: undefined,
            state: "idle in transaction",
            user: forgetful.name,
            application: "test",
            query: appendText
          }
        ]
      })
      expect(seen.reason).toContain(`process ${connection.processId}`)
      expect(seen.mark).toBeLessThan(open)
      expect(Duration.toMillis(seen.age)).toBeGreaterThan(190)
      yield* soon(until(Effect.sync(() => lines.length > 0)))
      expect(yield* measured).toMatchObject({
        process: connection.processId,
        leads: 1,
        elections: 1,
        age: expect.closeTo(0.5, 0),
        fences: expect.toSatisfy((count: number) => count === 1 || count === 2)
      })

      // The server ends it, and the log goes on.
      yield* soon(settled(store, position))
      yield* soon(until(Effect.map(health, ({ status }) => status === "up")))
      expect((yield* health).blockers).toEqual([])
      yield* soon(until(Effect.map(measured, ({ mark, process }) => mark === position && process === 0)))
      expect(yield* measured).toMatchObject({ age: 0, fences: 0 })
      // Once each, however often it has looked.
      expect(lines.map(({ level }) => level)).toEqual(["Warn", "Info"])
      expect(lines[0]?.text).toMatch(
        new RegExp(`held back for 0\\.\\d s.*process ${connection.processId} \\(test\\), idle in transaction`)
      )
      expect(lines[1]?.text).toMatch(/goes on; it was held back for \d/)
    })
  )

  it.live("names a prepared transaction, which has no process", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const { append, health, measured, store } = yield* start(url)
      const name = new URL(url).pathname.slice(1)
      const connection = yield* connect(url)
      yield* connection.query("begin")
      yield* appendBy(connection)
      yield* connection.query(`prepare transaction '${name}'`)
      const { position } = yield* append
      yield* soon(until(Effect.map(health, ({ status }) => status === "degraded")))
      const seen = yield* health
      expect(seen.blockers).toMatchObject([{ process: undefined, prepared: name }])
      expect(seen.reason).toContain(`prepared transaction '${name}'`)
      expect(yield* measured).toMatchObject({ process: -1 })
      yield* connection.query(`rollback prepared '${name}'`)
      yield* soon(settled(store, position))
      expect((yield* health).status).toBe("up")
    })
  )

  it.live("is told to a role that may not see what the others do", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const { append, store } = yield* start(url)
      const { position: before } = yield* append
      yield* soon(settled(store, before))
      const connection = yield* connect(url)
      const { name, url: own } = yield* role(url, "")
      yield* Effect.acquireRelease(
        connection
          .query(`grant usage on schema es to ${name}`)
          .pipe(
            Effect.andThen(connection.query(`grant usage on sequence es.position to ${name}`)),
            Effect.andThen(connection.query(`grant select on es.high_water to ${name}`))
          ),
        () => Effect.orDie(connection.query(`drop owned by ${name}`))
      )
      const health = PgHealth.check({ degradedAfter: "200 millis" }).pipe(
        Effect.provide(PgClient.layer({ url: Redacted.make(own) }))
      )
      expect(yield* health).toMatchObject({ status: "up", mark: before })
      const blocking = yield* connect(url)
      yield* blocking.query("begin")
      yield* appendBy(blocking)
      const { position } = yield* append
      yield* Effect.sleep("200 millis")
      expect(yield* health).toMatchObject({
        status: "degraded",
        blockers: [{ process: blocking.processId, state: undefined, age: undefined }]
      })
      yield* blocking.query("commit")
      yield* soon(settled(store, position))
      expect((yield* health).status).toBe("up")
    })
  )

  it.live("is up while long transactions do other things, and in the middle of writing", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const { append, health } = yield* start(url)
      yield* soon(until(Effect.map(health, ({ status }) => status === "up")))
      const connection = yield* connect(url)
      yield* connection.query("begin isolation level repeatable read")
      yield* connection.query("select count(*) from es.event")
      yield* Effect.sleep("300 millis")
      for (let n = 0; n < 20; n++) {
        yield* append
        expect(yield* health).toMatchObject({ status: "up", blockers: [], age: Duration.zero })
      }
      yield* connection.query("rollback")
    })
  )

  it.live("is down when nobody moves the mark, and when nobody answers", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const database = new URL(url).pathname.slice(1)
      const server = yield* connect(inject("services").postgres)
      yield* Effect.gen(function* () {
        yield* PgMigrations.run
        const sql = yield* PgClient.PgClient
        yield* sql`update es.high_water set lease_until = clock_timestamp() - interval '20 seconds'`
        expect(yield* PgHealth.check()).toMatchObject({
          status: "down",
          reason: "No agent has moved the mark of the log for 20 s"
        })
        yield* server.query(`alter database ${database} allow_connections false`)
        yield* server.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}'`)
        expect(yield* PgHealth.check()).toMatchObject({
          status: "down",
          reason: expect.stringContaining("could not be asked"),
          mark: undefined
        })
        yield* server.query(`alter database ${database} allow_connections true`)
        expect((yield* PgHealth.check()).reason).toContain("No agent")
        // A pool that is used up is down for everybody.
        const busy = yield* Latch.make()
        const holding = yield* Effect.forkChild(sql.withTransaction(Effect.andThen(busy.open, Effect.never)))
        yield* busy.await
        const used = yield* PgHealth.check({ timeout: "200 millis" })
        yield* Fiber.interrupt(holding)
        expect(used).toMatchObject({ status: "down", reason: "The database did not answer in time" })
      }).pipe(Effect.provide(PgClient.layer({ url: Redacted.make(url), maxConnections: 1 })))
    })
  )

  it.live("can be asked of an embedded database", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const { position } = yield* store.append({
        stream: StreamName.make("Test", "a"),
        expected: "any",
        events: [noted(1)]
      })
      yield* soon(settled(store, position))
      expect(yield* PgHealth.check()).toMatchObject({ status: "up", mark: position, drawn: position, blockers: [] })
    }).pipe(
      Effect.provide(
        Layer.mergeAll(Layer.provideMerge(Postgres.layerLocal, PgliteClient.layer()), TenantContext.layerSingle, quiet)
      )
    )
  )
})

describe("the limits of a role", () => {
  it.live("hold for its new sessions, in this database", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const own = yield* role(url)
      const before = yield* connect(own.url)
      yield* PgRoles.limit({ transaction: "1 minute", statement: "30 seconds" }).pipe(
        Effect.provide(PgClient.layer({ url: Redacted.make(own.url) }))
      )
      const shown = (connection: Connection) =>
        Effect.map(
          Effect.forEach(["idle_in_transaction_session_timeout", "transaction_timeout", "statement_timeout"], (name) =>
            connection.query(`show ${name}`)
          ),
          (results) => results.map(({ rows }) => Object.values(rows[0] ?? {})[0])
        )
      expect(yield* shown(before)).toEqual(["0", "0", "0"])
      expect(yield* shown(yield* connect(own.url))).toEqual(["5s", "1min", "30s"])
      const elsewhere = new URL(own.url)
      elsewhere.pathname = "postgres"
      expect(yield* shown(yield* connect(elsewhere.href))).toEqual(["0", "0", "0"])
    })
  )

  it.live("are refused for a role that is not there, and none is set", () =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(PgRoles.limit({ role: 'no "such" role' }))
      expect(failure.reason._tag).toBe("RoleNotLimited")
      expect(failure.message).toContain('role "no "such" role" does not exist')
    }).pipe(Effect.provide(Layer.unwrap(Effect.map(databaseUrl, (url) => PgClient.layer({ url: Redacted.make(url) })))))
  )
})
