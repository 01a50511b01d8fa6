import { describe, expect, it, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as Receipt from "../../../src/ports/Receipt.ts"
import * as UnitOfWork from "../../../src/ports/UnitOfWork.ts"
import { databaseUrl } from "../../services/database.ts"
import { connect, freshStore, noted, type Provided, process, quiet } from "./support.ts"

const append = (id: string) =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    store.append({ stream: StreamName.make("Unit", id), expected: "any", events: [noted(1)] })
  )

const version = (id: string) =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    Effect.map(store.streamState(StreamName.make("Unit", id)), (state) => state.version)
  )

const transaction = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.flatMap(UnitOfWork.UnitOfWork, (unit) => unit.transaction(self))

layer(freshStore, { excludeTestServices: true })("a unit of work", (it) => {
  it.effect("lets a failure of a statement of the program's own pass as it is", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const error = yield* Effect.flip(transaction(Effect.andThen(append("own"), sql`select 1 / 0`)))
      expect(error._tag).toBe("SqlError")
      expect(yield* version("own")).toBe(0)
    })
  )

  it.effect("commits the program's own statements with the events", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`create table own (id int primary key)`
      const insert = (id: number) => sql`insert into own (id) values (${id})`
      yield* transaction(Effect.andThen(append("both"), insert(1)))
      yield* Effect.flip(transaction(Effect.andThen(append("both"), Effect.andThen(insert(2), Effect.fail("no")))))
      expect(yield* version("both")).toBe(1)
      expect(yield* sql`select id from own`).toEqual([{ id: 1 }])
    })
  )

  it.effect("says that it could not commit, and keeps nothing, not even the receipt", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`create table late (id int unique deferrable initially deferred)`
      const noted: Array<Receipt.AppendReceipt> = []
      const hooks: Array<string> = []
      const unit = yield* UnitOfWork.UnitOfWork
      const error = yield* append("commit").pipe(
        Effect.andThen(sql`insert into late (id) values (1), (1)`),
        Effect.andThen(unit.afterCommit(Effect.sync(() => void hooks.push("ran")))),
        transaction,
        Effect.provideService(Receipt.Collector, noted),
        Effect.flip
      )
      expect(error).toMatchObject({
        _tag: "UnitOfWorkError",
        reason: { _tag: "StorageFailure", operation: "UnitOfWork.transaction", retryable: false }
      })
      expect(yield* version("commit")).toBe(0)
      expect(noted).toEqual([])
      expect(hooks).toEqual([])
    })
  )

  it.effect("goes on after a statement that failed in a nested one", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* transaction(
        Effect.gen(function* () {
          yield* append("nested")
          yield* Effect.flip(transaction(Effect.andThen(append("nested"), sql`select 1 / 0`)))
          yield* append("nested")
        })
      )
      expect(yield* version("nested")).toBe(2)
    })
  )

  it.effect("passes defects and interruptions as they are", () =>
    Effect.gen(function* () {
      const died = yield* Effect.exit(transaction(Effect.andThen(append("died"), Effect.die("bug"))))
      expect(died).toEqual(Exit.die("bug"))
      const interrupted = yield* Effect.exit(transaction(Effect.andThen(append("died"), Effect.interrupt)))
      expect(Exit.isFailure(interrupted) && Cause.hasInterruptsOnly(interrupted.cause)).toBe(true)
      expect(yield* version("died")).toBe(0)
    })
  )
})

describe("a unit of work that loses its connection", () => {
  const lose = (within: (kill: Effect.Effect<void, unknown>) => Effect.Effect<unknown, unknown, Provided>) =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const connection = yield* connect(url)
      const kill = Effect.asVoid(
        connection.query(
          "select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction' and datname = current_database()"
        )
      ).pipe(Effect.andThen(Effect.sleep("50 millis")))
      yield* within(kill).pipe(Effect.provide(Layer.provide(process(url), quiet)))
    })

  it.live("fails with what its next statement says", () =>
    lose((kill) =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(
          transaction(append("lost").pipe(Effect.andThen(kill), Effect.andThen(append("lost"))))
        )
        expect(Exit.isFailure(exit) && exit.cause.reasons.map((reason) => reason._tag)).toEqual(["Fail"])
        expect(exit).toMatchObject({
          cause: {
            reasons: [{ error: { _tag: "EventStoreError", reason: { _tag: "StorageFailure", retryable: true } } }]
          }
        })
        expect(yield* version("lost")).toBe(0)
      })
    )
  )

  it.live("fails with what went wrong inside, when it cannot be rolled back any more", () =>
    lose((kill) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(
          transaction(append("lost").pipe(Effect.andThen(kill), Effect.andThen(Effect.fail("no"))))
        )
        expect(error).toBe("no")
      })
    )
  )

  it.live("says so when it commits, and when a nested one ends", () =>
    lose((kill) =>
      Effect.gen(function* () {
        const failed = { _tag: "UnitOfWorkError", reason: { _tag: "StorageFailure", retryable: true } }
        expect(yield* Effect.flip(transaction(Effect.andThen(append("lost"), kill)))).toMatchObject(failed)
        const nested = transaction(transaction(Effect.andThen(append("lost"), kill)))
        expect(yield* Effect.flip(nested)).toMatchObject(failed)
        expect(yield* version("lost")).toBe(0)
      })
    )
  )
})
