/**
 * Events as lines of text, one JSON object each (NDJSON): how a log is carried from one store to another.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as FieldIssue from "./FieldIssue.ts"
import { Metadata } from "./Metadata.ts"
import type { Stored } from "./RecordedEvent.ts"
import * as StreamName from "./StreamName.ts"

/**
 * An event as it was recorded somewhere else; `tenant` is whose it was there.
 *
 * @category models
 * @since 0.1.0
 */
export interface ImportedEvent {
  readonly tenant: string
  readonly stream: StreamName.StreamName
  readonly version: number
  readonly id: string
  readonly type: string
  readonly schemaVersion: number
  readonly tags: ReadonlyArray<string>
  readonly metadata: Metadata
  /** In milliseconds since 1970. */
  readonly recordedAt: number
  /** JSON. */
  readonly data: unknown
}

/**
 * One event as a line, without its end.
 *
 * **Details**
 *
 * The position is there for people; an import draws new ones, in the order of the lines. A skipped event has its `skip`.
 *
 * @category conversions
 * @since 0.1.0
 */
export const encode = (stored: Stored): string => {
  const { data, id, metadata, position, recordedAt, schemaVersion, skip, stream, tags, tenant, type, version } = stored
  return JSON.stringify({
    position,
    tenant,
    stream,
    version,
    id,
    type,
    schemaVersion,
    tags,
    metadata,
    recordedAt,
    data,
    skip
  })
}

const Line = Schema.Struct({
  tenant: Schema.String,
  stream: Schema.String,
  version: Schema.Int,
  id: Schema.String,
  type: Schema.String,
  schemaVersion: Schema.Int,
  tags: Schema.Array(Schema.String),
  metadata: Metadata,
  recordedAt: Schema.Int,
  data: Schema.Unknown
})

const decodeFirst = Schema.decodeUnknownResult(Line)
const decodeAll = Schema.decodeUnknownResult(Line, { errors: "all" })

/**
 * The event of a line, or every field that is wrong with it.
 *
 * @category conversions
 * @since 0.1.0
 */
export const decode = (line: string): Result.Result<ImportedEvent, ReadonlyArray<FieldIssue.FieldIssue>> => {
  const json = parse(line)
  if (json === undefined) return Result.fail([{ path: "", message: "must be a JSON object" }])
  const first = decodeFirst(json)
  if (Result.isSuccess(first)) {
    return Result.succeed({ ...first.success, stream: StreamName.fromString(first.success.stream) })
  }
  const all = decodeAll(json)
  return Result.fail(Result.isFailure(all) ? FieldIssue.fromIssue(all.failure.issue) : [])
}

const parse = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
