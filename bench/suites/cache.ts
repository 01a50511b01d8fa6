/**
 * Kept answers: in the process, in Redis, beside work that is not kept, and missed by many at once.
 */
import type { Row, Suite } from "../harness.ts"
import * as Peers from "../peers/caches.ts"
import * as Ours from "./cache/ours.ts"

export const needsDatabase = true
export const needsRedis = true

const shared = (name: string, clients: number): Row => ({
  name,
  unit: "/s",
  target: { ratio: 0.8 },
  ours: Ours.cachedInRedis.trivial({ clients }),
  peers: { ioredis: Peers.ioredis(clients) },
  beside: { bentocache: Peers.bentocacheShared(clients), cacheable: Peers.cacheableShared(clients) }
})

const suite: Suite = [
  {
    name: "a hit in the process",
    unit: "/s",
    target: { value: 3_000_000, ratio: 3 },
    ours: Ours.cache,
    peers: { bentocache: Peers.bentocache },
    beside: { cacheable: Peers.cacheable, "lru-cache": Peers.lru, Map: Peers.map }
  },
  {
    name: "a query kept in the process",
    unit: "/s",
    target: { ratio: 3 },
    ours: Ours.cached.trivial(),
    peers: { bentocache: Peers.bentocacheAround },
    beside: { cacheable: Peers.cacheableAround, "one query again": Ours.cached.trivial({ again: true }) }
  },
  {
    name: "a trivial query, kept beside not kept",
    unit: "/s",
    ours: Ours.cached.trivial(),
    peers: { "not kept": Ours.bare.trivial() }
  },
  {
    name: "a query of a document in memory, kept",
    unit: "/s",
    target: { ratio: 1 },
    ours: Ours.cached.document(),
    peers: { "not kept": Ours.bare.document() }
  },
  {
    name: "a query of a row of PostgreSQL, kept",
    unit: "/s",
    target: { ratio: 10 },
    ours: Ours.cached.row(),
    peers: { "not kept": Ours.bare.row() },
    beside: { "kept in Redis": Ours.cachedInRedis.row() }
  },
  {
    name: "the same, 64 at once",
    unit: "/s",
    target: { ratio: 10 },
    ours: Ours.cached.row({ clients: 64 }),
    peers: { "not kept": Ours.bare.row({ clients: 64 }) },
    beside: { "kept in Redis": Ours.cachedInRedis.row({ clients: 64 }) }
  },
  shared("a hit in Redis, one at a time", 1),
  shared("a hit in Redis, 64 at once", 64),
  {
    name: "1,000 misses at once on two nodes",
    unit: "calls",
    less: true,
    target: { value: 1 },
    also: { [Peers.took]: { unit: "ms", less: true } },
    ours: Ours.missed,
    peers: { bentocache: Peers.bentocacheMissed },
    beside: { cacheable: Peers.cacheableMissed }
  }
]

export default suite
