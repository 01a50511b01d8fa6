/**
 * Tests of decisions in the words they are talked about: given a history, when a command comes, then this follows.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type { Decide, ErrorOf, Decider } from "../domain/Decider.ts"
import * as Fold from "../domain/Fold.ts"
import * as Assert from "./Assert.ts"
import * as Diff from "./internal/diff.ts"

/**
 * A history, before anything is decided.
 *
 * @category models
 * @since 0.1.0
 */
export interface Given<State, E> {
  /** Decides on a command, in the state that the history leads to. */
  readonly when: <Command, Decision extends Result.Result<ReadonlyArray<E>, unknown>>(
    command: Command,
    decide: (command: Command, state: State) => Decision
  ) => Outcome<State, E, ErrorOf<Decision>>
  /** Throws unless the history leads to this state. */
  readonly thenState: (state: State) => void
}

/**
 * A history of what has a decider of its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface GivenDecider<Command, State, E, Error> {
  /** Decides on a command, in the state that the history leads to. */
  readonly when: (command: Command) => Outcome<State, E, Error>
  /** Throws unless the history leads to this state. */
  readonly thenState: (state: State) => void
}

/**
 * What was decided; every method throws an `AssertionFailed` unless it was this.
 *
 * @category models
 * @since 0.1.0
 */
export interface Outcome<State, E, Error> {
  /** Exactly these events followed, in this order; none for an empty list. */
  readonly thenEvents: (events: ReadonlyArray<E>) => Outcome<State, E, Error>
  /** The events that followed lead to this state. */
  readonly thenState: (state: State) => Outcome<State, E, Error>
  /** The command was refused for this reason. */
  readonly thenFails: (error: Error) => void
}

/**
 * Starts from a history of an aggregate, a fold or a decider. What it has not among its events does not compile.
 *
 * **Example** (A lamp that can be lit once)
 *
 * ```ts
 * import { Aggregate, Event } from "effect-cqrs"
 * import { DeciderSpec } from "effect-cqrs/testing"
 * import * as Result from "effect/Result"
 *
 * class Lit extends Event.Class<Lit>()("Lit", {}) {}
 * class Out extends Event.Class<Out>()("Out", {}) {}
 *
 * const Lamp = Aggregate.make("Lamp", { events: [Lit, Out], initial: false }).evolve({ Lit: () => true, Out: () => false })
 * const light = (_: "light", on: boolean) => (on ? Result.fail("it is on") : Result.succeed([new Lit()]))
 *
 * const dark = DeciderSpec.given(Lamp, [new Lit(), new Out()])
 * dark.when("light", light).thenEvents([new Lit()]).thenState(true)
 * DeciderSpec.given(Lamp, [new Lit()]).when("light", light).thenFails("it is on")
 *
 * let message = ""
 * try {
 *   dark.when("light", light).thenEvents([])
 * } catch (error) {
 *   message = String(error)
 * }
 * message // => 'AssertionFailed: The events that followed "light"\n  [0]: expected nothing, got Lit({"_tag":"Lit"})'
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export function given<Command, State, E, Error = never>(
  decider: Decider<Command, State, E, Error>,
  history: ReadonlyArray<NoInfer<E>>
): GivenDecider<Command, State, E, Error>
export function given<State, E>(
  fold: { readonly initial: State; readonly evolve: (state: State, event: E) => State },
  history: ReadonlyArray<NoInfer<E>>
): Given<State, E>
export function given<State, E>(
  fold: Evolving<State, E> & { readonly decide?: Decide<unknown, State, E, unknown> },
  history: ReadonlyArray<E>
): unknown {
  const state = Fold.run(fold, history)
  return {
    when: (command: unknown, decide = fold.decide) => {
      Assert.isTrue(decide !== undefined, "There is nothing that decides on the command")
      return outcome(fold, state, Diff.show(command), decide(command, state))
    },
    thenState: (expected: State) => Assert.equal(state, expected, "The state that the history leads to")
  }
}

interface Evolving<State, E> {
  readonly initial: State
  readonly evolve: (state: State, event: E) => State
}

const outcome = <State, E, Error>(
  fold: Evolving<State, E>,
  state: State,
  command: string,
  decision: Result.Result<ReadonlyArray<E>, Error>
): Outcome<State, E, Error> => {
  const followed = (expected: string): ReadonlyArray<E> => {
    if (Result.isSuccess(decision)) return decision.success
    throw new Assert.AssertionFailed(
      `${command} was refused\n  expected ${expected}, got ${Diff.show(decision.failure)}`
    )
  }
  const self: Outcome<State, E, Error> = {
    thenEvents: (events) => {
      Assert.equal(followed(`the events ${Diff.show(events)}`), events, `The events that followed ${command}`)
      return self
    },
    thenState: (expected) => {
      const events = followed(`the state ${Diff.show(expected)}`)
      Assert.equal(Fold.run({ initial: state, evolve: fold.evolve }, events), expected, `The state after ${command}`)
      return self
    },
    thenFails: (error) => {
      if (Result.isSuccess(decision)) {
        const got = `the events ${Diff.show(decision.success)}`
        throw new Assert.AssertionFailed(`${command} was not refused\n  expected ${Diff.show(error)}, got ${got}`)
      }
      Assert.equal(decision.failure, error, `The reason why ${command} was refused`)
    }
  }
  return self
}
