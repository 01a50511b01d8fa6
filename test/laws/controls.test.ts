import { describe, expect, inject, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Law from "../../src/testing/Law.ts"
import type { Control } from "./controls.ts"
import { wrongBusDrivers } from "./wrongBusDrivers.ts"
import { wrongEventSizes } from "./wrongEventSizes.ts"
import { wrongConsumerStores, wrongParkedStores } from "./wrongConsumerStores.ts"
import { wrongBoundaries } from "./wrongBoundaries.ts"
import { wrongEventStores } from "./wrongEventStores.ts"
import { wrongFlowStores } from "./wrongFlowStores.ts"
import { wrongClaimingInboxes, wrongInboxes } from "./wrongInboxes.ts"
import { wrongLeases } from "./wrongLeases.ts"
import { wrongOutboxes } from "./wrongOutboxes.ts"
import { wrongQueryCaches } from "./wrongQueryCaches.ts"
import { wrongProjections, wrongProjectionStores } from "./wrongProjections.ts"
import { wrongSnapshotStores } from "./wrongSnapshotStores.ts"
import { wrongEventGroups } from "./wrongEventGroups.ts"
import { wrongGroupDrivers } from "./wrongGroupDrivers.ts"
import { wrongEventImports } from "./wrongEventImports.ts"
import { wrongStreamAdmins } from "./wrongStreamAdmins.ts"
import { wrongCheckpointStores, wrongEventBuses, wrongReadModelStores, wrongUnitsOfWork } from "./wrongStores.ts"

const wrongs: ReadonlyArray<readonly [port: string, controls: ReadonlyArray<Control>]> = [
  ["EventStore (sizes)", wrongEventSizes],
  ["EventStore", [...wrongEventStores, ...wrongBoundaries]],
  ["StreamAdmin", wrongStreamAdmins],
  ["EventImport", wrongEventImports],
  ["CheckpointStore", wrongCheckpointStores],
  ["ConsumerStore", wrongConsumerStores],
  ["ParkedStore", wrongParkedStores],
  ["Outbox", wrongOutboxes],
  ["Inbox", wrongInboxes],
  ["ClaimingInbox", wrongClaimingInboxes],
  ["Lease", wrongLeases],
  ["FlowStore", wrongFlowStores],
  ["QueryCache", wrongQueryCaches],
  ["ReadModelStore", wrongReadModelStores],
  ["SnapshotStore", wrongSnapshotStores],
  ["UnitOfWork", wrongUnitsOfWork],
  ["ProjectionStore", wrongProjectionStores],
  ["Projection", wrongProjections],
  ["EventBus", wrongEventBuses],
  ["EventGroups", wrongEventGroups]
]

const seen = <R>(controls: ReadonlyArray<Control<R>>): void => {
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
}

describe.each(wrongs)("what is wrong with an %s is seen", (_, controls) => seen(controls))
describe("what is wrong with a driver of an EventBus is seen", () => seen(wrongBusDrivers))
describe("what is wrong with a driver of EventGroups is seen", () => seen(wrongGroupDrivers))
