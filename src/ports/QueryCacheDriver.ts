/**
 * What an adapter of a query cache implements.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { Position } from "../domain/Position.ts"
import type { TenantId } from "../domain/TenantId.ts"

/**
 * The place of one answer: whose it is, what it is known by, and what makes it wrong.
 *
 * @category models
 * @since 0.1.0
 */
export interface Slot {
  readonly tenant: TenantId
  /** What the answer is known by within the tenant: `QueryKey.make`. */
  readonly key: string
  /** All that, when it is invalidated, makes the answer wrong: `QueryCache.tagsOf`. */
  readonly tags: ReadonlyArray<string>
  /** The projection whose read model is asked, where that tells how far it is. */
  readonly source: string | undefined
  /** Reads what another process has written; undefined when it cannot be read. */
  readonly decode: (text: string) => Exit.Exit<unknown, unknown> | undefined
}

/**
 * A kept answer. Many readers get the same object: it is not to be changed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly outcome: Exit.Exit<unknown, unknown>
  /** When it was made, by this process's clock, in milliseconds. */
  readonly filledAt: number
  /** For how long it is fresh, in milliseconds. */
  readonly ttl: number
  /** How long it took to make, in milliseconds. */
  readonly cost: number
  /** The position that it is known to hold; 0 when nothing is known. */
  readonly position: Position
}

/**
 * An answer to keep: as a value, and as the text that other processes read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Filling extends Omit<Entry, "filledAt"> {
  readonly text: string
  /** For how long it is kept after it was fresh, in milliseconds. */
  readonly grace: number
}

/**
 * The leave to fill a place. `isCurrent` is false from the moment that this process hears of an invalidation of one of the
 * place's tags: what is being made may be old.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ticket {
  readonly token: string
  readonly isCurrent: () => boolean
}

/**
 * What looking comes to: an answer, the leave to make one, or word that somebody else is making it.
 *
 * @category models
 * @since 0.1.0
 */
export type Looked =
  | { readonly _tag: "Found"; readonly entry: Entry }
  | { readonly _tag: "Vacant"; readonly ticket: Ticket }
  | { readonly _tag: "Taken" }

/**
 * What has changed: tags, and how far a projection's read model is by now.
 *
 * @category models
 * @since 0.1.0
 */
export interface Invalidation {
  readonly tags: ReadonlyArray<string>
  readonly progress?: { readonly source: string; readonly position: Position } | undefined
}

/**
 * What an adapter implements. It never fails: one that loses its storage finds nothing, keeps nothing, and says so in the log.
 *
 * **Details**
 *
 * - `peek` answers from this process alone, at once.
 * - `look` answers with a valid answer that holds `after`, or with a ticket, which one caller at a time has for at most
 *   `lease` milliseconds; whoever comes meanwhile is told `Taken`.
 * - `claim` gives a ticket though there is an answer: to make a newer one while the old is served.
 * - `fill` keeps an answer, and says whether it was kept. It is refused when one of the place's tags was invalidated since the
 *   ticket was given, or when what is kept was begun later: an old answer never covers a newer one or an invalidation.
 * - `abandon` gives a ticket back.
 * - `invalidate` makes all answers of a tenant with one of the tags wrong, those that are being made included. With
 *   `progress`, those that remain are known to hold that position.
 * - `inBackground` runs an effect for as long as the cache is there.
 *
 * An answer holds `after` when its own position is that far, or when its source is and nothing has made the answer wrong.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Driver {
  readonly peek: (slot: Slot, after: Position, now: number) => Entry | undefined
  readonly look: (slot: Slot, options: { readonly after: Position; readonly lease: number }) => Effect.Effect<Looked>
  readonly claim: (slot: Slot, lease: number) => Effect.Effect<Ticket | undefined>
  readonly fill: (slot: Slot, ticket: Ticket, filling: Filling) => Effect.Effect<boolean>
  readonly abandon: (slot: Slot, ticket: Ticket) => Effect.Effect<void>
  readonly invalidate: (tenant: TenantId, invalidation: Invalidation) => Effect.Effect<void>
  readonly inBackground: <R>(effect: Effect.Effect<unknown, never, R>) => Effect.Effect<void, never, R>
}
