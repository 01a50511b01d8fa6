/**
 * Snapshots in Redis, beside a log that is elsewhere.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redis from "effect/persistence/Redis"
import * as Schema from "effect/Schema"
import { part } from "../../domain/QueryKey.ts"
import { make, type Prepared, SnapshotError, SnapshotStore } from "../../ports/SnapshotStore.ts"
import { UnitOfWork } from "../../ports/UnitOfWork.ts"
import { type Ask, asking } from "./internal/asking.ts"
import { script } from "./internal/scripting.ts"
import type { RedisConnection } from "./RedisConnection.ts"

/**
 * What is kept, and for how long.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** What all keys begin with; `effect-cqrs` when absent. */
  readonly prefix?: string | undefined
  /** For how long a snapshot is kept that no newer one replaces; 30 days when absent. */
  readonly keep?: Duration.Input | undefined
  /** How many bytes of JSON a state may take; 8 MiB when absent. A larger one is not kept, which is logged. */
  readonly maxBytes?: number | undefined
}

/**
 * Snapshots in a hash each, which runs out by itself.
 *
 * **Details**
 *
 * - Of many that are saved at the same time the highest version stays: the server compares.
 * - What is saved or removed inside a unit of work is written when that has committed, and never when it was rolled back. Until
 *   then the unit itself does not see it.
 * - A lost server costs time: a load without a snapshot folds the whole stream.
 *
 * **Gotchas**
 *
 * `StreamAdmin.skip` knows only of snapshots in its own storage: provide `SnapshotStore.layerForgetting` over both.
 *
 * **Example** (The log in PostgreSQL, snapshots in Redis)
 *
 * ```ts no-run needs servers
 * import { Postgres } from "effect-cqrs/postgres"
 * import { RedisConnection, RedisSnapshotStore } from "effect-cqrs/redis"
 * import * as Config from "effect/Config"
 * import * as Layer from "effect/Layer"
 *
 * const Stores = RedisSnapshotStore.layer({ keep: "7 days" }).pipe(
 *   Layer.provide(RedisConnection.layerConfig()),
 *   Layer.provideMerge(Postgres.layerUrl(Config.Redacted("DATABASE_URL")))
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options?: Options
): Layer.Layer<SnapshotStore, never, UnitOfWork | RedisConnection | Redis.Redis> =>
  Layer.effect(
    SnapshotStore,
    Effect.gen(function* () {
      const unit = yield* UnitOfWork
      const asked = yield* asking("SnapshotStore")
      const prefix = options?.prefix ?? "effect-cqrs"
      const keep = Math.ceil(Duration.toMillis(Duration.fromInputUnsafe(options?.keep ?? "30 days")))
      const maxBytes = options?.maxBytes ?? 8 * 1024 * 1024
      const keyOf = (tenant: string, stream: string) => `${prefix}:{${part(tenant)}}:snapshot:${part(stream)}`
      const ask: Ask<SnapshotError> = (operation, of, keys, args, decode) =>
        Effect.mapError(asked(operation, of, keys, args, decode), (reason) => new SnapshotError({ reason }))

      /** Now, with its failure, or once the unit has committed: then nobody is left to be told but the log. */
      const write = (what: string, effect: Effect.Effect<unknown, SnapshotError>): Effect.Effect<void, SnapshotError> =>
        Effect.flatMap(unit.isOpen, (isOpen) =>
          isOpen
            ? unit.afterCommit(
                Effect.catch(Effect.asVoid(effect), (error) =>
                  Effect.logWarning(`The snapshot was not ${what} after the commit`, error)
                )
              )
            : Effect.asVoid(effect)
        )

      return make({
        load: (tenant, stream) =>
          Effect.map(ask("load", load, [keyOf(tenant, stream)], [], decodeLoaded), (found) =>
            found === null
              ? Option.none()
              : Option.some({
                  stream,
                  version: found[0],
                  event: found[1],
                  schema: found[2],
                  takenAt: found[3],
                  state: found[4]
                })
          ),
        save: (tenant, { event, schema, state, stream, takenAt, version }: Prepared) =>
          Buffer.byteLength(state) > maxBytes
            ? Effect.logWarning(`The snapshot of ${stream} is not kept: its state takes more than ${maxBytes} bytes`)
            : write(
                "saved",
                ask(
                  "save",
                  save,
                  [keyOf(tenant, stream)],
                  [String(version), event, schema, String(takenAt), state, String(keep)],
                  decodeAny
                )
              ),
        remove: (tenant, stream) => write("removed", ask("remove", remove, [keyOf(tenant, stream)], [], decodeAny))
      })
    })
  )

const decodeAny = Schema.decodeUnknownResult(Schema.Unknown)
const decodeLoaded = Schema.decodeUnknownResult(
  Schema.NullOr(
    Schema.Tuple([
      Schema.NumberFromString,
      Schema.String,
      Schema.String,
      Schema.NumberFromString,
      Schema.fromJsonString(Schema.Unknown)
    ])
  )
)

const load = script(`
local found = redis.call('HMGET', KEYS[1], 'version', 'event', 'schema', 'takenAt', 'state')
return found[1] and found
`)

// Whole numbers up to 2^53 are exact in Lua as they are here.
const save = script(`
local kept = redis.call('HGET', KEYS[1], 'version')
if kept and tonumber(kept) > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'event', ARGV[2], 'schema', ARGV[3], 'takenAt', ARGV[4], 'state', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return 1
`)

const remove = script("return redis.call('DEL', KEYS[1])")
