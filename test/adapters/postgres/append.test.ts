import { describe, expect, inject, it, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Position from "../../../src/domain/Position.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import { type EventStoreError, type ExpectedVersion, matches } from "../../../src/ports/EventStoreError.ts"
import * as IdGenerator from "../../../src/ports/IdGenerator.ts"
import * as UnitOfWork from "../../../src/ports/UnitOfWork.ts"
import { databaseUrl } from "../../services/database.ts"
import { connect, freshStore, noted, process, quiet } from "./support.ts"

const all = { concurrency: "unbounded" } as const
const name = (id: string | number) => StreamName.make("Append", String(id))
const times = (count: number) => Array.from({ length: count }, (_, n) => n)

const errorOf = <A, E>(fiber: Fiber.Fiber<A, E>) =>
  Effect.map(Fiber.await(fiber), (exit) => (Exit.isFailure(exit) ? Cause.findErrorOption(exit.cause) : undefined))

/** The fields of the reason, without what an error has beside them. */
const reasonOf = ({ reason }: EventStoreError): object => Object.fromEntries(Object.entries(reason))

layer(freshStore, { excludeTestServices: true })("appending", (it) => {
  it.effect(
    "in all modes at once, every version is written once and every refusal is true",
    () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        for (const round of times(60)) {
          const stream = name(`race-${round}`)
          let written = 0
          const results = yield* Effect.forEach(
            times(16),
            (racer) =>
              Effect.gen(function* () {
                const modes: ReadonlyArray<ExpectedVersion> = ["any", "none", "exists", racer % 5]
                const expected = modes[yield* Random.nextIntBetween(0, modes.length)] ?? "any"
                const events = times(1 + (racer % 3)).map(noted)
                const one = store.append({ stream, expected, events })
                const among = store.appendAll([
                  { stream: name(`beside-${round}-${racer}`), expected: "none", events },
                  { stream, expected, events }
                ])
                const result = yield* Effect.result(racer % 4 === 0 ? Effect.map(among, ([, second]) => second) : one)
                return { expected, count: events.length, result, beside: name(`beside-${round}-${racer}`) }
              }),
            all
          )
          const versions: Array<number> = []
          for (const { beside, count, expected, result } of results) {
            if (Result.isSuccess(result)) {
              const version = result.success?.version ?? 0
              written += count
              for (const n of times(count)) versions.push(version - n)
              // What it expected was true just before.
              expect(matches(expected, version - count)).toBe(true)
              continue
            }
            const { reason } = result.failure
            expect(reason._tag).toBe("VersionConflict")
            if (reason._tag === "VersionConflict") expect(matches(expected, reason.actual)).toBe(false)
            expect(yield* store.streamState(beside)).toEqual({ version: 0, tombstoned: false })
          }
          expect(versions.sort((a, b) => a - b)).toEqual(times(written).map((n) => n + 1))
          const events = yield* store.readStream(stream)
          expect(events.map(({ version }) => version)).toEqual(times(written).map((n) => n + 1))
          expect(events.map(({ position }) => position)).toEqual(
            events.map(({ position }) => position).sort((a, b) => a - b)
          )
        }
      }).pipe(Random.withSeed(inject("seed"))),
    30_000
  )

  it.effect(
    "to the same streams in opposite orders, nobody deadlocks",
    () =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const streams = times(6).map((n) => name(`opposite-${n}`))
        const appends = (order: ReadonlyArray<StreamName.StreamName>) =>
          store.appendAll(order.map((stream) => ({ stream, expected: "any" as const, events: [noted(1), noted(2)] })))
        for (const _ of times(40)) {
          yield* Effect.forEach(
            times(8),
            (n) =>
              Effect.flatMap(Random.shuffle(streams), (order) => appends(n % 2 === 0 ? order : order.toReversed())),
            all
          )
        }
        for (const stream of streams) expect((yield* store.streamState(stream)).version).toBe(40 * 8 * 2)
      }).pipe(Random.withSeed(inject("seed"))),
    30_000
  )

  it.effect("in a race with the tombstone, whoever is late is told that the stream has ended", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      for (const round of times(20)) {
        const stream = name(`ended-${round}`)
        yield* store.append({ stream, expected: "none", events: [noted(0)] })
        const appends = times(8).map((n) => {
          const expected = n % 2 === 0 ? "any" : "exists"
          const one = Effect.asVoid(store.append({ stream, expected, events: [noted(n)] }))
          const among = store.appendAll([
            { stream: name(`ended-beside-${round}-${n}`), expected: "none", events: [noted(n)] },
            { stream, expected, events: [noted(n)] }
          ])
          return Effect.result(n % 3 === 0 ? Effect.asVoid(among) : one)
        })
        const [ended, ...results] = yield* Effect.all([Effect.result(store.tombstone(stream, "any")), ...appends], all)
        expect(ended._tag).toBe("Success")
        const late = results.flatMap((result) => (Result.isFailure(result) ? [reasonOf(result.failure)] : []))
        expect(late).toEqual(late.map(() => ({ _tag: "StreamTombstoned", stream })))
        expect(yield* store.streamState(stream)).toEqual({ version: 1 + 8 - late.length, tombstoned: true })
      }
    })
  )

  it.effect("refused within a transaction, it leaves the transaction able to go on", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const unit = yield* UnitOfWork.UnitOfWork
      const [one, other] = [name("going-on-1"), name("going-on-2")]
      yield* unit.transaction(
        Effect.gen(function* () {
          yield* store.append({ stream: one, expected: "none", events: [noted(1)] })
          const alone = yield* Effect.flip(store.append({ stream: one, expected: "none", events: [noted(2)] }))
          expect(reasonOf(alone)).toEqual({ _tag: "VersionConflict", stream: one, expected: "none", actual: 1 })
          const among = yield* Effect.flip(
            store.appendAll([
              { stream: other, expected: "any", events: [noted(3)] },
              { stream: one, expected: 5, events: [noted(4)] }
            ])
          )
          expect(reasonOf(among)).toEqual({ _tag: "VersionConflict", stream: one, expected: 5, actual: 1 })
          yield* store.append({ stream: one, expected: 1, events: [noted(5)] })
        })
      )
      expect((yield* store.readStream(one)).map(({ data }) => data)).toEqual([{ n: 1 }, { n: 5 }])
      expect(yield* store.readStream(other)).toEqual([])
    })
  )

  it.effect("needs ids that are UUIDs, and says which is not", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const error = yield* store
        .append({ stream: name("id"), expected: "any", events: [noted(1)] })
        .pipe(Effect.provideService(IdGenerator.IdGenerator, { unsafeNext: () => "1" }), Effect.flip)
      expect(reasonOf(error)).toMatchObject({ _tag: "InvalidInput", issues: [{ path: "events[0].id" }] })
    })
  )

  it.effect("draws one position for each event, in order, however many there are", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const { position, version } = yield* store.append({
        stream: name("many"),
        expected: "none",
        events: times(1000).map(noted)
      })
      expect(version).toBe(1000)
      const events = yield* store.readStream(name("many"))
      expect(events.map(({ data }) => data)).toEqual(times(1000).map((n) => ({ n })))
      expect(events.map((event) => event.position)).toEqual(times(1000).map((n) => position - 999 + n))
    })
  )
})

describe("an append that loses its connection", () => {
  it.live("fails with a storage failure that says so, and the store goes on", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const connection = yield* connect(url)
      yield* Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const stream = name("killed")
        yield* store.append({ stream, expected: "none", events: [noted(1)] })
        // Held up by the lock of its stream, it is in the middle when its session ends.
        yield* connection.query("begin")
        yield* connection.query(`select 1 from es.stream where stream = '${stream}' for update`)
        const waiting = yield* Effect.forkChild(store.append({ stream, expected: 1, events: [noted(2)] }))
        const among = yield* Effect.forkChild(
          store.appendAll([
            { stream, expected: 1, events: [noted(2)] },
            { stream: name("killed-too"), expected: "any", events: [noted(2)] }
          ])
        )
        const unit = yield* UnitOfWork.UnitOfWork
        const within = yield* Effect.forkChild(
          unit.transaction(store.append({ stream, expected: 1, events: [noted(2)] }))
        )
        yield* Effect.sleep("200 millis")
        yield* connection.query(
          "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        for (const error of [yield* errorOf(waiting), yield* errorOf(among), yield* errorOf(within)]) {
          expect(error).toMatchObject({
            _tag: "Some",
            value: {
              _tag: "EventStoreError",
              reason: { _tag: "StorageFailure", operation: "EventStore.append", retryable: true }
            }
          })
        }
        yield* connection.query("commit")
        expect(yield* store.streamState(stream)).toEqual({ version: 1, tombstoned: false })
        const { position } = yield* store.append({ stream, expected: 1, events: [noted(2)] })
        yield* Effect.timeout(store.changed(Position.make(position - 1)), "2 seconds")
      }).pipe(Effect.provide(Layer.provide(process(url), quiet)))
    })
  )

  it.live("fails so while no session can be had", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const database = new URL(url).pathname.slice(1)
      const server = yield* connect(inject("services").postgres)
      yield* Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* store.append({ stream: name("a"), expected: "any", events: [noted(1)] })
        yield* server.query(`alter database ${database} allow_connections false`)
        yield* server.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}'`)
        for (const n of times(3)) {
          const error = yield* Effect.flip(store.append({ stream: name("a"), expected: "any", events: [noted(n)] }))
          expect(error.reason._tag).toBe("StorageFailure")
        }
        yield* server.query(`alter database ${database} allow_connections true`)
        const { position } = yield* store.append({ stream: name("a"), expected: "any", events: [noted(3)] })
        yield* Effect.timeout(store.changed(Position.make(position - 1)), "10 seconds")
      }).pipe(Effect.provide(Layer.provide(process(url), quiet)))
    })
  )
})
