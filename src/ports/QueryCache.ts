/**
 * Where answers of queries are kept, so that the same question is not worked out again.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { MemoryCache } from "./internal/memoryCache.ts"
import type { Driver } from "./QueryCacheDriver.ts"

/**
 * Where answers are kept; `Caching` puts it around handlers of queries.
 *
 * @category services
 * @since 0.1.0
 */
export class QueryCache extends Context.Service<QueryCache, Driver>()("effect-cqrs/ports/QueryCache") {}

/**
 * Tags with what they are below of: the parts of a tag stand between colons, and `task:*` is all that begins with `task:`.
 *
 * **Example** (A tag is below of others)
 *
 * ```ts
 * import { QueryCache } from "effect-cqrs"
 *
 * QueryCache.tagsOf(["task:7", "task:7:notes"]) // => ["*", "task:7", "task:*", "task:7:notes", "task:7:*"]
 * ```
 *
 * @category conversions
 * @since 0.1.0
 */
export const tagsOf = (tags: ReadonlyArray<string>): ReadonlyArray<string> => {
  const all = new Set(["*"])
  for (const tag of tags) {
    all.add(tag)
    for (let at = tag.indexOf(":"); at >= 0; at = tag.indexOf(":", at + 1)) all.add(`${tag.slice(0, at)}:*`)
  }
  return Array.from(all)
}

/**
 * The tag of all answers to one query, whatever its arguments.
 *
 * @category conversions
 * @since 0.1.0
 */
export const tagOfQuery = (name: string): string => `query:${name}`

/**
 * How much of a process's memory answers may take.
 *
 * @category models
 * @since 0.1.0
 */
export interface Bounds {
  /** At most so many answers; 1,000 when absent. */
  readonly entries?: number | undefined
  /** At most so many characters of keys and texts; 16 million when absent. One that is heavier alone is not kept. */
  readonly weight?: number | undefined
}

/**
 * A cache in this process. What was used least recently goes first when it is full.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemoryWith = (bounds: Bounds): Layer.Layer<QueryCache> =>
  Layer.effect(
    QueryCache,
    Effect.map(Effect.scope, (scope) => {
      const memory = new MemoryCache(bounds.entries ?? 1000, bounds.weight ?? 16_000_000)
      const service: Driver = {
        peek: (slot, after, now) => memory.peek(slot, after, now),
        look: (slot, { after, lease }) => withNow((now) => memory.look(slot, after, lease, now)),
        claim: (slot, lease) => withNow((now) => memory.claim(slot, lease, now)),
        fill: (slot, ticket, filling) => withNow((now) => memory.fill(slot, ticket, filling, now)),
        abandon: (_, ticket) => Effect.sync(() => memory.abandon(ticket)),
        invalidate: (tenant, invalidation) => Effect.sync(() => memory.invalidate(tenant, invalidation)),
        inBackground: (effect) => Effect.asVoid(Effect.forkIn(effect, scope))
      }
      return service
    })
  )

/**
 * A cache in this process, of the usual size.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<QueryCache> = layerMemoryWith({})

const withNow = <A>(f: (now: number) => A): Effect.Effect<A> => Effect.map(Clock.currentTimeMillis, f)
