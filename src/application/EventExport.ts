/**
 * The log as a stream that ends: for backups, for moving to another store, for looking at it elsewhere.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as EventLine from "../domain/EventLine.ts"
import * as FieldIssue from "../domain/FieldIssue.ts"
import * as Position from "../domain/Position.ts"
import type { Stored } from "../domain/RecordedEvent.ts"
import type { StreamName } from "../domain/StreamName.ts"
import { EventStore } from "../ports/EventStore.ts"
import type { Page, ReadAll } from "../ports/EventStoreDriver.ts"
import type { EventStoreError } from "../ports/EventStoreError.ts"
import type { SystemContext } from "../ports/SystemContext.ts"
import type { TenantContext } from "../ports/TenantContext.ts"

/**
 * A line that is no event; `line` counts from 1.
 *
 * @category errors
 * @since 0.1.0
 */
export class MalformedLine extends Schema.TaggedError<MalformedLine>("effect-cqrs/MalformedLine")("MalformedLine", {
  line: Schema.Natural,
  issues: Schema.Array(FieldIssue.FieldIssue)
}) {
  override get message(): string {
    return `Line ${this.line} is no event: ${FieldIssue.format(this.issues)}`
  }
}

/**
 * Which part of the log to export; all that its readers see when nothing is said.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Partial<ReadAll> {}

/**
 * The tenant's events in the order of the log, up to where it is settled when the last page is read; page by page, in constant
 * memory.
 *
 * @category exporting
 * @since 0.1.0
 */
export const events = (options?: Options): Stream.Stream<Stored, EventStoreError, EventStore | TenantContext> =>
  paged(options, (page) => Effect.flatMap(EventStore, (store) => store.readAll(page)))

/**
 * The same of all tenants.
 *
 * @category exporting
 * @since 0.1.0
 */
export const eventsOfAllTenants = (
  options?: Options
): Stream.Stream<Stored, EventStoreError, EventStore | SystemContext> =>
  paged(options, (page) => Effect.flatMap(EventStore, (store) => store.readAllTenants(page)))

/**
 * The events of one stream, archived or not.
 *
 * @category exporting
 * @since 0.1.0
 */
export const eventsOf = (
  stream: StreamName,
  options?: { readonly fromVersion?: number | undefined; readonly skipped?: boolean | undefined }
): Stream.Stream<Stored, EventStoreError, EventStore | TenantContext> =>
  Stream.paginate(options?.fromVersion ?? 1, (fromVersion) =>
    Effect.map(
      Effect.flatMap(EventStore, (store) =>
        store.readStream(stream, { fromVersion, limit: pageSize, skipped: options?.skipped })
      ),
      (page) => {
        const last = page.length < pageSize ? undefined : page.at(-1)
        return [page, last === undefined ? Option.none() : Option.some(last.version + 1)] as const
      }
    )
  )

/**
 * Events as NDJSON: a line for each, with its end. What `fromNdjson` reads, `EventImport` takes back as it was.
 *
 * **Example** (From one log to another)
 *
 * ```ts
 * import { Event, EventExport, EventImport, EventStore, Memory, StreamName, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 * import * as Stream from "effect/Stream"
 *
 * class Noted extends Event.Class<Noted>()("Noted", { text: Schema.String }) {}
 * const stream = StreamName.make("Note", "1")
 *
 * const source = Effect.gen(function* () {
 *   const store = yield* EventStore.EventStore
 *   yield* store.append({ stream, expected: "none", events: [new Noted({ text: "a" }), new Noted({ text: "b" })] })
 *   return yield* EventExport.events().pipe(EventExport.toNdjson, Stream.mkString)
 * })
 *
 * const target = (text: string) =>
 *   Effect.gen(function* () {
 *     yield* Stream.runDrain(EventImport.run("move", EventExport.fromNdjson(Stream.make(text))))
 *     const store = yield* EventStore.EventStore
 *     return (yield* store.readStream(stream)).map(({ data, version }) => ({ version, data }))
 *   })
 *
 * const elsewhere = Effect.provide([Memory.layer, TenantContext.layerSingle], { local: true })
 * const program = Effect.flatMap(elsewhere(source), (text) => elsewhere(target(text)))
 * await Effect.runPromise(program) // => [{ version: 1, data: { text: "a" } }, { version: 2, data: { text: "b" } }]
 * ```
 *
 * @category lines
 * @since 0.1.0
 */
export const toNdjson = <E, R>(self: Stream.Stream<Stored, E, R>): Stream.Stream<string, E, R> =>
  Stream.map(self, (stored) => `${EventLine.encode(stored)}\n`)

/**
 * The events of NDJSON text, in pieces of any length; empty lines are passed over, and the first that is no event is the error.
 *
 * @category lines
 * @since 0.1.0
 */
export const fromNdjson = <E, R>(
  self: Stream.Stream<string, E, R>
): Stream.Stream<EventLine.ImportedEvent, E | MalformedLine, R> =>
  self.pipe(
    Stream.splitLines,
    Stream.zipWithIndex,
    Stream.filter(([line]) => line.trim() !== ""),
    Stream.mapEffect(([line, index]) =>
      Effect.fromResult(
        Result.mapError(EventLine.decode(line), (issues) => new MalformedLine({ line: index + 1, issues }))
      )
    )
  )

const pageSize = 500

const paged = <R>(
  options: Options | undefined,
  read: (options: ReadAll) => Effect.Effect<Page, EventStoreError, R>
): Stream.Stream<Stored, EventStoreError, R> =>
  Stream.paginate(options?.after ?? Position.start, (after) =>
    Effect.map(read({ limit: pageSize, ...options, after }), (page) => {
      const more = page.cursor < page.mark && page.cursor > after
      return [page.events, more ? Option.some(page.cursor) : Option.none()] as const
    })
  )
