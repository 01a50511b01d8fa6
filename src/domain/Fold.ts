/**
 * The state that a history of events leads to.
 *
 * @since 0.1.0
 */
import type * as Decoding from "./Decoding.ts"
import type * as Event from "./Event.ts"
import type * as FieldIssue from "./FieldIssue.ts"
import type * as Join from "./Join.ts"
import * as RecordedEvent from "./RecordedEvent.ts"

/**
 * How a state follows from the one before: one function over all events, or one function per event, which the compiler
 * checks to be all of them.
 *
 * @category models
 * @since 0.1.0
 */
export type Evolve<State, E extends Event.Any> =
  | ((state: State, event: E) => State)
  | { readonly [Tag in E["_tag"]]: (state: State, event: Extract<E, { readonly _tag: Tag }>) => State }

/**
 * A state over events: where it starts and how each event changes it. `K` is what the events' histories ask of a reader.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fold<in out State, in out E extends Event.Any, out K extends Decoding.Kind = never> {
  readonly events: ReadonlyArray<Event.AnyClass<K> & { readonly Type: E }>
  /** How consecutive events of a stream become one, when a whole stream is read. */
  readonly joins: ReadonlyArray<Join.Join<E>>
  readonly initial: State
  readonly evolve: (state: State, event: E) => State
  /** Decodes a stored event of these classes; refuses others with the reason. */
  readonly decode: (
    stored: RecordedEvent.Stored
  ) => Decoding.Of<RecordedEvent.RecordedEvent<E>, ReadonlyArray<FieldIssue.FieldIssue>, K>
}

/**
 * A fold that still lacks its functions. Their types follow from events and initial state, which is why they come second.
 *
 * @category models
 * @since 0.1.0
 */
export interface Declared<State, E extends Event.Any, out Folded> {
  readonly evolve: (evolve: Evolve<State, E>) => Folded
}

/**
 * What a fold is declared with.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<Classes extends ReadonlyArray<Event.AnyClass<Decoding.Kind>>, State> {
  readonly events: Classes
  readonly initial: State
  /** How consecutive events of a stream become one; see `Join`. */
  readonly joins?: ReadonlyArray<Join.Join<Event.Of<NoInfer<Classes>>>> | undefined
}

/**
 * Declares a fold: events and initial state first, then how the state evolves.
 *
 * **Gotchas**
 *
 * Two event classes of one tag make this throw: a log cannot tell them apart.
 *
 * **Example** (How many tasks are open)
 *
 * ```ts
 * import { Event, Fold } from "effect-cqrs"
 *
 * class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", {}) {}
 * class TaskCompleted extends Event.Class<TaskCompleted>()("TaskCompleted", {}) {}
 *
 * const open = Fold.make({ events: [TaskCreated, TaskCompleted], initial: 0 }).evolve({
 *   TaskCreated: (count) => count + 1,
 *   TaskCompleted: (count) => count - 1
 * })
 *
 * Fold.run(open, [new TaskCreated(), new TaskCreated(), new TaskCompleted()]) // => 1
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export function make<const Classes extends ReadonlyArray<Event.AnyClass<Decoding.Kind>>, State>(
  options: Options<Classes, State>
): Declared<State, Event.Of<Classes>, Fold<State, Event.Of<Classes>, Event.KindOf<Classes>>>
export function make({
  events,
  initial,
  joins = []
}: Options<ReadonlyArray<Event.AnyClass<Decoding.Kind>>, unknown>): unknown {
  const decode = RecordedEvent.decoder(events)
  return { evolve: (evolve: AnyEvolve) => ({ events, joins, initial, evolve: step(evolve), decode }) }
}

/**
 * The state after these events.
 *
 * @category folding
 * @since 0.1.0
 */
export const run = <State, E>(
  self: { readonly initial: State; readonly evolve: (state: State, event: E) => State },
  events: Iterable<E>
): State => {
  let state = self.initial
  for (const event of events) state = self.evolve(state, event)
  return state
}

type Step = (state: unknown, event: Event.Any) => unknown
type AnyEvolve = Step | Readonly<Record<string, Step>>

const step = (evolve: AnyEvolve): Step => {
  if (typeof evolve === "function") return evolve
  const steps = new Map(Object.entries(evolve))
  return (state, event) => {
    const next = steps.get(event._tag)
    return next === undefined ? state : next(state, event)
  }
}
