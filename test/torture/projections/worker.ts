/**
 * A process that rebuilds the projection up to a version and then runs it, until it is killed. Beside it does what is wrong on
 * purpose: it counts, and notes how far it has come, in two transactions.
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as SqlClient from "effect/sql/SqlClient"
import { PostgresError } from "../../../src/adapters/postgres/PostgresError.ts"
import * as Projection from "../../../src/application/Projection.ts"
import * as Rebuild from "../../../src/application/Rebuild.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import { ProjectionStore } from "../../../src/ports/ProjectionStore.ts"
import * as SystemContext from "../../../src/ports/SystemContext.ts"
import * as support from "../../adapters/postgres/support.ts"
import * as model from "./model.ts"

const [url = "", version = "1"] = process.argv.slice(2)

const tell = (word: string) => Effect.sync(() => void process.send?.(word))

const projection = model.tally(Number(version))

/** Builds this version if it is not what is read, and tells when it was the one who did. */
const rebuilding = Effect.gen(function* () {
  const projections = yield* ProjectionStore
  const found = yield* projections.register("tally", 1)
  if (found.version >= projection.version) return yield* tell("swapped")
  yield* tell("building")
  yield* Rebuild.run(projection, { lease: "300 millis", dropAfter: 0 })
  yield* tell("swapped")
})

/** Whatever fails, a killed session above all, it goes on. */
const working = Effect.gen(function* () {
  while (true) {
    yield* Effect.catchCause(Effect.andThen(rebuilding, Projection.run(projection, { onNewVersion: "wait" })), () =>
      Effect.sleep("30 millis")
    )
  }
})

/** In two transactions: what is killed between them is counted twice. */
const wrong = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const store = yield* EventStore.EventStore
  const step = Effect.gen(function* () {
    const [row] = yield* sql<{ readonly position: number }>`select position::float8 as position from wrong_checkpoint`
    const mark = yield* store.mark
    const from = row?.position ?? 0
    const [counted] = yield* sql<{ readonly last: number | null }>`with found as (
        select position from es.event where position > ${from} and position <= ${mark} order by position limit 20
      ), counted as (update wrong_count set count = count + (select count(*) from found))
      select max(position)::float8 as last from found`
    yield* Effect.sleep("40 millis")
    if (typeof counted?.last === "number") yield* sql`update wrong_checkpoint set position = ${counted.last}`
    else yield* Effect.sleep("5 millis")
  })
  return yield* Effect.forever(Effect.catch(step, () => Effect.sleep("20 millis")))
})

const program = Effect.raceFirst(working, wrong).pipe(
  Effect.provide([support.process(url, { maxConnections: 4 }), SystemContext.layer("torture"), Logger.layer([])])
)

process.on("disconnect", () => process.exit())
Effect.runPromise(program).catch((error: unknown) => {
  // A session that was ended before there was a pool is no mistake.
  if (!(error instanceof PostgresError)) console.error(error)
  process.exit(1)
})
