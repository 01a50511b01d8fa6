/**
 * The newest part of the log, read once per process for any number of clients, each of which goes through it at its own
 * pace.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as Position from "../domain/Position.ts"
import type { Stored } from "../domain/RecordedEvent.ts"
import * as TenantId from "../domain/TenantId.ts"
import { EventStore } from "../ports/EventStore.ts"
import type { EventStoreError } from "../ports/EventStoreError.ts"
import { SystemContext } from "../ports/SystemContext.ts"
import { TenantContext } from "../ports/TenantContext.ts"
import type { Filter } from "./LiveFilter.ts"
import * as Fitting from "./internal/live/fitting.ts"
import * as Reader from "./internal/reader.ts"
import { Ring } from "./internal/ring.ts"

/**
 * What a client reads next. `cursor` is where to go on: whatever fits at or before it has been read. With `reset` the log
 * does not reach to where the client was, as after a restore: it goes on from `cursor`, and what it knows may be wrong.
 *
 * @category models
 * @since 0.1.0
 */
export interface Batch {
  readonly events: ReadonlyArray<Stored>
  readonly cursor: Position.Position
  readonly reset: boolean
}

/**
 * One client's view of the tail: what comes after a cursor, or `undefined` where the log ends for the moment.
 *
 * @category models
 * @since 0.1.0
 */
export type Poll = (cursor: Position.Position) => Effect.Effect<Batch | undefined, EventStoreError>

/**
 * How often the tail has moved, and who hears when it moves again: for who waits for more than the tail alone.
 *
 * **Gotchas**
 *
 * A listener must return at once. What it returns stops it from being called.
 *
 * @category models
 * @since 0.1.0
 */
export interface Moves {
  readonly count: () => number
  readonly listen: (listener: () => void) => () => void
}

/**
 * A reader of the log that many share.
 *
 * **Details**
 *
 * - `read` gives what comes after a cursor, and waits while there is nothing. A batch may be empty: then only the cursor moved.
 *   Asking again with the same cursor gives the same again, so it can be interrupted at any time.
 * - `check` says whether a cursor from elsewhere is one of this log. One that is ahead of it is waited for a moment, since
 *   another process, or a standby, can be further; then it is answered with a reset.
 * - `stream` goes on with `read` for ever.
 * - `poller` makes a filter ready for one client, who asks again and again and does not wait in between; `moves` tells when to.
 * - `position` is how far the reader has come, and `end` the same at once.
 *
 * What is recent is served from memory and the rest from the store, in one order, without a gap or a repetition where the
 * two meet. A client that is slow falls back to reading from the store; it holds up nobody, and only a batch of it is in
 * memory. An event in memory is one object for all who get it.
 *
 * @category services
 * @since 0.1.0
 */
export class LiveTail extends Context.Service<
  LiveTail,
  {
    readonly read: (cursor: Position.Position, filter?: Filter) => Effect.Effect<Batch, EventStoreError, TenantContext>
    readonly check: (cursor: Position.Position) => Effect.Effect<Batch, EventStoreError>
    readonly stream: (
      cursor: Position.Position,
      filter?: Filter
    ) => Stream.Stream<Batch, EventStoreError, TenantContext>
    readonly poller: (filter?: Filter) => Effect.Effect<Poll, never, TenantContext>
    readonly moves: Moves
    readonly position: Effect.Effect<Position.Position>
    readonly end: () => Position.Position
  }
>()("effect-cqrs/application/LiveTail") {}

/**
 * How much of the log is kept, and how it is read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The newest events, of all tenants, that are kept in memory; 8,192 when absent. */
  readonly capacity?: number | undefined
  /** The most events in a batch; 256 when absent. */
  readonly batchSize?: number | undefined
  /** How many clients may read from the store at the same time; 32 when absent. */
  readonly backlogReaders?: number | undefined
  /** For how long a cursor ahead of the log is waited for; 2 seconds when absent. */
  readonly grace?: Duration.Input | undefined
  /** The tenant whose events are for the clients of all tenants, as far as their filters ask for them; none when absent. */
  readonly everybody?: string | undefined
}

const self = { name: "live tail" }

const make = (options: Options = {}) =>
  Effect.gen(function* () {
    const { batchSize: limit = 256, capacity = 8_192, backlogReaders = 32 } = options
    const grace = Duration.fromInputUnsafe(options.grace ?? "2 seconds")
    const everybody = options.everybody === undefined ? undefined : TenantId.make(options.everybody)
    const store = yield* EventStore
    const system = yield* SystemContext
    const backlog = yield* Semaphore.make(backlogReaders)
    const ring = new Ring(capacity, yield* Reader.survive(self, store.mark))
    const listeners = new Set<() => void>()
    let moved = 0

    const advance = Effect.gen(function* () {
      const page = yield* Reader.survive(self, store.readAllTenants({ after: ring.to, limit: 1_024 }))
      if (page.cursor === ring.to && page.mark >= ring.to) return yield* Reader.survive(self, store.changed(ring.to))
      if (page.mark < ring.to) ring.rewind(page.mark)
      else ring.push(page.events, page.cursor)
      moved++
      for (const listener of listeners) listener()
    })
    yield* Effect.forkScoped(Effect.forever(Effect.provideService(advance, SystemContext, system)))

    const moves: Moves = {
      count: () => moved,
      listen: (listener) => {
        const own = () => listener()
        listeners.add(own)
        return () => void listeners.delete(own)
      }
    }

    const check = (cursor: Position.Position) =>
      Effect.gen(function* () {
        if (cursor <= ring.to) return here(cursor)
        const before = Position.make(cursor - 1)
        yield* Effect.timeoutOption(Reader.survive(self, store.changed(before)), grace)
        const mark = yield* Reader.survive(self, store.mark)
        return cursor <= mark ? here(cursor) : resetTo(mark)
      })

    const poller = (filter: Filter = {}) =>
      Effect.map(TenantContext, ({ id }): Poll => {
        const { visible } = filter
        const { fits, parts } = Fitting.compile(id, everybody, filter)
        const told = ({ cursor, events }: Pick<Batch, "cursor" | "events">): Batch => ({
          events: visible === undefined ? events : events.flatMap((stored) => Fitting.shown(stored, visible)),
          cursor,
          reset: false
        })
        const older = (cursor: Position.Position) => {
          if (parts.length === 0) return Effect.succeed(here(ring.to))
          const read = ({ tenant, ...criteria }: Fitting.Part) =>
            Reader.survive(self, store.readAll({ after: cursor, limit, ...criteria })).pipe(
              Effect.provideService(TenantContext, { id: tenant })
            )
          return Effect.map(backlog.withPermits(1)(Fitting.join(parts, read, fits)), told)
        }
        return (cursor) =>
          Effect.suspend(() => {
            if (cursor < ring.from) return older(cursor)
            if (cursor === ring.to) return Effect.undefined
            // The store was read further than the ring is by now, or the log has become shorter.
            if (cursor > ring.to) return Effect.map(check(cursor), (now) => (now.reset ? now : undefined))
            return Effect.succeed(told(ring.read(cursor, limit, fits)))
          })
      })

    const waitingFor = (poll: Poll, cursor: Position.Position): Effect.Effect<Batch, EventStoreError> =>
      Effect.suspend(() => {
        const before = moved
        return Effect.flatMap(poll(cursor), (found) => {
          if (found !== undefined) return Effect.succeed(found)
          const move = Effect.callback<void>((resume) => {
            if (moved !== before) return resume(Effect.void)
            const stop = moves.listen(() => {
              stop()
              resume(Effect.void)
            })
            return Effect.sync(stop)
          })
          return Effect.flatMap(move, () => waitingFor(poll, cursor))
        })
      })

    return LiveTail.of({
      read: (cursor, filter) => Effect.flatMap(poller(filter), (poll) => waitingFor(poll, cursor)),
      check,
      stream: (start, filter) =>
        Stream.unwrap(
          Effect.gen(function* () {
            const poll = yield* poller(filter)
            const first = yield* check(start)
            const rest = Stream.paginate(first.cursor, (cursor) =>
              Effect.map(waitingFor(poll, cursor), (found) => [[found], Option.some(found.cursor)] as const)
            )
            return Stream.concat(Stream.succeed(first), rest)
          })
        ),
      poller,
      moves,
      position: Effect.sync(() => ring.to),
      end: () => ring.to
    })
  })

const here = (cursor: Position.Position): Batch => ({ events: [], cursor, reset: false })

const resetTo = (cursor: Position.Position): Batch => ({ events: [], cursor, reset: true })

/**
 * The tail of the log of the store. Reading it for all tenants is the system's work; clients read as their tenant.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<LiveTail, EventStoreError, EventStore | SystemContext> =>
  Layer.effect(LiveTail, make(options))
