import { describe, expect, inject, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Law from "../../src/testing/Law.ts"
import type { Control } from "./controls.ts"
import { wrongEventStores } from "./wrongEventStores.ts"
import { wrongCheckpointStores, wrongEventBuses, wrongReadModelStores, wrongUnitsOfWork } from "./wrongStores.ts"

const wrongs: ReadonlyArray<readonly [port: string, controls: ReadonlyArray<Control>]> = [
  ["EventStore", wrongEventStores],
  ["CheckpointStore", wrongCheckpointStores],
  ["ReadModelStore", wrongReadModelStores],
  ["UnitOfWork", wrongUnitsOfWork],
  ["EventBus", wrongEventBuses]
]

describe.each(wrongs)("what is wrong with an %s is seen", (_, controls) => {
  for (const { breaks, laws, layer, wrong } of controls) {
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
