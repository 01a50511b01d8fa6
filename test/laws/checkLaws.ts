/**
 * Checks laws on an implementation, each as a test of its own.
 */
import { describe, inject, layer } from "@effect/vitest"
import * as Duration from "effect/Duration"
import type * as Layer from "effect/Layer"
import * as Law from "../../src/testing/Law.ts"

/** The layer is built once for all suites; a law that would prove nothing is skipped, and its name says why. */
export const checkLaws = <R, E>(
  name: string,
  suites: Readonly<Record<string, ReadonlyArray<Law.Law<R>>>>,
  ports: Layer.Layer<R, E>,
  capabilities: Law.Capabilities
): void =>
  layer(ports, { excludeTestServices: true, timeout: "30 seconds" })(name, (it) => {
    for (const [suite, laws] of Object.entries(suites)) {
      describe(suite, () => {
        for (const law of laws) {
          const why = Law.skipReason(law, capabilities)
          if (why !== undefined) it.skip(`${law.name} (${why})`, () => undefined)
          else
            it.effect(law.name, () => Law.check(law, { seed: inject("seed") }), Duration.toMillis(law.timeout) + 1000)
        }
      })
    }
  })
