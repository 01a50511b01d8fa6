/** Scripts on the server, each known by the hash of its text. */
import * as Effect from "effect/Effect"
import type * as Redis from "effect/persistence/Redis"

export interface Script {
  readonly lua: string
  /** What servers call it; the first that is asked says so. */
  sha: string | undefined
}

export const script = (lua: string): Script => ({ lua, sha: undefined })

/** Runs a script; a server that does not know it is sent the text, and knows it from then on. */
export const run = (
  redis: Pick<Redis.Redis["Service"], "send">,
  script: Script,
  keys: ReadonlyArray<string>,
  args: ReadonlyArray<string>
): Effect.Effect<unknown, Redis.RedisError> => {
  const { lua, sha } = script
  if (sha === undefined) {
    return Effect.flatMap(redis.send<string>("SCRIPT", "LOAD", lua), (loaded) => {
      script.sha = loaded
      return run(redis, script, keys, args)
    })
  }
  const count = String(keys.length)
  return Effect.catchIf(
    redis.send("EVALSHA", sha, count, ...keys, ...args),
    ({ cause }) => String(cause).includes("NOSCRIPT"),
    () => redis.send("EVAL", lua, count, ...keys, ...args)
  )
}
