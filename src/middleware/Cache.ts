/**
 * Values that are looked up once and kept: rates, settings, what another service says.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Position from "../domain/Position.ts"
import * as QueryKey from "../domain/QueryKey.ts"
import * as QueryCache from "../ports/QueryCache.ts"
import type { Driver, Slot } from "../ports/QueryCacheDriver.ts"
import { After } from "../ports/Receipt.ts"
import { TenantContext } from "../ports/TenantContext.ts"
import { UnitOfWork } from "../ports/UnitOfWork.ts"
import * as Caching from "./Caching.ts"
import { codecOf } from "./internal/caching/codec.ts"
import { held } from "./internal/caching/held.ts"
import { Place } from "./internal/caching/place.ts"
import { policyOf, servingsOf } from "./internal/caching/policy.ts"

type Services = QueryCache.QueryCache | TenantContext

/**
 * Values of one name, each known by its key, and each tenant's apart.
 *
 * **Details**
 *
 * - `get` answers with what is kept, or looks it up. Of many that ask at the same time one looks, of all processes that share
 *   the cache.
 * - `peek` answers with what is kept, and looks nothing up.
 * - `set` keeps a value, from now on, in all processes; what was being looked up before is not kept. `false` says that it
 *   could not be kept, or was made wrong in the same moment: then the next `get` looks it up. Inside a unit of work it says that
 *   it will be tried.
 * - `delete` makes values wrong, and `clear` all of this name.
 *
 * Inside a unit of work `get` looks up, and nobody else is given what that finds; `set`, `delete` and `clear` happen after the
 * commit, or never.
 *
 * @category models
 * @since 0.1.0
 */
export interface Cache<in K, in out A, out E = never, out R = never> {
  readonly name: string
  readonly get: (key: K) => Effect.Effect<A, E, R | Services>
  readonly peek: (key: K) => Effect.Effect<Option.Option<A>, never, Services>
  readonly set: (key: K, value: A) => Effect.Effect<boolean, never, Services>
  readonly delete: (...keys: ReadonlyArray<K>) => Effect.Effect<void, never, Services>
  readonly clear: Effect.Effect<void, never, Services>
}

/**
 * How values are kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<K, A, E, Failure, R> {
  /** What values are known by. */
  readonly key: Schema.Codec<K, unknown>
  readonly success: Schema.Codec<A, unknown>
  /** The errors of `lookup` that may be kept, for `errors`. */
  readonly error?: Schema.Codec<Failure, unknown> | undefined
  readonly lookup: (key: K) => Effect.Effect<A, E, R>
  /** For how long a value is fresh; 5 minutes when absent. */
  readonly ttl?: Duration.Input | undefined
  /** For how long after that it is given while a new one is looked up in the background; not at all when absent. */
  readonly grace?: Duration.Input | undefined
  /** What makes a value wrong, beside its own tag. Parts stand between colons. */
  readonly tags?: ((key: K) => ReadonlyArray<string>) | undefined
  /** For how long it is kept that there is nothing: `Option.none()`, `null` or `undefined`. Not at all when absent. */
  readonly absence?: Duration.Input | undefined
  /** For how long an error is kept that `error` describes. Not at all when absent. */
  readonly errors?: Duration.Input | undefined
  /** For how long others wait for whoever looks a value up before one of them does so too; 10 seconds when absent. */
  readonly lease?: Duration.Input | undefined
  /** How early a value is looked up again before its time is over; 1 when absent, more is earlier, 0 is never. */
  readonly beta?: number | undefined
}

/**
 * Keeps values in the `QueryCache`, beside the answers of queries and within the same bounds.
 *
 * **Details**
 *
 * Stampedes, early refresh, grace, Redis and what its loss costs are as they are for {@link Caching.cached}. A value's own tag is
 * `QueryKey.ofValue(name, key)`; `Caching.invalidate(["values:rates:*"])` makes all rates wrong.
 *
 * **Gotchas**
 *
 * Many callers get one object: it is not to be changed. Two caches of one name share their values. A key that is not what its
 * schema says is looked up, and nothing of it is kept.
 *
 * **Example** (Rates)
 *
 * ```ts
 * import { Cache, QueryCache, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * let asked = 0
 * const Rates = Cache.make("rates", {
 *   key: Schema.String,
 *   success: Schema.Finite,
 *   lookup: () => Effect.sync(() => ++asked),
 *   ttl: "1 hour"
 * })
 *
 * const program = Effect.gen(function* () {
 *   const before = [yield* Rates.get("EUR"), yield* Rates.get("EUR")]
 *   yield* Rates.set("EUR", 1.08)
 *   const set = yield* Rates.get("EUR")
 *   yield* Rates.delete("EUR")
 *   return [...before, set, yield* Rates.get("EUR")]
 * })
 * await Effect.runPromise(program.pipe(Effect.provide([QueryCache.layerMemory, TenantContext.layerSingle])))
 * // => [1, 1, 1.08, 2]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export function make<K, A, E, R, Failure = never>(
  name: string,
  options: Options<K, A, E, Failure, R>
): Cache<K, A, E, R>
export function make<K, A, E, R>(name: string, options: Options<K, A, E, unknown, R>): unknown {
  const { lookup } = options
  const codec = codecOf({ success: options.success, error: options.error ?? Schema.Never })
  const policy = policyOf(options, codec.encode)
  const { counts, servingOf } = servingsOf(`values:${name}`, policy)
  const encodeKey = Schema.encodeUnknownResult(Schema.toCodecJson(options.key))
  const keyOf = (key: K): string | undefined => {
    const encoded = encodeKey(key)
    return Result.isSuccess(encoded) ? QueryKey.ofValue(name, encoded.success) : undefined
  }

  /** Goes to the place of a key; one that is not what its schema says has none. */
  const at = <B, F, S>(
    key: K,
    otherwise: Effect.Effect<B, F, S>,
    f: (slot: Slot, cache: Driver, fiber: Fiber.Fiber<unknown, unknown>) => Effect.Effect<B, F, S>
  ): Effect.Effect<B, F, S | Services> =>
    Effect.withFiber((fiber) => {
      const own = keyOf(key)
      if (own === undefined) return otherwise
      const { id } = Context.getUnsafe(fiber.context, TenantContext)
      const tagsOf = (asked: K) => QueryCache.tagsOf([own, ...(options.tags?.(asked) ?? [])])
      const slot = new Place(id, own, undefined, codec.decode, key, tagsOf)
      return f(slot, Context.getUnsafe(fiber.context, QueryCache.QueryCache), fiber)
    })

  const get = (key: K) => {
    const handler = Effect.suspend(() => lookup(key))
    return at<unknown, unknown, R>(key, handler, (slot, cache, fiber) => {
      const after = fiber.getRef(After)?.position ?? Position.start
      const serve = () => servingOf(cache).serve({ slot, after, held: held(fiber.context, after), handler }, fiber)
      const unit = Context.getOrUndefined(fiber.context, UnitOfWork)
      if (unit === undefined) return serve()
      return Effect.flatMap(unit.isOpen, (open) => {
        if (!open) return serve()
        counts.came("bypass", fiber.context)
        return handler
      })
    })
  }

  const peek = (key: K) =>
    at<Option.Option<unknown>, never, never>(key, Effect.succeedNone, (slot, cache, fiber) => {
      const after = fiber.getRef(After)?.position ?? Position.start
      const here = cache.peek(slot, after, timeOf(fiber))
      if (here !== undefined) return Effect.succeed(Exit.getSuccess(here.outcome))
      const looking = Effect.flatMap(cache.look(slot, { after, lease: policy.lease }), (looked) => {
        if (looked._tag === "Vacant") return Effect.as(cache.abandon(slot, looked.ticket), Option.none())
        return Effect.succeed(looked._tag === "Found" ? Exit.getSuccess(looked.entry.outcome) : Option.none())
      })
      return Effect.uninterruptible(looking)
    })

  const put = (slot: Slot, cache: Driver, value: A) =>
    Effect.gen(function* () {
      const outcome = Exit.succeed(value)
      const ttl = policy.ttlOf(outcome)
      const text = codec.encode(outcome)
      // What is being looked up was begun before.
      yield* cache.invalidate(slot.tenant, { tags: [slot.key] })
      const ticket = yield* cache.claim(slot, policy.lease)
      if (ticket === undefined) return false
      if (text === undefined || ttl === 0) return yield* Effect.as(cache.abandon(slot, ticket), false)
      const { grace } = policy
      return yield* cache.fill(slot, ticket, { outcome, text, ttl, grace, cost: 0, position: Position.start })
    })

  const set = (key: K, value: A) =>
    at(key, Effect.succeed(false), (slot, cache, fiber) => {
      const putting = Effect.uninterruptible(put(slot, cache, value))
      const unit = Context.getOrUndefined(fiber.context, UnitOfWork)
      if (unit === undefined) return putting
      return Effect.flatMap(unit.isOpen, (open) =>
        open ? Effect.as(unit.afterCommit(Effect.asVoid(putting)), true) : putting
      )
    })

  return {
    name,
    get,
    peek,
    set,
    delete: (...keys: ReadonlyArray<K>) => Caching.invalidate(keys.map(keyOf).filter((own) => own !== undefined)),
    clear: Caching.invalidate([`values:${encodeURIComponent(name)}:*`])
  }
}

const timeOf = (fiber: Fiber.Fiber<unknown, unknown>) => fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
