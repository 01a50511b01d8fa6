/**
 * Announcing events to whoever listens now: fire and forget, beside the log, which forgets nothing.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as Event from "../domain/Event.ts"
import type * as IntegrationEvent from "../domain/IntegrationEvent.ts"
import type { Driver, Promises, Receiver } from "./EventBusDriver.ts"
import type { EventBusError } from "./EventBusError.ts"
import type { Answer } from "./HealthChecks.ts"
import * as IdGenerator from "./IdGenerator.ts"
import * as driven from "./internal/eventBus/driven.ts"
import type { Handler, Published, Selector } from "./internal/eventBus/model.ts"
import { accepted, Switchboard } from "./internal/eventBus/Switchboard.ts"
import * as Journal from "./internal/Journal.ts"
import * as MessageContext from "./MessageContext.ts"
import type { SystemContext } from "./SystemContext.ts"
import { TenantContext } from "./TenantContext.ts"

export { batched, type BatchHandler, compensating } from "./internal/eventBus/kinds.ts"
export type { Handler, Published, Selector } from "./internal/eventBus/model.ts"

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
  const types = Array.from(tags)
  return { name: types.join("|"), types, accepts: (event) => tags.has(event._tag) }
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
 * The bus.
 *
 * **Details**
 *
 * - `publish` hands events to every subscriber that wants them and does not wait for them. Inside a unit of work they leave
 *   after the commit, or never. No subscriber at all is a success.
 * - `subscribe` runs a handler for each event, one after the other in the order of publishing, until its scope closes.
 *   Handlers of different subscribers run concurrently. A handler that fails or dies harms nobody: the failure is logged with
 *   event, id and handler, and the next event goes on. `subscribe` sees the tenant it runs for; `subscribeAll` sees all.
 * - `stream` is the same as a `Stream`, which listens from when it runs.
 * - `promises` is what this bus promises beyond that, as data; as types they are {@link AcrossProcesses} and {@link Transactional}.
 * - `isUp` tells whether the bus hears now. One that lost its connection comes back by itself; what was published meanwhile is
 *   missed where nothing is kept.
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
    readonly promises: Promises
    readonly isUp: () => boolean
  }
>()("effect-cqrs/ports/EventBus") {}

/**
 * The promise that every process hears what one publishes. Layers of buses that hold it provide it; who needs it asks with
 * {@link promising}, and does not compile with a bus that stays in its process.
 *
 * @category capabilities
 * @since 0.1.0
 */
export class AcrossProcesses extends Context.Service<AcrossProcesses, { readonly promises: Promises }>()(
  "effect-cqrs/ports/EventBus/AcrossProcesses"
) {}

/**
 * The promise that what a unit of work publishes leaves with its commit itself: no crash comes in between.
 *
 * @category capabilities
 * @since 0.1.0
 */
export class Transactional extends Context.Service<Transactional, { readonly promises: Promises }>()(
  "effect-cqrs/ports/EventBus/Transactional"
) {}

/**
 * The services that stand for what a bus promises.
 *
 * @category capabilities
 * @since 0.1.0
 */
export type Capability = typeof AcrossProcesses | typeof Transactional

/**
 * The capabilities of a bus, by its promises.
 *
 * @category capabilities
 * @since 0.1.0
 */
export type Capabilities<P extends Promises> =
  | (P["reach"] extends "processes" ? AcrossProcesses : never)
  | (P["transactional"] extends true ? Transactional : never)

/**
 * The bus, for a program that needs more of it than every bus promises.
 *
 * **Example** (Telling every process)
 *
 * ```ts
 * import { Event, EventBus } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 *
 * class PricesChanged extends Event.Class<PricesChanged>()("prices.changed", {}) {}
 *
 * // With `EventBus.layerMemory` alone this does not compile: nothing provides `AcrossProcesses`.
 * const tellAll = Effect.flatMap(EventBus.promising(EventBus.AcrossProcesses), (bus) => bus.publish([new PricesChanged()]))
 *
 * Effect.isEffect(tellAll) // => true
 * ```
 *
 * @category capabilities
 * @since 0.1.0
 */
export function promising<const Asked extends ReadonlyArray<Capability>>(
  ...capabilities: Asked
): Effect.Effect<EventBus["Service"], never, EventBus | Effect.Services<Asked[number]>>
export function promising(
  ...capabilities: ReadonlyArray<Capability>
): Effect.Effect<EventBus["Service"], never, EventBus | Effect.Services<Capability>> {
  return Effect.andThen(Effect.all(capabilities, { discard: true }), EventBus)
}

/**
 * A check for `HealthChecks.register`: degraded while the bus is down, and events may be missed.
 *
 * @category health
 * @since 0.1.0
 */
export const check: Effect.Effect<Answer, never, EventBus> = Effect.map(EventBus, (bus) =>
  bus.isUp() ? { status: "up" } : { status: "degraded", reason: "The event bus is not connected" }
)

/**
 * What a bus over a driver is told.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<out R = never> {
  /** The classes that this process reads, by tag and version. Publishing needs no class. */
  readonly events: ReadonlyArray<Event.AnyClass>
  /** Who publishes: the `source` of every envelope; `effect-cqrs` when absent. */
  readonly source?: string | undefined
  /** What becomes of events that came and cannot be read, beside a line in the log. */
  readonly unread?: ((problem: IntegrationEvent.Unread) => Effect.Effect<unknown, never, R>) | undefined
}

/**
 * A bus over a driver, with the capabilities that its promises stand for.
 *
 * **Details**
 *
 * Events travel as CloudEvents, each in the version of its class; one that comes in an older version is upcast. What a
 * process cannot read, because it has no class of that tag and version or because it does not fit, is given to `unread`,
 * counted in `effect_cqrs_bus_unread_total`, and logged: of an unknown type and version the first.
 *
 * **Gotchas**
 *
 * Selectors see the events of `events` and no others. To subscribe to a class that is not among them is a defect.
 *
 * @category layers
 * @since 0.1.0
 */
export function layerDriver<const P extends Promises, E, R, R2 = never>(
  options: Options<R2>,
  open: (receiver: Receiver) => Effect.Effect<Driver<P>, E, R>
): Layer.Layer<EventBus | Capabilities<P>, E, Exclude<R | R2, Scope.Scope>>
export function layerDriver<E, R, R2>(
  options: Options<R2>,
  open: (receiver: Receiver) => Effect.Effect<Driver, E, R>
): Layer.Layer<EventBus, E, Exclude<R | R2, Scope.Scope>> {
  return Layer.effectContext(
    Effect.map(driven.make(options, open), ({ board, isUp, promises, publish }) => {
      const { stream, subscribe, subscribeAll } = board
      const bus = Context.make(EventBus, { publish, subscribe, subscribeAll, stream, promises, isUp })
      const reaching = promises.reach === "processes" ? Context.add(bus, AcrossProcesses, { promises }) : bus
      return promises.transactional ? Context.add(reaching, Transactional, { promises }) : reaching
    })
  )
}

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
}): Layer.Layer<EventBus | EventBusHistory | Transactional> =>
  Layer.effectContext(
    Effect.map(Journal.MemoryJournal, (journal) => {
      const memory = makeMemory(journal, options.history ?? 1000)
      return Context.make(EventBus, memory.bus).pipe(
        Context.add(EventBusHistory, memory.history),
        Context.add(Transactional, { promises: inMemory })
      )
    })
  ).pipe(Layer.provide(Journal.layer))

/**
 * A bus inside one process.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<EventBus | EventBusHistory | Transactional> = layerMemoryWith({})

const inMemory: Promises = {
  delivery: "at most once",
  order: "all",
  reach: "process",
  durable: false,
  transactional: true
}

const makeMemory = (
  journal: Journal.Journal,
  capacity: number
): { readonly bus: EventBus["Service"]; readonly history: EventBusHistory["Service"] } => {
  const board = new Switchboard(() => Effect.void)
  const kept: Array<Published> = []

  const deliver = (published: ReadonlyArray<Published>) => {
    for (const one of published) {
      kept.push(one)
      board.deliver(one)
    }
    if (kept.length > capacity * 2) kept.splice(0, kept.length - capacity)
  }

  return {
    bus: {
      publish: (events) =>
        Effect.withFiber<void, never, TenantContext>((fiber) => {
          const tenant = Context.getUnsafe(fiber.context, TenantContext).id
          const metadata = MessageContext.unsafeMetadata(fiber)
          const ids = fiber.getRef(IdGenerator.IdGenerator)
          const published: Array<Published> = []
          for (const event of events) {
            published.push({ id: ids.unsafeNext(fiber, metadata.occurredAt), tenant, event, metadata })
          }
          if (journal.current(fiber) !== undefined) return journal.afterCommit(Effect.sync(() => deliver(published)))
          deliver(published)
          return Effect.void
        }),
      subscribe: board.subscribe,
      subscribeAll: board.subscribeAll,
      stream: board.stream,
      promises: inMemory,
      isUp: () => true
    },
    history: {
      published: (selector) => Effect.sync(() => kept.slice(-capacity).filter(accepted(selector))),
      idle: board.idle
    }
  }
}
