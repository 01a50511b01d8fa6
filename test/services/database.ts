/**
 * A database of one's own: created with a random name, dropped with the scope.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Statement } from "effect/sql/Statement"
import { randomUUID } from "node:crypto"
import { afterAll, inject } from "vitest"

/** Creates a database on the server at this URL and gives the URL of the database. */
export const make = (server: string): Effect.Effect<string, SqlError, Scope.Scope> =>
  Effect.gen(function* () {
    // Not from `Random`, which a test may have seeded: two suites must never get one name.
    const name = `test_${randomUUID().replaceAll("-", "")}`
    yield* Effect.acquireRelease(
      administer(server, (sql) => sql`CREATE DATABASE ${sql(name)}`),
      () => Effect.orDie(administer(server, (sql) => sql`DROP DATABASE ${sql(name)} WITH (FORCE)`))
    )
    const url = new URL(server)
    url.pathname = name
    return url.href
  })

/** The URL of a new database on the test run's own server. */
export const databaseUrl: Effect.Effect<string, SqlError, Scope.Scope> = Effect.suspend(() =>
  make(inject("services").postgres)
)

/** A client of a new database, with options of one's own. */
export const layer = (
  options?: Omit<PgClient.PgPoolConfig, "url">
): Layer.Layer<PgClient.PgClient | SqlClient, SqlError> =>
  Layer.unwrap(Effect.map(databaseUrl, (url) => PgClient.layer({ ...options, url: Redacted.make(url) })))

/** A client of a new database. */
export const freshDatabase: Layer.Layer<PgClient.PgClient | SqlClient, SqlError> = layer()

/** Gives new databases to a test file that is not written in Effects; drops them after it. */
export const databaseUrls = (): (() => Promise<string>) => {
  const scope = Scope.makeUnsafe()
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  return () => Effect.runPromise(Scope.provide(databaseUrl, scope))
}

const administer = (
  server: string,
  statement: (sql: PgClient.PgClient) => Statement<unknown>
): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    yield* statement(sql).unprepared
  }).pipe(Effect.provide(PgClient.layer({ url: Redacted.make(server), maxConnections: 1 })))
