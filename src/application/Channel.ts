/**
 * Whom events are for: one user, a tenant, those who follow a topic, or everybody.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { Principal } from "../ports/Authenticator.ts"
import type { Criteria, Filter } from "./LiveFilter.ts"
import { ChannelDenied, InvalidChannel, LiveError } from "./LiveError.ts"

/**
 * The name of a channel: `user:ada`, `topic:orders`, `tenant` or `broadcast`.
 *
 * **Details**
 *
 * A channel is always one of a tenant, which is never named: `tenant` is all who belong to it, and `user:ada` its Ada. Only
 * `broadcast` is the same for all tenants. Events are sent to a channel by carrying its name as a tag.
 *
 * **Example** (An event for the owner of an order, and for all who follow orders)
 *
 * ```ts
 * import { Channel, Event } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class Shipped extends Event.Class<Shipped>()(
 *   "Shipped",
 *   { order: Schema.String, owner: Schema.String },
 *   { tags: ({ owner }) => [Channel.user(owner), Channel.topic("orders")] }
 * ) {}
 *
 * new Shipped({ order: "7", owner: "ada" }).owner // => "ada"
 * Channel.user("ada") // => "user:ada"
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export type Channel = "tenant" | "broadcast" | `user:${string}` | `topic:${string}`

/**
 * A channel taken apart. `name` is the user's or the topic's.
 *
 * @category models
 * @since 0.1.0
 */
export interface Parts {
  readonly kind: "user" | "topic" | "tenant" | "broadcast"
  readonly name: string
  readonly channel: Channel
}

/**
 * One user of the tenant.
 *
 * @category constructors
 * @since 0.1.0
 */
export const user = (id: string): Channel => `user:${id}`

/**
 * Those who follow a topic.
 *
 * @category constructors
 * @since 0.1.0
 */
export const topic = (name: string): Channel => `topic:${name}`

/**
 * Takes text from outside apart; `undefined` is no channel: a name has 1 to 200 characters, none of them a control.
 *
 * @category decoding
 * @since 0.1.0
 */
export const parse = (text: string): Parts | undefined => {
  if (text === "tenant" || text === "broadcast") return { kind: text, name: "", channel: text }
  const [, kind, name] = /^(user|topic):(\P{Cc}{1,200})$/u.exec(text) ?? []
  if (name === undefined) return undefined
  return kind === "user" ? { kind, name, channel: user(name) } : { kind: "topic", name, channel: topic(name) }
}

/**
 * What a server says of its channels.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rules {
  /** Who may read a channel; {@link isOwn} when absent, which is nobody for topics. */
  readonly read?: ((principal: Principal, channel: Parts) => boolean | Effect.Effect<boolean>) | undefined
  /** Who may send messages to a channel; nobody when absent. */
  readonly publish?: ((principal: Principal, channel: Parts) => boolean | Effect.Effect<boolean>) | undefined
  /** Which events are in a channel; those that carry its name as a tag when absent. */
  readonly criteria?: ((channel: Parts) => Criteria) | undefined
}

/**
 * Whether a channel is a principal's by itself: its own as a user, its tenant's, everybody's.
 *
 * @category authorizing
 * @since 0.1.0
 */
export const isOwn = ({ actor }: Principal, { kind, name }: Parts): boolean =>
  kind === "tenant" || kind === "broadcast" || (kind === "user" && actor.kind === "user" && actor.id === name)

/**
 * Takes the names of channels apart and asks whether the principal may read or publish there. It fails with
 * `InvalidChannel` or `ChannelDenied`, which name the first that is refused.
 *
 * @category authorizing
 * @since 0.1.0
 */
export const authorize = (
  principal: Principal,
  names: ReadonlyArray<string>,
  rules: Rules = {},
  to: "read" | "publish" = "read"
): Effect.Effect<ReadonlyArray<Parts>, LiveError> => {
  const may = (to === "read" ? (rules.read ?? isOwn) : rules.publish) ?? (() => false)
  return Effect.forEach(new Set(names), (name) => {
    const parts = parse(name)
    if (parts === undefined) return refuse(new InvalidChannel({ channel: name.slice(0, 100) }))
    const answer = may(principal, parts)
    return Effect.flatMap(Effect.isEffect(answer) ? answer : Effect.succeed(answer), (granted) =>
      granted ? Effect.succeed(parts) : refuse(new ChannelDenied({ channel: parts.channel }))
    )
  })
}

const refuse = (reason: LiveError["reason"]) => Effect.fail(new LiveError({ reason }))

/**
 * The events that are in any of some channels.
 *
 * @category conversions
 * @since 0.1.0
 */
export const filter = (channels: ReadonlyArray<Parts>, rules: Rules = {}): Filter => ({
  any: channels.map((parts) => ({
    ...(rules.criteria?.(parts) ?? { tags: [parts.channel] }),
    everybody: parts.kind === "broadcast"
  }))
})
