import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, inject, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as PgEventStore from "../../../src/adapters/postgres/PgEventStore.ts"
import * as PgHighWater from "../../../src/adapters/postgres/PgHighWater.ts"
import * as PgMigrations from "../../../src/adapters/postgres/PgMigrations.ts"
import * as PgNotifier from "../../../src/adapters/postgres/PgNotifier.ts"
import * as Postgres from "../../../src/adapters/postgres/Postgres.ts"
import * as PgUnitOfWork from "../../../src/adapters/postgres/PgUnitOfWork.ts"
import * as TenantContext from "../../../src/ports/TenantContext.ts"
import * as EventStoreLaws from "../../../src/testing/EventStoreLaws.ts"
import * as UnitOfWorkLaws from "../../../src/testing/UnitOfWorkLaws.ts"
import { checkLaws } from "../../laws/checkLaws.ts"
import { databaseUrl } from "../../services/database.ts"
import { pgbouncer, program } from "../../services/pgbouncer.ts"

const command = program()

const urls = Effect.gen(function* () {
  const url = yield* databaseUrl
  const pooler = yield* Effect.acquireRelease(
    Effect.promise(() => pgbouncer(command ?? "pgbouncer", inject("services").postgres)),
    (running) => Effect.promise(running.stop)
  )
  return { direct: url, pooled: pooler.through(url) }
})

const client = (url: string) => PgClient.layer({ url: Redacted.make(url), prepare: false })

/** All through the pooler; nothing listens. */
const pooled = Layer.unwrap(
  Effect.map(urls, ({ pooled }) =>
    Layer.merge(Postgres.layerPooled, TenantContext.layerSingle).pipe(Layer.provideMerge(client(pooled)))
  )
)

/** The program through the pooler, agent and listener on connections of their own. */
const listening = Layer.unwrap(
  Effect.map(urls, ({ direct, pooled }) => {
    const own = Layer.fresh(client(direct))
    const agent = PgHighWater.layer().pipe(Layer.provideMerge(PgNotifier.layer), Layer.provide(own))
    return PgEventStore.layerStore.pipe(
      Layer.provideMerge(Layer.provide(agent, Layer.provide(PgMigrations.layer, own))),
      Layer.merge(PgUnitOfWork.layer),
      Layer.provideMerge(client(pooled)),
      Layer.merge(TenantContext.layerSingle)
    )
  })
)

if (command === undefined) {
  describe("PgBouncer in transaction mode", () => {
    it.skip("is not on this machine: apt-get install pgbouncer, or PGBOUNCER=/path/of/the/program", () => undefined)
  })
} else {
  checkLaws(
    "Postgres.layerPooled through PgBouncer",
    { EventStore: EventStoreLaws.laws, UnitOfWork: UnitOfWorkLaws.laws },
    pooled,
    { sessions: 8 }
  )
  checkLaws("PgEventStore through PgBouncer, listening beside it", { EventStore: EventStoreLaws.laws }, listening, {
    sessions: 8
  })
}
