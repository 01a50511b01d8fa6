/**
 * Whether the log can be written and read now, and who is in the way.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import * as Position from "../../domain/Position.ts"
import * as blockers from "./internal/blockers.ts"
import * as session from "./internal/session.ts"

/**
 * How it is with the log.
 *
 * **Details**
 *
 * - `up`: what is written can be read at once.
 * - `degraded`: writers go on, and readers get nothing new: a transaction has written and stays open.
 * - `down`: the database does not answer, or no agent moves the mark.
 *
 * @category models
 * @since 0.1.0
 */
export type Status = "up" | "degraded" | "down"

/**
 * A transaction that has written events and not ended.
 *
 * @category models
 * @since 0.1.0
 */
export type Blocker = blockers.Blocker

/**
 * What a check found.
 *
 * @category models
 * @since 0.1.0
 */
export interface Health {
  readonly status: Status
  /** What is wrong, in a sentence; absent when nothing is. */
  readonly reason: string | undefined
  /** The position up to which the log is settled; absent when nobody answered. */
  readonly mark: Position.Position | undefined
  /** The last position that was drawn, used or not. */
  readonly drawn: Position.Position | undefined
  /** For how long the mark has been held back; zero when it is not. */
  readonly age: Duration.Duration
  /** Counts the changes of the leading agent. */
  readonly term: number | undefined
  /** Who holds the mark back, the oldest first; empty when nobody has for long. */
  readonly blockers: ReadonlyArray<Blocker>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** For how long the mark may be held back before that is `degraded`; 5 seconds when absent. */
  readonly degradedAfter?: Duration.Input | undefined
  /** How long the database may take to answer before it is `down`; 2 seconds when absent. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Asks the database, once, over the client: it never fails, and says the same in every process.
 *
 * **Gotchas**
 *
 * - It takes a connection of the pool: one that is used up makes the answer `down` after the `timeout`, which it is for callers.
 * - It asks as the role that appends. Of other roles' sessions that one may know the age only as a member of
 *   `pg_read_all_stats`; where it may not, a second look half a second later tells who stays.
 *
 * **Example** (A new database)
 *
 * ```ts
 * import { PgHealth, Postgres } from "effect-cqrs/postgres"
 * import * as Config from "effect/Config"
 * import * as Effect from "effect/Effect"
 *
 * const program = PgHealth.check().pipe(Effect.delay("300 millis"))
 * const { blockers, status } = await Effect.runPromise(
 *   Effect.provide(program, Postgres.layerUrl(Config.Redacted("DATABASE_URL")))
 * )
 * const found = [status, blockers] // => ["up", []]
 * ```
 *
 * @category checking
 * @since 0.1.0
 */
export const check = (options?: Options): Effect.Effect<Health, never, SqlClient.SqlClient> =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => {
    const limit = Duration.toMillis(Duration.fromInputUnsafe(options?.degradedAfter ?? "5 seconds"))
    const look = Effect.map(sql.unsafe<Row>(blockers.healthText).withoutTransform, ([row]) => row)
    const judged = Effect.gen(function* () {
      const row = yield* look
      if (row === undefined) return missing
      const hidden = hiddenIn(row)
      if (hidden.size === 0) return judge(row, limit, hidden)
      // Whose age may not be known is old when it is still there.
      const later = yield* Effect.delay(look, secondLook)
      return later === undefined ? missing : judge(later, limit, hidden)
    })
    return judged.pipe(
      Effect.timeoutOrElse({
        duration: options?.timeout ?? "2 seconds",
        orElse: () => Effect.succeed(down("The database did not answer in time"))
      }),
      Effect.catch((error) => Effect.succeed(down(`The database could not be asked: ${error.message}`))),
      session.inBackground
    )
  })

interface Row {
  readonly mark: number
  readonly term: number
  readonly drawn: number
  readonly leaderless: number
  readonly moved: number
  readonly holders: string
}

/** How long nobody may lead, in seconds: longer than it takes those who stand by to notice. */
const handOver = 5

const down = (reason: string): Health => ({
  status: "down",
  reason,
  mark: undefined,
  drawn: undefined,
  age: Duration.zero,
  term: undefined,
  blockers: []
})

const missing = down("The schema of the log is not there")

const secondLook = "500 millis"

/** Those who write in sessions of other roles, of which this one may not know the age. */
const hiddenIn = (row: Row): ReadonlySet<string> =>
  new Set(
    blockers
      .fromJson(row.holders)
      .filter(({ age }) => row.drawn > row.mark && age === undefined)
      .map(({ transaction }) => transaction)
  )

const judge = (row: Row, limit: number, hidden: ReadonlySet<string>): Health => {
  const held = blockers
    .fromJson(row.holders)
    .filter(({ age, transaction }) => (age === undefined ? hidden.has(transaction) : Duration.toMillis(age) >= limit))
  // Nobody holds a mark back that nothing was drawn beyond, nor for longer than it stands where it does.
  const oldest = row.drawn > row.mark ? held[0] : undefined
  const stands = Duration.seconds(Math.max(row.moved, 0))
  const age = oldest === undefined ? Duration.zero : Duration.min(oldest.age ?? stands, stands)
  const found = {
    mark: Position.make(row.mark),
    drawn: Position.make(row.drawn),
    age,
    term: row.term,
    blockers: oldest === undefined ? [] : held
  }
  if (row.leaderless > handOver) {
    const reason = `No agent has moved the mark of the log for ${Math.round(row.leaderless)} s`
    return { ...found, status: "down", reason }
  }
  return oldest === undefined || Duration.toMillis(age) < limit
    ? { ...found, status: "up", reason: undefined }
    : { ...found, status: "degraded", reason: `Readers of the log wait for ${blockers.describe(oldest)}` }
}
