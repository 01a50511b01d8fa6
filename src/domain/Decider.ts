/**
 * Decisions as pure data and functions: given what happened, what does this command lead to?
 *
 * The idea and the three names are Jérémie Chassaing's "Functional Event Sourcing Decider" (2021).
 *
 * @since 0.1.0
 */
import type * as Result from "effect/Result"

/**
 * A decider for commands: `initial` and `evolve` give the state that a history leads to, `decide` says what follows.
 *
 * @category models
 * @since 0.1.0
 */
export interface Decider<in Command, in out State, in out Event, out Error = never> {
  readonly initial: State
  readonly evolve: (state: State, event: Event) => State
  readonly decide: Decide<Command, State, Event, Error>
}

/**
 * A decision: the events that follow, or the reason why none can. Time and ids come as arguments, in the command or closed
 * over, so that the same input always gives the same answer.
 *
 * @category models
 * @since 0.1.0
 */
export type Decide<in Command, in State, out Event, out Error = never> = (
  command: Command,
  state: State
) => Result.Result<ReadonlyArray<Event>, Error>

/**
 * How a decision can refuse: all errors of all its branches.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type ErrorOf<Decision> = Decision extends Result.Result<unknown, infer Error> ? Error : never

/**
 * Builds a decider. `Event` is inferred from `evolve` alone, so that a decision may emit fewer kinds than the history holds.
 *
 * **Example** (A counter that stops at ten)
 *
 * ```ts
 * import { Decider, Fold } from "effect-cqrs"
 * import * as Result from "effect/Result"
 *
 * const counter = Decider.make({
 *   initial: 0,
 *   evolve: (count: number, event: { readonly by: number }) => count + event.by,
 *   decide: (by: number, count) => (count + by > 10 ? Result.fail("full") : Result.succeed([{ by }]))
 * })
 *
 * Fold.run(counter, [{ by: 4 }, { by: 5 }]) // => 9
 * Result.isFailure(counter.decide(2, 9)) // => true
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <State, Event, Command, Error = never>(options: {
  readonly initial: State
  readonly evolve: (state: State, event: Event) => State
  readonly decide: Decide<Command, NoInfer<State>, NoInfer<Event>, Error>
}): Decider<Command, State, Event, Error> => options
