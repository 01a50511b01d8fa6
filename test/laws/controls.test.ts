import { describe, expect, inject, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Law from "../../src/testing/Law.ts"
import { wrongEventStores } from "./wrongEventStores.ts"

describe.each([["EventStore", wrongEventStores]] as const)("what is wrong with an %s is seen", (_, wrongs) => {
  for (const { breaks, laws, layer, wrong } of wrongs) {
    it.live(wrong, () =>
      Effect.gen(function* () {
        for (const words of breaks) {
          const meant = laws.filter(({ name }) => name.includes(words))
          expect(meant.length, `laws that say "${words}"`).toBeGreaterThan(0)
          const report = yield* Law.checkAll(meant, { seed: inject("seed"), timeout: "1 second", concurrency: 10 })
          expect(report.held, "laws that must be broken").toEqual([])
        }
      }).pipe(Effect.provide(layer, { local: true }))
    )
  }
})
