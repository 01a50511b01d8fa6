import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Position from "../../src/domain/Position.ts"
import * as TenantId from "../../src/domain/TenantId.ts"
import * as QueryCache from "../../src/ports/QueryCache.ts"
import type { Driver, Slot, Ticket } from "../../src/ports/QueryCacheDriver.ts"
import * as QueryCacheLaws from "../../src/testing/QueryCacheLaws.ts"
import { controls } from "./controls.ts"

const caches = controls<Driver>(QueryCacheLaws.laws, (make) =>
  Layer.effect(QueryCache.QueryCache, Effect.map(QueryCache.QueryCache, make))
)

/** Changes each place that a cache is asked for. */
const placed = (cache: Driver, place: (slot: Slot) => Slot): Driver => ({
  ...cache,
  peek: (slot, after, now) => cache.peek(place(slot), after, now),
  look: (slot, options) => cache.look(place(slot), options),
  claim: (slot, lease) => cache.claim(place(slot), lease),
  fill: (slot, ticket, filling) => cache.fill(place(slot), ticket, filling),
  abandon: (slot, ticket) => cache.abandon(place(slot), ticket)
})

/** Keeps what is filled though it is refused: with a ticket of its own. */
const insisting = (cache: Driver): Driver => ({
  ...cache,
  fill: (slot, ticket, filling) =>
    Effect.flatMap(cache.fill(slot, ticket, filling), (kept) =>
      kept
        ? Effect.succeed(true)
        : Effect.flatMap(cache.claim(slot, 0), (own) =>
            own === undefined ? Effect.succeed(false) : cache.fill(slot, own, filling)
          )
    )
})

const shared = TenantId.make("all")
const current: Ticket["isCurrent"] = () => true

export const wrongQueryCaches = [
  caches("nothing is kept", ["is found, by its tenant", "an answer's age"], (cache) => ({
    ...cache,
    fill: (slot, ticket) => Effect.as(cache.abandon(slot, ticket), true)
  })),
  caches("keys are of one case", ["is found, by its tenant"], (cache) =>
    placed(cache, (slot) => ({ ...slot, key: slot.key.toLowerCase() }))
  ),
  caches("tenants share their answers", ["is found, by its tenant", "tags and progress of their own"], (cache) => ({
    ...placed(cache, (slot) => ({ ...slot, tenant: shared })),
    invalidate: (_, invalidation) => cache.invalidate(shared, invalidation)
  })),
  caches("every answer is kept for ever", ["its time and its grace are over"], (cache) => ({
    ...cache,
    fill: (slot, ticket, filling) => cache.fill(slot, ticket, { ...filling, grace: 1_000_000 })
  })),
  caches("grace is not kept", ["its time and its grace are over"], (cache) => ({
    ...cache,
    fill: (slot, ticket, filling) => cache.fill(slot, ticket, { ...filling, grace: 0 })
  })),
  caches("all that find nothing have a ticket", ["one has the ticket"], (cache) => ({
    ...cache,
    look: (slot, options) => cache.look(slot, { ...options, lease: 0 })
  })),
  caches("a ticket never runs out", ["a ticket that has run out"], (cache) => ({
    ...cache,
    look: (slot, options) => cache.look(slot, { ...options, lease: 1_000_000 })
  })),
  caches("what comes last is kept", ["a ticket that has run out", "is not kept either"], insisting),
  caches("an answer is made once", ["while it is given"], (cache) => ({
    ...cache,
    claim: () => Effect.succeed(undefined)
  })),
  caches("tags are not known", ["after one of its tags", "however late it comes", "never gets an answer"], (cache) =>
    placed(cache, (slot) => ({ ...slot, tags: [] }))
  ),
  caches("a tag is not below of others", ["after one of its tags"], (cache) =>
    placed(cache, (slot) => ({ ...slot, tags: slot.tags.filter((tag) => !tag.endsWith(":*")) }))
  ),
  caches("whoever has the ticket is not told", ["however late it comes"], (cache) => ({
    ...cache,
    look: (slot, options) =>
      Effect.map(cache.look(slot, options), (looked) =>
        looked._tag === "Vacant" ? { ...looked, ticket: { ...looked.ticket, isCurrent: current } } : looked
      )
  })),
  caches("positions are not looked at", ["known to hold"], (cache) => ({
    ...cache,
    look: (slot, options) => cache.look(slot, { ...options, after: Position.start })
  })),
  caches("progress is not looked at", ["known to hold"], (cache) =>
    placed(cache, (slot) => ({ ...slot, source: undefined }))
  ),
  caches("the progress of one projection is that of all", ["known to hold"], (cache) => ({
    ...placed(cache, (slot) => ({ ...slot, source: "all" })),
    invalidate: (tenant, { progress, tags }) =>
      cache.invalidate(tenant, { tags, progress: progress && { ...progress, source: "all" } })
  })),
  caches("an invalidation is made later", ["after one of its tags", "never gets an answer"], (cache) => ({
    ...cache,
    invalidate: (tenant, invalidation) => cache.inBackground(Effect.delay(cache.invalidate(tenant, invalidation), 50))
  })),
  caches("answers are as old as their process", ["an answer's age"], (cache) => ({
    ...cache,
    look: (slot, options) =>
      Effect.map(cache.look(slot, options), (looked) =>
        looked._tag === "Found" ? { ...looked, entry: { ...looked.entry, filledAt: 0 } } : looked
      )
  }))
]
