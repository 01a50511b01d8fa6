/**
 * Decisions over facts that lie in several streams.
 *
 * @since 0.1.0
 */
import type * as Decoding from "./Decoding.ts"
import * as Event from "./Event.ts"
import type { Criterion, EventQuery } from "./EventQuery.ts"
import * as Fold from "./Fold.ts"
import * as StreamName from "./StreamName.ts"

/**
 * A kind of decision: the events that it depends on, wherever they are, and the state that they lead to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Boundary<
  out Name extends string,
  in out State,
  in out E extends Event.Any,
  out K extends Decoding.Kind = never
> extends Fold.Fold<State, E, K> {
  readonly name: Name
  /** The events of one instance. */
  readonly query: (scope: Scope) => EventQuery
  /** The stream that its own events go to. */
  readonly stream: (scope: Scope) => StreamName.StreamName
}

/**
 * What one instance is about: events of the boundary that carry at least one of these tags, or fit one of these criteria.
 *
 * @category models
 * @since 0.1.0
 */
export type Scope = ReadonlyArray<string | Criterion>

/**
 * What a boundary is declared with. There are no joins: they are of one stream.
 *
 * @category models
 * @since 0.1.0
 */
export type Options<Classes extends ReadonlyArray<Event.AnyClass<Decoding.Kind>>, State> = Omit<
  Fold.Options<Classes, State>,
  "joins"
>

/**
 * Declares a boundary: its name, events and initial state first, then how the state evolves.
 *
 * **Details**
 *
 * Events say by their tags what they are about. A boundary reads the events of its classes that carry one of the tags it is
 * asked about, in the order of the log, and what it decides is appended only while there are no others. Streams play no part
 * in this: its own events go to a stream that is named after the boundary and its tags.
 *
 * **Gotchas**
 *
 * The name is a storage format, and may not hold a dash. Two events of one tag or a name with a dash make this throw when it is
 * called.
 *
 * **Example** (Seats of a course)
 *
 * ```ts
 * import { Boundary, Event } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class CourseOpened extends Event.Class<CourseOpened>()(
 *   "CourseOpened",
 *   { course: Schema.String, seats: Schema.Int },
 *   { tags: ({ course }) => [`course:${course}`] }
 * ) {}
 * class Enrolled extends Event.Class<Enrolled>()(
 *   "Enrolled",
 *   { course: Schema.String, student: Schema.String },
 *   { tags: ({ course, student }) => [`course:${course}`, `student:${student}`] }
 * ) {}
 *
 * const Enrolment = Boundary.make("Enrolment", { events: [CourseOpened, Enrolled], initial: { seats: 0, taken: 0 } }).evolve({
 *   CourseOpened: (state, { seats }) => ({ ...state, seats }),
 *   Enrolled: (state) => ({ ...state, taken: state.taken + 1 })
 * })
 *
 * Enrolment.query(["course:1"]) // => [{ types: ["CourseOpened", "Enrolled"], tags: ["course:1"] }]
 * Enrolment.stream(["course:1", "student:7"]) // => "Enrolment-course:1+student:7"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <
  const Name extends string,
  const Classes extends ReadonlyArray<Event.AnyClass<Decoding.Kind>>,
  State
>(
  name: Name,
  options: Options<Classes, State>
): Fold.Declared<State, Event.Of<Classes>, Boundary<Name, State, Event.Of<Classes>, Event.KindOf<Classes>>> => {
  if (name === "" || name.includes("-")) {
    throw new Error(
      `The boundary name "${name}" must be text without a dash: a stream's category ends at the first one`
    )
  }
  const declared = Fold.make<Classes, State>(options)
  const types = Event.types(options.events)
  const query = (scope: Scope): EventQuery =>
    scope.map((part) => (typeof part === "string" ? { types, tags: [part] } : { types, ...part }))
  const stream = (scope: Scope) => StreamName.make(name, [...new Set(scope.flatMap(tagsOf))].sort().join("+"))
  return { evolve: (evolve) => ({ ...declared.evolve(evolve), name, query, stream }) }
}

const tagsOf = (part: string | Criterion): ReadonlyArray<string> =>
  typeof part === "string" ? [part] : (part.tags ?? [])
