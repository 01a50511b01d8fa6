/**
 * How the agent and the notifier speak to the database besides the program's own statements.
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { ConnectionError, SqlError } from "effect/sql/SqlError"

/** Runs one statement by itself. */
export type Query = (
  text: string,
  params: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<PgConnection.Row>, SqlError>

/**
 * A connection of one's own, whatever the pool is busy with; `applicationName` tells it from others in `pg_stat_activity`.
 * It reads with the driver's own types, whichever the program has registered.
 */
export const connect = (
  client: PgClient.PgClient,
  applicationName: string
): Effect.Effect<PgConnection.PgConnection, SqlError, Scope.Scope> =>
  PgConnection.make({ ...client.config, applicationName, types: undefined, multiplex: false })

/** Statements over a connection of one's own; one that is not answered in time counts as lost. */
export const own = (client: PgClient.PgClient, applicationName: string): Effect.Effect<Query, SqlError, Scope.Scope> =>
  Effect.map(
    connect(client, applicationName),
    (connection): Query =>
      (text, params) =>
        Effect.timeoutOrElse(
          Effect.map(connection.query(text, params), (result) => result.rows),
          { duration: answerTime, orElse: () => Effect.fail(unanswered) }
        )
  )

/** How long an answer may take, in milliseconds. */
const answerTime = 5000

const unanswered = new SqlError({
  reason: new ConnectionError({ cause: "no answer in time", message: "The server did not answer", operation: "query" })
})

/** Statements over the client's pool. */
export const shared =
  (client: PgClient.PgClient): Query =>
  (text, params) =>
    client.unsafe<PgConnection.Row>(text, params).withoutTransform

/** Whether the database has a single session, which is the client's. */
export const isSingle = (client: PgClient.PgClient): boolean => client.driver === "pglite"

const clock = Clock.Clock.defaultValue()

/** Runs what follows the database: in real time, whatever the program's clock, and without a span for each statement. */
export const inBackground = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  self.pipe(Effect.provideService(Clock.Clock, clock), Effect.withTracerEnabled(false))

/** The time of what runs in the background, in milliseconds. */
export const now = (): number => clock.currentTimeMillisUnsafe()
