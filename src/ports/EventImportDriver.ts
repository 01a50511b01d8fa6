/**
 * How an import refuses, or fails, and what an adapter of `EventImport` implements.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ImportedEvent } from "../domain/EventLine.ts"
import * as FieldIssue from "../domain/FieldIssue.ts"
import { StorageFailure } from "./StorageFailure.ts"

/**
 * An event of the source cannot be kept. All before it is imported; `row` counts the events of the source from 1.
 *
 * @category errors
 * @since 0.1.0
 */
export class ImportRefused extends Schema.TaggedError<ImportRefused>("effect-cqrs/ImportRefused")("ImportRefused", {
  row: Schema.Natural,
  stream: Schema.String,
  issues: Schema.Array(FieldIssue.FieldIssue)
}) {
  override get message(): string {
    return `Cannot import row ${this.row} (${this.stream.slice(0, 100)}): ${FieldIssue.format(this.issues)}`
  }
}

/**
 * The stream of an event is already at its version or beyond, or takes nothing. All before it is imported.
 *
 * @category errors
 * @since 0.1.0
 */
export class ImportConflict extends Schema.TaggedError<ImportConflict>("effect-cqrs/ImportConflict")("ImportConflict", {
  row: Schema.Natural,
  stream: Schema.String,
  version: Schema.Int,
  actual: Schema.Natural,
  /** Whether the stream is tombstoned or archived. */
  closed: Schema.Boolean
}) {
  override get message(): string {
    const why = this.closed ? "takes nothing any more" : `is at version ${this.actual}`
    return `Cannot import row ${this.row}, version ${this.version} of ${this.stream}: the stream ${why}`
  }
}

/**
 * Another run of the import has gone on meanwhile; `actual` is how many events it has imported.
 *
 * @category errors
 * @since 0.1.0
 */
export class ImportOvertaken extends Schema.TaggedError<ImportOvertaken>("effect-cqrs/ImportOvertaken")(
  "ImportOvertaken",
  { name: Schema.String, expected: Schema.Natural, actual: Schema.Natural }
) {
  override get message(): string {
    return `The import ${this.name} is at ${this.actual}, expected ${this.expected}: another run has gone on`
  }
}

/**
 * The one error of `EventImport`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ImportError extends Schema.TaggedError<ImportError>("effect-cqrs/ImportError")("ImportError", {
  reason: Schema.Union([ImportRefused, ImportConflict, ImportOvertaken, StorageFailure])
}) {
  override get message(): string {
    return this.reason.message
  }
}

/**
 * What an adapter implements. An import is known by its scope, a tenant or `""` for all, and its name.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Driver {
  /** How many events of the source were imported. */
  readonly imported: (scope: string, name: string) => Effect.Effect<number, ImportError>
  /**
   * Writes a batch whole, and with it that so many more were imported, if it was at `from`: `ImportOvertaken` when it was
   * elsewhere, `ImportConflict` with the first row that does not fit.
   */
  readonly write: (
    scope: string,
    name: string,
    from: number,
    batch: ReadonlyArray<PreparedImport>
  ) => Effect.Effect<void, ImportError>
}

/**
 * An event ready to be written; `data` and `metadata` are JSON as text.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface PreparedImport {
  readonly event: ImportedEvent
  readonly tenant: string
  readonly data: string
  readonly metadata: string
}
