/**
 * What an adapter of an inbox implements.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { Position } from "../domain/Position.ts"
import type { TenantId } from "../domain/TenantId.ts"
import type { InboxError } from "./InboxError.ts"

/**
 * What an adapter implements.
 *
 * **Details**
 *
 * - `advance` notes that a consumer handles the message at a position of a segment of a source, and says whether that is
 *   further than it ever was. One row for each segment, however many messages there are.
 * - `take` notes that a consumer handles the message with an id, and says whether it does so for the first time. Of many
 *   that do it at the same time, all but one wait until that one's transaction has ended.
 * - `position` is how far a consumer has come in a segment: the start of the log when it never was there.
 * - `purge` forgets ids that were taken that long ago, whole days of them: some are kept for a day longer.
 *
 * Inside a unit of work all is kept or undone with the rest.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Driver {
  readonly advance: (
    consumer: string,
    source: string,
    segment: number,
    position: Position
  ) => Effect.Effect<boolean, InboxError>
  readonly take: (tenant: TenantId, consumer: string, id: string) => Effect.Effect<boolean, InboxError>
  readonly position: (consumer: string, source: string, segment: number) => Effect.Effect<Position, InboxError>
  readonly purge: (olderThan: Duration.Duration) => Effect.Effect<void, InboxError>
}

/**
 * Where a message is noted: under its id, or as the furthest position of its segment, which is noted instead of each.
 *
 * @category models
 * @since 0.1.0
 */
export type Place =
  | { readonly tenant: TenantId; readonly consumer: string; readonly id: string }
  | { readonly consumer: string; readonly source: string; readonly segment: number; readonly position: Position }

/**
 * What asking for a message comes to: it is the caller's, it was handled before, or somebody else has it.
 *
 * @category models
 * @since 0.1.0
 */
export type Claimed =
  | { readonly _tag: "Claimed" }
  | { readonly _tag: "Handled" }
  | { readonly _tag: "Held"; readonly remaining: number }

/**
 * What an adapter implements that takes part in no transaction.
 *
 * **Details**
 *
 * - `claim` gives a message that was not handled, and that nobody has, to the holder of a token, for `millis`. A segment is
 *   claimed as a whole.
 * - `renew` gives it `millis` from now, unless it was handled or somebody else has it; a claim that was forgotten is made anew.
 * - `confirm` notes that it was handled, unless somebody else has it or has handled it. It says whether it was noted, and says
 *   so again when asked again.
 * - `release` lets others have it, if the token still does.
 * - `position` is how far a consumer has come in a segment.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface ClaimingDriver {
  readonly claim: (place: Place, token: string, millis: number) => Effect.Effect<Claimed, InboxError>
  readonly renew: (place: Place, token: string, millis: number) => Effect.Effect<boolean, InboxError>
  readonly confirm: (place: Place, token: string) => Effect.Effect<boolean, InboxError>
  readonly release: (place: Place, token: string) => Effect.Effect<void, InboxError>
  readonly position: (consumer: string, source: string, segment: number) => Effect.Effect<Position, InboxError>
}
