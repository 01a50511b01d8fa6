/**
 * What a broker keeps for groups of subscribers, and what an adapter of one implements.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { EventGroupsError } from "./EventGroupsError.ts"

/**
 * An event on its way, as it is kept.
 *
 * **Details**
 *
 * `id` is `<position>-<index>`: the position of the event in the sender's log, and which of those that were made of it this
 * is. It is the same however often the event is sent.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly id: string
  /** What it is in order with. */
  readonly key: string
  /** The JSON text of its envelope. */
  readonly text: string
}

/**
 * Entries of one segment: all that the log has there after `from`, up to and with `to`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Batch {
  readonly from: number
  readonly to: number
  readonly entries: ReadonlyArray<Entry>
}

/**
 * What an adapter implements for who forwards a log.
 *
 * **Details**
 *
 * - `segments`: over how many the keys of a log are spread; a power of two, the same for all programs.
 * - `open` makes sure that a segment has these groups, and a mark: `floor` where it has none. It answers with the mark.
 * - `add` adds entries behind those that are there, and moves the mark from `from` to `to`, all at once; where the mark is not
 *   at `from` it changes nothing and answers `false`. An entry whose id is not after the last one is there already, and is
 *   left out.
 * - `settle` forgets what all groups have handled, and nothing else. It answers with the position up to which no group needs
 *   anything any more; what is parked is still needed.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Sending {
  readonly segments: number
  readonly open: (
    log: string,
    segment: number,
    options: { readonly groups: ReadonlyArray<string>; readonly floor: number }
  ) => Effect.Effect<number, EventGroupsError>
  readonly add: (log: string, segment: number, batch: Batch) => Effect.Effect<boolean, EventGroupsError>
  readonly settle: (log: string, segment: number) => Effect.Effect<number, EventGroupsError>
}

/**
 * A group of subscribers to a log.
 *
 * @category models
 * @since 0.1.0
 */
export interface Name {
  readonly log: string
  readonly group: string
}

/**
 * A segment that a worker of a group owns. Of two tokens of a segment the greater is the newer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Claim extends Name {
  readonly segment: number
  readonly worker: string
  readonly token: number
}

/**
 * A segment as its new owner finds it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Claimed extends Claim {
  /** The id that was given last to the group, be it to another worker; `undefined` when none was. */
  readonly after: string | undefined
  /** What is parked here, in order. */
  readonly parked: ReadonlyArray<{ readonly id: string; readonly key: string }>
}

/**
 * An entry as it is given to a group.
 *
 * @category models
 * @since 0.1.0
 */
export interface Given extends Entry {
  /** The id of the entry before it in its segment; `undefined` when it was the first. */
  readonly previous: string | undefined
  /** How often it was given to the group, this time included. */
  readonly attempt: number
}

/**
 * Why an entry is parked.
 *
 * **Details**
 *
 * - `HandlerFailed`: the handler failed or died, or took too long.
 * - `Unread`: what came cannot be read by the group's classes.
 * - `Unfinished`: it was given again and again, and whoever had it ended before it was handled.
 * - `Behind`: nothing is wrong with it; one of its key before it is parked.
 *
 * @category models
 * @since 0.1.0
 */
export type Category = "HandlerFailed" | "Unread" | "Unfinished" | "Behind"

/**
 * What became of an entry that could not be handled.
 *
 * @category models
 * @since 0.1.0
 */
export interface Failure {
  readonly category: Category
  readonly error: string
  /** How often it was tried durably. */
  readonly attempts: number
  /** In how many milliseconds to try again; `undefined` when somebody has to look at it. */
  readonly retryInMillis: number | undefined
}

/**
 * That an entry waits for one of its key before it, which is parked.
 *
 * @category models
 * @since 0.1.0
 */
export interface Behind {
  /** The id of the first that is parked of its key. */
  readonly behind: string
}

/**
 * An entry that is kept aside until it can be handled.
 *
 * @category models
 * @since 0.1.0
 */
export interface Parked extends Entry, Omit<Failure, "retryInMillis"> {
  readonly segment: number
  /** When it was parked, in milliseconds since 1970. */
  readonly at: number
  /** When it is tried again, in milliseconds since 1970. */
  readonly due: number | undefined
  /** Why somebody decided to leave it out, as soon as it is its turn. */
  readonly skipped: string | undefined
}

/**
 * What an owner is given: new entries, and a parked one that is due.
 *
 * @category models
 * @since 0.1.0
 */
export interface Taken {
  readonly entries: ReadonlyArray<Given>
  readonly due: Parked | undefined
}

/**
 * How a group stands in one segment.
 *
 * @category models
 * @since 0.1.0
 */
export interface Standing {
  readonly segment: number
  /** Who owns it, with which token; `undefined` when nobody does. */
  readonly owner: { readonly worker: string; readonly token: number } | undefined
  /** Entries that were not given yet. */
  readonly lag: number
  /** Entries that were given and are not handled yet. */
  readonly pending: number
  readonly parked: number
}

/**
 * What an adapter implements for groups.
 *
 * **Details**
 *
 * Members:
 *
 * - `start` makes sure that a group has a segment, from the oldest entry on that is kept, or from now on. One that it has stays.
 * - `join` says that a worker lives, for so many milliseconds more, and answers with how many do. `leave` ends that.
 * - `claim` gives a segment to a worker, for so many milliseconds, with a token greater than all before, also those that the
 *   broker has forgotten; `undefined` when another has it. What was given to others and is not handled is given to this one.
 * - `renew` gives the owner so many milliseconds from now; `release` frees the segment. Both say whether it was still his.
 *
 * Entries, by the owner; each answers `undefined` or `false`, and changes nothing, when the segment is no longer his, or when
 * what it goes by is not there, since the broker has gone back to what it had before:
 *
 * - `take` notes that entries are handled, renews the claim, and, where a `limit` is given, gives at most so many new entries in
 *   order. What was given before and is not handled is given instead, as long as there is such, one by one, so that an entry
 *   that ends its owner is counted alone. A parked entry that is due is given when nothing else is left to be handled before it.
 *   Who says how many entries are `parked` goes by that: an owner who is full would wait for ever for what a broker has forgotten.
 * - `park` keeps an entry aside that was given and is not handled, and notes it as handled. One that waits behind another is kept
 *   only where that is parked. What is parked already stays as it is.
 * - `settled` forgets a parked entry, and makes another due, if one is named, which has to be parked. `failed` keeps what became
 *   of another attempt; one that waits behind another, which has to be parked, is not due any more. One that was replayed (so that
 *   it has fewer attempts than before this one) or skipped meanwhile stays due.
 *
 * By anybody:
 *
 * - `parked` lists what is parked in the order of the log. `replay` makes parked entries due now, with their attempts forgotten,
 *   `skip` has one left out; both answer with how many there were of them.
 * - `inspect` is how the group stands in each segment. `remove` forgets the group and all that is parked for it.
 * - `listen` tells of segments where there may be something to take, of all of them when it cannot say which; hints, which may
 *   be lost.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Receiving {
  readonly start: (name: Name, segment: number, at: "earliest" | "now") => Effect.Effect<void, EventGroupsError>
  readonly join: (name: Name, worker: string, millis: number) => Effect.Effect<number, EventGroupsError>
  readonly leave: (name: Name, worker: string) => Effect.Effect<void, EventGroupsError>
  readonly claim: (
    name: Name,
    segment: number,
    worker: string,
    millis: number
  ) => Effect.Effect<Claimed | undefined, EventGroupsError>
  readonly renew: (claim: Claim, millis: number) => Effect.Effect<boolean, EventGroupsError>
  readonly release: (claim: Claim) => Effect.Effect<boolean, EventGroupsError>
  readonly take: (
    claim: Claim,
    options: {
      readonly handled: ReadonlyArray<string>
      readonly millis: number
      readonly limit?: number | undefined
      readonly parked?: number | undefined
    }
  ) => Effect.Effect<Taken | undefined, EventGroupsError>
  readonly park: (claim: Claim, entry: Entry, why: Failure | Behind) => Effect.Effect<boolean, EventGroupsError>
  readonly settled: (claim: Claim, id: string, next: string | undefined) => Effect.Effect<boolean, EventGroupsError>
  readonly failed: (claim: Claim, id: string, why: Failure | Behind) => Effect.Effect<boolean, EventGroupsError>
  readonly parked: (name: Name) => Effect.Effect<ReadonlyArray<Parked>, EventGroupsError>
  readonly replay: (name: Name, segment: number, ids: ReadonlyArray<string>) => Effect.Effect<number, EventGroupsError>
  readonly skip: (name: Name, segment: number, id: string, reason: string) => Effect.Effect<number, EventGroupsError>
  readonly inspect: (name: Name) => Effect.Effect<ReadonlyArray<Standing>, EventGroupsError>
  readonly remove: (name: Name) => Effect.Effect<void, EventGroupsError>
  readonly listen: (log: string, wake: (segment: number | undefined) => void) => Effect.Effect<void, never, Scope.Scope>
}

/**
 * What an adapter implements.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Driver extends Sending, Receiving {}
