/** What a process knows of the others: who is where, as of which change, and when they were last heard of. */
import type { Actor } from "../../../domain/Actor.ts"
import type { Channel } from "../../Channel.ts"
import type { Rooms } from "./rooms.ts"
import type { Content } from "./signals.ts"

interface Space {
  readonly tenant: string
  /** The last change that is known; each is one more than the one before. */
  change: number
  /** By channel and actor. */
  here: Map<string, readonly [channel: Channel, actor: Actor]>
}

interface Peer {
  heardAt: number
  every: number
  readonly spaces: Map<string, Space>
}

type State = Extract<Content, { readonly _tag: "State" }>
type Changed = Extract<Content, { readonly _tag: "Changed" }>

const keyOf = (channel: Channel, actor: Actor) => JSON.stringify([channel, actor.kind, actor.id])

export class Peers {
  private readonly peers = new Map<string, Peer>()
  private readonly rooms: Rooms
  private readonly every: number

  constructor(rooms: Rooms, every: number) {
    this.rooms = rooms
    this.every = every
  }

  /** Takes a change in; `false` when one before it was missed. */
  changed(node: string, tenant: string, { actor, change, channel, isHere }: Changed, now: number): boolean {
    const space = this.space(node, tenant, now)
    if (change <= space.change) return true
    if (change > space.change + 1) return false
    space.change = change
    const key = keyOf(channel, actor)
    if (isHere) space.here.set(key, [channel, actor])
    else space.here.delete(key)
    this.rooms.elsewhere(node, tenant, channel, actor, isHere)
    return true
  }

  state(node: string, tenant: string, { change, rooms }: State, now: number): void {
    const space = this.space(node, tenant, now)
    if (change < space.change) return
    const before = space.here
    space.change = change
    space.here = new Map(
      rooms.flatMap(({ actors, channel }) => actors.map((actor) => [keyOf(channel, actor), [channel, actor] as const]))
    )
    for (const [key, [channel, actor]] of before) {
      if (!space.here.has(key)) this.rooms.elsewhere(node, tenant, channel, actor, false)
    }
    for (const [key, [channel, actor]] of space.here) {
      if (!before.has(key)) this.rooms.elsewhere(node, tenant, channel, actor, true)
    }
  }

  /** Notes that a node is there; `false` when not all of its changes are known. */
  alive(node: string, changes: number, every: number, now: number): boolean {
    const peer = this.peer(node, now)
    peer.every = every
    // None is known that was not made, so equal sums are equal changes.
    let known = 0
    for (const { change } of peer.spaces.values()) known += change
    return known >= changes
  }

  gone(node: string): void {
    const peer = this.peers.get(node)
    this.peers.delete(node)
    for (const { here, tenant } of peer?.spaces.values() ?? []) {
      for (const [channel, actor] of here.values()) this.rooms.elsewhere(node, tenant, channel, actor, false)
    }
  }

  /** Forgets the nodes that have missed three of the times at which they were to be heard. */
  expire(now: number): ReadonlyArray<string> {
    const late = Array.from(this.peers).filter(([, { every, heardAt }]) => now - heardAt > 3 * every)
    for (const [node] of late) this.gone(node)
    return late.map(([node]) => node)
  }

  private peer(node: string, now: number): Peer {
    const peer = this.peers.get(node) ?? { heardAt: now, every: this.every, spaces: new Map() }
    this.peers.set(node, peer)
    peer.heardAt = now
    return peer
  }

  private space(node: string, tenant: string, now: number): Space {
    const { spaces } = this.peer(node, now)
    const space = spaces.get(tenant) ?? { tenant, change: 0, here: new Map() }
    spaces.set(tenant, space)
    return space
  }
}
