/**
 * Aggregates: a name, the events they live by, and the state that a history leads to.
 *
 * @since 0.1.0
 */
import * as Commuting from "./Commuting.ts"
import type * as Decoding from "./Decoding.ts"
import type * as Event from "./Event.ts"
import * as Fold from "./Fold.ts"
import * as Snapshots from "./Snapshots.ts"
import * as StreamName from "./StreamName.ts"

/**
 * A kind of aggregate; its instances are the streams `Name-id`. `S` tells whether snapshots of its state are kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface Aggregate<
  out Name extends string,
  in out State,
  in out E extends Event.Any,
  out K extends Decoding.Kind = never,
  out S extends Snapshots.Snapshots<State> | undefined = Snapshots.Snapshots<State> | undefined
> extends Fold.Fold<State, E, K> {
  readonly name: Name
  /** The stream of the aggregate with this id. */
  readonly stream: (id: string) => StreamName.StreamName
  readonly snapshots: S
  readonly commuting: Commuting.Commuting
}

/**
 * What an aggregate is declared with.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<
  Classes extends ReadonlyArray<Event.AnyClass<Decoding.Kind>>,
  State,
  S extends Snapshots.Options<NoInfer<State>> | undefined = undefined
> extends Fold.Options<Classes, State> {
  /** How the state is kept, so that a load folds only what came since; see `Snapshots.Options`. */
  readonly snapshots?: S
  /** Which events may change places, for commands that merge with what others appended; see `Commuting.Table`. */
  readonly commutes?: Commuting.Table<Event.Of<NoInfer<Classes>>["_tag"]> | undefined
}

/**
 * What becomes of the declared snapshots.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type SnapshotsOf<State, S> = S extends Snapshots.Options<State> ? Snapshots.Snapshots<State> : undefined

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
export function make<
  const Name extends string,
  const Classes extends ReadonlyArray<Event.AnyClass<Decoding.Kind>>,
  State,
  S extends Snapshots.Options<NoInfer<State>> | undefined = undefined
>(
  name: Name,
  options: Options<Classes, State, S>
): Fold.Declared<
  State,
  Event.Of<Classes>,
  Aggregate<Name, State, Event.Of<Classes>, Event.KindOf<Classes>, SnapshotsOf<State, S>>
>
export function make(
  name: string,
  options: Options<ReadonlyArray<Event.AnyClass<Decoding.Kind>>, unknown, Snapshots.Options<unknown> | undefined>
): unknown {
  if (name === "" || name.includes("-")) {
    throw new Error(
      `The aggregate name "${name}" must be text without a dash: a stream's category ends at the first one`
    )
  }
  const declared = Fold.make(options)
  const own = {
    name,
    stream: (id: string) => StreamName.make(name, id),
    snapshots: options.snapshots === undefined ? undefined : Snapshots.make(options.snapshots),
    commuting: Commuting.make(options.commutes)
  }
  return { evolve: (evolve: Fold.Evolve<unknown, Event.Any>) => ({ ...declared.evolve(evolve), ...own }) }
}
