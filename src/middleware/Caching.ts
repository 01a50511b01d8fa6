/**
 * Answers of queries that are kept, and given again for as long as they are right.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Command from "../domain/Command.ts"
import type * as Event from "../domain/Event.ts"
import type * as Message from "../domain/Message.ts"
import * as Position from "../domain/Position.ts"
import type * as Query from "../domain/Query.ts"
import * as QueryKey from "../domain/QueryKey.ts"
import type { RecordedEvent } from "../domain/RecordedEvent.ts"
import * as MessageContext from "../ports/MessageContext.ts"
import * as QueryCache from "../ports/QueryCache.ts"
import type { Invalidation } from "../ports/QueryCacheDriver.ts"
import { After } from "../ports/Receipt.ts"
import { TenantContext } from "../ports/TenantContext.ts"
import { UnitOfWork } from "../ports/UnitOfWork.ts"
import { codecOf } from "./internal/caching/codec.ts"
import { held } from "./internal/caching/held.ts"
import { Place } from "./internal/caching/place.ts"
import { policyOf, servingsOf } from "./internal/caching/policy.ts"
import * as Middleware from "./Middleware.ts"

/**
 * How the answers to a query are kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<in Q> {
  /** For how long an answer is fresh; 5 minutes when absent. */
  readonly ttl?: Duration.Input | undefined
  /** For how long after that it is given while a new one is made in the background; not at all when absent. */
  readonly grace?: Duration.Input | undefined
  /**
   * What makes an answer wrong, beside the query's own tag `query:Name`: known from the query, before it is answered. Parts
   * stand between colons.
   */
  readonly tags?: ((query: Q) => ReadonlyArray<string>) | undefined
  /** What an answer depends on beside tenant and arguments, such as the role of who asks. */
  readonly vary?:
    | ((query: Q, context: MessageContext.MessageContext) => Readonly<Record<string, string | undefined>>)
    | undefined
  /** For how long it is kept that there is nothing: `Option.none()`, `null` or `undefined`. Not at all when absent. */
  readonly absence?: Duration.Input | undefined
  /** For how long an error that the class declares is kept. Not at all when absent. */
  readonly errors?: Duration.Input | undefined
  /** The projection that the handler reads, when {@link reaction} tells of it: what is kept then holds what it has reached. */
  readonly source?: { readonly name: string } | string | undefined
  /** For how long others wait for whoever makes an answer before one of them makes it too; 10 seconds when absent. */
  readonly lease?: Duration.Input | undefined
  /** How early an answer is made again before its time is over; 1 when absent, more is earlier, 0 is never. */
  readonly beta?: number | undefined
}

/**
 * Keeps the answers of one query in the `QueryCache`.
 *
 * **Details**
 *
 * - Answers are kept by tenant and by all arguments; equal questions get one answer, whatever order arguments have.
 * - Of many that ask at the same time one runs the handler, of all processes that share the cache; the others get its answer.
 * - Shortly before an answer is old, one caller by chance makes it again in the background, the earlier the longer it takes.
 *   Then it is given for `grace` more, while it is made again.
 * - An answer is never given after one of its tags was invalidated, and one whose making began before that is not kept.
 * - A query that is asked `after` a receipt gets an answer that holds it.
 * - Inside a unit of work nothing is kept or given: the handler sees what is not committed.
 * - An answer that is not as the class declares is given, and not kept.
 *
 * **Gotchas**
 *
 * Many callers get one object: it is not to be changed. Put authorization around it, and `Projection.readingWrites` inside of
 * it.
 *
 * **Example** (The handler runs once)
 *
 * ```ts
 * import { Caching, Middleware, on, Query, QueryBus, QueryCache, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * class Price extends Query.Class<Price>()("Price", { payload: { sku: Schema.String }, success: Schema.Int }) {}
 *
 * let worked = 0
 * const Handlers = QueryBus.handlers(
 *   on(Price, () => Effect.sync(() => ++worked)).pipe(
 *     Middleware.use(Caching.cached(Price, { ttl: "1 minute", tags: ({ sku }) => [`sku:${sku}`] }))
 *   )
 * )
 *
 * const program = Effect.gen(function* () {
 *   const ask = QueryBus.ask(new Price({ sku: "apple" }))
 *   const before = [yield* ask, yield* ask]
 *   yield* Caching.invalidate(["sku:apple"])
 *   return [...before, yield* ask]
 * })
 * await Effect.runPromise(
 *   program.pipe(Effect.provide([Handlers, TenantContext.layerSingle]), Effect.provide(QueryCache.layerMemory))
 * ) // => [1, 1, 2]
 * ```
 *
 * @category middleware
 * @since 0.1.0
 */
export function cached<C extends Message.AnyClass<Query.Any>>(
  query: C,
  options?: Options<C["Type"]>
): Middleware.Middleware<C["Type"], never, QueryCache.QueryCache | TenantContext>
export function cached(query: Message.AnyClass, options: Options<Message.Any> = {}): unknown {
  const codec = codecOf(query)
  const policy = policyOf(options, codec.encode)
  const { counts, servingOf } = servingsOf(query.tag, policy)
  const source = typeof options.source === "string" ? options.source : options.source?.name
  const tagsOf = (message: Message.Any) =>
    QueryCache.tagsOf([QueryCache.tagOfQuery(query.tag), ...(options.tags?.(message) ?? [])])
  const { vary } = options
  return Middleware.make<Message.Any, never, QueryCache.QueryCache | TenantContext>(
    "caching",
    (next) => (message) =>
      Effect.withFiber((fiber) => {
        const services: Context.Context<never> = fiber.context
        const varies = vary?.(message, fiber.getRef(MessageContext.MessageContext))
        const key = QueryKey.make(message, varies)
        if (key === undefined) return next(message)
        const { id: tenant } = Context.getUnsafe(services, TenantContext)
        const slot = new Place(tenant, key, source, codec.decode, message, tagsOf)
        const after = fiber.getRef(After)?.position ?? Position.start
        const serving = servingOf(Context.getUnsafe(services, QueryCache.QueryCache))
        const handler = Effect.suspend(() => next(message))
        const serve = () =>
          answered(handler, serving.serve({ slot, after, held: held(fiber.context, after), handler }, fiber))
        const unit = Context.getOrUndefined(services, UnitOfWork)
        if (unit === undefined) return serve()
        return Effect.flatMap(unit.isOpen, (open) => {
          if (!open) return serve()
          counts.came("bypass", services)
          return handler
        })
      }),
    {
      ttl: Duration.format(Duration.millis(policy.ttl)),
      grace: Duration.format(Duration.millis(policy.grace)),
      absence: Duration.format(Duration.millis(policy.absence)),
      errors: Duration.format(Duration.millis(policy.errors))
    }
  )
}

/** What comes of a handler's answer that was kept is what comes of the handler. */
function answered<A, E, R>(
  handler: Effect.Effect<A, E, R>,
  served: Effect.Effect<unknown, unknown, R>
): Effect.Effect<A, E, R>
function answered(_: unknown, served: unknown): unknown {
  return served
}

/**
 * Makes all answers with one of these tags wrong: those of the tenant that is running, in every process.
 *
 * **Details**
 *
 * `task:*` is every tag that begins with `task:`, `query:ListTasks` are all answers to one query, and `*` is all. Inside a unit
 * of work it happens after the commit, or never. It never fails: a cache that cannot be reached is told when it can be.
 *
 * @category invalidation
 * @since 0.1.0
 */
export const invalidate = (
  tags: ReadonlyArray<string>
): Effect.Effect<void, never, QueryCache.QueryCache | TenantContext> => invalidating({ tags })

const invalidating = (invalidation: Invalidation): Effect.Effect<void, never, QueryCache.QueryCache | TenantContext> =>
  Effect.gen(function* () {
    const cache = yield* QueryCache.QueryCache
    const { id: tenant } = yield* TenantContext
    const told = cache.invalidate(tenant, invalidation)
    const unit = yield* Effect.serviceOption(UnitOfWork)
    return yield* Option.isNone(unit) ? told : unit.value.afterCommit(told)
  })

/**
 * Makes answers wrong that a command has changed, when it has succeeded.
 *
 * **Example** (What a command changes)
 *
 * ```ts
 * import { Caching, Command } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class Rename extends Command.Class<Rename>()("Rename", { payload: { taskId: Schema.String, title: Schema.String } }) {}
 *
 * const renaming = Caching.invalidates(Rename, ({ taskId }) => [`task:${taskId}`, "query:ListTasks"])
 * renaming.name // => "invalidating"
 * ```
 *
 * @category invalidation
 * @since 0.1.0
 */
export function invalidates<C extends Message.AnyClass<Command.Any>>(
  command: C,
  tags: (command: C["Type"], answer: Message.Success<C["Type"]>) => ReadonlyArray<string>
): Middleware.Middleware<C["Type"], never, QueryCache.QueryCache | TenantContext>
export function invalidates(
  command: Message.AnyClass,
  tags: (command: Message.Any, answer: unknown) => ReadonlyArray<string>
): unknown {
  return Middleware.make<Message.Any, never, QueryCache.QueryCache | TenantContext>(
    "invalidating",
    (next) => (message) => Effect.tap(next(message), (answer) => invalidate(tags(message, answer))),
    { command: command.tag }
  )
}

/**
 * The `react` of a projection that makes answers wrong once its read model holds an event, and tells how far it is.
 *
 * **Details**
 *
 * Give the projection as `source` to {@link cached} too: a query that is asked after a receipt is then given a kept answer, when
 * the projection has passed the receipt and has not made the answer wrong.
 *
 * @category invalidation
 * @since 0.1.0
 */
export const reaction =
  <E extends Event.Any>(
    projection: string,
    tags: (recorded: RecordedEvent<E>) => ReadonlyArray<string>
  ): ((recorded: RecordedEvent<E>) => Effect.Effect<void, never, QueryCache.QueryCache | TenantContext>) =>
  (recorded) =>
    invalidating({ tags: tags(recorded), progress: { source: projection, position: recorded.position } })

/**
 * How far warming is.
 *
 * @category models
 * @since 0.1.0
 */
export interface Warmed {
  readonly asked: number
  readonly failed: number
  readonly of: number
}

/**
 * Asks queries before anybody else does, so that their answers are kept; at a start, or again on a schedule.
 *
 * **Details**
 *
 * At most `concurrency` at a time, 4 when absent. `onProgress` is told after each. One that fails is logged and counted, and
 * stops no other.
 *
 * **Example** (With a count)
 *
 * ```ts
 * import { Caching } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 *
 * await Effect.runPromise(Caching.warm([Effect.succeed("a"), Effect.succeed("b")])) // => { asked: 2, failed: 0, of: 2 }
 * ```
 *
 * @category warming
 * @since 0.1.0
 */
export const warm = <E, R, R2 = never>(
  queries: ReadonlyArray<Effect.Effect<unknown, E, R>>,
  options?: {
    readonly concurrency?: number | undefined
    readonly onProgress?: ((warmed: Warmed) => Effect.Effect<unknown, never, R2>) | undefined
  }
): Effect.Effect<Warmed, never, R | R2> =>
  Effect.suspend(() => {
    let warmed: Warmed = { asked: 0, failed: 0, of: queries.length }
    const one = (query: Effect.Effect<unknown, E, R>) =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(query)
        const failed = Exit.isFailure(exit) ? 1 : 0
        if (Exit.isFailure(exit)) yield* Effect.logWarning("A query could not be asked beforehand", exit.cause)
        warmed = { ...warmed, asked: warmed.asked + 1, failed: warmed.failed + failed }
        if (options?.onProgress !== undefined) yield* options.onProgress(warmed)
      })
    return Effect.map(
      Effect.forEach(queries, one, { concurrency: options?.concurrency ?? 4, discard: true }),
      () => warmed
    )
  })
