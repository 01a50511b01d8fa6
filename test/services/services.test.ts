import { describe, expect, inject, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as PgClient from "@effect/sql-pg/PgClient"
import { databaseUrl, freshDatabase } from "./database.ts"

const current = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  const [row] = yield* sql<{ readonly name: string }>`SELECT current_database() AS name`
  return row?.name
})

layer(freshDatabase)("a suite's own database", (it) => {
  it.effect("is not the server's", () =>
    Effect.gen(function* () {
      expect(yield* current).toMatch(/^test_[0-9a-f]{32}$/)
    })
  )
})

describe("a database", () => {
  it.live("is dropped with its scope, in spite of an open session", () =>
    Effect.gen(function* () {
      const longer = yield* Effect.scope
      const name = yield* Effect.scoped(
        Effect.gen(function* () {
          const client = PgClient.layer({ url: Redacted.make(yield* databaseUrl) })
          return yield* Effect.provide(current, yield* Layer.buildWithScope(client, longer))
        })
      )
      const left = yield* Effect.gen(function* () {
        const sql = yield* PgClient.PgClient
        return yield* sql`SELECT 1 FROM pg_database WHERE datname = ${name}`
      }).pipe(Effect.provide(PgClient.layer({ url: Redacted.make(inject("services").postgres) })))
      expect(name).toMatch(/^test_/)
      expect(left).toEqual([])
    })
  )
})
