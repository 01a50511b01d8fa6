/**
 * A process that forwards the log and works for both groups until it is killed: `node worker.ts "<database> <redis>"`.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import * as Postgres from "../../../src/adapters/postgres/Postgres.ts"
import * as RedisConnection from "../../../src/adapters/redis/RedisConnection.ts"
import * as RedisEventGroups from "../../../src/adapters/redis/RedisEventGroups.ts"
import * as EventForwarding from "../../../src/application/EventForwarding.ts"
import * as EventGroups from "../../../src/ports/EventGroups.ts"
import * as SystemContext from "../../../src/ports/SystemContext.ts"
import { Noted } from "../../adapters/postgres/support.ts"
import { groups, lease, log } from "./sink.ts"

const [, , urls = ""] = process.argv
const [database = "", redis = ""] = urls.split(" ")

// What is said of events that are missing is counted by who started this.
const logger = Logger.make(({ message }) => {
  const [first] = Array.isArray(message) ? message : [message]
  process.send?.({ said: String(first) })
})

const live = Layer.mergeAll(
  Postgres.layerUrl(Redacted.make(database), { applicationName: "torture worker", maxConnections: 6 }),
  SystemContext.layer("torture"),
  RedisEventGroups.layer().pipe(
    Layer.provide(RedisConnection.layer({ target: { url: Redacted.make(redis) }, commandTimeout: "400 millis" }))
  )
).pipe(Layer.provideMerge(Logger.layer([logger])))

/** Writes what it handles with its token; what is poison fails until that is repaired. */
const handle = ({ event, group, key, position, segment, token }: EventGroups.Delivery<Noted>) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    if (event.n % 50 === 0) {
      const [row] = yield* sql<{ readonly repaired: boolean }>`select repaired from poison`
      if (row?.repaired !== true) return yield* Effect.fail("poison")
    }
    const [answer] = yield* sql<{ readonly is: boolean }>`
      select happen(${group}, ${segment}, ${token}, ${key}, ${position}) as is`
    if (answer?.is !== true) return yield* Effect.fail("a newer owner was here")
  })

/** One group handles one by one, the other many at a time. */
const subscribe = (group: (typeof groups)[number]) =>
  Effect.flatMap(EventGroups.EventGroups, (all) => {
    const later = Array.from({ length: 100 }, () => "300 millis" as const)
    const retry = { times: 2, base: "5 millis", later } as const
    const options = { log, group, events: [Noted], lease, poll: "100 millis", retry } as const
    return group === "first"
      ? all.subscribe({ ...options, handle })
      : all.subscribe({
          ...options,
          batchSize: 10,
          handleBatch: (deliveries) => Effect.forEach(deliveries, handle, { discard: true })
        })
  })

process.on("disconnect", () => process.exit())
const program = Effect.gen(function* () {
  yield* Effect.forEach(groups, subscribe)
  process.send?.({ ready: true })
  return yield* EventForwarding.run(EventForwarding.make(log, { events: [Noted], groups, batchSize: 200 }))
})
Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(live))).catch((error: unknown) => {
  process.send?.({ died: String(error) })
  process.exit(1)
})
