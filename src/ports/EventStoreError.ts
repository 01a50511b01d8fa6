/**
 * How an event store refuses, or fails.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as FieldIssue from "../domain/FieldIssue.ts"
import { StorageFailure } from "./StorageFailure.ts"

/**
 * What a stream must look like for an append to go ahead: anything, not there, there, or at exactly this version.
 *
 * @category models
 * @since 0.1.0
 */
export const ExpectedVersion = Schema.Union([Schema.Literals(["any", "none", "exists"]), Schema.Natural])

/**
 * @category models
 * @since 0.1.0
 */
export type ExpectedVersion = typeof ExpectedVersion.Type

/**
 * Somebody else was faster, or the stream is not what the caller thought; `actual` is the version it has, 0 when missing.
 *
 * @category errors
 * @since 0.1.0
 */
export class VersionConflict extends Schema.TaggedError<VersionConflict>("effect-cqrs/VersionConflict")(
  "VersionConflict",
  {
    stream: Schema.String,
    expected: ExpectedVersion,
    actual: Schema.Natural
  }
) {
  override get message(): string {
    return `The stream ${this.stream} is at version ${this.actual}, expected ${this.expected}`
  }
}

/**
 * Something has happened that the condition of an append did not expect; `position` is that of the first such event.
 *
 * @category errors
 * @since 0.1.0
 */
export class AppendConditionFailed extends Schema.TaggedError<AppendConditionFailed>(
  "effect-cqrs/AppendConditionFailed"
)("AppendConditionFailed", {
  stream: Schema.String,
  after: Schema.Int,
  position: Schema.Int
}) {
  override get message(): string {
    return `The event at position ${this.position} was not known to what is appended to ${this.stream}, which knows all up to ${this.after}`
  }
}

/**
 * The stream was ended for good; nothing can be appended to it again.
 *
 * @category errors
 * @since 0.1.0
 */
export class StreamTombstoned extends Schema.TaggedError<StreamTombstoned>("effect-cqrs/StreamTombstoned")(
  "StreamTombstoned",
  { stream: Schema.String }
) {
  override get message(): string {
    return `The stream ${this.stream} is tombstoned`
  }
}

/**
 * The stream is archived: it can be read by its name, and takes nothing until it is restored.
 *
 * @category errors
 * @since 0.1.0
 */
export class StreamArchived extends Schema.TaggedError<StreamArchived>("effect-cqrs/StreamArchived")("StreamArchived", {
  stream: Schema.String
}) {
  override get message(): string {
    return `The stream ${this.stream} is archived`
  }
}

/**
 * The caller gave something no store can keep; each field is named, events as `events[2].title`.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidInput extends Schema.TaggedError<InvalidInput>("effect-cqrs/InvalidInput")("InvalidInput", {
  stream: Schema.String,
  issues: Schema.Array(FieldIssue.FieldIssue)
}) {
  override get message(): string {
    const place = this.stream === "" ? "Invalid input" : `Cannot append to ${JSON.stringify(this.stream.slice(0, 100))}`
    return `${place}: ${FieldIssue.format(this.issues)}`
  }
}

/**
 * An event takes more bytes than `EventSize.MaxEventBytes` allows, so nothing was appended; `index` counts from 0.
 *
 * @category errors
 * @since 0.1.0
 */
export class EventTooLarge extends Schema.TaggedError<EventTooLarge>("effect-cqrs/EventTooLarge")("EventTooLarge", {
  stream: Schema.String,
  index: Schema.Natural,
  type: Schema.String,
  size: Schema.Natural,
  limit: Schema.Natural
}) {
  override get message(): string {
    return `Cannot append events[${this.index}] (${this.type}) to ${this.stream}: it takes ${this.size} bytes, at most ${this.limit} are allowed`
  }
}

/**
 * A stored event is of an unknown type or does not fit its class. It stays in the log as it is.
 *
 * @category errors
 * @since 0.1.0
 */
export class EventUndecodable extends Schema.TaggedError<EventUndecodable>("effect-cqrs/EventUndecodable")(
  "EventUndecodable",
  {
    stream: Schema.String,
    version: Schema.Int,
    position: Schema.Int,
    type: Schema.String,
    issues: Schema.Array(FieldIssue.FieldIssue)
  }
) {
  override get message(): string {
    return `Cannot decode ${this.type} at position ${this.position} (${this.stream}, version ${this.version}): ${FieldIssue.format(this.issues)}`
  }
}

/**
 * A projection that runs inside the append failed, so nothing was appended. What it failed with is in `cause`, for logs.
 *
 * @category errors
 * @since 0.1.0
 */
export class ProjectionFailed extends Schema.TaggedError<ProjectionFailed>("effect-cqrs/ProjectionFailed")(
  "ProjectionFailed",
  { projection: Schema.String }
) {
  override get message(): string {
    return `The projection ${this.projection} failed, so nothing was appended`
  }
}

/**
 * A failed projection that keeps its cause for logs.
 *
 * @category constructors
 * @since 0.1.0
 */
export const projectionFailed = (projection: string, cause: unknown): ProjectionFailed => {
  const failure = new ProjectionFailed({ projection })
  Object.defineProperty(failure, "cause", { value: cause, enumerable: false })
  return failure
}

/**
 * The one error of `EventStore`; handle a case with `Effect.catchReason("EventStoreError", "VersionConflict", …)`.
 *
 * @category errors
 * @since 0.1.0
 */
export class EventStoreError extends Schema.TaggedError<EventStoreError>("effect-cqrs/EventStoreError")(
  "EventStoreError",
  {
    reason: Schema.Union([
      VersionConflict,
      AppendConditionFailed,
      StreamTombstoned,
      StreamArchived,
      InvalidInput,
      EventTooLarge,
      EventUndecodable,
      ProjectionFailed,
      StorageFailure
    ])
  }
) {
  override get message(): string {
    return this.reason.message
  }
}

/**
 * Whether somebody else was faster: what was read is out of date, and to read and decide again is the way on.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isConflict = ({ reason }: EventStoreError): boolean =>
  reason._tag === "VersionConflict" || reason._tag === "AppendConditionFailed"

/**
 * Whether a stream at `actual` is what `expected` asks for.
 *
 * @category predicates
 * @since 0.1.0
 */
export const matches = (expected: ExpectedVersion, actual: number): boolean => {
  switch (expected) {
    case "any":
      return true
    case "none":
      return actual === 0
    case "exists":
      return actual > 0
    default:
      return actual === expected
  }
}
