/**
 * A query cache in Memcached, for all processes.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Position from "../../domain/Position.ts"
import type { TenantId } from "../../domain/TenantId.ts"
import * as IdGenerator from "../../ports/IdGenerator.ts"
import { MemoryCache } from "../../ports/internal/memoryCache.ts"
import { Owed } from "../../ports/internal/owed.ts"
import * as QueryCache from "../../ports/QueryCache.ts"
import type { Driver, Entry, Invalidation, Looked, Slot, Ticket } from "../../ports/QueryCacheDriver.ts"
import * as clients from "./internal/client.ts"
import { Places } from "./internal/places.ts"

/**
 * Where Memcached is, and how much a process keeps itself.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends QueryCache.Bounds {
  /** `127.0.0.1` when absent. */
  readonly host?: string | undefined
  /** 11211 when absent. */
  readonly port?: number | undefined
  /** How long to wait for a connection; 2 seconds when absent. */
  readonly connectTimeout?: Duration.Input | undefined
  /** How long to wait for an answer; 1 second when absent. */
  readonly commandTimeout?: Duration.Input | undefined
  /** What all keys begin with; `effect-cqrs` when absent. */
  readonly prefix?: string | undefined
  /**
   * For how long a process gives an answer that it keeps itself without asking Memcached whether it is still right; not at all
   * when absent. What other processes invalidate is given for that long at most.
   */
  readonly unchecked?: Duration.Input | undefined
}

/**
 * Keeps answers in Memcached.
 *
 * **Details**
 *
 * - Every answer is checked in Memcached with one round trip: what one process invalidates no other gives from then on. Memcached
 *   cannot tell processes of it, so none keeps answers itself unless `unchecked` says for how long that may be wrong.
 * - All that is written is written by compare-and-set: an old answer never covers a newer one or an invalidation, and whatever
 *   Memcached evicts is worked out once more.
 * - Without Memcached every answer is worked out, once for all who ask in this process at the same time. Invalidations that it
 *   was not told are told when it is back; until then this process takes nothing of that tenant from it.
 *
 * **Gotchas**
 *
 * One server. It needs meta commands (1.6 or later) and its tokens (no `-C`). How old an answer is goes by the clocks of the processes
 * that made it and that gives it; one of more than the server's item size, 1 MB by default, is not kept. A process that ends has told
 * nobody of what it could not tell: then an old answer is given for at most its time and its grace.
 *
 * **Example** (Its answers, for one second without asking)
 *
 * ```ts no-run needs a server
 * import { MemcachedQueryCache } from "effect-cqrs/memcached"
 *
 * const Cache = MemcachedQueryCache.layer({ host: "10.0.0.7", unchecked: "1 second" })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<QueryCache.QueryCache> =>
  Layer.effect(QueryCache.QueryCache, make(options ?? {}))

/** How long an answer is fresh, and stays in its grace, at most. */
const longest = 7 * 24 * 60 * 60 * 1000
const rest = 1000

/** What this process knows of a ticket: who tells it of invalidations here, and what Memcached gave; nothing when it was not there. */
interface Making {
  readonly watch: Ticket
  readonly remote: { readonly stamp: string; readonly begun: number } | undefined
}

const make = (options: Options): Effect.Effect<Driver, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const node = yield* IdGenerator.next
    const unchecked = Duration.toMillis(Duration.fromInputUnsafe(options.unchecked ?? 0))
    const { host = "127.0.0.1", port = 11211 } = options
    const where = `${host}:${port}`
    let restsUntil = 0
    let isTold = false
    const client = yield* clients.make(
      {
        host,
        port,
        connectTimeout: Duration.fromInputUnsafe(options.connectTimeout ?? "2 seconds"),
        commandTimeout: Duration.fromInputUnsafe(options.commandTimeout ?? "1 second")
      },
      (isUp, why) =>
        isUp
          ? Effect.logInfo(`Memcached is back: ${where}`)
          : Effect.logWarning(`Going on without Memcached: ${where}`, why)
    )
    const places = new Places(client, options.prefix ?? "effect-cqrs")
    const memory = new MemoryCache(options.entries ?? 1000, options.weight ?? 16_000_000)
    const owed = new Owed()
    const makings = new Map<string, Making>()
    let tokens = 0

    /** What Memcached says; undefined when it says nothing. */
    const ask = <A>(effect: Effect.Effect<A, clients.Failure>): Effect.Effect<A | undefined> =>
      effect.pipe(
        Effect.tap(() => Effect.sync(() => (isTold = false))),
        Effect.catch((failure) =>
          Effect.gen(function* () {
            if (failure.reason === "NoAnswer") restsUntil = (yield* Clock.currentTimeMillis) + rest
            // The connection tells of its own loss.
            if (failure.reason === "Refused" && !isTold) {
              isTold = true
              yield* Effect.logWarning("An answer was not kept: Memcached does not do what it is asked", failure)
            }
            return undefined
          })
        )
      )

    const keep = (slot: Slot, watch: Ticket, entry: Entry, text: string, grace: number, now: number) => {
      const until = Math.min(entry.filledAt + entry.ttl + grace, now + unchecked)
      if (until <= now) memory.abandon(watch)
      else memory.fill(slot, watch, { ...entry, text, grace: until - entry.filledAt - entry.ttl }, entry.filledAt)
    }

    const enter = (
      slot: Slot,
      after: Position.Position,
      lease: number,
      mode: "look" | "claim"
    ): Effect.Effect<Looked> =>
      Effect.gen(function* () {
        const watch = memory.watch(slot)
        const token = `${node}:${++tokens}`
        const vacant = (remote: Making["remote"]): Looked => {
          makings.set(token, { watch, remote })
          return { _tag: "Vacant", ticket: { token, isCurrent: watch.isCurrent } }
        }
        const now = yield* Clock.currentTimeMillis
        if (owed.has(slot.tenant) || now < restsUntil) return vacant(undefined)
        const seen = yield* ask(places.enter(slot, { token, after, until: now + lease, now, mode }))
        if (seen === undefined) return vacant(undefined)
        if (seen._tag === "Vacant") return vacant(seen)
        if (seen._tag === "Taken") {
          memory.abandon(watch)
          return seen
        }
        const { at, cost, grace, position, text, ttl } = seen.answer
        const outcome = slot.decode(text)
        if (outcome === undefined) {
          // It was written by another version of the program.
          memory.abandon(watch)
          return yield* enter(slot, after, lease, "claim")
        }
        const entry: Entry = { outcome, filledAt: Math.min(at, now), ttl, cost, position: Position.make(position) }
        keep(slot, watch, entry, text, grace, now)
        const found: Looked = { _tag: "Found", entry }
        return found
        // A ticket that was given on the way to somebody who is gone would be missed by all others.
      }).pipe(Effect.uninterruptible)

    const tell = (tenant: TenantId, invalidation: Invalidation): Effect.Effect<boolean> =>
      Effect.map(ask(places.invalidate(tenant, invalidation)), (done) => done !== undefined)

    yield* Effect.forkScoped(owed.settling(tell))

    return {
      peek: (slot, after, now) => memory.peek(slot, after, now),
      look: (slot, { after, lease }) => enter(slot, after, lease, "look"),
      claim: (slot, lease) =>
        Effect.map(enter(slot, Position.start, lease, "claim"), (looked) =>
          looked._tag === "Vacant" ? looked.ticket : undefined
        ),
      fill: (slot, ticket, filling) =>
        Effect.gen(function* () {
          const making = makings.get(ticket.token)
          makings.delete(ticket.token)
          if (making === undefined) return false
          const { remote, watch } = making
          if (remote === undefined) {
            memory.abandon(watch)
            return false
          }
          const at = yield* Clock.currentTimeMillis
          const { cost, outcome, position, text } = filling
          const [ttl, grace] = [Math.min(filling.ttl, longest), Math.min(filling.grace, longest)]
          const answer = { ...remote, at, ttl, grace, cost, position, text }
          const filled = yield* ask(places.fill(slot, ticket.token, answer))
          if (filled === true) keep(slot, watch, { outcome, filledAt: at, ttl, cost, position }, text, grace, at)
          else memory.abandon(watch)
          return filled === true
        }).pipe(Effect.uninterruptible),
      abandon: (slot, ticket) =>
        Effect.suspend(() => {
          const making = makings.get(ticket.token)
          makings.delete(ticket.token)
          if (making === undefined) return Effect.void
          memory.abandon(making.watch)
          return making.remote === undefined ? Effect.void : Effect.asVoid(ask(places.abandon(slot, ticket.token)))
        }),
      invalidate: (tenant, invalidation) =>
        Effect.gen(function* () {
          memory.invalidate(tenant, { tags: invalidation.tags })
          const resting = (yield* Clock.currentTimeMillis) < restsUntil
          if (resting || !(yield* tell(tenant, invalidation))) owed.add(tenant, invalidation)
          // What was read before Memcached was told is wrong as well.
          memory.invalidate(tenant, invalidation)
        }).pipe(Effect.uninterruptible),
      inBackground: (effect) => Effect.asVoid(Effect.forkIn(effect, scope))
    }
  })
