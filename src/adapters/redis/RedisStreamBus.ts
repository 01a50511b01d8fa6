/**
 * Announcing events to every process that is connected to one Redis, by a stream that is kept for a while.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Redis from "effect/persistence/Redis"
import * as EventBus from "../../ports/EventBus.ts"
import * as EventBusDriver from "../../ports/EventBusDriver.ts"
import * as EventBusError from "../../ports/EventBusError.ts"
import type { UnitOfWork } from "../../ports/UnitOfWork.ts"
import { run } from "./internal/scripting.ts"
import * as scripts from "./internal/streams/published.ts"
import { RedisConnection } from "./RedisConnection.ts"
import * as RedisError from "./RedisError.ts"

/**
 * What is read, and for how long events are kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<out R = never> extends EventBus.Options<R> {
  /** What the key begins with; `effect-cqrs` when absent. */
  readonly prefix?: string | undefined
  /** For how long events are kept for who has lost the connection; 5 minutes when absent. */
  readonly keep?: Duration.Input | undefined
}

/**
 * A bus that every process on one Redis hears, also after its connection was lost for a while.
 *
 * **Details**
 *
 * - Who is connected when an event is published gets it. Who has lost the connection gets what came meanwhile when it is back,
 *   in order, for as long as events are kept (`keep`).
 * - All events come to everybody in one order, across tenants. The server gives them their ids.
 * - A process reads on one connection of its own, whatever it subscribes to. In a cluster all events go through the server that has
 *   the key.
 * - What a unit of work publishes leaves after its commit.
 *
 * **Gotchas**
 *
 * A process that begins, begins with what is published from then on. What must not be missed is read from the log, or handled by
 * groups: `EventForwarding` and `EventGroups`.
 *
 * A failover that loses what was acknowledged loses events. Nobody knows which.
 *
 * **Example** (Two processes)
 *
 * ```ts no-run needs a server
 * import { Event, UnitOfWork } from "effect-cqrs"
 * import { RedisConnection, RedisStreamBus } from "effect-cqrs/redis"
 * import * as Layer from "effect/Layer"
 * import * as Schema from "effect/Schema"
 *
 * class PriceChanged extends Event.Class<PriceChanged>()("price.changed", { sku: Schema.String, cents: Schema.Int }) {}
 *
 * const Bus = RedisStreamBus.layer({ events: [PriceChanged], keep: "10 minutes" }).pipe(
 *   Layer.provide([RedisConnection.layerConfig(), UnitOfWork.layerMemory])
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <R = never>(
  options: Options<R>
): Layer.Layer<
  EventBus.EventBus | EventBus.AcrossProcesses,
  never,
  RedisConnection | Redis.Redis | UnitOfWork | Exclude<R, Scope.Scope>
> => EventBus.layerDriver(options, (receiver) => Effect.flatMap(make(options, receiver), EventBusDriver.afterCommit))

const promises = {
  delivery: "at least once",
  order: "all",
  reach: "processes",
  durable: false,
  transactional: false
} as const satisfies EventBusDriver.Promises

const name = "redis streams"

/** How long a read waits for events, and how long it may take to be answered. */
const block = 2000
const patience = "3 seconds"
const firstPause = 50
const longestPause = 2000

const make = (
  options: Options<unknown>,
  receiver: EventBusDriver.Receiver
): Effect.Effect<EventBusDriver.Driver<typeof promises>, never, RedisConnection | Redis.Redis | Scope.Scope> =>
  Effect.gen(function* () {
    const redis = yield* Redis.Redis
    const connection = yield* RedisConnection
    const scope = yield* Effect.scope
    const key = `${options.prefix ?? "effect-cqrs"}:published`
    const keep = String(Duration.toMillis(Duration.fromInputUnsafe(options.keep ?? "5 minutes")))
    const tried = yield* Deferred.make<void>()
    let isReading = false
    /** The last id that came here; `undefined` before the first look. */
    let last: string | undefined
    let pause = firstPause

    const begin = Effect.gen(function* () {
      const reply = yield* connection.attempt("XINFO", run(redis, scripts.last, [key], []))
      const there = yield* decoded(decodeText, reply)
      // A server that is behind us has lost events, and gives those after them ids that we would pass over.
      if (last === undefined || isBefore(there, last)) last = there
    })

    const reading = Effect.gen(function* () {
      const own = yield* connection.attempt("CONNECT", redis.reserve)
      yield* begin
      pause = firstPause
      receiver.up()
      yield* Deferred.succeed(tried, undefined)
      while (true) {
        const asked = own.send("XREAD", "COUNT", "500", "BLOCK", String(block), "STREAMS", key, last ?? "$")
        const reply = yield* connection.attempt("XREAD", asked).pipe(
          Effect.timeoutOrElse({
            duration: patience,
            orElse: () => Effect.fail(RedisError.from("XREAD", "no answer"))
          })
        )
        const read = yield* decoded(decodeRead, reply)
        for (const [id, [, text]] of entriesOf(read)) {
          receiver.take(EventBusDriver.parse(text))
          last = id
        }
      }
    })

    const forever = Effect.scoped(reading).pipe(
      Effect.catch((error) =>
        Effect.gen(function* () {
          receiver.down()
          yield* Effect.logDebug("The bus reads again", error)
          yield* Deferred.succeed(tried, undefined)
          const random = yield* Random.next
          yield* Effect.sleep(pause * (0.5 + random / 2))
          pause = Math.min(pause * 2, longestPause)
        })
      ),
      Effect.forever
    )

    return {
      name,
      promises,
      publish: (envelopes) => {
        const texts = envelopes.map((envelope) => JSON.stringify(envelope))
        return connection
          .attempt("XADD", run(redis, scripts.publish, [key], [keep, ...texts]))
          .pipe(Effect.mapError(failure), Effect.asVoid)
      },
      listen: () =>
        Effect.gen(function* () {
          if (!isReading) {
            isReading = true
            receiver.down()
            yield* Effect.forkIn(forever, scope)
          }
          yield* Deferred.await(tried)
        })
    }
  })

const decoded = <A>(decode: (reply: unknown) => Result.Result<A, Schema.SchemaError>, reply: unknown) => {
  const result = decode(reply)
  return Result.isSuccess(result)
    ? Effect.succeed(result.success)
    : Effect.fail(RedisError.from("XREAD", result.failure))
}

const entriesOf = (read: typeof Read.Type | readonly [typeof Read.Type] | null) => {
  if (read === null) return []
  return read.length === 1 ? read[0][1] : read[1]
}

const isBefore = (a: string, b: string): boolean => {
  const [time = 0, count = 0] = a.split("-").map(Number)
  const [time2 = 0, count2 = 0] = b.split("-").map(Number)
  return time < time2 || (time === time2 && count < count2)
}

const decodeText = Schema.decodeUnknownResult(Schema.String)
const Entry = Schema.Tuple([Schema.String, Schema.Tuple([Schema.Literal("event"), Schema.String])])
const Read = Schema.Tuple([Schema.String, Schema.Array(Entry)])
// The streams that were read, as a list of pairs or as one list.
const decodeRead = Schema.decodeUnknownResult(Schema.NullOr(Schema.Union([Read, Schema.Tuple([Read])])))

const failure = (error: RedisError.RedisError): EventBusError.EventBusError => {
  const { _tag } = error.reason
  // Whether what was not answered in time has left is not known, as with a connection that was lost on the way.
  return _tag === "Unreachable" || _tag === "NoAnswer"
    ? EventBusError.notConnected(name, error)
    : EventBusError.notTaken(name, error.retryable, error)
}
