/**
 * Consumers: what handles every event of the log, in many processes, in the order of its key, and with effects that happen
 * exactly once.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Decoding from "../domain/Decoding.ts"
import * as Event from "../domain/Event.ts"
import type * as Position from "../domain/Position.ts"
import * as RecordedEvent from "../domain/RecordedEvent.ts"
import * as StreamName from "../domain/StreamName.ts"
import { ConsumerStore } from "../ports/ConsumerStore.ts"
import type { ConsumerStoreError } from "../ports/ConsumerStoreError.ts"
import type { EventStore } from "../ports/EventStore.ts"
import type { EventStoreError } from "../ports/EventStoreError.ts"
import type { SystemContext } from "../ports/SystemContext.ts"
import type { TenantContext } from "../ports/TenantContext.ts"
import * as Delivering from "./internal/consumer/delivering.ts"
import type { Definition, Filter } from "./internal/consumer/model.ts"
import * as Trail from "./internal/consumer/trail.ts"
import * as Worker from "./internal/consumer/worker.ts"
import * as Keys from "./internal/keys.ts"
import * as Reader from "./internal/reader.ts"
import type { ErrorOf, ServicesOf } from "./Projection.ts"

/**
 * An event as a handler gets it.
 *
 * **Details**
 *
 * - `key` is what orders it: events of one key are handled one after the other.
 * - `idempotencyKey` is `tenant/consumer/position`: the same each time this event is delivered to this consumer. Effects in
 *   another system happen once if that system remembers it.
 * - `token` grows with every change of the segment's owner: a system that refuses a smaller token than one it has seen for
 *   this `segment` refuses what a former owner still does.
 * - `attempt` counts from 1.
 *
 * @category models
 * @since 0.1.0
 */
export interface Delivery<out E> extends Delivering.Delivery<E> {}

/**
 * One function per event.
 *
 * @category models
 * @since 0.1.0
 */
export type Handlers<E extends Event.Any> = {
  readonly [Tag in E["_tag"]]: (
    event: Extract<E, { readonly _tag: Tag }>,
    delivery: Delivery<Extract<E, { readonly _tag: Tag }>>
  ) => Effect.Effect<unknown, unknown, unknown>
}

/**
 * A named handler of events, and how it is run.
 *
 * @category models
 * @since 0.1.0
 */
export interface Consumer<out R> {
  readonly name: string
  readonly events: ReadonlyArray<string>
  readonly definition: Definition<R>
}

/**
 * What all kinds of consumers have in common.
 *
 * **Details**
 *
 * Which events:
 *
 * - `events`: those of these classes. `where`, `categories`, `stream`, `tags` (at least one of them) and `tenants` narrow them.
 * - `unknown`: what to do with events of other types that fit all the rest; `"park"` keeps them until a class for them is
 *   known. They are not read when absent.
 * - `startAt`: where a consumer begins that never ran: `"beginning"` when absent.
 *
 * In which order: events of one key one after the other, and events of different keys side by side. The `key` is the stream when
 * absent. Keys of different tenants are different. Keys are spread over `segments` (16 when absent, at most 4,096, rounded up to
 * a power of two), and each segment is owned by one process at a time.
 *
 * How:
 *
 * - `batchSize`: at most so many events of a segment at once, in one transaction (500 when absent, 100 when not `transactional`).
 * - `transactional`: whether handlers run in the transaction that moves the checkpoint; `true` when absent. With `false` no
 *   transaction is open while they run, and after a crash events are handled again.
 * - `concurrency`: so many segments of a process handle events at one time; 4 when absent.
 * - `lease`: after so long without a sign of life a process has lost its segments; 10 seconds when absent.
 * - `timeout`: after so long an attempt has failed; none when absent.
 *
 * When a handler fails: it is tried `retry.times` times in all (5 when absent) with pauses that begin at `retry.base` (50 ms) and
 * double. Then the event is parked and tried again after each of `retry.later` (10 seconds, 1 minute and 10 minutes), and then
 * it waits for somebody to look at it. Later events of its key are parked behind it; other keys go on. When more than
 * `limits.perKey` (1,000) or `limits.perConsumer` (10,000) events would be parked, the consumer is paused instead.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<Classes extends ReadonlyArray<Event.AnyClass<Decoding.Kind>>> {
  readonly events: Classes
  readonly where?: ((recorded: RecordedEvent.RecordedEvent<Event.Of<NoInfer<Classes>>>) => boolean) | undefined
  readonly categories?: ReadonlyArray<string> | undefined
  readonly stream?: StreamName.StreamName | undefined
  readonly tags?: ReadonlyArray<string> | undefined
  readonly tenants?: ReadonlyArray<string> | undefined
  readonly unknown?: "park" | undefined
  readonly startAt?: "beginning" | "now" | Position.Position | undefined
  readonly key?: Keys.Key | undefined
  readonly segments?: number | undefined
  readonly batchSize?: number | undefined
  readonly transactional?: boolean | undefined
  readonly concurrency?: number | undefined
  readonly lease?: Duration.Input | undefined
  readonly timeout?: Duration.Input | undefined
  readonly retry?:
    | {
        readonly times?: number | undefined
        readonly base?: Duration.Input | undefined
        readonly later?: ReadonlyArray<Duration.Input> | undefined
      }
    | undefined
  readonly limits?: { readonly perKey?: number | undefined; readonly perConsumer?: number | undefined } | undefined
}

type Classes = ReadonlyArray<Event.AnyClass<Decoding.Kind>>

/**
 * Declares a consumer: with a handler for each of its events (`on`), with one for all (`handle`), or with one for many at a
 * time (`handleBatch`).
 *
 * **Details**
 *
 * - A handler runs as the event's tenant, and a command that it sends has the event as its cause.
 * - What it writes in the same storage commits together with the checkpoint: it happens exactly once.
 * - `compensate` is called with what a handler failed with, after its last try, in a transaction of its own. Where it succeeds
 *   the event counts as handled, and is not parked.
 * - `handleBatch` gets the events of a segment and one tenant, in order: up to `batchSize`, as soon as there are some or, with
 *   `within`, when there are that many or that much time has passed. What fails is tried again as one, and then one by one.
 *
 * **Example** (One mail for each order)
 *
 * ```ts
 * import { Consumer, Event, EventStore, Memory, StreamName, SystemContext, TenantContext } from "effect-cqrs"
 * import * as Deferred from "effect/Deferred"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * class OrderPlaced extends Event.Class<OrderPlaced>()("OrderPlaced", {}) {}
 * const sent = Deferred.makeUnsafe<string>()
 *
 * const Mails = Consumer.make("mails", {
 *   events: [OrderPlaced],
 *   on: { OrderPlaced: (_, { idempotencyKey }) => Deferred.succeed(sent, idempotencyKey) }
 * })
 *
 * const program = Effect.gen(function* () {
 *   const store = yield* EventStore.EventStore
 *   yield* store.append({ stream: StreamName.make("Order", "1"), expected: "none", events: [new OrderPlaced()] })
 *   return yield* Deferred.await(sent)
 * })
 *
 * const Live = Consumer.layer(Mails).pipe(
 *   Layer.provide(SystemContext.layer("sending mails")),
 *   Layer.provideMerge(Memory.layer)
 * )
 * await Effect.runPromise(program.pipe(Effect.provide([Live, TenantContext.layerSingle]))) // => "default/mails/1"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export function make<const C extends Classes, const H extends Handlers<Event.Of<C>>, R2 = never>(
  name: string,
  options: Options<C> & {
    readonly on: H
    readonly compensate?: Compensate<C, ErrorOf<H>, R2> | undefined
  }
): Consumer<Exclude<ServicesOf<H> | R2 | Event.ServicesOf<C>, TenantContext>>
export function make<const C extends Classes, E, R, R2 = never>(
  name: string,
  options: Options<C> & {
    readonly handle: (delivery: Delivery<Event.Of<C>>) => Effect.Effect<unknown, E, R>
    readonly compensate?: Compensate<C, E, R2> | undefined
  }
): Consumer<Exclude<R | R2 | Event.ServicesOf<C>, TenantContext>>
export function make<const C extends Classes, E, R, R2 = never>(
  name: string,
  options: Options<C> & {
    readonly handleBatch: (deliveries: ReadonlyArray<Delivery<Event.Of<C>>>) => Effect.Effect<unknown, E, R>
    readonly within?: Duration.Input | undefined
    readonly compensate?: Compensate<C, E, R2> | undefined
  }
): Consumer<Exclude<R | R2 | Event.ServicesOf<C>, TenantContext>>
export function make(name: string, options: AnyOptions): Consumer<unknown> {
  const decoder = { decode: RecordedEvent.decoder(options.events), classes: options.events, where: options.where }
  const { handleBatch, lease = "10 seconds", limits, on, retry, transactional = true } = options
  const timeout = options.timeout === undefined ? undefined : Duration.fromInputUnsafe(options.timeout)
  const handlers = new Map(Object.entries(on ?? {}))
  const handle =
    options.handle ?? ((delivery) => handlers.get(delivery.event._tag)?.(delivery.event, delivery) ?? Effect.void)
  const events = Event.types(options.events)
  return {
    name,
    events,
    definition: {
      name,
      events,
      filter: filterOf(options, events),
      key: Keys.of(options.key ?? "stream"),
      segments: options.segments ?? 16,
      startAt: options.startAt ?? "beginning",
      batchSize: Math.max(options.batchSize ?? (transactional ? 500 : 100), 1),
      within: options.within === undefined ? undefined : Duration.fromInputUnsafe(options.within),
      transactional,
      concurrency: Math.max(options.concurrency ?? 4, 1),
      lease: Duration.fromInputUnsafe(lease),
      retry: {
        times: Math.max(retry?.times ?? 5, 1),
        base: Duration.fromInputUnsafe(retry?.base ?? "50 millis"),
        later: (retry?.later ?? ["10 seconds", "1 minute", "10 minutes"]).map(Duration.fromInputUnsafe)
      },
      limits: { perKey: limits?.perKey ?? 1000, perConsumer: limits?.perConsumer ?? 10_000 },
      handle:
        handleBatch === undefined
          ? Delivering.single(decoder, handle, timeout)
          : Delivering.batch(decoder, handleBatch, timeout),
      compensate: options.compensate === undefined ? undefined : Delivering.compensating(decoder, options.compensate)
    }
  }
}

/**
 * Makes up for an event whose handler failed for good.
 *
 * @category models
 * @since 0.1.0
 */
export type Compensate<C extends Classes, E, R> = (
  delivery: Delivery<Event.Of<C>>,
  error: E
) => Effect.Effect<unknown, unknown, R>

interface AnyOptions extends Options<Classes> {
  readonly on?: Readonly<
    Record<string, (event: Event.Any, delivery: Delivery<Event.Any>) => Effect.Effect<unknown, unknown, unknown>>
  >
  readonly handle?: (delivery: Delivery<Event.Any>) => Effect.Effect<unknown, unknown, unknown>
  readonly handleBatch?: (deliveries: ReadonlyArray<Delivery<Event.Any>>) => Effect.Effect<unknown, unknown, unknown>
  readonly within?: Duration.Input | undefined
  readonly compensate?:
    | ((delivery: Delivery<Event.Any>, error: unknown) => Effect.Effect<unknown, unknown, unknown>)
    | undefined
}

/**
 * What running a consumer takes from the storage.
 *
 * @category models
 * @since 0.1.0
 */
export type Services = Worker.WorkerServices

/**
 * Works as one of the processes of a consumer, for ever.
 *
 * **Details**
 *
 * Each process owns its fair share of the segments. When one dies, the others take over what it owned after its `lease`; when one
 * comes, the others give it its share. A storage that does not answer is waited for.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <R>(self: Consumer<R>): Effect.Effect<never, never, R | Services> => Worker.run(self.definition)

/**
 * Works as one of the processes of a consumer in the background of a program, until the program ends.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <R>(self: Consumer<R>): Layer.Layer<never, never, R | Services> =>
  Reader.layerOf({ kind: "consumer", name: self.name, events: self.events }, run(self))

/**
 * Puts a consumer back, and lets it run: every segment to the last event that it has handled and the log still has, or, with
 * `to`, to a position. What comes after that is handled, be it again.
 *
 * **Details**
 *
 * This is how a `diverged` consumer goes on: what it did for events that the log has lost is done, and what it did for those
 * it will handle again must bear that. A segment remembers 16 events, the further back the further apart, so it goes back at
 * least as far as the histories are common, and usually somewhat further.
 *
 * @category commands
 * @since 0.1.0
 */
export const rewind = (
  self: { readonly name: string },
  options?: { readonly to?: Position.Position | undefined }
): Effect.Effect<void, ConsumerStoreError | EventStoreError, ConsumerStore | EventStore | SystemContext> =>
  Effect.gen(function* () {
    const store = yield* ConsumerStore
    const { segments } = yield* store.inspect(self.name)
    const to = options?.to
    const checkpoints = yield* Effect.forEach(segments, ({ checkpoint, segment }) =>
      Effect.map(to === undefined ? Trail.lastCommon(checkpoint) : Effect.succeed(Trail.from(to)), (common) => ({
        segment: segment.id,
        checkpoint: common
      }))
    )
    yield* store.reset(self.name, checkpoints)
    yield* store.setState(self.name, { status: "running" })
  })

/**
 * Lets a consumer go on from where it is, whatever the log has there: nothing is handled again, and what the log has instead
 * of what it had is not handled.
 *
 * @category commands
 * @since 0.1.0
 */
export const accept = (self: {
  readonly name: string
}): Effect.Effect<void, ConsumerStoreError | EventStoreError, ConsumerStore | EventStore> =>
  Effect.gen(function* () {
    const store = yield* ConsumerStore
    const { segments } = yield* store.inspect(self.name)
    const checkpoints = yield* Effect.forEach(segments, ({ checkpoint, segment }) =>
      Effect.map(Trail.here(checkpoint), (accepted) => ({ segment: segment.id, checkpoint: accepted }))
    )
    yield* store.reset(self.name, checkpoints)
    yield* store.setState(self.name, { status: "running" })
  })

const filterOf = (options: AnyOptions, events: ReadonlyArray<string>): Filter => {
  const { categories, stream, tags } = options
  const tenants = options.tenants === undefined ? undefined : new Set(options.tenants)
  return {
    types: options.unknown === "park" ? undefined : events,
    categories: stream === undefined ? categories : [StreamName.category(stream)],
    tags,
    wants: (stored) =>
      (stream === undefined || stored.stream === stream) && (tenants === undefined || tenants.has(stored.tenant))
  }
}
