/**
 * How a process learns that the mark has moved.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Position from "../../domain/Position.ts"
import * as session from "./internal/session.ts"

/**
 * The mark as far as this process knows, and who waits for it.
 *
 * **Details**
 *
 * - `publish` tells of a mark: it wakes whoever waits for less.
 * - `observe` tells of a mark that was read while `known` was known already. A lower one is a log that went back, by a
 *   fail-over or a restored backup, or a replica that lags: what is known goes back with it.
 * - `changed` completes when the mark is known to be beyond a position.
 *
 * What is known is a hint. Readers stop at the mark they read from the database, together with the events.
 *
 * @category services
 * @since 0.1.0
 */
export class MarkNotifier extends Context.Service<
  MarkNotifier,
  {
    readonly known: () => Position.Position
    readonly publish: (mark: Position.Position) => void
    readonly observe: (mark: Position.Position, known: Position.Position) => void
    readonly changed: (after: Position.Position) => Effect.Effect<void>
  }
>()("effect-cqrs/adapters/postgres/MarkNotifier") {}

/**
 * The channel on which agents announce the mark, as a decimal number.
 *
 * @category constants
 * @since 0.1.0
 */
export const channel = "es_high_water"

/**
 * Hears of other processes by `LISTEN`, on a connection of its own, and looks at the mark every 250 ms to 1 s while somebody
 * waits: a lost connection costs latency and nothing else. A database with a single session has no other processes to hear
 * of: there it is `layerLocal`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<MarkNotifier, never, PgClient.PgClient> = Layer.effect(
  MarkNotifier,
  Effect.gen(function* () {
    const client = yield* PgClient.PgClient
    const marks = new Marks()
    if (session.isSingle(client)) return marks.service
    yield* Effect.forkScoped(session.inBackground(poll(marks, client)))
    yield* Effect.forkScoped(session.inBackground(listen(marks, client)))
    return marks.service
  })
)

/**
 * Looks at the mark every 250 ms to 1 s while somebody waits, and does not listen: for poolers that share sessions, such as
 * PgBouncer in transaction mode.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerPolling: Layer.Layer<MarkNotifier, never, PgClient.PgClient> = Layer.effect(
  MarkNotifier,
  Effect.gen(function* () {
    const client = yield* PgClient.PgClient
    const marks = new Marks()
    yield* Effect.forkScoped(session.inBackground(poll(marks, client)))
    return marks.service
  })
)

/**
 * Hears of this process's agent and of nobody else: for a database that no other process has open.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerLocal: Layer.Layer<MarkNotifier> = Layer.sync(MarkNotifier, () => new Marks().service)

interface Waiter {
  readonly after: Position.Position
  readonly wake: () => void
}

class Marks {
  readonly someoneWaits = Latch.makeUnsafe(false)
  readonly waiting = new Set<Waiter>()
  private mark = Position.start

  readonly service: MarkNotifier["Service"] = {
    known: () => this.mark,
    publish: (mark) => this.publish(mark),
    observe: (mark, known) => {
      if (mark < known) this.mark = mark
      else this.publish(mark)
    },
    changed: (after) =>
      Effect.callback((resume) => {
        if (this.mark > after) return resume(Effect.void)
        const waiter = { after, wake: () => resume(Effect.void) }
        this.waiting.add(waiter)
        this.someoneWaits.openUnsafe()
        return Effect.sync(() => void this.waiting.delete(waiter))
      })
  }

  publish(mark: Position.Position): void {
    if (mark <= this.mark) return
    this.mark = mark
    for (const waiter of this.waiting) {
      if (mark > waiter.after && this.waiting.delete(waiter)) waiter.wake()
    }
  }
}

const markText = "select position::float8 as mark from es.high_water where id = 1"

const shortestPoll = 250
const longestPoll = 1000

/** Between three quarters and all of it, so that many processes do not ask at one moment. */
const jittered = (millis: number) => Effect.map(Random.next, (random) => millis * (0.75 + random / 4))

const poll = (marks: Marks, client: PgClient.PgClient): Effect.Effect<never> =>
  Effect.gen(function* () {
    const query = session.shared(client)
    let interval = shortestPoll
    while (true) {
      if (marks.waiting.size === 0) marks.someoneWaits.closeUnsafe()
      yield* marks.someoneWaits.await
      const known = marks.service.known()
      yield* Effect.sleep(yield* jittered(interval))
      // Whoever waited has heard of it otherwise.
      if (marks.waiting.size === 0 || marks.service.known() > known) continue
      const rows = yield* Effect.result(query(markText, []))
      if (rows._tag === "Failure") {
        yield* Effect.logDebug("Could not look at the mark of the log", rows.failure)
      } else {
        marks.service.publish(toPosition(rows.success[0]?.["mark"]))
      }
      interval = marks.service.known() > known ? shortestPoll : Math.min(interval * 1.5, longestPoll)
    }
  })

const shortestRetry = 100
const longestRetry = 5000

const listen = (marks: Marks, client: PgClient.PgClient): Effect.Effect<never> =>
  Effect.gen(function* () {
    let pause = shortestRetry
    const hear = Effect.gen(function* () {
      // Pinned, the connection can be asked while it listens.
      const connection = yield* (yield* session.connect(client, "effect-cqrs listener")).pin
      const notifications = yield* connection.listen(channel)
      pause = shortestRetry
      // What was announced before is not heard any more.
      const { rows } = yield* connection.query(markText)
      marks.service.publish(toPosition(rows[0]?.["mark"]))
      while (true) {
        const { payload } = yield* Queue.take(notifications)
        marks.service.publish(toPosition(payload))
      }
    })
    while (true) {
      yield* hear.pipe(
        Effect.scoped,
        Effect.catchCause((cause) => Effect.logWarning("Cannot listen for the mark of the log; trying again", cause))
      )
      yield* Effect.sleep(yield* jittered(pause))
      pause = Math.min(pause * 2, longestRetry)
    }
  })

const toPosition = (value: unknown): Position.Position => {
  const number = Number(value)
  return Number.isSafeInteger(number) && number > 0 ? Position.make(number) : Position.start
}
