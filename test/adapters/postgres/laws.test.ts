import { describe, inject, layer } from "@effect/vitest"
import * as Duration from "effect/Duration"
import type * as Layer from "effect/Layer"
import * as Pglite from "../../../src/adapters/postgres/pglite.ts"
import type { CheckpointStore } from "../../../src/ports/CheckpointStore.ts"
import type { EventStore } from "../../../src/ports/EventStore.ts"
import type { ReadModelStore } from "../../../src/ports/ReadModelStore.ts"
import type { UnitOfWork } from "../../../src/ports/UnitOfWork.ts"
import * as CheckpointStoreLaws from "../../../src/testing/CheckpointStoreLaws.ts"
import * as EventStoreLaws from "../../../src/testing/EventStoreLaws.ts"
import * as Law from "../../../src/testing/Law.ts"
import * as ReadModelStoreLaws from "../../../src/testing/ReadModelStoreLaws.ts"
import * as UnitOfWorkLaws from "../../../src/testing/UnitOfWorkLaws.ts"
import { freshStore } from "./support.ts"

type Ports = EventStore | CheckpointStore | ReadModelStore | UnitOfWork

const laws: Record<string, ReadonlyArray<Law.Law<Ports>>> = {
  EventStore: EventStoreLaws.laws,
  CheckpointStore: CheckpointStoreLaws.laws,
  ReadModelStore: ReadModelStoreLaws.laws,
  UnitOfWork: UnitOfWorkLaws.laws
}

const adapters: ReadonlyArray<readonly [string, Layer.Layer<Ports, unknown>, Law.Capabilities]> = [
  ["Postgres.layer", freshStore, { sessions: 10 }],
  ["Pglite.layer", Pglite.layer(), { sessions: 1 }]
]

describe.each(adapters)("%s", (_, ports, capabilities) => {
  layer(ports, { timeout: "30 seconds" })((it) => {
    for (const port in laws) {
      describe(port, () => {
        for (const law of laws[port] ?? []) {
          const skipped = Law.skipReason(law, capabilities)
          if (skipped !== undefined) it.skip(`${law.name} (${skipped})`, () => undefined)
          else
            it.effect(law.name, () => Law.check(law, { seed: inject("seed") }), Duration.toMillis(law.timeout) + 1000)
        }
      })
    }
  })
})
