/**
 * Leases in PostgreSQL.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import { Lease } from "../../ports/Lease.ts"
import type { Acquired } from "../../ports/LeaseDriver.ts"
import { LeaseError } from "../../ports/LeaseError.ts"
import * as failure from "./internal/failure.ts"
import { joined } from "./internal/transaction.ts"

interface Row {
  readonly holder: string
  readonly token: number
  readonly remaining: number
}

/**
 * Leases in the table `es.lease`, one row for each name that ever was asked for, whose token outlives everybody. Time is the
 * database's clock.
 *
 * **Details**
 *
 * `Lease.guard` locks the row against a new token until its transaction has ended; renewals go on meanwhile.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Lease, never, SqlClient.SqlClient> = Layer.effect(
  Lease,
  Effect.map(SqlClient.SqlClient, (sql) => {
    const rowsOf = <A extends object>(operation: string, text: string, params: ReadonlyArray<unknown>) => {
      const toFailure = failure.fromSqlError(`Lease.${operation}`)
      return Effect.mapError(
        joined(sql, sql.unsafe<A>(text, params).withoutTransform),
        (error) => new LeaseError({ reason: toFailure(error) })
      )
    }
    const changed = (operation: string, tenant: string, name: string, token: number, millis: number) =>
      Effect.map(rowsOf(operation, renewText, [tenant, name, String(token), String(millis)]), (rows) => rows.length > 0)

    return {
      acquire: (tenant, name, holder, millis) =>
        Effect.map(
          rowsOf<Row & { readonly granted: boolean }>("acquire", acquireText, [tenant, name, holder, String(millis)]),
          ([row]): Acquired =>
            row?.granted === true
              ? { _tag: "Granted", token: row.token }
              : { _tag: "Held", holder: row?.holder ?? "", token: row?.token ?? 0, remaining: row?.remaining ?? 0 }
        ),
      renew: (tenant, name, token, millis) => changed("renew", tenant, name, token, millis),
      release: (tenant, name, token) => changed("release", tenant, name, token, 0),
      standing: (tenant, name) =>
        Effect.map(rowsOf<Row>("standing", standingText, [tenant, name]), ([row]) =>
          row === undefined || row.remaining <= 0 ? undefined : row
        ),
      newest: (tenant, name) =>
        Effect.map(rowsOf<{ readonly token: number }>("newest", newestText, [tenant, name]), ([row]) => row?.token ?? 0)
    }
  })
)

const acquireText = `select granted, token, holder, remaining from es.lease_acquire($1::text, $2::text, $3::text, $4::float8)`

const renewText = `update es.lease set until = clock_timestamp() + $4::float8 * interval '1 millisecond'
where tenant = $1::text and name = $2::text and token = $3::int8 and until > clock_timestamp() returning 1 as done`

const standingText = `select holder, token::float8 as token,
  (extract(epoch from until - clock_timestamp()) * 1000)::float8 as remaining
from es.lease where tenant = $1::text and name = $2::text`

const newestText = `select token::float8 as token from es.lease where tenant = $1::text and name = $2::text for key share`
