import { describe, expect, inject, it, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import * as PgEventStore from "../../../src/adapters/postgres/PgEventStore.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import type { ExpectedVersion } from "../../../src/ports/EventStoreError.ts"
import { databaseUrl } from "../../services/database.ts"
import { type Connection, connect, freshStore, noted, process, quiet } from "./support.ts"

const all = { concurrency: "unbounded" } as const
const name = (id: string | number) => StreamName.make("Group", String(id))
const times = (count: number) => Array.from({ length: count }, (_, n) => n)

const append = (id: string | number, n = 0, expected: ExpectedVersion = "none") =>
  Effect.flatMap(EventStore.EventStore, (store) => store.append({ stream: name(id), expected, events: [noted(n)] }))

const version = (id: string | number) =>
  Effect.flatMap(EventStore.EventStore, (store) => Effect.map(store.streamState(name(id)), (state) => state.version))

/** Holds the rows of these streams until the transaction of the connection ends. */
const lock = (connection: Connection, ids: ReadonlyArray<string>) =>
  Effect.andThen(
    connection.query("begin"),
    Effect.forEach(ids, (id) => connection.query(`select from es.stream where stream = '${name(id)}' for update`))
  )

layer(freshStore, { excludeTestServices: true })("appends at the same time", (it) => {
  it.effect("go together in fewer transactions, and each has its own place in the log", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const receipts = yield* Effect.forEach(times(200), (n) => append(`many-${n}`, n), all)
      const [row] = yield* sql<{ readonly transactions: number }>`
        select count(distinct xmin::text)::int as transactions from es.event where stream like 'Group-many-%'`
      expect(row?.transactions).toBeLessThan(50)
      expect(new Set(receipts.map(({ position }) => position)).size).toBe(200)
      const store = yield* EventStore.EventStore
      for (const [n, receipt] of receipts.entries()) {
        expect(yield* store.readStream(name(`many-${n}`))).toMatchObject([{ ...receipt, data: { n } }])
      }
    })
  )

  it.effect("conflict one by one", () =>
    Effect.gen(function* () {
      yield* Effect.forEach(times(50), (n) => append(`conflict-${n}`), all)
      const results = yield* Effect.forEach(
        times(100),
        (n) => Effect.result(append(`conflict-${n}`, n, n % 2 === 0 ? "none" : "any")),
        all
      )
      for (const [n, result] of results.entries()) {
        const refused = n < 50 && n % 2 === 0
        expect(Result.isFailure(result), String(n)).toBe(refused)
        expect(yield* version(`conflict-${n}`)).toBe(n < 50 && n % 2 === 1 ? 2 : 1)
      }
    })
  )

  it.effect("that cannot be written fail alone", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`create function es.refuse() returns trigger language plpgsql as $$ begin
        if (new.data ->> 'n')::int % 10 = 3 then raise exception 'refused'; end if; return new; end $$`
      yield* sql`create trigger refuse before insert on es.event for each row
        when (new.stream like 'Group-bad-%') execute function es.refuse()`
      const results = yield* Effect.forEach(times(60), (n) => Effect.result(append(`bad-${n}`, n)), all)
      for (const [n, result] of results.entries()) {
        if (n % 10 === 3) {
          expect(result).toMatchObject({ failure: { reason: { _tag: "StorageFailure", retryable: false } } })
        } else expect(result).toMatchObject({ success: { version: 1 } })
        expect(yield* version(`bad-${n}`)).toBe(n % 10 === 3 ? 0 : 1)
      }
    })
  )

  it.effect("fail alone also when the database has a code of its own for it", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`create function es.refuse_own() returns trigger language plpgsql as $$ begin
        if (new.data ->> 'n')::int % 10 = 3 then raise exception 'refused' using errcode = 'MY001'; end if; return new; end $$`
      yield* sql`create trigger refuse_own before insert on es.event for each row
        when (new.stream like 'Group-own-%') execute function es.refuse_own()`
      const results = yield* Effect.forEach(times(60), (n) => Effect.result(append(`own-${n}`, n)), all)
      for (const [n, result] of results.entries()) expect(Result.isFailure(result), String(n)).toBe(n % 10 === 3)
    })
  )

  it.effect("do nothing to each other when they are interrupted", () =>
    Effect.gen(function* () {
      for (const round of times(20)) {
        const fibers = yield* Effect.forEach(times(60), (n) => Effect.forkChild(append(`cut-${round}-${n}`, n)))
        const cut = times(60).filter((n) => n % 3 === round % 3)
        for (const _ of times(yield* Random.nextIntBetween(0, 4))) yield* Effect.yieldNow
        yield* Fiber.interruptAll(cut.flatMap((n) => fibers[n] ?? []))
        for (const [n, fiber] of fibers.entries()) {
          if (!cut.includes(n)) expect(yield* Fiber.join(fiber)).toMatchObject({ version: 1 })
        }
        // The same streams take appends at once: nothing that was interrupted keeps its stream.
        yield* Effect.timeout(
          Effect.forEach(cut, (n) => append(`cut-${round}-${n}`, n, "any"), all),
          "5 seconds"
        )
      }
    }).pipe(Random.withSeed(inject("seed")))
  )
})

describe("an append whose stream is locked", () => {
  it.live("keeps no other append waiting", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const connection = yield* connect(url)
      yield* Effect.gen(function* () {
        const locked = times(5).map((n) => `locked-${n}`)
        yield* Effect.forEach(locked, (id) => append(id))
        yield* lock(connection, locked)
        const waiting = yield* Effect.forEach(locked, (id) => Effect.forkChild(append(id, 1, 1)))
        for (const round of times(3)) {
          yield* Effect.timeout(
            Effect.forEach(times(100), (n) => append(`free-${round}-${n}`, n), all),
            "5 seconds"
          )
        }
        for (const fiber of waiting) expect(fiber.pollUnsafe()).toBeUndefined()
        yield* connection.query("commit")
        for (const fiber of waiting) expect(yield* Fiber.join(fiber)).toMatchObject({ version: 2 })
      }).pipe(Effect.provide(process(url, { maxConnections: 8 })))
    })
  )

  it.live("does not fail the group that it comes with", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const connection = yield* connect(url)
      yield* Effect.gen(function* () {
        yield* append("in-group")
        yield* lock(connection, ["in-group"])
        const together = yield* Effect.forkChild(
          Effect.forEach(times(80), (n) => (n === 40 ? append("in-group", n, 1) : append(`with-${n}`, n)), all)
        )
        const store = yield* EventStore.EventStore
        const written = Effect.map(
          Effect.forEach(times(80), (n) => store.streamState(name(`with-${n}`))),
          (states) => states.filter((state) => state.version === 1).length
        )
        expect(
          yield* Effect.repeat(written, { until: (count) => count === 79, schedule: Schedule.spaced("5 millis") }).pipe(
            Effect.timeout("5 seconds")
          )
        ).toBeDefined()
        expect(together.pollUnsafe()).toBeUndefined()
        yield* connection.query("commit")
        expect(yield* Fiber.join(together)).toHaveLength(80)
        expect(yield* version("in-group")).toBe(2)
      }).pipe(Effect.provide(process(url)), Effect.provideService(PgEventStore.WriteConcurrency, 2))
    })
  )
})

describe("appends whose sessions end", () => {
  it.live("are written once each when they are asked again under their ids", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const connection = yield* connect(url)
      yield* Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        let failures = 0
        const once = (n: number) =>
          store.append({ stream: name(`kill-${n % 50}`), expected: "any", events: [noted(n)], id: `id-${n}` }).pipe(
            Effect.tapError(({ reason }) =>
              Effect.sync(() => {
                failures++
                expect(reason).toMatchObject({ _tag: "StorageFailure", retryable: true })
              })
            ),
            Effect.retry({ times: 50, schedule: Schedule.spaced("2 millis") })
          )
        const writing = yield* Effect.forkChild(Effect.forEach(times(3000), once, { concurrency: 40 }))
        while (writing.pollUnsafe() === undefined) {
          yield* connection.query(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'effect-cqrs' and random() < 0.5"
          )
          yield* Effect.sleep("15 millis")
        }
        const receipts = yield* Fiber.join(writing)
        expect(failures).toBeGreaterThan(0)
        const found: Array<unknown> = []
        for (const n of times(50)) {
          const events = yield* store.readStream(name(`kill-${n}`))
          expect(events.map((event) => event.version)).toEqual(times(60).map((version) => version + 1))
          for (const event of events) found.push(event.data)
        }
        expect(new Set(found.map((data) => JSON.stringify(data))).size).toBe(3000)
        expect(new Set(receipts.map(({ position }) => position)).size).toBe(3000)
      }).pipe(Effect.provide(Layer.provide(process(url), quiet)))
    })
  )

  it.live("are told when the store is closed before their turn", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const connection = yield* connect(url)
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Layer.provide(process(url), quiet), scope)
      const locked = times(6).map((n) => `closed-${n}`)
      const run = Effect.provide(context)
      yield* run(Effect.forEach(locked, (id) => append(id)))
      yield* lock(connection, locked)
      const write = (id: string) => Effect.forkChild(run(append(id, 1, "any")))
      const first = yield* Effect.forEach(locked, write)
      // These wait for those before them on the same streams.
      const queued = yield* Effect.forEach(locked, write)
      yield* Effect.sleep("20 millis")
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      for (const fiber of queued) {
        const exit = yield* Effect.timeout(Fiber.await(fiber), "5 seconds")
        const error = Exit.isFailure(exit) ? Cause.findErrorOption(exit.cause) : undefined
        expect(error).toMatchObject({ value: { reason: { _tag: "StorageFailure", retryable: true } } })
      }
      yield* connection.query("rollback")
      yield* Effect.timeout(Fiber.join(closing), "10 seconds")
      // What was under way has ended one way or the other.
      yield* Effect.timeout(Fiber.awaitAll(first), "5 seconds")
    })
  )
})
