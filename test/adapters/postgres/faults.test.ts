import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, expect, inject, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as SqlClient from "effect/sql/SqlClient"
import { DeadlockError, SqlError, SqlSyntaxError } from "effect/sql/SqlError"
import * as PgliteClient from "../../../src/adapters/pglite/PgliteClient.ts"
import * as PgFaults from "../../../src/adapters/postgres/PgFaults.ts"
import * as PgMigrations from "../../../src/adapters/postgres/PgMigrations.ts"
import * as Postgres from "../../../src/adapters/postgres/Postgres.ts"
import * as Position from "../../../src/domain/Position.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import type { EventStoreError } from "../../../src/ports/EventStoreError.ts"
import * as TenantContext from "../../../src/ports/TenantContext.ts"
import * as UnitOfWork from "../../../src/ports/UnitOfWork.ts"
import { databaseUrl } from "../../services/database.ts"
import { noted, quiet, settled } from "./support.ts"

/** All ports over a client with faults, in a schema that was there before. */
const over = <E, E2>(
  client: Layer.Layer<PgClient.PgClient | SqlClient.SqlClient, E>,
  ports: Layer.Layer<Postgres.Services, E2, PgClient.PgClient | SqlClient.SqlClient>,
  faults: ReadonlyArray<PgFaults.Fault>
) =>
  ports.pipe(
    Layer.provideMerge(PgFaults.layer(faults)),
    Layer.provide(Layer.provideMerge(PgMigrations.layer, client)),
    Layer.provideMerge(Layer.merge(TenantContext.layerSingle, quiet))
  )

type Faulty = Layer.Layer<
  Postgres.Services | PgClient.PgClient | SqlClient.SqlClient | PgFaults.PgFaults | TenantContext.TenantContext,
  unknown
>

const onServer = (faults: ReadonlyArray<PgFaults.Fault>, maxConnections = 10): Faulty =>
  Layer.unwrap(
    Effect.map(databaseUrl, (url) =>
      over(PgClient.layer({ url: Redacted.make(url), maxConnections }), Postgres.layer, faults)
    )
  )

const embedded = (faults: ReadonlyArray<PgFaults.Fault>): Faulty =>
  over(PgliteClient.layer(), Postgres.layerLocal, faults)

const appending = /es\.append/
const stream = StreamName.make("Note", "1")
const append = EventStore.EventStore.use((store) => store.append({ stream, expected: "any", events: [noted(1)] }))
const version = Effect.map(
  EventStore.EventStore.use((store) => store.streamState(stream)),
  (state) => state.version
)
const injected = PgFaults.PgFaults.use((faults) => faults.injected)
const reasonOf = Effect.map(Effect.flip(append), ({ reason }) =>
  reason._tag === "StorageFailure" ? { retryable: reason.retryable } : reason._tag
)
const undone = { matching: appending, nth: 1 }

describe.each([
  ["PostgreSQL", onServer],
  ["PGlite", embedded]
] as const)("faults of a client of %s", (_, layer) => {
  it.live("refuse a statement: nothing is done, and the caller may try again", () =>
    Effect.gen(function* () {
      expect(yield* reasonOf).toEqual({ retryable: true })
      expect(yield* version).toBe(0)
      yield* append
      expect(yield* version).toBe(1)
      expect(yield* injected).toEqual([{ kind: "fail", statement: expect.stringMatching(appending) }])
    }).pipe(Effect.provide(layer([PgFaults.fail(undone)])))
  )

  it.live("are what they are told to be", () =>
    Effect.gen(function* () {
      expect(yield* reasonOf).toEqual({ retryable: false })
      expect(yield* reasonOf).toEqual({ retryable: true })
      yield* append
    }).pipe(
      Effect.provide(
        layer([
          PgFaults.fail(undone, new SqlError({ reason: new SqlSyntaxError({ cause: "test" }) })),
          PgFaults.fail({ matching: appending, nth: 2 }, new SqlError({ reason: new DeadlockError({ cause: "test" }) }))
        ])
      )
    )
  )

  it.live("end a session: nothing is done, and there is another one", () =>
    Effect.gen(function* () {
      expect(yield* reasonOf).toEqual({ retryable: true })
      expect(yield* version).toBe(0)
      yield* append
      expect(yield* version).toBe(1)
    }).pipe(Effect.provide(layer([PgFaults.kill(undone)])))
  )

  it.live("end a session in a transaction: all of it is undone", () =>
    Effect.gen(function* () {
      const { transaction } = yield* UnitOfWork.UnitOfWork
      const failure = yield* Effect.flip(transaction(Effect.andThen(append, append)))
      expect(failure.reason).toMatchObject({ _tag: "StorageFailure", retryable: true })
      expect(yield* version).toBe(0)
      yield* transaction(Effect.andThen(append, append))
      expect(yield* version).toBe(2)
    }).pipe(Effect.provide(layer([PgFaults.kill({ matching: appending, nth: 2 })])))
  )

  it.live("lose an answer: all is done, and the caller does not know", () =>
    Effect.gen(function* () {
      expect(yield* reasonOf).toEqual({ retryable: true })
      expect(yield* version).toBe(1)
      const store = yield* EventStore.EventStore
      // What an expected version is for: the second attempt does not write again.
      const again = yield* Effect.flip(store.append({ stream, expected: 0, events: [noted(1)] }))
      expect(again.reason).toMatchObject({ _tag: "VersionConflict", actual: 1 })
    }).pipe(Effect.provide(layer([PgFaults.loseAnswer(undone)])))
  )

  it.live("lose the answer to a commit: all is done, and the unit of work does not know", () =>
    Effect.gen(function* () {
      const { transaction } = yield* UnitOfWork.UnitOfWork
      const hooks: Array<string> = []
      const work = transaction(
        Effect.andThen(
          append,
          UnitOfWork.UnitOfWork.use((unit) => unit.afterCommit(Effect.sync(() => void hooks.push("ran"))))
        )
      )
      const failure = yield* Effect.flip(work)
      expect(failure).toMatchObject({ _tag: "UnitOfWorkError", reason: { retryable: true } })
      expect(yield* version).toBe(1)
      expect(hooks).toEqual([])
    }).pipe(Effect.provide(layer([PgFaults.loseAnswer({ matching: /^commit/i, nth: 1 })])))
  )
})

describe("a store under a storm of faults", () => {
  const writers = 6
  const perWriter = 60

  it.live(
    "loses nothing that it has acknowledged, tells every failure, and recovers",
    () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const { transaction } = yield* UnitOfWork.UnitOfWork
        const reasons = new Set<string>()
        const told = (reason: EventStoreError["reason"]) =>
          reasons.add(reason._tag === "StorageFailure" ? `retryable: ${reason.retryable}` : reason._tag)

        /** Appends the numbers in order; what is not known to be written is looked up by its expected version. */
        const write = (writer: number) =>
          Effect.gen(function* () {
            const own = StreamName.make("Storm", String(writer))
            let done = 0
            while (done < perWriter) {
              const one = store.append({ stream: own, expected: done, events: [noted(done)] })
              const outcome = yield* Effect.result(done % 3 === 0 ? transaction(one) : one)
              if (Result.isSuccess(outcome)) {
                expect(outcome.success.version).toBe(done + 1)
                done++
                continue
              }
              const reason = outcome.failure.reason
              told(reason)
              if (reason._tag === "VersionConflict") {
                // The answer to this very append was lost: nobody else writes here.
                expect(reason.actual).toBe(done + 1)
                done++
              }
            }
          })
        yield* Effect.all(
          Array.from({ length: writers }, (_, n) => write(n)),
          { concurrency: "unbounded" }
        ).pipe(Effect.timeout("40 seconds"))

        expect([...reasons].sort()).toEqual(["VersionConflict", "retryable: true"])
        const kinds = new Set((yield* injected).map(({ kind }) => kind))
        expect(kinds).toEqual(new Set(["fail", "kill", "loseAnswer"]))
        yield* Effect.gen(function* () {
          for (let n = 0; n < writers; n++) {
            const events = yield* store.readStream(StreamName.make("Storm", String(n)))
            expect(events.map(({ data }) => data)).toEqual(Array.from({ length: perWriter }, (_, n) => ({ n })))
          }
          // Every place of the pool can be had at the same time, and the mark goes on.
          const sql = yield* PgClient.PgClient
          const both = yield* Latch.make()
          let inside = 0
          yield* Effect.all(
            Array.from({ length: 4 }, () =>
              sql.withTransaction(
                Effect.suspend(() => (++inside === 4 ? both.open : Effect.void)).pipe(Effect.andThen(both.await))
              )
            ),
            { concurrency: "unbounded" }
          ).pipe(Effect.timeout("5 seconds"))
          const [row] = yield* sql<{ readonly last: number }>`select last_value::float8 as last from es.position`
          yield* Effect.timeout(settled(store, Position.make(row?.last ?? 0)), "5 seconds")
        }).pipe(Effect.provideService(PgFaults.Enabled, false))
      }).pipe(
        Effect.provide(
          onServer(
            [
              PgFaults.kill({ matching: /es\.append/, chance: 0.03 }),
              PgFaults.loseAnswer({ matching: /es\.append|^commit/i, chance: 0.05 }),
              PgFaults.fail({ chance: 0.02 })
            ],
            4
          )
        ),
        Random.withSeed(inject("seed"))
      ),
    60_000
  )
})

describe("the agent over a client with faults", () => {
  it.live("moves the mark however often its session ends", () => {
    // On the client's own connections, the agent has the faults as well.
    const layer = Layer.unwrap(
      Effect.map(databaseUrl, (url) =>
        over(PgClient.layer({ url: Redacted.make(url) }), Postgres.layerLocal, [
          PgFaults.kill({ matching: /es\.(look|lead)/, every: 7 }),
          PgFaults.loseAnswer({ matching: /es\.look/, every: 11 })
        ])
      )
    )
    return Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      for (let n = 0; n < 10; n++) {
        const { position } = yield* append
        yield* Effect.timeout(settled(store, position), "20 seconds")
      }
      expect((yield* injected).length).toBeGreaterThan(1)
    }).pipe(Effect.provide(layer))
  })
})
