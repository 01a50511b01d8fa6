/** Who is in which channel: connections of this process, and actors of others. */
import type { Actor } from "../../../domain/Actor.ts"
import type { Channel } from "../../Channel.ts"
import type { Member, Message, Presence } from "./model.ts"

const actorKey = ({ id, kind }: Actor): string => `${kind} ${id}`

/** Is told of the first and the last connection of an actor in this process. */
export type Announce = (tenant: string, channel: Channel, actor: Actor, isHere: boolean) => void

export class Rooms {
  private readonly rooms = new Map<string, Room>()
  /** Those of `broadcast`: a message is for all of them, and who is in one is for nobody else. */
  private readonly everybody = new Set<Room>()
  private readonly announce: Announce

  constructor(announce: Announce) {
    this.announce = announce
  }

  publish(tenant: string, message: Message): number {
    if (message.channel !== "broadcast") return this.rooms.get(keyOf(tenant, message.channel))?.publish(message) ?? 0
    let taken = 0
    for (const room of this.everybody) taken += room.publish(message)
    return taken
  }

  actors(tenant: string, channel: Channel): ReadonlyArray<Actor> {
    return this.rooms.get(keyOf(tenant, channel))?.actors ?? []
  }

  join(tenant: string, channel: Channel, member: Member): ReadonlyArray<Actor> {
    return this.inRoom(tenant, channel, (room) => {
      const isFirst = !room.isLocal(member.actor)
      room.change(member.actor, () => void room.locals.add(member))
      if (isFirst) this.announce(tenant, channel, member.actor, true)
      return room.actors
    })
  }

  leave(tenant: string, channel: Channel, member: Member): void {
    this.inRoom(tenant, channel, (room) => {
      room.change(member.actor, () => void room.locals.delete(member))
      if (!room.isLocal(member.actor)) this.announce(tenant, channel, member.actor, false)
    })
  }

  /** An actor has come to a channel, or left it, in another process. */
  elsewhere(node: string, tenant: string, channel: Channel, actor: Actor, isHere: boolean): void {
    this.inRoom(tenant, channel, (room) => room.change(actor, () => room.elsewhere(node, actor, isHere)))
  }

  /** The actors of this process in each of a tenant's channels. */
  own(tenant: string): ReadonlyArray<{ readonly channel: Channel; readonly actors: ReadonlyArray<Actor> }> {
    return Array.from(this.rooms.values()).flatMap((room) => {
      if (room.tenant !== tenant || room.locals.size === 0) return []
      return [{ channel: room.channel, actors: unique(Array.from(room.locals, ({ actor }) => actor)) }]
    })
  }

  private inRoom<A>(tenant: string, channel: Channel, f: (room: Room) => A): A {
    const key = keyOf(tenant, channel)
    const room = this.rooms.get(key) ?? new Room(tenant, channel)
    this.rooms.set(key, room)
    if (channel === "broadcast") this.everybody.add(room)
    const result = f(room)
    if (room.isEmpty && this.rooms.delete(key)) this.everybody.delete(room)
    return result
  }
}

const keyOf = (tenant: string, channel: Channel) => JSON.stringify([tenant, channel])

const unique = (actors: ReadonlyArray<Actor>): ReadonlyArray<Actor> => [
  ...new Map(actors.map((actor) => [actorKey(actor), actor])).values()
]

class Room {
  readonly tenant: string
  readonly channel: Channel
  readonly locals = new Set<Member>()
  /** Actors of other processes, and the processes they are in. */
  private readonly others = new Map<string, { readonly actor: Actor; readonly nodes: Set<string> }>()

  constructor(tenant: string, channel: Channel) {
    this.tenant = tenant
    this.channel = channel
  }

  get isEmpty(): boolean {
    return this.locals.size === 0 && this.others.size === 0
  }

  get actors(): ReadonlyArray<Actor> {
    return unique([
      ...Array.from(this.locals, ({ actor }) => actor),
      ...Array.from(this.others.values(), (one) => one.actor)
    ])
  }

  isLocal(actor: Actor): boolean {
    const key = actorKey(actor)
    for (const member of this.locals) if (actorKey(member.actor) === key) return true
    return false
  }

  publish(message: Message): number {
    let taken = 0
    for (const member of this.locals) if (member.message(message)) taken++
    return taken
  }

  elsewhere(node: string, actor: Actor, isHere: boolean): void {
    const key = actorKey(actor)
    const other = this.others.get(key) ?? { actor, nodes: new Set() }
    if (isHere) this.others.set(key, { actor, nodes: other.nodes.add(node) })
    else if (other.nodes.delete(node) && other.nodes.size === 0) this.others.delete(key)
  }

  /** Changes where an actor is, and tells those who are here when it was its first or last place. */
  change(actor: Actor, how: () => void): void {
    const told = Array.from(this.locals)
    const was = this.has(actor)
    how()
    const is = this.has(actor)
    if (was === is) return
    const presence: Presence = { channel: this.channel, actor, isHere: is }
    // Nobody is told of having come or gone itself.
    for (const member of told) if (this.locals.has(member)) member.presence(presence)
  }

  private has(actor: Actor): boolean {
    return this.isLocal(actor) || this.others.has(actorKey(actor))
  }
}
