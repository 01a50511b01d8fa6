/**
 * Transactions whose failures are told apart: what went wrong inside, and what went wrong with the transaction itself.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as SqlClient from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"

/**
 * Runs an effect in a transaction, or in a savepoint of the one that is open. Its own failure passes as it is; a failure to
 * begin, to commit or to release is given to `failed`.
 */
export const transact = <A, E, R, E2>(
  sql: SqlClient.SqlClient,
  self: Effect.Effect<A, E, R>,
  failed: (error: SqlError) => E2
): Effect.Effect<A, E | E2, R> =>
  Effect.suspend(() => {
    let inside: Exit.Exit<A, E> | undefined
    const noted = Effect.onExit(self, (exit) =>
      Effect.sync(() => {
        inside = exit
      })
    )
    return Effect.catchCause(sql.withTransaction(noted), (cause): Effect.Effect<never, E | E2> => {
      // A rollback that fails as well, on a connection that is gone, must not hide why there was one.
      if (inside !== undefined && Exit.isFailure(inside)) return Effect.failCause(inside.cause)
      return Effect.failCause(Cause.fromReasons(cause.reasons.map((reason) => outside(reason, failed))))
    })
  })

/** The client fails with what it could not do, and dies of what it could not undo. */
const outside = <E, E2>(reason: Cause.Reason<E | SqlError>, failed: (error: SqlError) => E2): Cause.Reason<E | E2> => {
  if (Cause.isFailReason(reason)) {
    return Cause.makeFailReason(isSqlError(reason.error) ? failed(reason.error) : reason.error)
  }
  return Cause.isDieReason(reason) && isSqlError(reason.defect) ? Cause.makeFailReason(failed(reason.defect)) : reason
}
