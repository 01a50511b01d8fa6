/**
 * The newest part of the log, read once per process for any number of clients, each of which goes through it at its own
 * pace.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as Position from "../domain/Position.ts"
import type { Stored } from "../domain/RecordedEvent.ts"
import { category } from "../domain/StreamName.ts"
import { EventStore } from "../ports/EventStore.ts"
import type { EventStoreError } from "../ports/EventStoreError.ts"
import { SystemContext } from "../ports/SystemContext.ts"
import { TenantContext } from "../ports/TenantContext.ts"
import * as Reader from "./internal/reader.ts"
import { Ring } from "./internal/ring.ts"

/**
 * Which of its tenant's events a client gets: all those that fit each of what is given.
 *
 * **Details**
 *
 * `visible` is asked for each event that fits. It answers with the event itself, with another that says less, or with
 * nothing: then the client does not get it, and goes on after it. It must be pure and must not throw.
 *
 * @category models
 * @since 0.1.0
 */
export interface Filter {
  readonly types?: ReadonlyArray<string> | undefined
  readonly categories?: ReadonlyArray<string> | undefined
  /** Events that carry at least one of these tags. */
  readonly tags?: ReadonlyArray<string> | undefined
  readonly visible?: ((stored: Stored) => Stored | undefined) | undefined
}

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
 * A reader of the log that many share.
 *
 * **Details**
 *
 * - `read` gives what comes after a cursor, and waits while there is nothing. A batch may be empty: then only the cursor moved.
 *   Asking again with the same cursor gives the same again, so it can be interrupted at any time.
 * - `check` says whether a cursor from elsewhere is one of this log. One that is ahead of it is waited for a moment, since
 *   another process, or a standby, can be further; then it is answered with a reset.
 * - `stream` goes on with `read` for ever.
 * - `position` is how far the reader has come.
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
    readonly position: Effect.Effect<Position.Position>
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
}

const self = { name: "live tail" }

const make = (options: Options = {}) =>
  Effect.gen(function* () {
    const { batchSize: limit = 256, capacity = 8_192, backlogReaders = 32 } = options
    const grace = Duration.fromInputUnsafe(options.grace ?? "2 seconds")
    const store = yield* EventStore
    const system = yield* SystemContext
    const backlog = yield* Semaphore.make(backlogReaders)
    const ring = new Ring(capacity, yield* Reader.survive(self, store.mark))
    let advanced = Deferred.makeUnsafe<void>()

    const advance = Effect.gen(function* () {
      const page = yield* Reader.survive(self, store.readAllTenants({ after: ring.to, limit: 1_024 }))
      if (page.cursor === ring.to && page.mark >= ring.to) return yield* Reader.survive(self, store.changed(ring.to))
      if (page.mark < ring.to) ring.rewind(page.mark)
      else ring.push(page.events, page.cursor)
      const told = advanced
      advanced = Deferred.makeUnsafe()
      yield* Deferred.succeed(told, undefined)
    })
    yield* Effect.forkScoped(Effect.forever(Effect.provideService(advance, SystemContext, system)))

    const older = (cursor: Position.Position, filter: Filter) => {
      const { categories, tags, types } = filter
      return Reader.survive(self, store.readAll({ after: cursor, limit, types, categories, tags })).pipe(
        backlog.withPermits(1),
        Effect.map((page) => batch(page.events, page.cursor, filter))
      )
    }

    const here = (cursor: Position.Position): Batch => ({ events: [], cursor, reset: false })

    const check = (cursor: Position.Position) =>
      Effect.gen(function* () {
        if (cursor <= ring.to) return here(cursor)
        const before = Position.make(cursor - 1)
        yield* Effect.timeoutOption(Reader.survive(self, store.changed(before)), grace)
        const mark = yield* Reader.survive(self, store.mark)
        return cursor <= mark ? here(cursor) : resetTo(mark)
      })

    const read = (cursor: Position.Position, filter: Filter = {}) =>
      Effect.flatMap(TenantContext, ({ id }): Effect.Effect<Batch, EventStoreError, TenantContext> => {
        const fits = fitting(id, filter)
        const next = (): Effect.Effect<Batch, EventStoreError, TenantContext> => {
          if (cursor < ring.from) return older(cursor, filter)
          const waiting = Effect.flatMap(Deferred.await(advanced), next)
          if (cursor === ring.to) return waiting
          // The store was read further than the ring is by now, or the log has become shorter.
          if (cursor > ring.to)
            return Effect.flatMap(check(cursor), (now) => (now.reset ? Effect.succeed(now) : waiting))
          const found = ring.read(cursor, limit, fits)
          return Effect.succeed(batch(found.events, found.cursor, filter))
        }
        return Effect.suspend(next)
      })

    return LiveTail.of({
      read,
      check,
      stream: (start, filter) =>
        Stream.fromEffect(check(start)).pipe(
          Stream.flatMap((first) =>
            Stream.concat(
              Stream.succeed(first),
              Stream.paginate(first.cursor, (cursor) =>
                Effect.map(read(cursor, filter), (found) => [[found], Option.some(found.cursor)] as const)
              )
            )
          )
        ),
      position: Effect.sync(() => ring.to)
    })
  })

const resetTo = (cursor: Position.Position): Batch => ({ events: [], cursor, reset: true })

const fitting = (tenant: string, { categories, tags, types }: Filter) => {
  const wanted = types === undefined ? undefined : new Set(types)
  return (stored: Stored): boolean =>
    stored.tenant === tenant &&
    (wanted === undefined || wanted.has(stored.type)) &&
    (categories === undefined || categories.includes(category(stored.stream))) &&
    (tags === undefined || stored.tags.some((tag) => tags.includes(tag)))
}

const batch = (events: ReadonlyArray<Stored>, cursor: Position.Position, { visible }: Filter): Batch => ({
  events: visible === undefined ? events : events.flatMap((stored) => shown(stored, visible(stored))),
  cursor,
  reset: false
})

// Whatever is said of an event, it stays in its place and with its tenant.
const shown = (stored: Stored, seen: Stored | undefined): ReadonlyArray<Stored> => {
  if (seen === undefined) return []
  return seen === stored ? [stored] : [{ ...seen, position: stored.position, tenant: stored.tenant }]
}

/**
 * The tail of the log of the store. Reading it for all tenants is the system's work; clients read as their tenant.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<LiveTail, EventStoreError, EventStore | SystemContext> =>
  Layer.effect(LiveTail, make(options))
