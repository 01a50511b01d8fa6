import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PgliteClient from "../../../src/adapters/pglite/PgliteClient.ts"
import * as PgHighWater from "../../../src/adapters/postgres/PgHighWater.ts"
import * as Pglite from "../../../src/adapters/postgres/pglite.ts"
import * as Postgres from "../../../src/adapters/postgres/Postgres.ts"
import * as Position from "../../../src/domain/Position.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as TenantContext from "../../../src/ports/TenantContext.ts"
import * as UnitOfWork from "../../../src/ports/UnitOfWork.ts"
import { noted } from "./support.ts"

const stream = StreamName.make("Single", "1")

/** Events that are written one by one and in a transaction are read in order, and whoever waits for them is woken. */
const follows = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const unit = yield* UnitOfWork.UnitOfWork
  const append = (n: number) => store.append({ stream, expected: n - 1, events: [noted(n)] })
  yield* append(1)
  yield* unit.transaction(Effect.andThen(append(2), Effect.andThen(Effect.sleep("20 millis"), append(3))))
  const { position } = yield* append(4)
  yield* Effect.timeout(store.changed(Position.make(position - 1)), "5 seconds")
  const { events } = yield* store.readAll({ after: Position.start, limit: 10 })
  expect(events.map(({ data }) => data)).toEqual([1, 2, 3, 4].map((n) => ({ n })))
  const { state } = yield* PgHighWater.PgHighWater
  expect(yield* state).toMatchObject({ leads: true, mark: position, failure: undefined })
})

layer(Layer.merge(Pglite.layer(), TenantContext.layerSingle), { excludeTestServices: true })(
  "an embedded database",
  (it) => {
    it.effect("has all that a server has, on its one session", () => follows)
  }
)

layer(Layer.merge(Layer.provide(Postgres.layer, PgliteClient.layer()), TenantContext.layerSingle), {
  excludeTestServices: true
})("the layer for servers over an embedded database", (it) => {
  it.effect("takes no second session", () => follows)
})
