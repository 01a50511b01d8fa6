/**
 * Bulk import: events of another log, as they were recorded there, into this one.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { ImportedEvent } from "../domain/EventLine.ts"
import type { FieldIssue } from "../domain/FieldIssue.ts"
import { type Driver, ImportError, ImportRefused, type PreparedImport } from "./EventImportDriver.ts"
import * as Journal from "./internal/Journal.ts"
import * as MemoryLog from "./internal/memoryLog.ts"
import { makeMemory } from "./internal/memoryEventImport.ts"
import * as Prepare from "./internal/importing.ts"
import type { SystemContext } from "./SystemContext.ts"
import { TenantContext } from "./TenantContext.ts"

/**
 * Where imports are written; use it through `run`.
 *
 * @category services
 * @since 0.1.0
 */
export class EventImport extends Context.Service<EventImport, Driver>()("effect-cqrs/ports/EventImport") {}

/**
 * How far an import has come.
 *
 * @category models
 * @since 0.1.0
 */
export interface Progress {
  /** How many events of the source are imported, in this run and those before. */
  readonly imported: number
}

/**
 * How many events go into one transaction; 2,000 when absent.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly batchSize?: number | undefined
}

/**
 * Imports the events of a source into the tenant's streams, and tells of its progress after each batch.
 *
 * **Details**
 *
 * - Events keep their ids, types, versions, tags, metadata and times, and their order over all streams; positions are new. The
 *   streams may have events before, of lower versions; versions may have holes.
 * - How many events of the source were imported commits with them, under the import's name. A run that was killed anywhere is
 *   run again with the same source from its beginning, and goes on where it was: every event is imported once.
 * - The first event that cannot be imported ends the import, with its row in the error; all before it is kept. The same holds
 *   when the source fails.
 * - A storage that does not answer is asked again, up to 5 times for each batch.
 *
 * **Gotchas**
 *
 * The mark of the log waits for the batch that is being written, so a batch is to be short. Not for inside a unit of work.
 *
 * @category importing
 * @since 0.1.0
 */
export const run = <E, R>(
  name: string,
  source: Stream.Stream<ImportedEvent, E, R>,
  options?: Options
): Stream.Stream<Progress, ImportError | E, R | EventImport | TenantContext> =>
  Stream.unwrap(Effect.map(TenantContext, ({ id }) => runIn(id, name, source, options)))

/**
 * The same for events of many tenants, each into the streams of its own.
 *
 * @category importing
 * @since 0.1.0
 */
export const runAllTenants = <E, R>(
  name: string,
  source: Stream.Stream<ImportedEvent, E, R>,
  options?: Options
): Stream.Stream<Progress, ImportError | E, R | EventImport | SystemContext> => runIn(undefined, name, source, options)

const runIn = <E, R>(
  tenant: string | undefined,
  name: string,
  source: Stream.Stream<ImportedEvent, E, R>,
  options: Options | undefined
): Stream.Stream<Progress, ImportError | E, R | EventImport> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const driver = yield* EventImport
      const scope = tenant ?? ""
      const nameIssues = Prepare.nameIssues(scope, name)
      if (nameIssues.length > 0) return yield* refused(1, "", nameIssues)
      let imported = yield* driver.imported(scope, name)

      const write = (batch: ReadonlyArray<PreparedImport>) =>
        Effect.suspend(() => {
          const from = imported
          let tried = 0
          return Effect.suspend(() => {
            tried++
            return driver.write(scope, name, from, batch)
          }).pipe(
            Effect.retry({ while: isPassing, times: 5, schedule: pauses }),
            // A try that got no answer may have been the one that wrote it.
            Effect.catchIf(
              ({ reason }) => tried > 1 && reason._tag === "ImportOvertaken" && reason.actual === from + batch.length,
              () => Effect.void
            ),
            Effect.tap(() => Effect.sync(() => (imported = from + batch.length)))
          )
        })

      const importBatch = Effect.fnUntraced(function* (batch: ReadonlyArray<Result.Result<ImportedEvent, E>>) {
        const from = imported
        const { events, issues } = Prepare.batch(tenant, batch)
        if (events.length > 0) {
          yield* Effect.catch(write(events), (error) => {
            if (error.reason._tag !== "ImportConflict") return Effect.fail(error)
            const before = events.slice(0, error.reason.row - from - 1)
            return Effect.andThen(before.length > 0 ? write(before) : Effect.void, Effect.fail(error))
          })
        }
        const ended = batch[events.length]
        if (ended === undefined) return { imported }
        if (Result.isFailure(ended)) return yield* Effect.fail(ended.failure)
        return yield* refused(imported + 1, ended.success.stream, issues)
      })

      return source.pipe(
        Stream.drop(imported),
        Stream.map((event): Result.Result<ImportedEvent, E> => Result.succeed(event)),
        Stream.catch((error) => Stream.succeed<Result.Result<ImportedEvent, E>>(Result.fail(error))),
        Stream.grouped(Math.max(1, Math.floor(options?.batchSize ?? 2000))),
        // The next batch is read while one is written.
        Stream.buffer({ capacity: 1 }),
        Stream.mapEffect(importBatch)
      )
    })
  )

const refused = (row: number, stream: string, issues: ReadonlyArray<FieldIssue>) =>
  Effect.fail(new ImportError({ reason: new ImportRefused({ row, stream, issues }) }))

const isPassing = ({ reason }: ImportError): boolean => reason._tag === "StorageFailure" && reason.retryable

const pauses = Schedule.exponential("20 millis").pipe(Schedule.jittered)

/**
 * Imports into the log of `EventStore.layerMemory`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<EventImport> = Layer.effect(
  EventImport,
  Effect.gen(function* () {
    return makeMemory(yield* Journal.MemoryJournal, yield* MemoryLog.SharedLog)
  })
).pipe(Layer.provide([Journal.layer, MemoryLog.layer]))
