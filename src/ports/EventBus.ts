/**
 * Announcing events to whoever listens now: fire and forget, beside the log, which forgets nothing.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Event from "../domain/Event.ts"
import type { Metadata } from "../domain/Metadata.ts"
import type { TenantId } from "../domain/TenantId.ts"
import * as IdGenerator from "./IdGenerator.ts"
import * as Journal from "./internal/Journal.ts"
import * as MessageContext from "./MessageContext.ts"
import type { SystemContext } from "./SystemContext.ts"
import { TenantContext } from "./TenantContext.ts"

/**
 * The bus has no connection now; it is reconnecting by itself.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotConnected extends Schema.TaggedError<NotConnected>("effect-cqrs/NotConnected")("NotConnected", {
  bus: Schema.String
}) {
  override get message(): string {
    return `The event bus ${this.bus} is not connected`
  }
}

/**
 * The one error of `EventBus`.
 *
 * @category errors
 * @since 0.1.0
 */
export class EventBusError extends Schema.TaggedError<EventBusError>("effect-cqrs/EventBusError")("EventBusError", {
  reason: NotConnected
}) {
  override get message(): string {
    return this.reason.message
  }
}

/**
 * An event as it travels: its own id, whose it is, and what it belongs to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Published<out E = Event.Any> {
  readonly id: string
  readonly tenant: TenantId
  readonly event: E
  readonly metadata: Metadata
}

/**
 * Which events a subscriber wants.
 *
 * @category models
 * @since 0.1.0
 */
export interface Selector<out E> {
  readonly name: string
  readonly accepts: (event: Event.Any) => boolean
  /** Nothing at run time: the type of the accepted events. */
  readonly "~event"?: E | undefined
}

/**
 * Events of these classes: one, or the union of several.
 *
 * @category selectors
 * @since 0.1.0
 */
export const of = <const Classes extends ReadonlyArray<Event.AnyClass>>(
  ...classes: Classes
): Selector<Event.Of<Classes>> => {
  const tags = new Set(classes.map((self) => self.tag))
  return { name: Array.from(tags).join("|"), accepts: (event) => tags.has(event._tag) }
}

/**
 * Events whose type matches a pattern: parts between dots, `*` for any one part, `**` for any rest.
 *
 * **Example** (All events about tasks)
 *
 * ```ts
 * import { Event, EventBus } from "effect-cqrs"
 *
 * class TaskCreated extends Event.Class<TaskCreated>()("task.created", {}) {}
 *
 * EventBus.topic("task.*").accepts(new TaskCreated()) // => true
 * EventBus.topic("order.**").accepts(new TaskCreated()) // => false
 * ```
 *
 * @category selectors
 * @since 0.1.0
 */
export const topic = (pattern: string): Selector<Event.Any> => {
  const source = pattern
    .split(".")
    .map((part) => (part === "**" ? ".+" : part === "*" ? "[^.]+" : part.replace(/[^\w]/g, "\\$&")))
    .join("\\.")
  const expression = new RegExp(`^${source}$`)
  return { name: pattern, accepts: (event) => expression.test(event._tag) }
}

/**
 * Events that a predicate accepts.
 *
 * @category selectors
 * @since 0.1.0
 */
export const where = (name: string, predicate: (event: Event.Any) => boolean): Selector<Event.Any> => ({
  name,
  accepts: predicate
})

/**
 * What a subscriber does with an event. It runs as the event's tenant, caused by the event.
 *
 * @category models
 * @since 0.1.0
 */
export type Handler<in E, out Error, out R> = (published: Published<E>) => Effect.Effect<unknown, Error, R>

/**
 * The bus.
 *
 * **Details**
 *
 * - `publish` hands events to every subscriber that wants them and does not wait for them. Inside a unit of work of the same
 *   storage they leave after the commit, or never. No subscriber at all is a success.
 * - `subscribe` runs a handler for each event, one after the other in the order of publishing, until its scope closes.
 *   Handlers of different subscribers run concurrently. A handler that fails or dies harms nobody: the failure is logged with
 *   event, id and handler, and the next event goes on. `subscribe` sees the tenant it runs for; `subscribeAll` sees all.
 * - `stream` is the same as a `Stream`.
 *
 * **Gotchas**
 *
 * Who is not listening when an event is published never gets it. What must not be missed reads the log: `Subscription`.
 *
 * @category services
 * @since 0.1.0
 */
export class EventBus extends Context.Service<
  EventBus,
  {
    readonly publish: (events: ReadonlyArray<Event.Any>) => Effect.Effect<void, EventBusError, TenantContext>
    readonly subscribe: <E extends Event.Any, Error, R>(
      selector: Selector<E>,
      handler: Handler<E, Error, R>
    ) => Effect.Effect<void, EventBusError, Exclude<R, TenantContext> | TenantContext | Scope.Scope>
    readonly subscribeAll: <E extends Event.Any, Error, R>(
      selector: Selector<E>,
      handler: Handler<E, Error, R>
    ) => Effect.Effect<void, EventBusError, Exclude<R, TenantContext> | SystemContext | Scope.Scope>
    readonly stream: <E extends Event.Any>(
      selector: Selector<E>
    ) => Stream.Stream<Published<E>, EventBusError, TenantContext>
  }
>()("effect-cqrs/ports/EventBus") {}

/**
 * What the memory bus remembers, for tests.
 *
 * @category services
 * @since 0.1.0
 */
export class EventBusHistory extends Context.Service<
  EventBusHistory,
  {
    /** The last events published, oldest first, that the selector accepts. */
    readonly published: <E extends Event.Any>(selector: Selector<E>) => Effect.Effect<ReadonlyArray<Published<E>>>
    /** Completes when every subscriber has handled all that was published. */
    readonly idle: Effect.Effect<void>
  }
>()("effect-cqrs/ports/EventBus/EventBusHistory") {}

/**
 * A bus inside one process, with the last `history` events (1,000 when absent) kept for tests.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemoryWith = (options: {
  readonly history?: number | undefined
}): Layer.Layer<EventBus | EventBusHistory> =>
  Layer.effectContext(
    Effect.map(Journal.MemoryJournal, (journal) => {
      const memory = makeMemory(journal, options.history ?? 1000)
      return Context.make(EventBus, memory.bus).pipe(Context.add(EventBusHistory, memory.history))
    })
  ).pipe(Layer.provide(Journal.layer))

/**
 * A bus inside one process.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<EventBus | EventBusHistory> = layerMemoryWith({})

interface Subscriber {
  readonly tenant: TenantId | undefined
  /** Takes what its selector accepts, and says whether it did. */
  readonly offer: (published: Published) => boolean
  /** Whether `idle` waits for it: a stream's reader may never come. */
  readonly counted: boolean
}

const makeMemory = (
  journal: Journal.Journal,
  capacity: number
): { readonly bus: EventBus["Service"]; readonly history: EventBusHistory["Service"] } => {
  const subscribers = new Set<Subscriber>()
  const kept: Array<Published> = []
  let unhandled = 0
  let idlers: Array<() => void> = []

  const deliver = (published: ReadonlyArray<Published>) => {
    kept.push(...published)
    if (kept.length > capacity * 2) kept.splice(0, kept.length - capacity)
    for (const subscriber of subscribers) {
      for (const one of published) {
        if (subscriber.tenant !== undefined && subscriber.tenant !== one.tenant) continue
        if (subscriber.offer(one) && subscriber.counted) unhandled++
      }
    }
  }

  const handled = (count: number) => {
    unhandled -= count
    if (unhandled > 0) return
    // Whoever is woken may run at once, and wait again before the others are woken.
    const woken = idlers
    idlers = []
    for (const wake of woken) wake()
  }

  const listen = <E extends Event.Any>(selector: Selector<E>, tenant: TenantId | undefined, counted: boolean) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.map(Queue.unbounded<Published<E>>(), (queue) => {
          const accepts = accepted(selector)
          const offer = (published: Published) => accepts(published) && Queue.offerUnsafe(queue, published)
          const subscriber: Subscriber = { tenant, offer, counted }
          subscribers.add(subscriber)
          return { queue, subscriber }
        }),
        ({ queue, subscriber }) =>
          Effect.suspend(() => {
            subscribers.delete(subscriber)
            if (counted) handled(Queue.sizeUnsafe(queue))
            return Queue.shutdown(queue)
          })
      ),
      ({ queue }) => queue
    )

  const subscribe = <E extends Event.Any, Error, R>(
    selector: Selector<E>,
    handler: Handler<E, Error, R>,
    tenant: TenantId | undefined
  ): Effect.Effect<void, never, R | Scope.Scope> =>
    Effect.gen(function* () {
      const queue = yield* listen(selector, tenant, true)
      yield* Queue.takeAll(queue).pipe(
        Effect.flatMap((all) =>
          Effect.ensuring(
            Effect.forEach(all, (published) => handle(selector, handler, published), { discard: true }),
            Effect.sync(() => handled(all.length))
          )
        ),
        Effect.forever,
        Effect.forkScoped
      )
    })

  return {
    bus: {
      publish: (events) =>
        Effect.withFiber<void, never, TenantContext>((fiber) => {
          const tenant = Context.getUnsafe(fiber.context, TenantContext).id
          const metadata = MessageContext.unsafeMetadata(fiber)
          const ids = fiber.getRef(IdGenerator.IdGenerator)
          const published = events.map((event) => ({
            id: ids.unsafeNext(fiber, metadata.occurredAt),
            tenant,
            event,
            metadata
          }))
          if (journal.current(fiber) !== undefined) return journal.afterCommit(Effect.sync(() => deliver(published)))
          deliver(published)
          return Effect.void
        }),
      subscribe: (selector, handler) =>
        Effect.flatMap(TenantContext, (tenant) =>
          Effect.provideService(subscribe(selector, handler, tenant.id), TenantContext, tenant)
        ),
      subscribeAll: <E extends Event.Any, Error, R>(selector: Selector<E>, handler: Handler<E, Error, R>) =>
        subscribe(
          selector,
          (published) => Effect.provideService(handler(published), TenantContext, { id: published.tenant }),
          undefined
        ),
      stream: <E extends Event.Any>(selector: Selector<E>) =>
        Stream.unwrap(
          Effect.flatMap(TenantContext, (tenant) => Effect.map(listen(selector, tenant.id, false), Stream.fromQueue))
        )
    },
    history: {
      published: (selector) => Effect.sync(() => kept.slice(-capacity).filter(accepted(selector))),
      idle: Effect.callback((resume) => {
        if (unhandled === 0) return resume(Effect.void)
        const wake = () => resume(Effect.void)
        idlers.push(wake)
        return Effect.sync(() => void (idlers = idlers.filter((other) => other !== wake)))
      })
    }
  }
}

const accepted =
  <E extends Event.Any>(selector: Selector<E>) =>
  (published: Published): published is Published<E> =>
    selector.accepts(published.event)

const handle = <E extends Event.Any, Error, R>(
  selector: Selector<E>,
  handler: Handler<E, Error, R>,
  published: Published<E>
): Effect.Effect<unknown, never, R> =>
  Effect.suspend(() => handler(published)).pipe(
    // The end of the subscription itself is not caught here: only what the handler ran into.
    Effect.catchCause((cause) =>
      Effect.logError("A subscriber failed", cause).pipe(
        Effect.annotateLogs({ event: published.event._tag, id: published.id, handler: selector.name })
      )
    ),
    Effect.provideService(MessageContext.MessageContext, MessageContext.ofEvent(published.id, published.metadata))
  )
