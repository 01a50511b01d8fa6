/**
 * The mark up to which the log is settled, and the agent that moves it.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { SqlError } from "effect/sql/SqlError"
import type * as Position from "../../domain/Position.ts"
import * as IdGenerator from "../../ports/IdGenerator.ts"
import { Agent } from "./internal/agent.ts"
import * as session from "./internal/session.ts"
import { MarkNotifier } from "./PgNotifier.ts"

/**
 * What this process's agent knows.
 *
 * @category models
 * @since 0.1.0
 */
export interface State {
  readonly mark: Position.Position
  /** Whether this agent leads; the others stand by. */
  readonly leads: boolean
  /** Counts the changes of leader. */
  readonly term: number
  /** For how long the mark has been held back by a transaction that has written and not ended; zero when it is not. */
  readonly waited: Duration.Duration
  /**
   * Who holds it back: each transaction as PostgreSQL names it in `pg_locks`, with the number of its server process, or
   * with `prepared`.
   */
  readonly blockedBy: ReadonlyArray<string>
  /** Why the agent has no session; absent while it has one. */
  readonly failure: Cause.Cause<SqlError> | undefined
}

/**
 * The agent of this process.
 *
 * **Details**
 *
 * `nudge` tells it of a position that was committed, which it then looks for at once. `state` is for health checks: a mark
 * that is held back, or an agent without a session, means that readers of the log get nothing new.
 *
 * @category services
 * @since 0.1.0
 */
export class PgHighWater extends Context.Service<
  PgHighWater,
  {
    readonly nudge: (position: Position.Position) => void
    readonly state: Effect.Effect<State>
  }
>()("effect-cqrs/adapters/postgres/PgHighWater") {}

/**
 * How an agent reaches the database.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * `own`: a connection beside the pool, so that it works whatever the pool is busy with. `shared`: the pool's, for a
   * database with a single session. By default as the client's driver asks for.
   */
  readonly connection?: "own" | "shared" | undefined
  /** For how long the mark may be held back before the log says so; 5 seconds when absent. */
  readonly stuckAfter?: Duration.Input | undefined
}

/**
 * Runs an agent until the scope closes.
 *
 * **Details**
 *
 * Every process runs one; one of them leads, by a lease of 2 s that the next one takes over. It looks every 2 ms while
 * something is being written, and ever less often down to every 250 ms while nothing is. It works in real time, whatever
 * the `Clock`, and comes back by itself after a lost connection, logging each attempt. What it sees is measured by
 * `PgMetrics`; a mark that is held back is a warning that names who does it, once, and another word when it goes on.
 *
 * **Gotchas**
 *
 * A transaction that has appended and stays open holds the mark below what it wrote: writers go on, readers wait. Bound the
 * role that writes with `PgRoles.limit`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<PgHighWater, never, PgClient.PgClient | MarkNotifier> =>
  Layer.effect(
    PgHighWater,
    Effect.gen(function* () {
      const client = yield* PgClient.PgClient
      const connection = options?.connection ?? (session.isSingle(client) ? "shared" : "own")
      const agent = new Agent({
        owner: yield* IdGenerator.next,
        notifier: yield* MarkNotifier,
        open:
          connection === "own"
            ? session.own(client, "effect-cqrs high-water agent")
            : Effect.succeed(session.shared(client)),
        stuckAfter: Duration.fromInputUnsafe(options?.stuckAfter ?? "5 seconds"),
        announces: connection === "own"
      })
      yield* Effect.forkScoped(session.inBackground(agent.run))
      return {
        nudge: (position) => agent.nudge(position),
        state: Effect.sync(() => {
          return {
            mark: agent.mark,
            leads: agent.leads,
            term: agent.term,
            waited: Duration.millis(agent.waited),
            blockedBy: agent.blockers,
            failure: agent.failure
          }
        })
      }
    })
  )
