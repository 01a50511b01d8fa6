/**
 * Messages to who is connected now, and who that is: beside the log, which forgets nothing.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Actor } from "../domain/Actor.ts"
import type { TenantId } from "../domain/TenantId.ts"
import { TenantContext } from "../ports/TenantContext.ts"
import type { Channel } from "./Channel.ts"

/**
 * What somebody sent to a channel; `from` is absent when the program itself did.
 *
 * @category models
 * @since 0.1.0
 */
export interface Message {
  readonly channel: Channel
  readonly from: Actor | undefined
  readonly data: unknown
}

/**
 * Somebody came to a channel or left it, with the first and the last of their connections.
 *
 * @category models
 * @since 0.1.0
 */
export interface Presence {
  readonly channel: Channel
  readonly actor: Actor
  readonly isHere: boolean
}

/**
 * One connection in a channel. What it is called with must be dealt with at once; `false` says that a message was not taken.
 *
 * @category models
 * @since 0.1.0
 */
export interface Member {
  readonly actor: Actor
  readonly message: (message: Message) => boolean
  readonly presence: (presence: Presence) => void
}

/**
 * The channels of a process.
 *
 * **Details**
 *
 * - `publish` gives a message to all who are in the channel of the tenant, or of all tenants for `broadcast`, and answers with
 *   how many connections took it. A message is gone when nobody is there: what must not be lost is an event.
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

const actorKey = ({ id, kind }: Actor): string => `${kind} ${id}`

class Room {
  private readonly members = new Set<Member>()

  get isEmpty(): boolean {
    return this.members.size === 0
  }

  get actors(): ReadonlyArray<Actor> {
    return [...new Map(Array.from(this.members, ({ actor }) => [actorKey(actor), actor])).values()]
  }

  publish(message: Message): number {
    let taken = 0
    for (const member of this.members) if (member.message(message)) taken++
    return taken
  }

  add(channel: Channel, member: Member): void {
    const isFirst = !this.has(member.actor)
    if (isFirst) this.tell({ channel, actor: member.actor, isHere: true })
    this.members.add(member)
  }

  remove(channel: Channel, member: Member): void {
    this.members.delete(member)
    if (!this.has(member.actor)) this.tell({ channel, actor: member.actor, isHere: false })
  }

  private has(actor: Actor): boolean {
    const key = actorKey(actor)
    for (const member of this.members) if (actorKey(member.actor) === key) return true
    return false
  }

  private tell(presence: Presence): void {
    for (const member of this.members) member.presence(presence)
  }
}

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
export const layer: Layer.Layer<LiveHub> = Layer.sync(LiveHub, () => {
  const rooms = new Map<string, Room>()
  // Those of `broadcast`: a message is for all of them, and who is in one is for nobody else.
  const everybody = new Set<Room>()
  const keyOf = (tenant: TenantId, channel: Channel) => JSON.stringify([tenant, channel])
  const roomsOf = (key: string, channel: Channel) => {
    const room = rooms.get(key)
    return channel === "broadcast" ? everybody : room === undefined ? [] : [room]
  }
  const inRoom = <A, E, R>(channel: Channel, f: (key: string) => Effect.Effect<A, E, R>) =>
    Effect.flatMap(TenantContext, ({ id }) => f(keyOf(id, channel)))
  return LiveHub.of({
    publish: (channel, data, from) =>
      inRoom(channel, (key) =>
        Effect.sync(() => {
          let taken = 0
          for (const room of roomsOf(key, channel)) taken += room.publish({ channel, from, data })
          return taken
        })
      ),
    members: (channel) => inRoom(channel, (key) => Effect.sync(() => rooms.get(key)?.actors ?? [])),
    join: (channel, member) =>
      inRoom(channel, (key) =>
        Effect.map(
          Effect.acquireRelease(
            Effect.sync(() => {
              const room = rooms.get(key) ?? new Room()
              rooms.set(key, room)
              if (channel === "broadcast") everybody.add(room)
              room.add(channel, member)
              return room
            }),
            (room) =>
              Effect.sync(() => {
                room.remove(channel, member)
                if (room.isEmpty && rooms.delete(key)) everybody.delete(room)
              })
          ),
          (room) => room.actors
        )
      )
  })
})
