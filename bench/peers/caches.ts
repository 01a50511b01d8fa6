/**
 * bentocache and cacheable, with tags and two levels; lru-cache, a map and ioredis, which do less.
 *
 * | what is looked at on a hit                   | ours | bentocache | cacheable | lru-cache |
 * | -------------------------------------------- | ---- | ---------- | --------- | --------- |
 * | the time that is left                        | yes  | yes        | yes       | yes       |
 * | least recently used                          | yes  | yes        | yes       | yes       |
 * | tags, within one process                     | yes  | yes        | yes       | no        |
 * | grace: what is old is given while it is made | yes  | yes        | no        | no        |
 * | the tenant                                   | yes  | no         | no        | no        |
 * | the position that it must hold               | yes  | no         | no        | no        |
 */
import KeyvRedis from "@keyv/redis"
import { BentoCache, bentostore } from "bentocache"
import { memoryDriver } from "bentocache/drivers/memory"
import { redisBusDriver, redisDriver } from "bentocache/drivers/redis"
import { Cacheable, createKeyv } from "cacheable"
import { Redis } from "ioredis6"
import { LRUCache } from "lru-cache"
import { randomUUID } from "node:crypto"
import { setTimeout as pause } from "node:timers/promises"
import { type Contender, inFlight, perSecond, type Round } from "../harness.ts"
import * as Task from "../task.ts"

const ttl = 300_000
/** What it knows of tags is kept among the answers. */
const room = 3 * Task.answers
const keys = Array.from({ length: Task.answers }, (_, n) => `FindTask:taskId="t-${n}"`)
const keyOf = (n: number): string => keys[n % Task.answers] ?? ""

const never = (): never => {
  throw new Error("It is kept")
}

/** One after the other: keys in turn. */
const eachInTurn = (get: (n: number) => Promise<unknown>): Round => {
  let n = 0
  return perSecond(async (times) => {
    for (let left = times; left > 0; left--) {
      if ((await get(n++)) === undefined) throw new Error("It was not kept")
    }
  })
}

const bento = (options: { readonly redis?: string; readonly memory: boolean }) => {
  const store = bentostore({ prefix: randomUUID() })
  const first = options.memory ? store.useL1Layer(memoryDriver({ maxItems: room, serialize: false })) : store
  if (options.redis === undefined) return new BentoCache({ default: "all", stores: { all: first } })
  return new BentoCache({ default: "all", stores: { all: first.useL2Layer(redisDriver(to(options.redis))) } })
}

const to = (redis: string) => ({ connection: { host: "127.0.0.1", port: Number(new URL(redis).port) } })

const filled = async <C extends { readonly set: (options: Bento) => Promise<unknown> }>(cache: C): Promise<C> => {
  for (let n = 0; n < Task.answers; n++) {
    await cache.set({ key: keyOf(n), value: Task.answer(n), ttl, grace: ttl, tags: Task.tagsOf(`t-${n}`) })
  }
  return cache
}

interface Bento {
  readonly key: string
  readonly value: unknown
  readonly ttl: number
  readonly grace: number
  readonly tags: Array<string>
}

export const bentocache: Contender = async () => {
  const cache = await filled(bento({ memory: true }))
  return eachInTurn((n) => cache.get({ key: keyOf(n) }))
}

/** As it is used around a query: the key is made of the arguments. */
export const bentocacheAround: Contender = async () => {
  const cache = await filled(bento({ memory: true }))
  return eachInTurn((n) => {
    const taskId = `t-${n % Task.answers}`
    const key = `FindTask:taskId=${JSON.stringify(taskId)}`
    return cache.getOrSet({ key, factory: never, ttl, grace: ttl, tags: Task.tagsOf(taskId) })
  })
}

const cacheableFilled = async (cache: Cacheable): Promise<Cacheable> => {
  for (let n = 0; n < Task.answers; n++) {
    await cache.set(keyOf(n), Task.answer(n), { ttl, tags: Task.tagsOf(`t-${n}`) })
  }
  return cache
}

export const cacheable: Contender = async () => {
  const cache = await cacheableFilled(new Cacheable({ tags: true }))
  return eachInTurn((n) => cache.get(keyOf(n)))
}

export const cacheableAround: Contender = async () => {
  const cache = await cacheableFilled(new Cacheable({ tags: true }))
  return eachInTurn((n) => cache.getOrSet(`FindTask:taskId=${JSON.stringify(`t-${n % Task.answers}`)}`, never, { ttl }))
}

/** Times a second, of work that gives no promise. */
const withoutPromises = (get: (key: string) => unknown): Round => {
  let n = 0
  return perSecond(async (times) => {
    for (let left = times; left > 0; left--) if (get(keyOf(n++)) === undefined) throw new Error("It was not kept")
  })
}

export const lru: Contender = () => {
  const cache = new LRUCache<string, Task.Answer>({ max: Task.answers, ttl })
  for (let n = 0; n < Task.answers; n++) cache.set(keyOf(n), Task.answer(n))
  return withoutPromises((key) => cache.get(key))
}

export const map: Contender = () => {
  const cache = new Map(keys.map((key, n) => [key, Task.answer(n)]))
  return withoutPromises((key) => cache.get(key))
}

const concurrently = (clients: number, get: (n: number) => Promise<unknown>): Round => {
  let n = 0
  return perSecond(
    inFlight(clients, () => async () => {
      if ((await get(n++)) === undefined) throw new Error("It was not kept")
    })
  )
}

/** A text by its key, and JSON. */
export const ioredis =
  (clients: number): Contender =>
  async ({ redis }) => {
    const client = new Redis(redis)
    const prefix = randomUUID()
    for (let n = 0; n < Task.answers; n++)
      await client.set(prefix + keyOf(n), JSON.stringify(Task.answer(n)), "PX", ttl)
    return concurrently(clients, async (n) => JSON.parse((await client.get(prefix + keyOf(n))) ?? "null"))
  }

/** Nothing is kept in the process. */
export const bentocacheShared =
  (clients: number): Contender =>
  async ({ redis }) => {
    const cache = await filled(bento({ redis, memory: false }))
    return concurrently(clients, (n) => cache.get({ key: keyOf(n) }))
  }

/** One answer is kept in the process: it does not go without. */
export const cacheableShared =
  (clients: number): Contender =>
  async ({ redis }) => {
    const cache = await cacheableFilled(twoLevels(redis, randomUUID(), 1))
    return concurrently(clients, (n) => cache.get(keyOf(n)))
  }

const twoLevels = (redis: string, namespace: string, lruSize: number): Cacheable =>
  new Cacheable({
    primary: createKeyv({ lruSize }),
    secondary: new KeyvRedis(redis, { namespace }),
    nonBlocking: false,
    tags: true
  })

/** How often the work was done that two nodes missed at once, and how long all of them waited. */
export type Node = (key: string, work: () => Promise<Task.Answer>) => Promise<unknown>

export const took = "took"

export const stampede = (nodes: ReadonlyArray<Node>): Round => {
  let round = 0
  return async (seconds) => {
    const until = performance.now() + seconds * 1000
    const start = performance.now()
    let worked = 0
    let missed = 0
    const work = async () => {
      worked++
      await pause(Task.making)
      return Task.answer(0)
    }
    do {
      const key = `t-${++round}`
      await Promise.all(Array.from({ length: Task.missing }, async (_, n) => nodes[n % nodes.length]?.(key, work)))
      missed++
    } while (performance.now() < until)
    return { value: worked / missed, also: { [took]: (performance.now() - start) / missed } }
  }
}

export const bentocacheMissed: Contender = ({ redis }) => {
  const prefix = randomUUID()
  const node = (): Node => {
    const store = bentostore({ prefix })
      .useL1Layer(memoryDriver({ maxItems: room }))
      .useL2Layer(redisDriver(to(redis)))
      .useBus(redisBusDriver(to(redis)))
    const cache = new BentoCache({ default: "all", stores: { all: store } })
    return (key, factory) => cache.getOrSet({ key, factory, ttl, grace: ttl, tags: Task.tagsOf(key) })
  }
  return stampede([node(), node()])
}

export const cacheableMissed: Contender = ({ redis }) => {
  const namespace = randomUUID()
  const node = (): Node => {
    const cache = twoLevels(redis, namespace, Task.answers)
    return (key, work) => cache.getOrSet(key, work, { ttl })
  }
  return stampede([node(), node()])
}
