/**
 * Stores that are wrong on purpose, each over the ones in memory: the laws must see what is wrong.
 */
import * as Layer from "effect/Layer"
import * as Memory from "../../src/ports/Memory.ts"
import type * as Law from "../../src/testing/Law.ts"

export type Ports = Layer.Success<typeof Memory.layer>

/** What is wrong with a store, and words from the name of each law that must be broken by it. */
export interface Control<R = Ports> {
  readonly wrong: string
  readonly breaks: ReadonlyArray<string>
  readonly laws: ReadonlyArray<Law.Law<R>>
  readonly layer: Layer.Layer<R>
}

/** Declares wrong implementations of one port, each made from the right one. */
export const controls =
  <S>(laws: ReadonlyArray<Law.Law<Ports>>, over: (make: (right: S) => S) => Layer.Layer<never, never, Ports>) =>
  (wrong: string, breaks: ReadonlyArray<string>, make: (right: S) => S): Control => ({
    wrong,
    breaks,
    laws,
    layer: over(make).pipe(Layer.provideMerge(Memory.layer))
  })
