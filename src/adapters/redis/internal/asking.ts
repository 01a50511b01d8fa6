/** What a store says when a script of it fails. */
import * as Effect from "effect/Effect"
import * as Redis from "effect/persistence/Redis"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as StorageFailure from "../../../ports/StorageFailure.ts"
import { RedisConnection } from "../RedisConnection.ts"
import { run, type Script } from "./scripting.ts"

/** Runs a script and reads its reply; whatever goes wrong is a failure of the storage. */
export interface Ask<E> {
  <A>(
    operation: string,
    script: Script,
    keys: ReadonlyArray<string>,
    args: ReadonlyArray<string>,
    decode: (reply: unknown) => Result.Result<A, Schema.SchemaError>
  ): Effect.Effect<A, E>
}

/** How the operations of one port ask. */
export const asking = (
  port: string
): Effect.Effect<Ask<StorageFailure.StorageFailure>, never, RedisConnection | Redis.Redis> =>
  Effect.gen(function* () {
    const redis = yield* Redis.Redis
    const connection = yield* RedisConnection
    return (name, script, keys, args, decode) => {
      const operation = `${port}.${name}`
      return connection.attempt(operation, run(redis, script, keys, args)).pipe(
        Effect.mapError((cause) => StorageFailure.make({ operation, retryable: cause.retryable, cause })),
        Effect.flatMap((reply) =>
          Effect.fromResult(
            Result.mapError(decode(reply), (cause) => StorageFailure.make({ operation, retryable: false, cause }))
          )
        )
      )
    }
  })
