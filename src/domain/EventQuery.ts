/**
 * Which events a decision depends on, whatever streams they are in: the boundary of a dynamic consistency boundary (Sara
 * Pellegrini, "Killing the Aggregate", 2023; dcb.events).
 *
 * @since 0.1.0
 */

/**
 * Events of any of these types that carry all of these tags. Without types: of every type; without tags: whatever they carry.
 *
 * @category models
 * @since 0.1.0
 */
export interface Criterion {
  readonly types?: ReadonlyArray<string> | undefined
  readonly tags?: ReadonlyArray<string> | undefined
}

/**
 * Events that fit at least one of the criteria.
 *
 * **Gotchas**
 *
 * A criterion without tags concerns all appends of a tenant, which wait for one that is bound to it. Where tags can tell what
 * a decision depends on, name them, the one that fewest events carry first.
 *
 * @category models
 * @since 0.1.0
 */
export type EventQuery = ReadonlyArray<Criterion>

/**
 * What a query looks at in an event.
 *
 * @category models
 * @since 0.1.0
 */
export interface Matchable {
  readonly type: string
  readonly tags: ReadonlyArray<string>
}

/**
 * Whether a query fits an event.
 *
 * **Example** (A seat of a course)
 *
 * ```ts
 * import { EventQuery } from "effect-cqrs"
 *
 * const query: EventQuery.EventQuery = [{ types: ["Enrolled"], tags: ["course:1"] }, { tags: ["student:7"] }]
 *
 * EventQuery.matches(query, { type: "Enrolled", tags: ["course:1", "student:3"] }) // => true
 * EventQuery.matches(query, { type: "CourseOpened", tags: ["course:1"] }) // => false
 * ```
 *
 * @category predicates
 * @since 0.1.0
 */
export const matches = (query: EventQuery, event: Matchable): boolean =>
  query.some(
    ({ tags, types }) =>
      (types === undefined || types.includes(event.type)) &&
      (tags === undefined || tags.every((tag) => event.tags.includes(tag)))
  )
