/** Kinds of handlers, on whatever bus: those that gather, and those that make good. */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Scope from "effect/Scope"
import type { TenantId } from "../../../domain/TenantId.ts"
import * as MessageContext from "../../MessageContext.ts"
import { TenantContext } from "../../TenantContext.ts"
import type { Handler, Published } from "./model.ts"

/**
 * What a subscriber does with several events at once. It runs as their tenant.
 *
 * @category models
 * @since 0.1.0
 */
export type BatchHandler<in E, out Error, out R> = (
  batch: Arr.NonEmptyReadonlyArray<Published<E>>
) => Effect.Effect<unknown, Error, R>

/**
 * A handler that gathers events and hands them on together.
 *
 * **Details**
 *
 * - A batch has at most `size` events, of one tenant, in the order in which they came. It is handed on when it is full, or `within`
 *   a time after its first event came. One is handled after the other; batches of different tenants run concurrently.
 * - When the scope closes, what runs is waited for and what was gathered is handed on: make the handler in the scope of its
 *   subscription, before it.
 * - A batch that fails is logged with its events, and the next goes on. With `split` its events are handed on again first, each
 *   by itself, so that one that is wrong harms no other.
 *
 * **Gotchas**
 *
 * A batch has no one cause: what its handler causes begins a correlation of its own.
 *
 * **Example** (Two at a time)
 *
 * ```ts
 * import { Event, EventBus, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * class Seen extends Event.Class<Seen>()("page.seen", { page: Schema.String }) {}
 *
 * const written: Array<string> = []
 * const program = Effect.gen(function* () {
 *   const bus = yield* EventBus.EventBus
 *   const write = yield* EventBus.batched({ size: 2, within: "1 second" }, (batch: ReadonlyArray<EventBus.Published<Seen>>) =>
 *     Effect.sync(() => written.push(batch.map(({ event }) => event.page).join(" and ")))
 *   )
 *   yield* bus.subscribe(EventBus.of(Seen), write)
 *   yield* bus.publish(["a", "b", "c"].map((page) => new Seen({ page })))
 *   yield* (yield* EventBus.EventBusHistory).idle
 * })
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide([EventBus.layerMemory, TenantContext.layerSingle])))
 * written // => ["a and b", "c"]
 * ```
 *
 * @category handlers
 * @since 0.1.0
 */
export const batched = <E, Error, R>(
  options: { readonly size: number; readonly within: Duration.Input; readonly split?: boolean | undefined },
  handler: BatchHandler<E, Error, R>
): Effect.Effect<Handler<E, never, never>, never, Exclude<R, TenantContext> | Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<Exclude<R, TenantContext>>()
    const scope = yield* Effect.scope
    const within = Duration.toMillis(Duration.fromInputUnsafe(options.within))
    const one = (batch: Arr.NonEmptyReadonlyArray<Published<E>>) =>
      Effect.suspend(() => handler(batch)).pipe(
        Effect.provideService(TenantContext, { id: batch[0].tenant }),
        Effect.provideContext(context),
        Effect.provideService(
          MessageContext.MessageContext,
          batch.length === 1 ? MessageContext.ofEvent(batch[0].id, batch[0].metadata) : MessageContext.empty
        )
      )
    const failed = (batch: Arr.NonEmptyReadonlyArray<Published<E>>) => (cause: Cause.Cause<Error>) =>
      Effect.logError("A batch failed", cause).pipe(Effect.annotateLogs({ events: batch.map(({ id }) => id) }))
    const run = (batch: Arr.NonEmptyReadonlyArray<Published<E>>): Effect.Effect<unknown> =>
      options.split === true && batch.length > 1
        ? Effect.catchCause(one(batch), () => Effect.forEach(batch, (single) => run([single]), { discard: true }))
        : Effect.catchCause(one(batch), failed(batch))

    const gatherings = new Map<TenantId, Gathering<E>>()
    return (published) =>
      Effect.suspend(() => {
        const known = gatherings.get(published.tenant)
        if (known !== undefined) return known.add(published)
        const gathering = new Gathering(options.size, within, run)
        gatherings.set(published.tenant, gathering)
        return Effect.andThen(Scope.provide(gathering.start, scope), gathering.add(published))
      })
  })

class Gathering<E> {
  private readonly waiting: Array<Published<E>> = []
  private readonly some = Latch.makeUnsafe(false)
  private readonly full = Latch.makeUnsafe(false)
  private readonly size: number
  private readonly within: number
  private readonly run: (batch: Arr.NonEmptyReadonlyArray<Published<E>>) => Effect.Effect<unknown>

  constructor(
    size: number,
    within: number,
    run: (batch: Arr.NonEmptyReadonlyArray<Published<E>>) => Effect.Effect<unknown>
  ) {
    this.size = Math.max(1, size)
    this.within = within
    this.run = run
  }

  add(published: Published<E>): Effect.Effect<void> {
    return Effect.sync(() => {
      this.waiting.push(published)
      this.some.openUnsafe()
      if (this.waiting.length >= this.size) this.full.openUnsafe()
    })
  }

  /** Hands on until the scope closes, and then what is left. */
  readonly start: Effect.Effect<void, never, Scope.Scope> = Effect.suspend(() =>
    Effect.asVoid(
      Effect.acquireRelease(Effect.forkDetach(Effect.forever(this.next)), (fiber) =>
        Effect.andThen(Fiber.interrupt(fiber), this.rest)
      )
    )
  )

  private get next(): Effect.Effect<unknown> {
    return this.some.await.pipe(
      Effect.andThen(Effect.timeoutOption(this.full.await, this.within)),
      // What has begun is finished, whoever closes meanwhile.
      Effect.andThen(Effect.uninterruptible(this.handOn))
    )
  }

  private get rest(): Effect.Effect<void> {
    return Effect.suspend(() => (this.waiting.length === 0 ? Effect.void : Effect.andThen(this.handOn, this.rest)))
  }

  private get handOn(): Effect.Effect<unknown> {
    return Effect.suspend(() => {
      const [first, ...more] = this.waiting.splice(0, this.size)
      if (this.waiting.length === 0) this.some.closeUnsafe()
      if (this.waiting.length < this.size) this.full.closeUnsafe()
      return first === undefined ? Effect.void : this.run([first, ...more])
    })
  }
}

/**
 * A handler whose failure is made good: `compensate` runs with the event and the cause, and what it makes good is no failure
 * of the subscriber any more.
 *
 * **Details**
 *
 * When the compensation fails as well, the bus logs both causes. A subscription that ends compensates nothing.
 *
 * **Example** (What was reserved is released)
 *
 * ```ts
 * import { Event, EventBus, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * class Ordered extends Event.Class<Ordered>()("ordered", { sku: Schema.String }) {}
 *
 * const log: Array<string> = []
 * const program = Effect.gen(function* () {
 *   const bus = yield* EventBus.EventBus
 *   const ship = EventBus.compensating(
 *     (_: EventBus.Published<Ordered>) => Effect.fail("no carrier"),
 *     ({ event }) => Effect.sync(() => log.push(`release ${event.sku}`))
 *   )
 *   yield* bus.subscribe(EventBus.of(Ordered), ship)
 *   yield* bus.publish([new Ordered({ sku: "pen" })])
 *   yield* (yield* EventBus.EventBusHistory).idle
 * })
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide([EventBus.layerMemory, TenantContext.layerSingle])))
 * log // => ["release pen"]
 * ```
 *
 * @category handlers
 * @since 0.1.0
 */
export const compensating =
  <E, Error, R, Error2, R2>(
    handler: Handler<E, Error, R>,
    compensate: (published: Published<E>, cause: Cause.Cause<Error>) => Effect.Effect<unknown, Error2, R2>
  ): Handler<E, Error | Error2, R | R2> =>
  (published) =>
    Effect.catchCause(
      Effect.suspend(() => handler(published)),
      (cause) =>
        Effect.flatMap(
          Effect.exit(Effect.suspend(() => compensate(published, cause))),
          (exit): Effect.Effect<unknown, Error | Error2> =>
            Exit.isSuccess(exit) ? Effect.void : Effect.failCause(Cause.combine(cause, exit.cause))
        )
    )
