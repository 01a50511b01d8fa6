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
import { invalidate, Makings } from "../../ports/internal/makings.ts"
import { MemoryCache } from "../../ports/internal/memoryCache.ts"
import { Owed } from "../../ports/internal/owed.ts"
import * as QueryCache from "../../ports/QueryCache.ts"
import type { Driver, Filling, Invalidation, Looked, Slot } from "../../ports/QueryCacheDriver.ts"
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

/** What Memcached gave with a ticket. */
interface Remote {
  readonly stamp: string
  readonly begun: number
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
    const makings = new Makings<Remote>(memory, node)

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

    /** For how long an answer may be given from here; undefined when it may not. */
    const here = (answer: Filling, filledAt: number, now: number): Filling | undefined => {
      const until = Math.min(filledAt + answer.ttl + answer.grace, now + unchecked)
      return until <= now ? undefined : { ...answer, grace: until - filledAt - answer.ttl }
    }

    const enter = (
      slot: Slot,
      after: Position.Position,
      lease: number,
      mode: "look" | "claim"
    ): Effect.Effect<Looked> =>
      Effect.gen(function* () {
        const token = makings.token()
        const now = yield* Clock.currentTimeMillis
        const vacant = (remote?: Remote) => makings.begin(slot, token, remote, lease, now)
        if (owed.has(slot.tenant) || now < restsUntil) return vacant()
        const fetch = memory.fetch(slot)
        const seen = yield* ask(places.enter(slot, { token, after, until: now + lease, now, mode }))
        const outcome = seen?._tag === "Found" ? slot.decode(seen.answer.text) : undefined
        if (seen?._tag !== "Found" || outcome === undefined) {
          memory.fetched(fetch)
          if (seen === undefined) return vacant()
          if (seen._tag === "Taken") return seen
          // What cannot be decoded was written by another version of the program.
          return seen._tag === "Vacant" ? vacant(seen) : yield* enter(slot, after, lease, "claim")
        }
        const { at, cost, grace, text, ttl } = seen.answer
        const [filledAt, position] = [Math.min(at, now), Position.make(seen.answer.position)]
        memory.fetched(fetch, here({ outcome, text, ttl, grace, cost, position }, filledAt, now), filledAt)
        const found: Looked = { _tag: "Found", entry: { outcome, filledAt, ttl, cost, position } }
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
          const making = makings.end(ticket)
          if (making === undefined) return false
          const at = yield* Clock.currentTimeMillis
          const answer = {
            ...filling,
            ttl: Math.min(filling.ttl, longest),
            grace: Math.min(filling.grace, longest)
          }
          const filled = yield* ask(places.fill(slot, ticket.token, { ...making.remote, ...answer, at }))
          const kept = filled === true ? here(answer, at, at) : undefined
          if (kept === undefined) memory.abandon(making.watch)
          else memory.fill(slot, making.watch, kept, at)
          return filled === true
        }).pipe(Effect.uninterruptible),
      abandon: (slot, ticket) =>
        Effect.suspend(() => {
          const making = makings.end(ticket)
          if (making === undefined) return Effect.void
          memory.abandon(making.watch)
          return Effect.asVoid(ask(places.abandon(slot, ticket.token)))
        }),
      invalidate: invalidate(memory, owed, () => restsUntil, tell),
      inBackground: (effect) => Effect.asVoid(Effect.forkIn(effect, scope))
    }
  })
