/**
 * What every port that keeps data can suffer: its storage did not do what it was asked.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * The storage failed, for a reason that is not the caller's.
 *
 * **Details**
 *
 * `retryable` tells whether the same call may succeed later: a lost connection, a deadlock, a time-out. The vendor's error is
 * in `cause`, for logs; it is not part of the schema, so it never travels to a client.
 *
 * @category errors
 * @since 0.1.0
 */
export class StorageFailure extends Schema.TaggedError<StorageFailure>("effect-cqrs/StorageFailure")("StorageFailure", {
  operation: Schema.String,
  retryable: Schema.Boolean
}) {
  override get message(): string {
    return `The storage failed in ${this.operation}${this.retryable ? "; the same call may succeed later" : ""}`
  }
}

/**
 * A storage failure that keeps the vendor's error for logs.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: {
  readonly operation: string
  readonly retryable: boolean
  readonly cause: unknown
}): StorageFailure => {
  const failure = new StorageFailure({ operation: options.operation, retryable: options.retryable })
  Object.defineProperty(failure, "cause", { value: options.cause, enumerable: false })
  return failure
}
