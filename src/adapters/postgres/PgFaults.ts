/**
 * A PostgreSQL client that fails on purpose: a statement is refused, a session ends, an answer is lost after the commit.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import { ConnectionError, SqlError } from "effect/sql/SqlError"
import * as faulty from "./internal/faulty.ts"

/**
 * The statements a fault is for.
 *
 * **Details**
 *
 * `matching` chooses by the text; all statements when absent, those that begin and end transactions included. `nth` and
 * `every` count what was chosen, from 1, over the whole client; `chance` is a probability from 0 to 1. What is given must all
 * be true.
 *
 * @category models
 * @since 0.1.0
 */
export interface When {
  readonly matching?: RegExp | undefined
  readonly nth?: number | ReadonlyArray<number> | undefined
  readonly every?: number | undefined
  readonly chance?: number | undefined
}

/**
 * What happens to a statement, and to which.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fault {
  readonly kind: Kind
  readonly when: When
  /** What the statement fails with, where the server does not say. */
  readonly error: SqlError
}

/**
 * @category models
 * @since 0.1.0
 */
export type Kind = "fail" | "kill" | "loseAnswer"

/**
 * A fault that was injected, and the statement it was injected into.
 *
 * @category models
 * @since 0.1.0
 */
export interface Injected {
  readonly kind: Kind
  readonly statement: string
}

/**
 * What was injected, in order.
 *
 * @category services
 * @since 0.1.0
 */
export class PgFaults extends Context.Service<
  PgFaults,
  { readonly injected: Effect.Effect<ReadonlyArray<Injected>> }
>()("effect-cqrs/adapters/postgres/PgFaults") {}

/**
 * Whether this fiber's statements are counted and get faults; true unless provided.
 *
 * @category services
 * @since 0.1.0
 */
export const Enabled: Context.Reference<boolean> = Context.Reference<boolean>(
  "effect-cqrs/adapters/postgres/PgFaults/Enabled",
  { defaultValue: () => true }
)

const connectionLost = new SqlError({
  reason: new ConnectionError({
    cause: "on purpose",
    message: "The connection was lost on purpose",
    operation: "query"
  })
})

/**
 * The statement fails with this error, a lost connection unless given, and is not sent. The session stays, but for a
 * statement that ends a transaction or a part of one: no session is well that refuses those.
 *
 * @category faults
 * @since 0.1.0
 */
export const fail = (when: When, error: SqlError = connectionLost): Fault => ({ kind: "fail", when, error })

/**
 * The server ends the session in place of the statement, with `pg_terminate_backend`: the statement fails as it does when an
 * administrator ends its session, the transaction is rolled back, and the pool has one session less.
 *
 * @category faults
 * @since 0.1.0
 */
export const kill = (when: When): Fault => ({ kind: "kill", when, error: connectionLost })

/**
 * The statement is done, and the session ends before its answer arrives: of a `COMMIT`, the transaction is committed and the
 * client does not know. A statement that fails by itself says so.
 *
 * @category faults
 * @since 0.1.0
 */
export const loseAnswer = (when: When): Fault => ({ kind: "loseAnswer", when, error: connectionLost })

/**
 * Puts faults on a client: it takes the `PgClient` from the layer it is given, and provides one that fails on purpose, as
 * `PgClient` and as `SqlClient`, and `PgFaults`.
 *
 * **Details**
 *
 * - It stands between the program and its pool: what is built on this client, such as `Postgres.layer`, fails through it,
 *   migrations included, if they match.
 * - `chance` draws from `Random` as it is where the layer is built: with `Random.withSeed` it repeats.
 * - The first fault that a statement meets is injected; the others count it all the same.
 *
 * **Gotchas**
 *
 * - The agent of the log and its notifier have connections of their own, which are not the pool's: give
 *   `PgHighWater.layer` the `shared` connection to have it fail as well.
 * - An embedded database has one session, which cannot be ended. There, a statement that `kill` hits fails and is not run,
 *   and one that loses its answer is run; the session goes on, with what is set in it. A commit that fails is rolled back,
 *   and what ends a part of a transaction does not fail.
 *
 * **Example** (The commit is done, and nobody knows)
 *
 * ```ts
 * import { PgFaults } from "effect-cqrs/postgres"
 * import * as PgClient from "@effect/sql-pg/PgClient"
 * import * as Config from "effect/Config"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * const program = Effect.gen(function* () {
 *   const sql = yield* PgClient.PgClient
 *   yield* sql`create table note (text text)`
 *   const written = yield* Effect.result(sql.withTransaction(sql`insert into note values ('hello')`))
 *   return [written._tag, yield* sql`select text from note`]
 * })
 *
 * const layer = PgFaults.layer([PgFaults.loseAnswer({ matching: /^commit/i, nth: 1 })]).pipe(
 *   Layer.provide(PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") }))
 * )
 * await Effect.runPromise(Effect.provide(program, layer)) // => ["Failure", [{ text: "hello" }]]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  faults: ReadonlyArray<Fault>
): Layer.Layer<PgClient.PgClient | SqlClient.SqlClient | PgFaults, never, PgClient.PgClient> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const original = yield* PgClient.PgClient
      const random = yield* Random.Random
      const injected: Array<Injected> = []
      const armed = faults.map((fault) => ({ fault, meets: counting(fault.when, () => random.nextDoubleUnsafe()) }))
      const choose = (statement: string): Fault | undefined => {
        const met = armed.filter(({ meets }) => meets(statement))
        const fault = met[0]?.fault
        if (fault !== undefined) injected.push({ kind: fault.kind, statement })
        return fault
      }
      const client = yield* faulty.client(original, (statement) =>
        Effect.map(Enabled, (enabled) => (enabled ? choose(statement) : undefined))
      )
      return Context.make(PgClient.PgClient, client).pipe(
        Context.add(SqlClient.SqlClient, client),
        Context.add(PgFaults, { injected: Effect.sync(() => injected.slice()) })
      )
    })
  ).pipe(Layer.provide(Reactivity.layer))

/** Whether a statement is one of those, counting those that match. */
const counting = (when: When, draw: () => number): ((statement: string) => boolean) => {
  const { chance, every, matching, nth } = when
  const wanted = nth === undefined ? undefined : new Set(typeof nth === "number" ? [nth] : nth)
  let count = 0
  return (statement) => {
    if (matching !== undefined && statement.search(matching) < 0) return false
    count++
    if (wanted !== undefined && !wanted.has(count)) return false
    if (every !== undefined && count % every !== 0) return false
    return chance === undefined || draw() < chance
  }
}
