/**
 * Messages to who is connected now, and who that is: beside the log, which forgets nothing.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Actor } from "../domain/Actor.ts"
import type * as EventBus from "../ports/EventBus.ts"
import type { EventBusError } from "../ports/EventBusError.ts"
import type { SystemContext } from "../ports/SystemContext.ts"
import { TenantContext } from "../ports/TenantContext.ts"
import type { Channel } from "./Channel.ts"
import type { Member, Message } from "./internal/live/model.ts"
import * as nodes from "./internal/live/nodes.ts"
import { Rooms } from "./internal/live/rooms.ts"

export type { Member, Message, Presence } from "./internal/live/model.ts"

/**
 * The channels of a process, or of several.
 *
 * **Details**
 *
 * - `publish` gives a message to all who are in the channel of the tenant, or of all tenants for `broadcast`, and answers with
 *   how many connections of this process took it. A message is gone when nobody is there: what must not be lost is an event.
 * - `join` puts a connection in a channel until the scope closes, and answers with who is there, its own actor among them.
 * - `members` is who is there: each actor once, however many connections it has.
 * - Of who is there, who comes and who goes a tenant learns its own alone, in `broadcast` as well.
 *
 * @category services
 * @since 0.1.0
 */
export class LiveHub extends Context.Service<
  LiveHub,
  {
    readonly publish: (channel: Channel, data: unknown, from?: Actor) => Effect.Effect<number, never, TenantContext>
    readonly join: (
      channel: Channel,
      member: Member
    ) => Effect.Effect<ReadonlyArray<Actor>, never, TenantContext | Scope.Scope>
    readonly members: (channel: Channel) => Effect.Effect<ReadonlyArray<Actor>, never, TenantContext>
  }
>()("effect-cqrs/application/LiveHub") {}

/**
 * The channels of this process alone.
 *
 * **Example** (Who is there)
 *
 * ```ts
 * import { Actor, Channel, LiveHub, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function* () {
 *   const hub = yield* LiveHub.LiveHub
 *   const got: Array<unknown> = []
 *   yield* hub.join(Channel.topic("chat"), {
 *     actor: Actor.user("ada"),
 *     message: ({ data }) => got.push(data) > 0,
 *     presence: () => {}
 *   })
 *   yield* hub.publish(Channel.topic("chat"), "hello")
 *   return [got, (yield* hub.members(Channel.topic("chat"))).map(({ id }) => id)]
 * })
 * await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide([LiveHub.layer, TenantContext.layerSingle])))
 * // => [["hello"], ["ada"]]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<LiveHub> = Layer.sync(LiveHub, () => over(new Rooms(() => undefined), () => undefined))

/**
 * How processes know of each other.
 *
 * @category models
 * @since 0.1.0
 */
export interface BusOptions {
  /**
   * How often a process says that it is there; 5 seconds when absent. One that was not heard of for three times as long is taken to be
   * gone, and so is whoever was connected to it.
   */
  readonly heartbeat?: Duration.Input | undefined
}

/**
 * What {@link layerBus} publishes: a bus that reads only the classes it is given has to be given this one.
 *
 * @category models
 * @since 0.1.0
 */
export { Signal } from "./internal/live/signals.ts"

/**
 * The channels of all processes on one bus.
 *
 * **Details**
 *
 * - A message reaches who is in the channel in any process, at most once, and those of one process in its order. `publish` answers with
 *   how many connections of this process took it: nobody waits for the others.
 * - An actor is in a channel for as long as it has a connection to it in any process, and is told of as one.
 * - Each change of who is where has a number, and each process says every few seconds how many there were. Who has missed one, in
 *   a process that is new, or was cut off, asks for all of them. So all agree again one heartbeat after the bus is back.
 * - A process that ends says so. One that was killed is taken to be gone after three heartbeats.
 * - What one tenant says is published as that tenant, and is heard by nobody of another but in `broadcast`.
 *
 * **Gotchas**
 *
 * A new process learns who else is there moments after it has started; who joins before that is told of them as they come. Messages are
 * JSON: others do not get what is not, which is logged. Processes that cannot hear each other each take the other to be gone.
 *
 * **Example** (On Redis)
 *
 * ```ts no-run needs a server
 * import { LiveHub, SystemContext, UnitOfWork } from "effect-cqrs"
 * import { RedisConnection, RedisEventBus } from "effect-cqrs/redis"
 * import * as Layer from "effect/Layer"
 *
 * const Channels = LiveHub.layerBus({ heartbeat: "5 seconds" }).pipe(
 *   Layer.provide(RedisEventBus.layer({ events: [LiveHub.Signal] })),
 *   Layer.provide([RedisConnection.layerConfig(), UnitOfWork.layerMemory, SystemContext.layer("channels of all tenants")])
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerBus = (
  options?: BusOptions
): Layer.Layer<LiveHub, EventBusError, EventBus.EventBus | EventBus.AcrossProcesses | SystemContext> =>
  Layer.effect(
    LiveHub,
    Effect.gen(function* () {
      const { rooms, send } = yield* nodes.make(
        Duration.toMillis(Duration.fromInputUnsafe(options?.heartbeat ?? "5 seconds"))
      )
      return over(rooms, (tenant, { channel, data, from }) => {
        const json = toJson(data)
        if (Result.isFailure(json)) {
          return Effect.logWarning(`A message to ${channel} is not JSON: other processes do not get it`, json.failure)
        }
        send(tenant, { _tag: "Message", channel, ...(from !== undefined && { from }), data: json.success })
        return undefined
      })
    })
  )

const toJson = Schema.decodeUnknownResult(Schema.Json)

/** Channels whose messages go to the rooms of this process and, by `pass`, to others. */
const over = (
  rooms: Rooms,
  pass: (tenant: string, message: Message) => Effect.Effect<void> | undefined
): LiveHub["Service"] => {
  const inTenant = <A, E, R>(f: (tenant: string) => Effect.Effect<A, E, R>) =>
    Effect.flatMap(TenantContext, ({ id }) => f(id))
  return {
    publish: (channel, data, from) =>
      inTenant((tenant) =>
        Effect.suspend(() => {
          const message = { channel, from, data }
          const taken = rooms.publish(tenant, message)
          return Effect.as(pass(tenant, message) ?? Effect.void, taken)
        })
      ),
    members: (channel) => inTenant((tenant) => Effect.sync(() => rooms.actors(tenant, channel))),
    join: (channel, member) =>
      inTenant((tenant) =>
        Effect.acquireRelease(
          Effect.sync(() => rooms.join(tenant, channel, member)),
          () => Effect.sync(() => rooms.leave(tenant, channel, member))
        )
      )
  }
}
