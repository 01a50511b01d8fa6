import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import * as TenantId from "../../../src/domain/TenantId.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as FlowRecorder from "../../../src/ports/FlowRecorder.ts"
import { FlowStore } from "../../../src/ports/FlowStore.ts"
import * as MessageContext from "../../../src/ports/MessageContext.ts"
import { UnitOfWork } from "../../../src/ports/UnitOfWork.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import { databaseUrl } from "../../services/database.ts"
import { connect, noted, process, quiet } from "./support.ts"

const entry = (n: number) => ({
  tenant: TenantId.make("default"),
  correlationId: "r-1",
  step: { id: String(n).padStart(6, "0"), kind: "event" as const, name: "N", at: n }
})

const ports = Layer.unwrap(
  Effect.map(databaseUrl, (url) =>
    FlowRecorder.layer({ linger: 0, batchSize: 10 }).pipe(Layer.provideMerge(Layer.merge(process(url), quiet)))
  )
)

layer(ports, { excludeTestServices: true, timeout: "30 seconds" })("a recorder on PostgreSQL", (it) => {
  it.effect("loses nothing when the server ends its sessions while it writes", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const [row] = yield* sql<{ readonly name: string }>`select current_database() as name`
      const recorder = yield* FlowRecorder.FlowRecorder
      const killer = yield* connect(yield* databaseUrl)
      for (let round = 0; round < 20; round++) {
        for (let n = 0; n < 50; n++) recorder.unsafeRecord(entry(round * 50 + n))
        yield* killer.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${row?.name}' and pid <> pg_backend_pid()`
        )
        yield* Effect.sleep("2 millis")
      }
      yield* recorder.flush
      const { dropped, failures, lost, recorded, waiting } = yield* recorder.counts
      expect({ dropped, lost, recorded, waiting }).toEqual({ dropped: 0, lost: 0, recorded: 1000, waiting: 0 })
      expect(failures).toBeGreaterThan(0)
      const flows = yield* FlowStore
      expect((yield* flows.read("r-1")).steps.length).toBe(1000)
    })
  )

  it.effect("has the events of a transaction once it is committed, and none that were undone", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const unit = yield* UnitOfWork
      const recorder = yield* FlowRecorder.FlowRecorder
      const flows = yield* FlowStore
      const append = (n: number) =>
        store.append({ stream: StreamName.make("Flow", String(n)), expected: "none", events: [noted(n)] })
      const steps = Effect.andThen(
        recorder.flush,
        Effect.map(flows.read("r-2"), ({ steps }) => steps)
      )
      yield* Effect.gen(function* () {
        yield* Effect.ignore(unit.transaction(Effect.andThen(append(1), Effect.fail("undone"))))
        yield* unit.transaction(
          Effect.gen(function* () {
            yield* append(2)
            yield* Effect.ignore(unit.transaction(Effect.andThen(append(3), Effect.fail("undone"))))
            expect(yield* steps).toEqual([])
          })
        )
        yield* append(4)
      }).pipe(MessageContext.provide({ correlationId: "r-2", messageId: "c" }))
      expect((yield* steps).map(({ causationId, place }) => [place, causationId])).toEqual([
        ["Flow-2@1", "c"],
        ["Flow-4@1", "c"]
      ])
    })
  )
})
