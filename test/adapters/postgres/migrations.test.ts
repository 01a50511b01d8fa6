import { describe, expect, it } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { migrations } from "../../../src/adapters/postgres/internal/migrations.ts"
import * as PgMigrations from "../../../src/adapters/postgres/PgMigrations.ts"
import { databaseUrl } from "../../services/database.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import { connect, noted, process, quiet, settled } from "./support.ts"

const all = migrations.map(({ id }) => id)

/** As another process would: over a client of its own. */
const migrate = (url: string) =>
  Effect.provide(PgMigrations.run, PgClient.layer({ url: Redacted.make(url), maxConnections: 2 }))

describe("migrations", () => {
  it.live.each(["read committed", "serializable"])("run once, however many processes start at once (%s)", (isolation) =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const database = new URL(url).pathname.slice(1)
      const settings = yield* connect(url)
      yield* settings.query(`alter database ${database} set default_transaction_isolation = '${isolation}'`)
      const applied = yield* Effect.all(
        Array.from({ length: 8 }, () => migrate(url)),
        { concurrency: "unbounded" }
      )
      expect(applied.flat().sort((a, b) => a - b)).toEqual(all)
      expect(yield* migrate(url)).toEqual([])
      const { rows } = yield* (yield* connect(url)).query("select id from es.migration order by id")
      expect(rows.map((row) => row["id"])).toEqual(all)
    })
  )

  it.live("keep nothing of one that fails, and go on from there", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const connection = yield* connect(url)
      yield* connection.query("create schema es")
      // The last table of the first migration is in the way.
      yield* connection.query("create table es.document (id int)")
      const error = yield* Effect.flip(migrate(url))
      expect(error.reason).toMatchObject({ _tag: "MigrationFailed", id: 1, name: "tables" })
      expect(error.message).toContain(`relation "document" already exists`)
      const { rows } = yield* connection.query(
        "select relname from pg_class where relnamespace = 'es'::regnamespace and relkind in ('r', 'S') order by relname"
      )
      expect(rows.map((row) => row["relname"])).toEqual(["document"])
      yield* connection.query("drop table es.document")
      expect(yield* migrate(url)).toEqual(all)
    })
  )

  it.live("bring the sequence of positions up to a log that came without it", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const stream = StreamName.make("Moved", "1")
      const append = (n: number) =>
        Effect.flatMap(EventStore.EventStore, (store) =>
          store.append({ stream, expected: "any", events: [noted(n)] }).pipe(
            Effect.tap(({ position }) => settled(store, position)),
            Effect.map(({ position }) => position)
          )
        )
      const program = (count: number) =>
        Effect.provide(
          Effect.forEach(
            Array.from({ length: count }, (_, n) => n),
            append
          ),
          process(url)
        )
      expect(yield* program(5)).toEqual([1, 2, 3, 4, 5])
      const connection = yield* connect(url)
      yield* connection.query("select setval('es.position', 2)")
      expect(yield* Effect.provide(program(1), quiet)).toEqual([6])
      // Rows alone, without mark and sequence.
      yield* connection.query("update es.high_water set position = 0")
      yield* connection.query("alter sequence es.position restart")
      expect(yield* Effect.provide(program(2), quiet)).toEqual([7, 8])
    })
  )

  it.live("leave a newer database as it is", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      yield* migrate(url)
      const connection = yield* connect(url)
      yield* connection.query("insert into es.migration (id, name) values (1000, 'of the future')")
      expect(yield* migrate(url)).toEqual([])
    })
  )

  it.live("need no right to change the schema once it is up to date", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      yield* migrate(url)
      const connection = yield* connect(url)
      // A role is the whole server's; this one is named like the database, whose name is its own.
      const role = new URL(url).pathname.slice(1)
      yield* Effect.acquireRelease(connection.query(`create role ${role} login`), () =>
        Effect.orDie(Effect.andThen(connection.query(`drop owned by ${role}`), connection.query(`drop role ${role}`)))
      )
      yield* connection.query(`grant usage on schema es to ${role}`)
      yield* connection.query(`grant select on es.migration to ${role}`)
      const asRole = new URL(url)
      asRole.username = role
      expect(yield* migrate(asRole.href)).toEqual([])
    })
  )

  it.live("are numbered from 1 without holes", () =>
    Effect.sync(() => {
      expect(all).toEqual(migrations.map((_, index) => index + 1))
    })
  )

  it.live("say why a database cannot be reached", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(migrate("postgres://postgres@127.0.0.1:1/none"))
      expect(error.reason._tag).toBe("Unavailable")
      expect(error.message).toContain("ECONNREFUSED")
    })
  )
})
