/**
 * A client over another one's sessions, some of whose statements fail on purpose.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { SqlError, UnknownError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import * as session from "./session.ts"

interface Fault {
  readonly kind: "fail" | "kill" | "loseAnswer"
  readonly error: SqlError
}

/** The fault for a statement; it is asked once for each. */
export type Choose = (statement: string) => Effect.Effect<Fault | undefined>

export const client = (
  original: PgClient.PgClient,
  choose: Choose
): Effect.Effect<PgClient.PgClient, never, Reactivity.Reactivity> => {
  const { config } = original
  const single = session.isSingle(original)
  const transform = config.transformResultNames
  const acquirer = Effect.map(original.reserve, (connection) => wrap(connection, choose, single))
  return Effect.map(
    SqlClient.make({
      acquirer,
      compiler: PgClient.makeCompiler(config.transformQueryNames, config.transformJson),
      driver: original.driver,
      transactionService: original.transactionService,
      spanAttributes: Object.entries(config.spanAttributes ?? {}),
      prepareTransactionControls: true,
      commit,
      releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
      ...(transform === undefined
        ? {}
        : { transformRows: Statement.defaultTransforms(transform, config.transformJson).array })
    }),
    (made) => Object.assign(made, pick(original))
  )
}

/** What a `PgClient` has beside what every client has. */
const pick = (original: PgClient.PgClient): Omit<PgClient.PgClient, keyof SqlClient.SqlClient> => ({
  [PgClient.TypeId]: original[PgClient.TypeId],
  config: original.config,
  json: original.json,
  listen: original.listen,
  notify: original.notify
})

const wrap = (connection: Connection, choose: Choose, single: boolean): Connection => {
  const execute = (text: string) => connection.executeUnprepared(text, [], undefined)

  /** Ends the session, which answers with why; the one session of an embedded database stays. */
  const end = (error: SqlError): Effect.Effect<never, SqlError> =>
    Effect.andThen(single ? Effect.void : execute("select pg_terminate_backend(pg_backend_pid())"), Effect.fail(error))

  /** What becomes of a statement that is not to be run; nothing, when it has to be all the same. */
  const instead = ({ error, kind }: Fault, text: string): Effect.Effect<never, SqlError> | undefined => {
    const bounded = bounds.test(text)
    // The one session stays, and its transaction with it.
    if (single && bounded)
      return commits.test(text) ? Effect.andThen(execute("rollback"), Effect.fail(error)) : undefined
    if (kind === "kill") return end(error)
    // No session is well and refuses these: it would go back to the pool in the middle of a transaction.
    return bounded ? Effect.andThen(Effect.ignore(end(error)), Effect.fail(error)) : Effect.fail(error)
  }

  const run = <A>(text: string, statement: Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> =>
    Effect.flatMap(choose(text), (fault) => {
      if (fault === undefined) return statement
      return fault.kind === "loseAnswer"
        ? Effect.andThen(statement, end(fault.error))
        : (instead(fault, text) ?? statement)
    })

  return {
    execute: (text, params, transform) => run(text, connection.execute(text, params, transform)),
    executeRaw: (text, params) => run(text, connection.executeRaw(text, params)),
    executeValues: (text, params) => run(text, connection.executeValues(text, params)),
    executeValuesUnprepared: (text, params) => run(text, connection.executeValuesUnprepared(text, params)),
    executeUnprepared: (text, params, transform) => run(text, connection.executeUnprepared(text, params, transform)),
    executeStream: (text, params, transform) => {
      const rows = connection.executeStream(text, params, transform)
      return Stream.unwrap(
        Effect.map(choose(text), (fault) => {
          if (fault === undefined) return rows
          return fault.kind === "loseAnswer"
            ? Stream.concat(rows, Stream.fromEffectDrain(end(fault.error)))
            : Stream.fromEffectDrain(instead(fault, text) ?? Effect.void)
        })
      )
    }
  }
}

/** Statements between which a transaction or a part of it is open. */
const bounds = /^\s*(commit|end|rollback|abort|savepoint|release)\b/i
const commits = /^\s*(commit|end)\b/i

/** The server answers to the commit of a failed transaction with `ROLLBACK`. */
const commit = (connection: Connection): Effect.Effect<void, SqlError> =>
  Effect.flatMap(connection.executeRaw("COMMIT", []), (result) =>
    Predicate.hasProperty(result, "command") && result.command === "ROLLBACK"
      ? Effect.fail(
          new SqlError({
            reason: new UnknownError({
              cause: result,
              message: "COMMIT rolled back an aborted transaction",
              operation: "commit"
            })
          })
        )
      : Effect.void
  )
