/**
 * From what the statements that append answer, and fail with, to what the port says.
 */
import * as Predicate from "effect/Predicate"
import type { SqlError } from "effect/sql/SqlError"
import * as Position from "../../../domain/Position.ts"
import type { PreparedAppend } from "../../../ports/EventStoreDriver.ts"
import {
  AppendConditionFailed,
  EventStoreError,
  InvalidInput,
  matches,
  StreamTombstoned,
  VersionConflict
} from "../../../ports/EventStoreError.ts"
import type { AppendReceipt } from "../../../ports/Receipt.ts"
import type { Outcome } from "./appending.ts"
import * as failure from "./failure.ts"

export type Target = Pick<PreparedAppend, "stream" | "expected"> & Partial<Pick<PreparedAppend, "condition">>

/** What was written. */
export const receiptOf = ({ stream }: Target, { position, repeated, version }: Outcome): AppendReceipt => {
  const receipt = { stream, version, position: Position.make(position ?? 0) }
  return repeated ? { ...receipt, repeated } : receipt
}

/** Why nothing was; undefined when there is no reason any more, and the append is to be tried again. */
export const refusalOf = (
  { condition, expected, stream }: Target,
  { deleted, failed, version }: Outcome
): EventStoreError["reason"] | undefined => {
  if (failed !== null && condition !== undefined) {
    return new AppendConditionFailed({ stream, after: condition.after, position: failed })
  }
  if (deleted) return new StreamTombstoned({ stream })
  // Where it matches, the stream came to be as it was expected after the statement had looked for it.
  return matches(expected, version) ? undefined : new VersionConflict({ stream, expected, actual: version })
}

/** What the port says of an error of the driver; `conditional` is the stream whose append has a condition. */
export const storageFailure = (operation: string, conditional = ""): ((error: SqlError) => EventStoreError) => {
  const toFailure = failure.fromSqlError(`EventStore.${operation}`)
  return (error) =>
    new EventStoreError({ reason: sqlState(error) === "ES002" ? unconditional(conditional) : toFailure(error) })
}

// What the server refuses, cancels and what triggers raise, whatever codes they have of their own, comes before the commit. A
// connection, a session or a disk that is gone, and a fault of the server, say nothing.
const sqlStates = /^(?!EPIPE)[0-9A-Z]{5}$/
const unknownEnd = /^(08|57P|58|F0|XX|40003)/

/**
 * Whether the statement was certainly undone, and can be run again. When the connection or the session is gone, it may have
 * been committed.
 */
export const hasUndone = (error: SqlError): boolean => {
  const state = String(sqlState(error))
  return sqlStates.test(state) && !unknownEnd.test(state)
}

/** What the port says of an answer that is not what the statement promises. */
export const unexpected = (operation: string, cause: unknown): EventStoreError =>
  new EventStoreError({ reason: failure.unexpected(`EventStore.${operation}`, cause) })

const unconditional = (stream: string): InvalidInput =>
  new InvalidInput({
    stream,
    issues: [{ path: "condition", message: "can only hold in a transaction that is READ COMMITTED" }]
  })

const sqlState = ({ reason: { cause } }: SqlError): unknown =>
  Predicate.hasProperty(cause, "code") ? cause.code : undefined
