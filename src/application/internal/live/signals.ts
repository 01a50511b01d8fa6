/** What processes tell each other of their channels. */
import * as Schema from "effect/Schema"
import { Actor } from "../../../domain/Actor.ts"
import * as Event from "../../../domain/Event.ts"
import type { Channel } from "../../Channel.ts"

const ChannelName = Schema.String.pipe(
  Schema.refine((text): text is Channel => text === "tenant" || text === "broadcast" || /^(user|topic):/.test(text))
)

/** Each of a node, which has another name after every start. */
export const Content = Schema.Union([
  /** A message for who is there. */
  Schema.TaggedStruct("Message", { channel: ChannelName, from: Schema.optional(Actor), data: Schema.Json }),
  /** The `change`th change of the tenant at the node: an actor has come to a channel there, or left it. */
  Schema.TaggedStruct("Changed", { change: Schema.Int, channel: ChannelName, actor: Actor, isHere: Schema.Boolean }),
  /** All of the tenant at the node, after so many changes. */
  Schema.TaggedStruct("State", {
    change: Schema.Int,
    rooms: Schema.Array(Schema.Struct({ channel: ChannelName, actors: Schema.Array(Actor) }))
  }),
  /** The node is there, and says so again within `every` milliseconds; its tenants have changed so often, together. */
  Schema.TaggedStruct("Alive", { changes: Schema.Int, every: Schema.Finite }),
  /** Asks a node for its state, or all of them. */
  Schema.TaggedStruct("Asked", { of: Schema.optional(Schema.String) }),
  /** The node has ended. */
  Schema.TaggedStruct("Gone", {})
])
export type Content = typeof Content.Type

export class Signal extends Event.Class<Signal>()("effect-cqrs.live", { node: Schema.String, content: Content }) {}
