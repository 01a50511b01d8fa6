/**
 * Checkpoints in Redis, of readers whose effects may happen twice.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redis from "effect/persistence/Redis"
import * as Schema from "effect/Schema"
import * as Position from "../../domain/Position.ts"
import { part } from "../../domain/QueryKey.ts"
import { CheckpointConflict, CheckpointError, CheckpointStore, make } from "../../ports/CheckpointStore.ts"
import { UnitOfWork } from "../../ports/UnitOfWork.ts"
import { type Ask, asking } from "./internal/asking.ts"
import { script } from "./internal/scripting.ts"
import { RedisConnection } from "./RedisConnection.ts"

/**
 * Checkpoints that move by compare-and-set on the server.
 *
 * **Details**
 *
 * - Of two runs of one reader only one goes on, as everywhere; the other is told `CheckpointConflict`.
 * - Redis takes part in nobody's transaction. Inside a unit of work a checkpoint is compared at once and moved when the unit
 *   has committed: a unit that was rolled back leaves it where it is, and a crash between the two has the page handled
 *   again. So readers handle everything at least once, never less, and not exactly once.
 * - `passed` hears of what other processes save, and looks every 250 ms as well.
 *
 * **Gotchas**
 *
 * A server that forgets, after a failover or emptied, has readers begin again from an earlier position or the first. Where the
 * handler writes to PostgreSQL, keep its checkpoint there: it commits with the writes, and nothing happens twice.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: {
  /** What all keys and the channel begin with; `effect-cqrs` when absent. */
  readonly prefix?: string | undefined
}): Layer.Layer<CheckpointStore, never, UnitOfWork | RedisConnection | Redis.Redis> =>
  Layer.effect(
    CheckpointStore,
    Effect.gen(function* () {
      const unit = yield* UnitOfWork
      const connection = yield* RedisConnection
      const asked = yield* asking("CheckpointStore")
      const prefix = options?.prefix ?? "effect-cqrs"
      const channel = `${prefix}:checkpoints`
      const keyOf = (name: string) => `${prefix}:checkpoint:${part(name)}`
      const ask: Ask<CheckpointError> = (operation, of, keys, args, decode) =>
        Effect.mapError(asked(operation, of, keys, args, decode), (reason) => new CheckpointError({ reason }))

      const heard = { by: (_name: string): void => undefined }
      yield* connection.listen(channel, {
        message: (name) => heard.by(name),
        // What was missed meanwhile is seen by looking.
        up: () => undefined,
        down: () => undefined
      })

      const load = (name: string) => ask("load", look, [keyOf(name)], [], decodePosition)
      const refuse = (name: string, expected: Position.Position, actual: Position.Position) =>
        new CheckpointError({ reason: new CheckpointConflict({ name, expected, actual }) })
      const move = (name: string, from: Position.Position, to: Position.Position) =>
        Effect.flatMap(
          ask("save", save, [keyOf(name)], [String(from), String(to), channel, name], decodeMoved),
          (actual) => (actual === "moved" ? Effect.void : Effect.fail(refuse(name, from, actual)))
        )

      return make({
        load,
        save: (name, from, to) =>
          Effect.flatMap(unit.isOpen, (isOpen) =>
            isOpen
              ? Effect.gen(function* () {
                  const actual = yield* load(name)
                  if (actual !== from) return yield* refuse(name, from, actual)
                  yield* unit.afterCommit(
                    Effect.catch(move(name, from, to), (error) =>
                      Effect.logWarning(`The checkpoint ${name} was not moved after the commit`, error)
                    )
                  )
                })
              : move(name, from, to)
          ),
        remove: (name) => Effect.asVoid(ask("remove", remove, [keyOf(name)], [], decodeAny)),
        afterCommit: (hook) => unit.afterCommit(hook),
        signals: {
          // The script has told the others.
          tell: () => undefined,
          listen: () => undefined,
          onHeard: (hear) => {
            heard.by = hear
          }
        },
        pollInterval: "250 millis"
      })
    })
  )

const decodeAny = Schema.decodeUnknownResult(Schema.Unknown)
const FromText = Schema.NumberFromString.pipe(Schema.decodeTo(Position.Position))
const decodePosition = Schema.decodeUnknownResult(FromText)
const decodeMoved = Schema.decodeUnknownResult(Schema.Union([Schema.Literal("moved"), FromText]))

const look = script("return redis.call('GET', KEYS[1]) or '0'")

// Positions are compared as text: they are whole numbers, written in one way.
const save = script(`
local actual = redis.call('GET', KEYS[1]) or '0'
if actual ~= ARGV[1] then return actual end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 'moved'
`)

const remove = script("return redis.call('DEL', KEYS[1])")
