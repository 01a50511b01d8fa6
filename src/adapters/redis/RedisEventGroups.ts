/**
 * Groups of subscribers over streams of Redis.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redis from "effect/persistence/Redis"
import * as Segment from "../../domain/Segment.ts"
import * as EventGroups from "../../ports/EventGroups.ts"
import type { ForwardTarget } from "../../ports/ForwardTarget.ts"
import { make } from "./internal/streams/driver.ts"
import type { RedisConnection } from "./RedisConnection.ts"

/**
 * What the keys begin with, and over how many segments those of a log are spread.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** What all keys and channels begin with; `effect-cqrs` when absent. */
  readonly prefix?: string | undefined
  /** 16 when absent; a power of two. The first program says it for a log, and others are refused that say something else. */
  readonly segments?: number | undefined
}

/**
 * Groups in Redis, and what forwards to them.
 *
 * **Details**
 *
 * - Each segment of a log is one stream, whose ids are positions: what is forwarded twice is refused by the server. One script adds
 *   entries and moves the segment's mark, so a replica that has lost entries has lost the mark that speaks of them.
 * - A group is one of the server's own on each stream, seen by `XINFO` and every tool. A segment has one owner, who claims what
 *   the owner before him had not handled.
 * - Streams are trimmed by what all groups have handled (`MINID`), never by length: nothing that a group has not had is lost.
 * - A token is the time of the server, or more. It grows also when the server has forgotten the last one, as long as the clocks of
 *   servers differ by less than the lease.
 * - In a cluster, everything of one segment is in one slot. Members hear of what comes by `PUBLISH`, and look every `poll` where they
 *   did not.
 *
 * **Gotchas**
 *
 * A server that forgets everything has forgotten the groups too. Those that the forwarder names are there again before anything is
 * forwarded, and get all that they may not have handled; any other begins with what comes when its members are back. What was
 * parked is forwarded again as well.
 *
 * **Example** (A log, forwarded from PostgreSQL)
 *
 * ```ts no-run needs servers
 * import { Event, EventForwarding, SystemContext } from "effect-cqrs"
 * import { Postgres } from "effect-cqrs/postgres"
 * import { RedisConnection, RedisEventGroups } from "effect-cqrs/redis"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * class OrderPlaced extends Event.Class<OrderPlaced>()("OrderPlaced", {}) {}
 *
 * const url = Redacted.make("postgres://localhost/shop")
 * const Shop = EventForwarding.make("shop", { events: [OrderPlaced], groups: ["mails", "billing"] })
 * const Forwarder = EventForwarding.layer(Shop).pipe(
 *   Layer.provide(RedisEventGroups.layer()),
 *   Layer.provide([Postgres.layerUrl(url), RedisConnection.layerConfig(), SystemContext.layer("forwarding the log")])
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options?: Options
): Layer.Layer<EventGroups.EventGroups | ForwardTarget, never, RedisConnection | Redis.Redis> =>
  Layer.effectContext(
    Effect.map(
      make({ prefix: options?.prefix ?? "effect-cqrs", segments: Segment.count(options?.segments ?? 16) }),
      EventGroups.layerOf
    )
  )
