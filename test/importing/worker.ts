/**
 * A process that imports `source`, until it is killed: `node worker.ts <url of the database>`. It tells after each batch how
 * far it has come.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Postgres from "../../src/adapters/postgres/Postgres.ts"
import * as EventImport from "../../src/ports/EventImport.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"
import { source } from "./source.ts"

const [, , url = ""] = process.argv

const importing = EventImport.run("history", Stream.fromIterable(source), { batchSize: 40 })
const live = Layer.mergeAll(
  Postgres.layerUrl(Redacted.make(url), { maxConnections: 3 }),
  TenantContext.layerSingle,
  Logger.layer([])
)

process.on("disconnect", () => process.exit())
importing
  .pipe(
    Stream.runForEach(({ imported }) => Effect.sync(() => process.send?.(imported))),
    Effect.provide(live),
    Effect.runPromise
  )
  .then(
    () => process.disconnect(),
    (error: unknown) => {
      process.send?.(String(error))
      process.exit(1)
    }
  )
