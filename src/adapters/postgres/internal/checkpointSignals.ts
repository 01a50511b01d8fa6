/**
 * How processes tell each other that a checkpoint has moved, so that who waits for it needs not ask.
 *
 * Telling is a statement of its own, after the commit that moved the checkpoint: a notification within it would hold a lock
 * of the whole database while it commits. It is sent at most every 20 ms, for all that have moved meanwhile. A process listens
 * from the first time somebody waits in it. Both are hints: whoever waits looks as well, now and then.
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { Signals } from "../../../ports/CheckpointStore.ts"
import * as session from "./session.ts"

const channel = "es_checkpoint"

export const make = (client: PgClient.PgClient, listens: boolean): Effect.Effect<Signals, never, Scope.Scope> =>
  Effect.gen(function* () {
    const signals = new CheckpointSignals()
    yield* Effect.forkScoped(session.inBackground(tell(signals, session.shared(client))))
    if (listens) yield* Effect.forkScoped(session.inBackground(listen(signals, client)))
    return signals.service
  })

class CheckpointSignals {
  readonly moved = new Set<string>()
  readonly hasMoved = Latch.makeUnsafe(false)
  readonly someoneWaits = Latch.makeUnsafe(false)
  hear: (name: string) => void = () => {}

  readonly service: Signals = {
    tell: (name) => {
      this.moved.add(name)
      this.hasMoved.openUnsafe()
    },
    listen: () => void this.someoneWaits.openUnsafe(),
    onHeard: (hear) => {
      this.hear = hear
    }
  }
}

const tellText = "select pg_notify($1, name) from unnest($2::text[]) as t (name)"

const pause = 20

const tell = (signals: CheckpointSignals, query: session.Query): Effect.Effect<never> =>
  Effect.gen(function* () {
    while (true) {
      yield* signals.hasMoved.await
      signals.hasMoved.closeUnsafe()
      const names = Array.from(signals.moved)
      signals.moved.clear()
      yield* query(tellText, [channel, names]).pipe(
        Effect.catchCause((cause) => Effect.logDebug("Could not tell of a checkpoint", cause))
      )
      yield* Effect.sleep(pause)
    }
  })

const shortestRetry = 100
const longestRetry = 5000

const listen = (signals: CheckpointSignals, client: PgClient.PgClient): Effect.Effect<never> =>
  Effect.gen(function* () {
    let retry = shortestRetry
    yield* signals.someoneWaits.await
    const hear = Effect.gen(function* () {
      const connection = yield* (yield* session.connect(client, "effect-cqrs checkpoints")).pin
      const notifications = yield* connection.listen(channel)
      retry = shortestRetry
      while (true) signals.hear((yield* Queue.take(notifications)).payload)
    })
    while (true) {
      yield* hear.pipe(
        Effect.scoped,
        Effect.catchCause((cause) => Effect.logDebug("Cannot listen for checkpoints; trying again", cause))
      )
      yield* Effect.sleep(retry)
      retry = Math.min(retry * 2, longestRetry)
    }
  })
