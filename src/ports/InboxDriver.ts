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
