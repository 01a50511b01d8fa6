/**
 * Transactions whose failures are told apart, what went wrong inside and what went wrong with the transaction itself, and
 * whose end is known to the fibers that outlive them.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
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
  Effect.withFiber((fiber) => {
    const outer = openLevel(Context.getOrUndefined(fiber.context, sql.transactionService))
    let inside: Exit.Exit<A, E> | undefined
    const noted = Effect.withFiber<A, E, R>((fiber) => {
      const level = Context.getOrUndefined(fiber.context, sql.transactionService)
      return Effect.onExit(self, (exit) =>
        Effect.sync(() => {
          inside = exit
          if (level !== undefined) ended.set(level, outer)
        })
      )
    })
    return Effect.catchCause(joined(sql, sql.withTransaction(noted)), (cause): Effect.Effect<never, E | E2> => {
      // A rollback that fails as well, on a connection that is gone, must not hide why there was one.
      if (inside !== undefined && Exit.isFailure(inside)) return Effect.failCause(inside.cause)
      return Effect.failCause(Cause.fromReasons(cause.reasons.map((reason) => told(reason, failed))))
    })
  })

type Level = SqlClient.TransactionConnection.Service

/** The transactions and savepoints that have ended, each with the one around it. */
const ended = new WeakMap<Level, Level | undefined>()

const openLevel = (level: Level | undefined): Level | undefined => {
  let open = level
  while (open !== undefined && ended.has(open)) open = ended.get(open)
  return open
}

/** Whether the fiber runs in a transaction that is still open. */
export const isOpen = (sql: SqlClient.SqlClient, fiber: Fiber.Fiber<unknown, unknown>): boolean =>
  openLevel(Context.getOrUndefined(fiber.context, sql.transactionService)) !== undefined

/**
 * Runs an effect in the innermost transaction of the fiber that is still open: a fiber may outlive the one it began in,
 * whose connection is somebody else's by then.
 */
export const joined = <A, E, R>(sql: SqlClient.SqlClient, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const level = Context.getOrUndefined(fiber.context, sql.transactionService)
    if (level === undefined || !ended.has(level)) return self
    const open = openLevel(level)
    return open === undefined
      ? Effect.updateContext(self, (context: Context.Context<R>) => outside(sql, context))
      : Effect.provideService(self, sql.transactionService, open)
  })

function outside<R>(sql: SqlClient.SqlClient, context: Context.Context<R>): Context.Context<R>
function outside(sql: SqlClient.SqlClient, context: Context.Context<never>): unknown {
  return Context.omit(sql.transactionService)(context)
}

/** The client fails with what it could not do, and dies of what it could not undo. */
const told = <E, E2>(reason: Cause.Reason<E | SqlError>, failed: (error: SqlError) => E2): Cause.Reason<E | E2> => {
  if (Cause.isFailReason(reason)) {
    return Cause.makeFailReason(isSqlError(reason.error) ? failed(reason.error) : reason.error)
  }
  return Cause.isDieReason(reason) && isSqlError(reason.defect) ? Cause.makeFailReason(failed(reason.defect)) : reason
}
