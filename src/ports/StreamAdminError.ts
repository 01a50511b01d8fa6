/**
 * How the administration of streams refuses, or fails.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as FieldIssue from "../domain/FieldIssue.ts"
import { ExpectedVersion, StreamTombstoned, VersionConflict } from "./EventStoreError.ts"
import { StorageFailure } from "./StorageFailure.ts"

/**
 * Somebody else set the stream's metadata in between; `actual` counts how often it was set, 0 when never.
 *
 * @category errors
 * @since 0.1.0
 */
export class MetadataConflict extends Schema.TaggedError<MetadataConflict>("effect-cqrs/MetadataConflict")(
  "MetadataConflict",
  { stream: Schema.String, expected: ExpectedVersion, actual: Schema.Natural }
) {
  override get message(): string {
    return `The metadata of ${this.stream} is at version ${this.actual}, expected ${this.expected}`
  }
}

/**
 * The stream's name, its metadata or a reason cannot be kept; or the metadata that is kept does not fit its schema.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidMetadata extends Schema.TaggedError<InvalidMetadata>("effect-cqrs/InvalidMetadata")(
  "InvalidMetadata",
  { stream: Schema.String, issues: Schema.Array(FieldIssue.FieldIssue) }
) {
  override get message(): string {
    return `Invalid for ${JSON.stringify(this.stream.slice(0, 100))}: ${FieldIssue.format(this.issues)}`
  }
}

/**
 * The stream has no event of this version, or no longer.
 *
 * @category errors
 * @since 0.1.0
 */
export class EventNotFound extends Schema.TaggedError<EventNotFound>("effect-cqrs/EventNotFound")("EventNotFound", {
  stream: Schema.String,
  version: Schema.Number
}) {
  override get message(): string {
    return `The stream ${this.stream} has no event of version ${this.version}`
  }
}

/**
 * The one error of `StreamAdmin`.
 *
 * @category errors
 * @since 0.1.0
 */
export class StreamAdminError extends Schema.TaggedError<StreamAdminError>("effect-cqrs/StreamAdminError")(
  "StreamAdminError",
  {
    reason: Schema.Union([
      MetadataConflict,
      InvalidMetadata,
      VersionConflict,
      StreamTombstoned,
      EventNotFound,
      StorageFailure
    ])
  }
) {
  override get message(): string {
    return this.reason.message
  }
}
