/** Connections that notice soon that their server is gone. */
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import type * as Redis from "effect/persistence/Redis"
import * as RedisConnection from "../../../src/adapters/redis/RedisConnection.ts"

/** Connects to a server. */
export const connection = (
  url: string,
  options?: Omit<RedisConnection.Options, "target">
): Layer.Layer<RedisConnection.RedisConnection | Redis.Redis> =>
  RedisConnection.layer({ target: { url: Redacted.make(url) }, commandTimeout: "300 millis", ...options }).pipe(
    // It says when a server is gone, and many are here.
    Layer.provide(Logger.layer([]))
  )
