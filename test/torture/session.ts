/**
 * Sessions on the server, driven statement by statement.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"

export type Session = PgConnection.PgConnection

/** A session beside those of the library. */
export const open = (
  url: string,
  settings?: Readonly<Record<string, string>>
): Effect.Effect<Session, SqlError, Scope.Scope> =>
  PgConnection.make({ url: Redacted.make(url), applicationName: "torture", startupParameters: settings })

/** The rows of a statement. */
export const rows = (
  session: Session,
  text: string,
  params?: ReadonlyArray<unknown>
): Effect.Effect<ReadonlyArray<PgConnection.Row>, SqlError> =>
  Effect.map(session.query(text, params), (result) => result.rows)

/** The one value of a statement, as a number. */
export const number = (
  session: Session,
  text: string,
  params?: ReadonlyArray<unknown>
): Effect.Effect<number, SqlError> =>
  Effect.map(rows(session, text, params), ([row]) => Number(Object.values(row ?? {})[0]))

/** What an append may say besides its stream. */
export interface AppendOptions {
  readonly tenant?: string
  readonly count?: number
  /** As the functions take it: -1 any, 0 none, -2 exists, otherwise exact; default any. */
  readonly expected?: number
  /** The tag of its events. */
  readonly tag?: string
  /** Makes it an append that is written once. */
  readonly id?: string
  /** Refuses it when there is an event with this tag; with any, where it is empty. */
  readonly unless?: string
}

export interface Appended {
  readonly written: boolean
  readonly version: number
  readonly position: number
}

/** The append that the library sends, from a session of one's own: events of the same type to one stream. */
export const append = (
  session: Session,
  stream: string,
  options: AppendOptions = {}
): Effect.Effect<Appended, SqlError> =>
  Effect.map(
    rows(
      session,
      `select a.written, a.version::float8 as version, a.last_position::float8 as position
      from es.append($1::text, $2::text, $3::int8,
        array(select gen_random_uuid()::text from generate_series(1, $4::int4)), array_fill('Noted'::text, array[$4::int4]),
        array_fill(1, array[$4::int4]), array_fill('{"n":0}'::text, array[$4::int4]),
        array_fill('{}'::text, array[$4::int4]), array_fill($5::text, array[$4::int4]), $6::text,
        case when $7::text is not null then 0 end, case when $7::text is not null then '{}' end,
        case when $7::text is not null then array[''] end, case when $7::text is not null then array[$7::text] end) a`,
      [
        options.tenant ?? "default",
        stream,
        String(options.expected ?? -1),
        options.count ?? 1,
        options.tag === undefined ? "{}" : `{${options.tag}}`,
        options.id ?? null,
        options.unless === undefined ? null : `{${options.unless}}`
      ]
    ),
    ([row]) => ({
      written: row?.["written"] === true,
      version: Number(row?.["version"]),
      position: Number(row?.["position"] ?? Number.NaN)
    })
  )

/** Whether the session waits for a lock of another. */
export const isWaiting = (monitor: Session, session: Session): Effect.Effect<boolean, SqlError> =>
  Effect.map(
    number(monitor, "select cardinality(pg_blocking_pids($1::int4))", [session.processId]),
    (blockers) => blockers > 0
  )
