/**
 * What a torture is: something that does its worst to the real thing for a while, and says whether all promises were kept.
 *
 * Each is a folder here, whose `torture.ts` exports it as `torture`; it goes by the name of its folder.
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface Options {
  /** How long to go on, in seconds. */
  readonly seconds: number
  /** What every random choice starts from. */
  readonly seed: number
  /** The URL of a PostgreSQL server for databases of one's own. Who ends servers starts one instead. */
  readonly server: Effect.Effect<string>
}

/** How often something happened, or a fact about the run. */
export type Counters = Readonly<Record<string, number | string | Readonly<Record<string, number | string>>>>

export interface Verdict {
  /** What did not hold, each in a sentence; nothing, where all holds. */
  readonly problems: ReadonlyArray<string>
  readonly counters: Counters
}

export interface Torture {
  /** What must hold, in a sentence. */
  readonly promise: string
  readonly run: (options: Options) => Effect.Effect<Verdict, unknown, Scope.Scope>
}

/** What of the statements is not as it has to be. */
export const unless = (statements: Readonly<Record<string, boolean>>): ReadonlyArray<string> =>
  Object.entries(statements).flatMap(([sentence, isTrue]) => (isTrue ? [] : [`not so: ${sentence}`]))
