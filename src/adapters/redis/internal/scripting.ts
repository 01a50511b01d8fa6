/** Scripts on the server, each known by the hash of its text. */
import * as Effect from "effect/Effect"
import type * as Redis from "effect/persistence/Redis"
import { createHash } from "node:crypto"

export interface Script {
  readonly lua: string
  /** What every server calls it. */
  readonly sha: string
}

export const script = (lua: string): Script => ({ lua, sha: createHash("sha1").update(lua).digest("hex") })

/** Runs a script; a server that does not know it is sent the text, and knows it from then on. */
export const run = (
  redis: Pick<Redis.Redis["Service"], "send">,
  { lua, sha }: Script,
  keys: ReadonlyArray<string>,
  args: ReadonlyArray<string>
): Effect.Effect<unknown, Redis.RedisError> => {
  const count = String(keys.length)
  return Effect.catchIf(
    redis.send("EVALSHA", sha, count, ...keys, ...args),
    ({ cause }) => String(cause).includes("NOSCRIPT"),
    () => redis.send("EVAL", lua, count, ...keys, ...args)
  )
}
