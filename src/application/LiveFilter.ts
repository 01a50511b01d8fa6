/**
 * Which events of the log a client gets.
 *
 * @since 0.1.0
 */
import type { Stored } from "../domain/RecordedEvent.ts"

/**
 * What an event must be like: as each of what is given.
 *
 * @category models
 * @since 0.1.0
 */
export interface Criteria {
  readonly types?: ReadonlyArray<string> | undefined
  readonly categories?: ReadonlyArray<string> | undefined
  /** Events that carry at least one of these tags. */
  readonly tags?: ReadonlyArray<string> | undefined
}

/**
 * Which of its tenant's events a client gets: all those that fit each of what is given.
 *
 * **Details**
 *
 * With `any`, an event must fit one of those as well; one that says `everybody` is about the events of the tenant whose
 * events are for all (see `LiveTail.Options`), and about nothing where there is none. No other tenant's events can be named.
 *
 * `visible` is asked for each event that fits. It answers with the event itself, with another that says less, or with
 * nothing: then the client does not get it, and goes on after it. It must be pure and must not throw.
 *
 * @category models
 * @since 0.1.0
 */
export interface Filter extends Criteria {
  readonly any?: ReadonlyArray<Criteria & { readonly everybody?: boolean | undefined }> | undefined
  readonly visible?: ((stored: Stored) => Stored | undefined) | undefined
}
