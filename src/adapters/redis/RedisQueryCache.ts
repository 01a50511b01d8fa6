/**
 * A query cache of two levels: in the process, and in Redis for all processes.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redis from "effect/persistence/Redis"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Position from "../../domain/Position.ts"
import { part } from "../../domain/QueryKey.ts"
import * as TenantId from "../../domain/TenantId.ts"
import * as IdGenerator from "../../ports/IdGenerator.ts"
import { invalidate, Makings } from "../../ports/internal/makings.ts"
import { MemoryCache } from "../../ports/internal/memoryCache.ts"
import { Owed } from "../../ports/internal/owed.ts"
import * as QueryCache from "../../ports/QueryCache.ts"
import type { Driver, Invalidation, Looked, Slot } from "../../ports/QueryCacheDriver.ts"
import * as Reply from "./internal/cacheReply.ts"
import * as scripts from "./internal/cacheScripts.ts"
import { run, type Script } from "./internal/scripting.ts"
import { RedisConnection } from "./RedisConnection.ts"
import type { RedisError } from "./RedisError.ts"

/**
 * How much a process keeps itself, and what its keys begin with.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends QueryCache.Bounds {
  /** What all keys and the channel begin with; `effect-cqrs` when absent. */
  readonly prefix?: string | undefined
}

/**
 * Keeps answers in Redis, and what was used last in the process as well.
 *
 * **Details**
 *
 * - A process gives what it keeps itself only while it hears of invalidations. When that connection is lost, all of it is
 *   forgotten, and every answer comes from Redis, where it is checked, until it hears again.
 * - What another process invalidates is not found in Redis from then on, and is gone from this process as soon as it hears of it.
 *   Where that is too late, ask `after` a receipt.
 * - Without Redis every answer is worked out, once for all who ask in this process at the same time. Invalidations that Redis
 *   was not told are told when it is back; until then this process takes nothing of that tenant from it.
 * - A server that does not answer in time is left alone for a second.
 * - `KEYS` and `SCAN` are not used. Nothing stays fresh for more than 7 days.
 *
 * **Gotchas**
 *
 * After a failover a replica may not know of the last invalidations, and a process that ends has told nobody of what it could
 * not tell: then an old answer is given for at most its time and its grace. A connection that is lost without a word is noticed
 * after 2 seconds.
 *
 * **Example** (Two levels)
 *
 * ```ts no-run needs a server
 * import { RedisConnection, RedisQueryCache } from "effect-cqrs/redis"
 * import * as Layer from "effect/Layer"
 *
 * const Cache = RedisQueryCache.layer({ entries: 10_000 }).pipe(Layer.provide(RedisConnection.layerConfig()))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<QueryCache.QueryCache, never, RedisConnection | Redis.Redis> =>
  Layer.effect(QueryCache.QueryCache, make(options ?? {}))

/** How long an answer is fresh, stays in its grace, and is being made, at most. */
const longest = 7 * 24 * 60 * 60 * 1000
const rest = 1000

const Message = Schema.fromJsonString(
  Schema.Struct({
    from: Schema.String,
    tenant: TenantId.TenantId,
    tags: Schema.Array(Schema.String),
    progress: Schema.optional(Schema.Struct({ source: Schema.String, position: Position.Position }))
  })
)
const encodeMessage = Schema.encodeResult(Message)
const decodeMessage = Schema.decodeUnknownResult(Message)

const taken: Looked = { _tag: "Taken" }

/** What Redis gave with a ticket, and since when this process hears. */
interface Remote {
  readonly stamp: string
  readonly begun: string
  readonly hearing: number
}

const make = (options: Options) =>
  Effect.gen(function* () {
    const redis = yield* Redis.Redis
    const connection = yield* RedisConnection
    const scope = yield* Effect.scope
    const node = yield* IdGenerator.next
    const prefix = options.prefix ?? "effect-cqrs"
    const channel = `${prefix}:invalidated`
    const memory = new MemoryCache(options.entries ?? 1000, options.weight ?? 16_000_000)
    const owed = new Owed()
    const makings = new Makings<Remote>(memory, node)
    let restsUntil = 0
    let isTold = false
    /** Odd while this process hears of invalidations; another number each time. */
    let hearing = 0

    const isHearing = (since: number) => since === hearing && since % 2 === 1
    const keysOf = (tenant: TenantId.TenantId) => {
      const space = `${prefix}:{${part(tenant)}}`
      return {
        progress: (source: string | undefined) => `${space}:progress:${source ?? ""}`,
        tags: (tags: ReadonlyArray<string>) => tags.map((tag) => `${space}:tag:${tag}`),
        of: (kind: "answer" | "lease", key: string) => `${space}:${kind}:${key}`
      }
    }
    const placeOf = (slot: Slot) => {
      const keys = keysOf(slot.tenant)
      const own = [keys.of("answer", slot.key), keys.of("lease", slot.key), keys.progress(slot.source)]
      return [...own, ...keys.tags(slot.tags)]
    }

    /** What Redis says; undefined when it says nothing. */
    const ask = (
      operation: string,
      script: Script,
      keys: ReadonlyArray<string>,
      args: ReadonlyArray<string>
    ): Effect.Effect<unknown> =>
      Effect.matchEffect(connection.attempt(`QueryCache.${operation}`, run(redis, script, keys, args)), {
        onSuccess: (reply) => {
          isTold = false
          return Effect.succeed(reply)
        },
        onFailure: (error: RedisError) =>
          Effect.gen(function* () {
            if (error.reason._tag !== "Unreachable") restsUntil = (yield* Clock.currentTimeMillis) + rest
            // The connection tells of its own loss.
            if (error.reason._tag !== "Unreachable" && !isTold) {
              isTold = true
              yield* Effect.logWarning("Answers are worked out, not kept: Redis does not do what it is asked", error)
            }
            return undefined
          })
      })

    const enter = (
      slot: Slot,
      after: Position.Position,
      lease: number,
      mode: "look" | "claim"
    ): Effect.Effect<Looked> =>
      Effect.withFiber((fiber) => {
        const clock = fiber.getRef(Clock.Clock)
        const since = hearing
        const own = makings.token()
        const vacant = (remote?: Remote) =>
          Effect.succeed(makings.begin(slot, own, remote, lease, clock.currentTimeMillisUnsafe()))
        if (owed.has(slot.tenant) || clock.currentTimeMillisUnsafe() < restsUntil) return vacant()
        const args = [own, String(Math.ceil(Math.min(lease, longest))), String(after), mode]
        const fetch = memory.fetch(slot)
        const asked = Effect.flatMap(ask(mode, scripts.look, placeOf(slot), args), (answer) => {
          const reply = Reply.read(answer)
          const outcome = reply?._tag === "Found" ? slot.decode(reply.text) : undefined
          if (reply?._tag !== "Found" || outcome === undefined) {
            memory.fetched(fetch)
            if (reply === undefined) return vacant()
            if (reply._tag === "Taken") return Effect.succeed(taken)
            // What cannot be decoded was written by another version of the program.
            return reply._tag === "Vacant" ? vacant({ ...reply, hearing: since }) : enter(slot, after, lease, "claim")
          }
          const { age, cost, grace, position, text, ttl } = reply
          const filledAt = clock.currentTimeMillisUnsafe() - age
          memory.fetched(fetch, isHearing(since) ? { outcome, text, ttl, grace, cost, position } : undefined, filledAt)
          return Effect.succeed<Looked>({ _tag: "Found", entry: { outcome, filledAt, ttl, cost, position } })
        })
        // A ticket that was given on the way to somebody who is gone would be missed by all others.
        return Effect.uninterruptible(asked)
      })

    const tell = (tenant: TenantId.TenantId, invalidation: Invalidation): Effect.Effect<boolean> =>
      Effect.suspend(() => {
        const { progress, tags } = invalidation
        const message = encodeMessage({ from: node, tenant, tags, ...(progress === undefined ? {} : { progress }) })
        if (Result.isFailure(message)) return Effect.succeed(true)
        const keys = keysOf(tenant)
        const args = [String(progress?.position ?? 0), channel, message.success]
        const places = [keys.progress(progress?.source), ...keys.tags(tags)]
        return Effect.map(ask("invalidate", scripts.invalidate, places, args), (reply) => reply !== undefined)
      })

    yield* connection.listen(channel, {
      message: (text) => {
        const message = decodeMessage(text)
        if (Result.isFailure(message)) return
        const { from, progress, tags, tenant } = message.success
        // Its own it has seen to when Redis had been told, and what was read since then is right.
        if (from !== node) memory.invalidate(tenant, { tags, progress })
      },
      up: () => {
        memory.clear()
        hearing += hearing % 2 === 0 ? 1 : 2
      },
      down: () => {
        hearing += hearing % 2
        memory.clear()
      }
    })

    yield* Effect.forkScoped(owed.settling(tell))

    const driver: Driver = {
      peek: (slot, after, now) => (hearing % 2 === 1 ? memory.peek(slot, after, now) : undefined),
      look: (slot, { after, lease }) => enter(slot, after, lease, "look"),
      claim: (slot, lease) =>
        Effect.map(enter(slot, Position.start, lease, "claim"), (looked) =>
          looked._tag === "Vacant" ? looked.ticket : undefined
        ),
      fill: (slot, ticket, filling) =>
        Effect.gen(function* () {
          const making = makings.end(ticket)
          if (making === undefined) return false
          const { cost, grace, position, text, ttl } = filling
          const { begun, hearing: since, stamp } = making.remote
          const numbers = [Math.min(ttl, longest), Math.min(grace, longest), cost, position].map(String)
          const reply = yield* ask("fill", scripts.fill, placeOf(slot), [ticket.token, stamp, begun, text, ...numbers])
          if (reply === 1 && isHearing(since)) {
            memory.fill(slot, making.watch, filling, yield* Clock.currentTimeMillis)
          } else memory.abandon(making.watch)
          return reply === 1
        }).pipe(Effect.uninterruptible),
      abandon: (slot, ticket) =>
        Effect.suspend(() => {
          const making = makings.end(ticket)
          if (making === undefined) return Effect.void
          memory.abandon(making.watch)
          return Effect.asVoid(ask("abandon", scripts.abandon, placeOf(slot), [ticket.token]))
        }),
      invalidate: invalidate(memory, owed, () => restsUntil, tell),
      inBackground: (effect) => Effect.asVoid(Effect.forkIn(effect, scope))
    }
    return driver
  })
