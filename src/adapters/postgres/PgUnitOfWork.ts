/**
 * Units of work as transactions of PostgreSQL.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import * as Receipt from "../../ports/Receipt.ts"
import * as UnitOfWork from "../../ports/UnitOfWork.ts"
import * as failure from "./internal/failure.ts"
import { isOpen, joined, transact } from "./internal/transaction.ts"

/**
 * Units of work over the client's transactions: the ports of this adapter and the program's own statements on the same
 * `SqlClient` commit together.
 *
 * **Details**
 *
 * The isolation level is the server's, or what `SqlClient.BeginTransaction` says. Failures of statements inside pass as they
 * are; what fails with `UnitOfWorkError` is beginning and committing.
 *
 * **Gotchas**
 *
 * - A statement of the program's own that fails leaves PostgreSQL's transaction unable to go on. To go on after such a
 *   failure, run the statement in a nested `transaction`.
 * - Waiting for the mark inside a transaction that has appended is waiting for oneself.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<UnitOfWork.UnitOfWork, never, SqlClient.SqlClient> = Layer.effect(
  UnitOfWork.UnitOfWork,
  Effect.map(SqlClient.SqlClient, (sql) => {
    const toFailure = failure.fromSqlError("UnitOfWork.transaction")
    return {
      transaction: <A, E, R>(self: Effect.Effect<A, E, R>) =>
        Receipt.forgetOnFailure(
          transact(sql, self, (error) => new UnitOfWork.UnitOfWorkError({ reason: toFailure(error) }))
        ),
      afterCommit: (hook: Effect.Effect<void>) => joined(sql, sql.afterCommit(hook)),
      isOpen: Effect.withFiber((fiber) => Effect.succeed(isOpen(sql, fiber)))
    }
  })
)
