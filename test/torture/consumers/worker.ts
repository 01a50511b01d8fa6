/**
 * A process that works for both consumers until it is killed: `node worker.ts <url of the database>`.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import * as Postgres from "../../../src/adapters/postgres/Postgres.ts"
import * as Consumer from "../../../src/application/Consumer.ts"
import * as SystemContext from "../../../src/ports/SystemContext.ts"
import { Noted } from "../../adapters/postgres/support.ts"
import { lease, workerName } from "./sink.ts"

const common = {
  events: [Noted],
  lease,
  retry: { times: 2, base: "5 millis", later: ["300 millis"] }
} as const

/** Writes what it handles in its own transaction; what is poison fails until that is repaired. */
const inside = Consumer.make("inside", {
  ...common,
  batchSize: 20,
  handle: ({ event, key, position, segment, token }) =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`insert into inside (key, position, segment, token) values (${key}, ${position}, ${segment}, ${token})`
      if (event.n % 50 !== 0) return
      const [row] = yield* sql<{ readonly repaired: boolean }>`select repaired from poison`
      if (row?.repaired !== true) return yield* Effect.fail("poison")
    })
})

/** Writes what it handles at once, and takes its time. */
const outside = Consumer.make("outside", {
  ...common,
  batchSize: 10,
  transactional: false,
  handle: ({ idempotencyKey, key, position }) =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`insert into outside (key, position, idempotency) values (${key}, ${position}, ${idempotencyKey})`
      yield* Effect.sleep("1 millis")
    })
})

const [, , url = ""] = process.argv

// What is said of segments that were lost is counted by who started this.
const logger = Logger.make(({ message }) => {
  const [first] = Array.isArray(message) ? message : [message]
  process.send?.({ said: String(first) })
})

const live = Layer.mergeAll(
  Postgres.layerUrl(Redacted.make(url), { applicationName: workerName, maxConnections: 6 }),
  SystemContext.layer("torture"),
  Logger.layer([logger])
)

process.on("disconnect", () => process.exit())
const program = Effect.andThen(
  Effect.sync(() => process.send?.({ ready: true })),
  Effect.all([Consumer.run(inside), Consumer.run(outside)], { concurrency: "unbounded", discard: true })
)
Effect.runPromise(program.pipe(Effect.provide(live))).catch((error: unknown) => {
  process.send?.({ died: String(error) })
  process.exit(1)
})
