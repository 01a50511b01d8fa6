/** What goes through channels. */
import type { Actor } from "../../../domain/Actor.ts"
import type { Channel } from "../../Channel.ts"

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
