import type { Effect, Layer } from "effect"

/** Runs a program that has all it needs: one that lacks something does not compile. */
export declare const run: <A, E>(program: Effect.Effect<A, E>) => void

/** Builds a layer that has all it needs. */
export declare const build: <A, E>(layer: Layer.Layer<A, E>) => void
