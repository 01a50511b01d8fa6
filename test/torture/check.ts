/**
 * Runs a torture for a few seconds as a test.
 */
import { expect, inject, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { quiet } from "../adapters/postgres/support.ts"
import type { Torture } from "./Torture.ts"

/** Gives a torture so many seconds on the test run's own server; all must hold. */
export const checkTorture = (torture: Torture, seconds: number): void =>
  it.live(
    torture.promise,
    () =>
      Effect.gen(function* () {
        const server = Effect.succeed(inject("services").postgres)
        const { counters, problems } = yield* torture.run({ seconds, seed: inject("seed"), server })
        expect({ problems, counters }).toMatchObject({ problems: [] })
      }).pipe(Effect.scoped, Effect.provide(quiet)),
    90_000
  )
