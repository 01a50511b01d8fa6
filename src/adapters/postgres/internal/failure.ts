/**
 * From the driver's errors to the ports' one kind of storage failure.
 */
import * as Predicate from "effect/Predicate"
import type { SqlError } from "effect/sql/SqlError"
import * as StorageFailure from "../../../ports/StorageFailure.ts"

// Resources ran out, the server ends or begins, or this one became a standby: another attempt finds it otherwise.
const passing = /^(53|57P0[1-4]|25006)/

/** Whether the same call may succeed later. */
const isRetryable = (error: SqlError): boolean => {
  if (error.isRetryable) return true
  const cause = error.reason.cause
  return Predicate.hasProperty(cause, "code") && passing.test(String(cause.code))
}

// The session was ended, or could not begin.
const lost = /^(08|57P0[1-4])/

/** Whether it is the connection that failed. */
export const isLost = ({ reason }: SqlError): boolean =>
  reason._tag === "ConnectionError" ||
  (Predicate.hasProperty(reason.cause, "code") && lost.test(String(reason.cause.code)))

/** What the port says of an error of the driver. */
export const fromSqlError =
  (operation: string) =>
  (error: SqlError): StorageFailure.StorageFailure =>
    StorageFailure.make({ operation, retryable: isRetryable(error), cause: error })

/** What the port says of an answer that is not what the statement promises. */
export const unexpected = (operation: string, cause: unknown): StorageFailure.StorageFailure =>
  StorageFailure.make({ operation, retryable: false, cause })
