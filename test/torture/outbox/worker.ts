/**
 * A process that delivers until it is killed: `node worker.ts <url of the database>`.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import * as Postgres from "../../../src/adapters/postgres/Postgres.ts"
import * as Relay from "../../../src/application/Relay.ts"
import * as SystemContext from "../../../src/ports/SystemContext.ts"
import { lease, poisonous, Sent, workerName } from "./sink.ts"

const [, , url = ""] = process.argv

/** Writes what it delivers at once, apart from what the outbox notes of it: in between it can be killed. */
const relay = Relay.make("torture", {
  messages: [Sent],
  on: {
    TortureSent: ({ key, n }, { id }) =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        if (poisonous(n)) {
          const [row] = yield* sql<{ readonly repaired: boolean }>`select repaired from poison`
          if (row?.repaired !== true) return yield* Effect.fail("poison")
        }
        yield* sql`insert into received (id, key, n) values (${id}, ${key ?? null}, ${n})`
        yield* Effect.sleep("2 millis")
      })
  },
  lease,
  pollInterval: "25 millis",
  prefetch: 30,
  concurrency: 8,
  retries: 1,
  attempts: 2,
  backoff: () => "50 millis"
})

const live = Layer.mergeAll(
  Postgres.layerUrl(Redacted.make(url), { applicationName: workerName, maxConnections: 6 }),
  SystemContext.layer("torture"),
  Logger.layer([])
)

const working = Effect.gen(function* () {
  process.send?.({ ready: true })
  return yield* Relay.run(relay)
})

Effect.runPromise(Effect.provide(working, live)).catch((cause: unknown) => process.send?.({ died: String(cause) }))
