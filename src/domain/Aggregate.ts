/**
 * Aggregates: a name, the events they live by, and the state that a history leads to.
 *
 * @since 0.1.0
 */
import type * as Decoding from "./Decoding.ts"
import type * as Event from "./Event.ts"
import * as Fold from "./Fold.ts"
import * as StreamName from "./StreamName.ts"

/**
 * A kind of aggregate; its instances are the streams `Name-id`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Aggregate<
  out Name extends string,
  in out State,
  in out E extends Event.Any,
  out K extends Decoding.Kind = never
> extends Fold.Fold<State, E, K> {
  readonly name: Name
  /** The stream of the aggregate with this id. */
  readonly stream: (id: string) => StreamName.StreamName
}

/**
 * Declares an aggregate: its name, events and initial state first, then how the state evolves.
 *
 * **Gotchas**
 *
 * The name is a storage format, and may not hold a dash: a stream's category ends at the first one. Two events of one tag
 * or a name with a dash make this throw when it is called.
 *
 * **Example** (A task)
 *
 * ```ts
 * import { Aggregate, Event } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", { title: Schema.String }) {}
 * class TaskCompleted extends Event.Class<TaskCompleted>()("TaskCompleted", {}) {}
 *
 * interface State {
 *   readonly status: "none" | "open" | "done"
 * }
 * const initial: State = { status: "none" }
 *
 * const Task = Aggregate.make("Task", { events: [TaskCreated, TaskCompleted], initial }).evolve({
 *   TaskCreated: () => ({ status: "open" }),
 *   TaskCompleted: () => ({ status: "done" })
 * })
 *
 * Task.evolve(initial, new TaskCompleted()).status // => "done"
 * Task.stream("t-1") // => "Task-t-1"
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
  options: Fold.Options<Classes, State>
): Fold.Declared<State, Event.Of<Classes>, Aggregate<Name, State, Event.Of<Classes>, Event.KindOf<Classes>>> => {
  if (name === "" || name.includes("-")) {
    throw new Error(
      `The aggregate name "${name}" must be text without a dash: a stream's category ends at the first one`
    )
  }
  const declared = Fold.make(options)
  const stream = (id: string) => StreamName.make(name, id)
  return { evolve: (evolve) => ({ ...declared.evolve(evolve), name, stream }) }
}
