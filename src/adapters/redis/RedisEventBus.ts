/**
 * Announcing events to every process that is connected to one Redis, by Pub/Sub.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as RcMap from "effect/RcMap"
import type * as Scope from "effect/Scope"
import * as Segment from "../../domain/Segment.ts"
import * as EventBus from "../../ports/EventBus.ts"
import * as EventBusDriver from "../../ports/EventBusDriver.ts"
import * as EventBusError from "../../ports/EventBusError.ts"
import type { UnitOfWork } from "../../ports/UnitOfWork.ts"
import { RedisConnection } from "./RedisConnection.ts"
import type { RedisError } from "./RedisError.ts"

/**
 * What is read, and which channels it goes by.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<out R = never> extends EventBus.Options<R> {
  /** What the channels begin with; `effect-cqrs` when absent. */
  readonly prefix?: string | undefined
  /** How many channels the tenants share; 8 when absent. All processes must say the same. */
  readonly channels?: number | undefined
}

/**
 * A bus that every process on one Redis hears.
 *
 * **Details**
 *
 * - Who is connected when an event is published gets it once, and a tenant's events come to everybody in one order. Nothing is
 *   kept: who has lost the connection has missed what came meanwhile, and hears again when it is back, by itself. `isUp` tells,
 *   and the gauge `effect_cqrs_bus_up`.
 * - Tenants share a few channels, so that `subscribeAll` listens to few however many tenants there are. In a cluster the channels
 *   are sharded (Redis 7): each is passed on by the server that has its slot, and costs who hears it a connection.
 * - What a unit of work publishes leaves after its commit. A process that ends in between has not published it.
 * - Events of one `publish` travel together, as a batch of CloudEvents in JSON.
 *
 * **Gotchas**
 *
 * What must not be missed reads the log, or goes through an outbox.
 *
 * A program that has no storage provides `UnitOfWork.layerMemory`. One that has, and provides that instead of its own, publishes
 * what may still be rolled back.
 *
 * **Example** (Two processes)
 *
 * ```ts no-run needs a server
 * import { Event, EventBus, TenantContext, UnitOfWork } from "effect-cqrs"
 * import { RedisConnection, RedisEventBus } from "effect-cqrs/redis"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Schema from "effect/Schema"
 *
 * class PriceChanged extends Event.Class<PriceChanged>()("price.changed", { sku: Schema.String, cents: Schema.Int }) {}
 *
 * const Bus = RedisEventBus.layer({ events: [PriceChanged] }).pipe(
 *   Layer.provide([RedisConnection.layerConfig(), UnitOfWork.layerMemory])
 * )
 * const program = Effect.gen(function* () {
 *   const bus = yield* EventBus.promising(EventBus.AcrossProcesses)
 *   yield* bus.subscribe(EventBus.of(PriceChanged), ({ event }) => Effect.log(event.sku, event.cents))
 *   yield* bus.publish([new PriceChanged({ sku: "pen", cents: 120 })])
 * })
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide([Bus, TenantContext.layerSingle])))
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
  RedisConnection | UnitOfWork | Exclude<R, Scope.Scope>
> => EventBus.layerDriver(options, (receiver) => Effect.flatMap(make(options, receiver), EventBusDriver.afterCommit))

const promises = {
  delivery: "at most once",
  order: "tenant",
  reach: "processes",
  durable: false,
  transactional: false
} as const satisfies EventBusDriver.Promises

const name = "redis"

const make = (
  options: Options<unknown>,
  receiver: EventBusDriver.Receiver
): Effect.Effect<EventBusDriver.Driver<typeof promises>, never, RedisConnection | Scope.Scope> =>
  Effect.gen(function* () {
    const connection = yield* RedisConnection
    const count = options.channels ?? 8
    const all = Array.from({ length: count }, (_, n) => `${options.prefix ?? "effect-cqrs"}:bus:{${n}}`)
    const channelOf = (tenant: string) => all[Segment.hash(tenant) % count] ?? ""
    /** The channels that somebody wants and that are not heard now. */
    const deaf = new Set<string>()

    const heard = yield* RcMap.make({
      lookup: (channel: string) => {
        const down = () => {
          deaf.add(channel)
          receiver.down()
        }
        const up = () => {
          deaf.delete(channel)
          if (deaf.size === 0) receiver.up()
        }
        const message = (text: string) => {
          const received = EventBusDriver.parse(text)
          if (!Array.isArray(received)) return receiver.take(received)
          for (const one of received) receiver.take(one)
        }
        return Effect.acquireRelease(Effect.sync(down), () => Effect.sync(up)).pipe(
          Effect.andThen(connection.hear(channel, { message, up, down }))
        )
      }
    })

    return {
      name,
      promises,
      publish: (envelopes) => {
        const { tenant } = envelopes[0]
        const text = JSON.stringify(envelopes.length === 1 ? envelopes[0] : envelopes)
        return Effect.mapError(connection.tell(channelOf(tenant), text), failure)
      },
      listen: (tenant) =>
        Effect.forEach(tenant === undefined ? all : [channelOf(tenant)], (channel) => RcMap.get(heard, channel), {
          concurrency: "unbounded",
          discard: true
        })
    }
  })

const failure = (error: RedisError): EventBusError.EventBusError => {
  const { _tag } = error.reason
  // Whether what was not answered in time has left is not known, as with a connection that was lost on the way.
  return _tag === "Unreachable" || _tag === "NoAnswer"
    ? EventBusError.notConnected(name, error)
    : EventBusError.notTaken(name, error.retryable, error)
}
