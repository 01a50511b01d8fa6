/**
 * Groups of subscribers to a log that is forwarded to a broker: every event is handled by one member of each group, at least
 * once, in the order of its key, whoever ends and whatever fails.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Event from "../domain/Event.ts"
import * as IntegrationEvent from "../domain/IntegrationEvent.ts"
import type { Category, Driver, Name, Parked, Standing } from "./EventGroupsDriver.ts"
import { EventGroupsError, InvalidGroup } from "./EventGroupsError.ts"
import { ForwardTarget } from "./ForwardTarget.ts"
import type { AnyDelivery, Definition, Delivery } from "./internal/groups/model.ts"
import * as Worker from "./internal/groups/worker.ts"
import { makeMemory } from "./internal/memoryEventGroups.ts"
import { nameIssue } from "./internal/text.ts"
import type { SystemContext } from "./SystemContext.ts"
import type { TenantContext } from "./TenantContext.ts"

export type { Delivery } from "./internal/groups/model.ts"

/**
 * What a group handles, and how: everything but the handler.
 *
 * **Details**
 *
 * - `log` is what the forwarder calls the log, `group` the group: its members are all who subscribe with the same two names.
 * - `events` are those of these classes; `where` narrows them. `unknown: "park"` keeps events of other types aside as well, until
 *   a class for them is known; they are passed over when absent.
 * - `startAt`: where a group begins that is new: with the oldest event that is kept (`"earliest"`, when absent) or the next one.
 * - `batchSize`: at most so many events of a segment are taken at once (100 when absent).
 * - `concurrency`: so many segments of a member handle events at one time (4 when absent).
 * - `lease`: after so long without a sign of life a member has lost its segments (10 seconds when absent).
 * - `poll`: how often to look for events where no hint of them came (500 ms when absent).
 * - `timeout`: after so long an attempt has failed; none when absent.
 *
 * A handler that fails is tried `retry.times` times in all (5 when absent) with pauses that begin at `retry.base` (50 ms) and
 * double. Then the event is parked, and tried again after each of `retry.later` (10 seconds, 1 minute and 10 minutes); then it
 * waits for somebody to look at it. Later events of its key are parked behind it; other keys go on. When more than `maxParked`
 * events of a segment are parked (1,000 when absent), nothing new is taken of that segment. Counts are whole numbers of 1 or more;
 * others are refused with an `InvalidGroup` that names the field.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<Classes extends ReadonlyArray<Event.AnyClass>> extends Name {
  readonly events: Classes
  readonly where?: ((delivery: Delivery<Event.Of<NoInfer<Classes>>>) => boolean) | undefined
  readonly unknown?: "pass" | "park" | undefined
  readonly startAt?: "earliest" | "now" | undefined
  readonly batchSize?: number | undefined
  readonly concurrency?: number | undefined
  readonly lease?: Duration.Input | undefined
  readonly poll?: Duration.Input | undefined
  readonly timeout?: Duration.Input | undefined
  readonly retry?:
    | {
        readonly times?: number | undefined
        readonly base?: Duration.Input | undefined
        readonly later?: ReadonlyArray<Duration.Input> | undefined
      }
    | undefined
  readonly maxParked?: number | undefined
}

/**
 * A group's events, with a handler for one at a time (`handle`) or for many (`handleBatch`).
 *
 * **Details**
 *
 * `handleBatch` gets events of one segment and one tenant, in order, up to `batchSize`, as soon as there are some. What fails is tried
 * `retry.times` times as one, and then one by one, so that one that is wrong harms no other. `timeout` is for each attempt.
 *
 * **Gotchas**
 *
 * A batch that fails halfway is handled again as a whole: each event has its own `idempotencyKey`. It has no one cause: what its
 * handler causes begins a correlation of its own.
 *
 * @category models
 * @since 0.1.0
 */
export type Subscription<Classes extends ReadonlyArray<Event.AnyClass>, E, R> = Options<Classes> &
  (
    | {
        readonly handle: (delivery: Delivery<Event.Of<NoInfer<Classes>>>) => Effect.Effect<unknown, E, R>
        readonly handleBatch?: undefined
      }
    | {
        readonly handleBatch: (
          deliveries: ReadonlyArray<Delivery<Event.Of<NoInfer<Classes>>>>
        ) => Effect.Effect<unknown, E, R>
        readonly handle?: undefined
      }
  )

/**
 * Which parked events: all that are given must fit.
 *
 * @category models
 * @since 0.1.0
 */
export interface Filter {
  readonly id?: string | undefined
  readonly key?: string | undefined
  readonly category?: Category | undefined
  /** Text that the error has somewhere. */
  readonly error?: string | undefined
}

/**
 * Groups of subscribers.
 *
 * **Details**
 *
 * - `subscribe` makes this program a member of a group until its scope closes. The members share the segments of the log, each of
 *   which has one owner at a time; the segments of one that ends go to the others. A handler runs as the event's tenant, caused
 *   by the event.
 * - An event counts as handled when its handler has succeeded, and not before. After a crash, or when the broker has lost what it
 *   knew, events are handled again: `idempotencyKey` tells.
 * - `parked` lists what could not be handled, in the order of the log. `replay` has it handled again, in order; it answers with
 *   how many keys that is, since only the first of a key can be. `skip` leaves one out for a reason, as soon as it is its turn.
 * - `inspect` tells of each segment who owns it and what waits there.
 * - `remove` forgets a group. Until then everything it has not handled is kept for it.
 *
 * **Gotchas**
 *
 * A member that is paused for longer than its `lease` does not know it: for that moment two handle events of one segment. What must
 * have one writer refuses smaller tokens.
 *
 * @category services
 * @since 0.1.0
 */
export class EventGroups extends Context.Service<
  EventGroups,
  {
    readonly subscribe: <const Classes extends ReadonlyArray<Event.AnyClass>, E, R>(
      subscription: Subscription<Classes, E, R>
    ) => Effect.Effect<void, EventGroupsError, Exclude<R, TenantContext> | SystemContext | Scope.Scope>
    readonly parked: (name: Name, filter?: Filter) => Effect.Effect<ReadonlyArray<Parked>, EventGroupsError>
    readonly replay: (name: Name, filter?: Filter) => Effect.Effect<number, EventGroupsError>
    readonly skip: (name: Name, id: string, reason: string) => Effect.Effect<boolean, EventGroupsError>
    readonly inspect: (name: Name) => Effect.Effect<ReadonlyArray<Standing>, EventGroupsError>
    readonly remove: (name: Name) => Effect.Effect<void, EventGroupsError>
  }
>()("effect-cqrs/ports/EventGroups") {}

/**
 * The groups over an adapter's driver.
 *
 * @category adapters
 * @since 0.1.0
 */
export const make = (driver: Driver): EventGroups["Service"] => {
  const parked = (name: Name, filter: Filter = {}) =>
    Effect.map(driver.parked(name), (all) =>
      all.filter(
        ({ category, error, id, key }) =>
          (filter.id === undefined || filter.id === id) &&
          (filter.key === undefined || filter.key === key) &&
          (filter.category === undefined || filter.category === category) &&
          (filter.error === undefined || error.includes(filter.error))
      )
    )
  return {
    subscribe: (subscription) =>
      Effect.andThen(
        checked(subscription),
        Worker.start(driver, definitionOf(subscription), subscription.startAt ?? "earliest")
      ),
    parked,
    replay: (name, filter) =>
      Effect.gen(function* () {
        const heads = new Map<string, Parked>()
        for (const one of yield* driver.parked(name)) if (!heads.has(one.key)) heads.set(one.key, one)
        const wanted = new Set((yield* parked(name, filter)).map(({ id }) => id))
        const bySegment = Map.groupBy(
          Array.from(heads.values()).filter(({ id }) => wanted.has(id)),
          ({ segment }) => segment
        )
        const counts = yield* Effect.forEach(bySegment, ([segment, all]) =>
          driver.replay(
            name,
            segment,
            all.map(({ id }) => id)
          )
        )
        return counts.reduce((sum, count) => sum + count, 0)
      }),
    skip: (name, id, reason) =>
      Effect.gen(function* () {
        const [one] = yield* parked(name, { id })
        return one !== undefined && (yield* driver.skip(name, one.segment, id, reason)) > 0
      }),
    inspect: driver.inspect,
    remove: driver.remove
  }
}

/**
 * Is a member of a group for as long as a program runs.
 *
 * **Example** (One mail for each order, in whichever program)
 *
 * ```ts
 * import { Event, EventForwarding, EventGroups, EventStore, Memory, StreamName, SystemContext, TenantContext } from "effect-cqrs"
 * import * as Deferred from "effect/Deferred"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * class OrderPlaced extends Event.Class<OrderPlaced>()("OrderPlaced", {}) {}
 * const sent = Deferred.makeUnsafe<string>()
 *
 * const Shop = EventForwarding.make("shop", { events: [OrderPlaced], groups: ["mails"] })
 * const Mails = EventGroups.layer({
 *   log: "shop",
 *   group: "mails",
 *   events: [OrderPlaced],
 *   handle: ({ key, position }) => Deferred.succeed(sent, `${key} at ${position}`)
 * })
 *
 * const program = Effect.gen(function* () {
 *   const store = yield* EventStore.EventStore
 *   yield* store.append({ stream: StreamName.make("Order", "1"), expected: "none", events: [new OrderPlaced()] })
 *   return yield* Deferred.await(sent)
 * })
 *
 * const Live = Layer.merge(EventForwarding.layer(Shop), Mails).pipe(
 *   Layer.provide(SystemContext.layer("sending mails")),
 *   Layer.provideMerge(Memory.layer)
 * )
 * await Effect.runPromise(program.pipe(Effect.provide([Live, TenantContext.layerSingle]))) // => "default/Order-1 at 1"
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <const Classes extends ReadonlyArray<Event.AnyClass>, E, R>(
  subscription: Subscription<Classes, E, R>
): Layer.Layer<never, EventGroupsError, Exclude<R, TenantContext> | SystemContext | EventGroups> =>
  Layer.effectDiscard(Effect.flatMap(EventGroups, (groups) => groups.subscribe(subscription)))

/**
 * Groups in memory, and what forwards to them.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<EventGroups | ForwardTarget> = Layer.effectContext(
  Effect.sync(() => layerOf(makeMemory(16)))
)

/**
 * The services over an adapter's driver.
 *
 * @category adapters
 * @since 0.1.0
 */
export const layerOf = (driver: Driver): Context.Context<EventGroups | ForwardTarget> =>
  Context.make(EventGroups, make(driver)).pipe(Context.add(ForwardTarget, driver))

const maxNameBytes = 200

type Limits = Pick<
  Options<ReadonlyArray<Event.AnyClass>>,
  "batchSize" | "concurrency" | "lease" | "maxParked" | "retry"
>

const checked = ({ batchSize, concurrency, group, lease = "10 seconds", log, maxParked, retry }: Name & Limits) => {
  const millis = Duration.toMillis(lease)
  const issues = [
    nameIssue("log", log, maxNameBytes),
    nameIssue("group", group, maxNameBytes),
    countIssue("batchSize", batchSize),
    countIssue("concurrency", concurrency),
    countIssue("maxParked", maxParked),
    countIssue("retry.times", retry?.times),
    millis >= 1 && Number.isFinite(millis) ? undefined : { path: "lease", message: "must be a time that ends" }
  ].filter((issue) => issue !== undefined)
  return issues.length === 0 ? Effect.void : Effect.fail(new EventGroupsError({ reason: new InvalidGroup({ issues }) }))
}

const countIssue = (path: string, count: number | undefined) =>
  count === undefined || (Number.isSafeInteger(count) && count >= 1)
    ? undefined
    : { path, message: "must be a whole number of 1 or more" }

type Given<R> = Omit<Options<ReadonlyArray<Event.AnyClass>>, "where"> & {
  readonly handle?: ((delivery: AnyDelivery) => Effect.Effect<unknown, unknown, R>) | undefined
  readonly handleBatch?: ((deliveries: ReadonlyArray<AnyDelivery>) => Effect.Effect<unknown, unknown, R>) | undefined
  readonly where?: ((delivery: AnyDelivery) => boolean) | undefined
}

function definitionOf<Classes extends ReadonlyArray<Event.AnyClass>, E, R>(
  subscription: Subscription<Classes, E, R>
): Definition<R>
function definitionOf<R>(given: Given<R>): Definition<R> {
  const { handle, handleBatch, retry, timeout } = given
  return {
    log: given.log,
    group: given.group,
    types: new Set(Event.types(given.events)),
    registry: IntegrationEvent.registry(given.events),
    unknown: given.unknown ?? "pass",
    where: given.where,
    handle: handle ?? ((delivery) => handleBatch?.([delivery]) ?? Effect.void),
    handleBatch,
    lease: Duration.fromInputUnsafe(given.lease ?? "10 seconds"),
    poll: Duration.fromInputUnsafe(given.poll ?? "500 millis"),
    batchSize: given.batchSize ?? 100,
    concurrency: given.concurrency ?? 4,
    timeout: timeout === undefined ? undefined : Duration.fromInputUnsafe(timeout),
    retry: {
      times: retry?.times ?? 5,
      base: Duration.fromInputUnsafe(retry?.base ?? "50 millis"),
      later: (retry?.later ?? ["10 seconds", "1 minute", "10 minutes"]).map(Duration.fromInputUnsafe)
    },
    maxParked: given.maxParked ?? 1000
  }
}
