/**
 * Where a mutant is checked: a database with the library at work, and one that is left alone.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Fence, Settled, Sight } from "../../../src/adapters/postgres/internal/fence.ts"
import * as PgHighWater from "../../../src/adapters/postgres/PgHighWater.ts"
import * as Position from "../../../src/domain/Position.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as SystemContext from "../../../src/ports/SystemContext.ts"
import type { Provided } from "../../adapters/postgres/support.ts"

export interface Stage {
  /** A database in which the library's agent leads. */
  readonly url: string
  readonly library: Context.Context<Provided>
  /** A database with the same changes and without an agent. */
  readonly bare: string
  readonly observe: (fences: ReadonlyArray<Fence>, sight: Sight) => Settled
}

/** Fails unless it is so. */
export const expect = (isSo: boolean, what: string): Effect.Effect<void, string> =>
  isSo ? Effect.void : Effect.fail(what)

/** Waits until it is so; fails when it is not in time. */
export const soon = <E, R>(
  condition: Effect.Effect<boolean, E, R>,
  what: string,
  millis = 3000
): Effect.Effect<void, E | string, R> =>
  Effect.repeat(
    Effect.tap(condition, (isSo) => (isSo ? Effect.void : Effect.sleep("3 millis"))),
    {
      until: (isSo) => isSo
    }
  ).pipe(Effect.timeoutOrElse({ duration: millis, orElse: () => Effect.fail(what) }), Effect.asVoid)

/** A reader of all tenants' events that follows the log of a stage from where it ends. */
export class Follower {
  readonly seen: Array<number> = []
  private readonly stage: Stage
  private readonly limit: number
  private after = Position.start

  constructor(stage: Stage, limit = 100) {
    this.stage = stage
    this.limit = limit
  }

  /** Reads on to the end; events that were there before are not its own. */
  get skip() {
    return Effect.map(this.read, () => void (this.seen.length = 0))
  }

  get read() {
    return Effect.gen({ self: this }, function* () {
      const store = yield* EventStore.EventStore
      while (true) {
        const page = yield* store
          .readAllTenants({ after: this.after, limit: this.limit })
          .pipe(SystemContext.provide("test"))
        this.seen.push(...page.events.map(({ position }) => position))
        if (page.cursor === this.after) return
        this.after = page.cursor
      }
    }).pipe(Effect.provide(this.stage.library))
  }

  /** Reads until it has come to a position, and whatever it has seen by then. */
  to(position: number) {
    return Effect.gen({ self: this }, function* () {
      const store = yield* EventStore.EventStore
      const agent = yield* PgHighWater.PgHighWater
      agent.nudge(Position.make(position))
      yield* soon(
        Effect.map(store.mark, (mark) => mark >= position),
        `the mark comes to ${position}`
      )
      yield* this.read
    }).pipe(Effect.provide(this.stage.library))
  }
}
