/**
 * Streams of Redis by hand: what ioredis does without marks, leases, order or envelopes.
 */
import { Redis } from "ioredis6"
import { randomUUID } from "node:crypto"
import type { Contender } from "../harness.ts"

const segments = 16

/** Writes texts to 16 streams, so many in a pipeline. */
const fill = async (redis: Redis, name: string, texts: ReadonlyArray<string>) => {
  for (let n = 0; n < texts.length; n += 500) {
    const pipeline = redis.pipeline()
    for (const [index, text] of texts.slice(n, n + 500).entries()) {
      pipeline.xadd(`${name}:${(n + index) % segments}`, "*", "event", text)
    }
    await pipeline.exec()
  }
}

const clear = async (redis: Redis, name: string) => {
  await redis.del(...Array.from({ length: segments }, (_, n) => `${name}:${n}`))
}

export const added =
  (texts: ReadonlyArray<string>): Contender =>
  ({ redis: url }) => {
    const redis = new Redis(url)
    return async () => {
      const name = randomUUID()
      const start = performance.now()
      await fill(redis, name, texts)
      const took = performance.now() - start
      await clear(redis, name)
      return (texts.length / took) * 1000
    }
  }

/** Reads every stream a hundred at a time, parses, and notes them as handled. */
export const read =
  (texts: ReadonlyArray<string>): Contender =>
  ({ redis: url }) => {
    const redis = new Redis(url)
    return async () => {
      const name = randomUUID()
      await fill(redis, name, texts)
      let seen = 0
      const work = async (stream: string) => {
        await redis.xgroup("CREATE", stream, "group", "0")
        while (true) {
          const asked = ["GROUP", "group", "one", "COUNT", 100, "STREAMS", stream, ">"]
          const entries = entriesOf(await redis.call("XREADGROUP", asked))
          if (entries.length === 0) return
          for (const [, text] of entries) if (JSON.parse(text) !== undefined) seen++
          await redis.xack(stream, "group", ...entries.map(([id]) => id))
        }
      }
      const start = performance.now()
      await Promise.all(Array.from({ length: segments }, (_, n) => work(`${name}:${n}`)))
      const took = performance.now() - start
      if (seen !== texts.length) throw new Error(`${seen} of ${texts.length} were read`)
      await clear(redis, name)
      return (seen / took) * 1000
    }
  }

/** Ids and texts of the one stream that was read. */
const entriesOf = (reply: unknown): ReadonlyArray<readonly [id: string, text: string]> => {
  const list = Array.isArray(reply) ? (Array.isArray(reply[0]) ? reply[0][1] : reply[1]) : []
  if (!Array.isArray(list)) throw new Error("this is no answer to a read")
  return list.map((entry) => [String(entry[0]), String(entry[1][1])])
}
