/**
 * What the tests of this adapter share: a store on a database of its own, and a second session to look and to disturb.
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Postgres from "../../../src/adapters/postgres/Postgres.ts"
import type { PostgresError } from "../../../src/adapters/postgres/PostgresError.ts"
import * as Event from "../../../src/domain/Event.ts"
import * as Position from "../../../src/domain/Position.ts"
import type * as EventStore from "../../../src/ports/EventStore.ts"
import type { EventStoreError } from "../../../src/ports/EventStoreError.ts"
import * as TenantContext from "../../../src/ports/TenantContext.ts"
import { databaseUrl } from "../../services/database.ts"

export class Noted extends Event.Class<Noted>()("Noted", { n: Schema.Int }) {}

export const noted = (n: number): Noted => new Noted({ n })

export type Provided = Postgres.Services | PgClient.PgClient | SqlClient.SqlClient | TenantContext.TenantContext

/** All ports on the database at this URL, as one process has them. */
export const process = (url: string, options?: Postgres.ClientOptions): Layer.Layer<Provided, PostgresError> =>
  Layer.merge(Postgres.layerUrl(Redacted.make(url), options), TenantContext.layerSingle)

/** All ports on a new database. */
export const freshStore: Layer.Layer<Provided, PostgresError | SqlError> = Layer.unwrap(
  Effect.map(databaseUrl, (url) => process(url))
)

/** What the log says of lost connections is not for the output of a test that takes them away. */
export const quiet: Layer.Layer<never> = Logger.layer([])

export type Connection = PgConnection.PgConnection

/** A session beside those of the store. */
export const connect = (url: string): Effect.Effect<PgConnection.PgConnection, SqlError, Scope.Scope> =>
  PgConnection.make({ url: Redacted.make(url), applicationName: "test" })

/** Waits until the mark has come to a position. */
export const settled = (
  store: EventStore.EventStore["Service"],
  position: Position.Position
): Effect.Effect<void, EventStoreError> =>
  Effect.flatMap(store.mark, (mark) =>
    mark >= position ? Effect.void : Effect.andThen(Effect.sleep("2 millis"), settled(store, position))
  )

/** The highest position that was ever drawn. */
export const lastDrawn = (connection: PgConnection.PgConnection): Effect.Effect<Position.Position, SqlError> =>
  Effect.map(
    connection.query("select case when is_called then last_value else 0 end::float8 as last from es.position"),
    ({ rows }) => Position.make(Number(rows[0]?.["last"]))
  )
