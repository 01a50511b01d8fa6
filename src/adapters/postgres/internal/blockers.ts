/**
 * Who has written events and not ended: what `pg_locks` and `pg_stat_activity` say of them.
 */
import type { Row } from "@effect/sql-pg/PgConnection"
import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"

/** A transaction that has written events and not ended. */
export interface Blocker {
  /** As PostgreSQL names it in `pg_locks.virtualtransaction`. */
  readonly transaction: string
  /** Its server process, for `pg_terminate_backend`; absent when it is prepared. */
  readonly process: number | undefined
  /** Under which name it was prepared, for `rollback prepared`. */
  readonly prepared: string | undefined
  /** What its session does now, like `idle in transaction`. */
  readonly state: string | undefined
  readonly user: string | undefined
  readonly application: string | undefined
  /** Its last statement, cut at 500 characters. Another user's is shown only to members of `pg_read_all_stats`. */
  readonly query: string | undefined
  /** How old it is; absent where this role may not know. */
  readonly age: Duration.Duration | undefined
  /** For how long its session has been in that state. */
  readonly unchanged: Duration.Duration | undefined
}

// A prepared transaction has no process; its name is found by its id, on which it holds a lock as well.
const holders = `select l.virtualtransaction as transaction, l.pid, p.gid as prepared, a.state, a.usename as "user",
    a.application_name as application, left(a.query, 500) as query,
    extract(epoch from clock_timestamp() - coalesce(a.xact_start, p.prepared))::float8 as age,
    extract(epoch from clock_timestamp() - a.state_change)::float8 as since
  from pg_locks l
  left join pg_stat_activity a on a.pid = l.pid
  left join pg_locks x on l.pid is null and x.pid is null and x.locktype = 'transactionid' and x.granted
    and x.virtualtransaction = l.virtualtransaction
  left join pg_prepared_xacts p on p.transaction = x.transactionid
  where l.locktype = 'relation' and l.granted and l.mode = 'RowExclusiveLock'
    and l.database = (select d.oid from pg_database d where d.datname = current_database())
    and l.relation = 'es.event'::regclass and l.virtualtransaction not like '%/0'
  order by age desc nulls last`

/** Those who write now, the oldest first. */
export const holdersText = holders

/** The mark, who moves it, and those who write now, in one row. */
export const healthText = `select h.position::float8 as mark, h.term::float8 as term,
    coalesce(pg_sequence_last_value('es.position'::regclass), 0)::float8 as drawn,
    extract(epoch from clock_timestamp() - h.lease_until)::float8 as leaderless,
    extract(epoch from clock_timestamp() - h.at)::float8 as moved,
    coalesce((select json_agg(b) from (${holders}) b), '[]')::text as holders
  from es.high_water h where h.id = 1`

export const fromRow = (row: Row): Blocker => ({
  transaction: String(row["transaction"]),
  process: typeof row["pid"] === "number" ? row["pid"] : undefined,
  prepared: text(row["prepared"]),
  state: text(row["state"]),
  user: text(row["user"]),
  application: text(row["application"]),
  query: text(row["query"]),
  age: seconds(row["age"]),
  unchanged: seconds(row["since"])
})

export const fromJson = (json: unknown): ReadonlyArray<Blocker> => {
  const parsed: unknown = JSON.parse(String(json))
  return Array.isArray(parsed) ? parsed.filter(Predicate.isObject).map((row) => fromRow({ ...row })) : []
}

/** One line of a log for one of them. */
export const describe = ({
  age,
  application,
  prepared,
  process,
  query,
  state,
  transaction,
  unchanged
}: Blocker): string =>
  prepared === undefined && process === undefined
    ? `transaction ${transaction}`
    : prepared !== undefined
      ? `prepared transaction '${prepared}', ${format(age)} old`
      : `process ${process} (${application ?? ""}), ${state ?? "unknown"} for ${format(unchanged)}, transaction ${transaction} ${format(age)} old: ${query ?? ""}`

const format = (duration: Duration.Duration | undefined) =>
  duration === undefined ? "an unknown time" : Duration.format(Duration.millis(Math.round(Duration.toMillis(duration))))
const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)
const seconds = (value: unknown): Duration.Duration | undefined =>
  typeof value === "number" ? Duration.millis(Math.max(value, 0) * 1000) : undefined
