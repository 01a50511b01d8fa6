import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as PgHighWater from "../../../src/adapters/postgres/PgHighWater.ts"
import * as Position from "../../../src/domain/Position.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as UnitOfWork from "../../../src/ports/UnitOfWork.ts"
import { databaseUrl } from "../../services/database.ts"
import { type Connection, connect, lastDrawn, noted, process, quiet, settled } from "./support.ts"

/** One process with its ports, until the scope closes. */
const start = (url: string, options?: Parameters<typeof process>[1]) =>
  Effect.map(Layer.build(Layer.provide(process(url, options), quiet)), (context) => ({
    context,
    store: Context.get(context, EventStore.EventStore),
    unit: Context.get(context, UnitOfWork.UnitOfWork),
    state: Context.get(context, PgHighWater.PgHighWater).state,
    append: (id: string, n = 1) =>
      Effect.flatMap(EventStore.EventStore, (store) =>
        store.append({ stream: StreamName.make("Test", id), expected: "any", events: [noted(n)] })
      ).pipe(Effect.provide(context))
  }))

const until = <E>(condition: Effect.Effect<boolean, E>): Effect.Effect<void, E> =>
  Effect.flatMap(condition, (is) => (is ? Effect.void : Effect.andThen(Effect.sleep("5 millis"), until(condition))))

const soon = <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.Input = "4 seconds") =>
  Effect.timeout(self, duration)

/** Appends by hand, within whatever transaction the connection is in. */
const appendBy = (connection: Connection, stream: string) =>
  Effect.map(
    connection.query(
      `select last_position::float8 as position from es.append('default', $1::text, -1, array[gen_random_uuid()::text], '{Noted}', '{1}', '{"{}"}', '{"{}"}', '{"{}"}')`,
      [stream]
    ),
    ({ rows }) => Position.make(Number(rows[0]?.["position"]))
  )

const kill = (connection: Connection, applicationName: string) =>
  connection.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1::text and datname = current_database()",
    [applicationName]
  )

describe("the high-water agent", () => {
  it.live("settles an append within milliseconds, in its process and in others", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const one = yield* start(url)
      const other = yield* start(url)
      for (const [writes, hears] of [
        [one, one],
        [one, other],
        [other, one]
      ] as const) {
        const times: Array<number> = []
        for (let n = 0; n < 5; n++) {
          // So long that the agent looks rarely.
          yield* Effect.sleep("300 millis")
          const { position } = yield* writes.append("a", n)
          const [duration] = yield* Effect.timed(soon(hears.store.changed(Position.make(position - 1))))
          times.push(Duration.toMillis(duration))
          const page = yield* Effect.provide(
            hears.store.readAll({ after: Position.make(position - 1), limit: 10 }),
            hears.context
          )
          expect(page.events.map((event) => event.position)).toEqual([position])
        }
        // Without being told, the next look would be up to 250 ms away.
        expect(Math.min(...times)).toBeLessThan(60)
      }
    })
  )

  it.live("holds the mark below a transaction that has written and is open, and says who it is", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const { append, state, store } = yield* start(url)
      const connection = yield* connect(url)
      yield* connection.query("begin")
      const open = yield* appendBy(connection, "Test-open")
      const { position } = yield* append("other")
      expect(position).toBeGreaterThan(open)
      yield* soon(until(Effect.map(state, ({ waited }) => Duration.toMillis(waited) > 100)))
      expect(yield* store.mark).toBeLessThan(open)
      expect((yield* state).blockedBy).toEqual([
        expect.stringMatching(new RegExp(`^\\d+/\\d+ ${connection.processId}$`))
      ])
      yield* connection.query("commit")
      yield* soon(settled(store, position))
      yield* soon(until(Effect.map(state, ({ blockedBy }) => blockedBy.length === 0)))
    })
  )

  it.live("is not held back by transactions that have written no events", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const { append, store } = yield* start(url)
      const connection = yield* connect(url)
      yield* connection.query("begin isolation level serializable")
      yield* connection.query("select pg_current_xact_id()::text, (select count(*) from es.event)")
      yield* connection.query("create table public.other (id int)")
      const { position } = yield* append("a")
      yield* soon(settled(store, position))
      yield* connection.query("rollback")
    })
  )

  it.live.each(["commit", "rollback"])("waits for a prepared transaction, until its %s", (end) =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const { append, state, store } = yield* start(url)
      const connection = yield* connect(url)
      const name = new URL(url).pathname.slice(1)
      yield* connection.query("begin")
      const open = yield* appendBy(connection, "Test-open")
      // A fence stands before the transaction is prepared, and another one after.
      yield* soon(until(Effect.map(state, ({ blockedBy }) => blockedBy.length === 1)))
      yield* connection.query(`prepare transaction '${name}'`)
      const { position } = yield* append("other")
      yield* soon(until(Effect.map(state, ({ waited }) => Duration.toMillis(waited) > 200)))
      expect(yield* store.mark).toBeLessThan(open)
      expect((yield* state).blockedBy).toEqual([expect.stringMatching(/^\d+\/\d+ prepared$/)])
      yield* connection.query(`${end} prepared '${name}'`)
      yield* soon(settled(store, position))
    })
  )

  it.live("passes positions that were rolled back", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const { context, store, unit } = yield* start(url)
      const written = unit.transaction(
        Effect.andThen(
          store.append({ stream: StreamName.make("Test", "a"), expected: "any", events: [noted(1), noted(2)] }),
          Effect.fail("no")
        )
      )
      yield* Effect.flip(Effect.provide(written, context))
      const last = yield* lastDrawn(yield* connect(url))
      expect(last).toBe(2)
      yield* soon(settled(store, last))
    })
  )

  it.live("goes on after its connection is lost", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const { append, state, store } = yield* start(url)
      const connection = yield* connect(url)
      for (let round = 0; round < 5; round++) {
        const { position } = yield* append("a", round)
        yield* kill(connection, "effect-cqrs high-water agent")
        const after = yield* append("a", round)
        expect(after.position).toBeGreaterThan(position)
        yield* soon(settled(store, after.position))
      }
      expect((yield* state).failure).toBeUndefined()
    })
  )

  it.live("hands over to the next one when it ends", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const first = yield* Effect.gen(function* () {
        const { state } = yield* start(url)
        yield* soon(until(Effect.map(state, ({ leads }) => leads)))
        return yield* state
      }).pipe(Effect.scoped)
      const next = yield* start(url)
      // The lease would have been for two seconds more.
      yield* soon(until(Effect.map(next.state, ({ leads }) => leads)), "500 millis")
      expect((yield* next.state).term).toBeGreaterThan(first.term)
      const { position } = yield* next.append("a")
      yield* soon(settled(next.store, position))
    })
  )

  it.live("takes over from a leader that is gone without a word", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const one = yield* start(url)
      const other = yield* start(url)
      const connection = yield* connect(url)
      yield* connection.query(
        "update es.high_water set owner = 'gone', term = term + 1, lease_until = clock_timestamp() + interval '2 seconds'"
      )
      // Whoever stands by helps meanwhile.
      const { position } = yield* one.append("a")
      yield* soon(settled(one.store, position), "1 second")
      const leads = Effect.map(
        Effect.all([one.state, other.state]),
        (states) => states.filter(({ leads }) => leads).length
      )
      yield* soon(until(Effect.map(leads, (count) => count === 1)))
      const after = yield* other.append("b")
      yield* soon(settled(one.store, after.position))
    })
  )

  it.live("moves no mark for a term or a server that is not today's", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const { append, store } = yield* start(url)
      const { position } = yield* append("a")
      yield* soon(settled(store, position))
      const connection = yield* connect(url)
      yield* connection.query("select setval('es.position', 100)")
      yield* connection.query("begin")
      yield* connection.query("update es.high_water set term = 7, position = 5")
      const advance = (term: number, epoch: string, to: number) =>
        Effect.map(
          connection.query(`select moved, mark::float8 as mark from es.advance(${term}, ${epoch}, ${to}, false)`),
          ({ rows }) => rows[0]
        )
      expect(yield* advance(6, "es.epoch()", 50)).toEqual({ moved: false, mark: 5 })
      expect(yield* advance(7, "'another'", 50)).toEqual({ moved: false, mark: 5 })
      expect(yield* advance(7, "es.epoch()", 101)).toEqual({ moved: false, mark: 5 })
      expect(yield* advance(7, "es.epoch()", 4)).toEqual({ moved: false, mark: 5 })
      expect(yield* advance(7, "es.epoch()", 50)).toEqual({ moved: true, mark: 50 })
      yield* connection.query("rollback")
    })
  )

  it.live(
    "sees who has drawn a position as a holder: it looks at the sequence first, and draws come after the lock",
    () =>
      Effect.gen(function* () {
        const url = yield* databaseUrl
        const { append, store } = yield* start(url)
        yield* append("a")
        const connection = yield* connect(url)
        const { rows } = yield* connection.query("select prosrc from pg_proc where oid = 'es.look'::regproc")
        const source = String(rows[0]?.["prosrc"])
        expect(source.indexOf("es.position")).toBeGreaterThan(0)
        expect(source.indexOf("pg_locks")).toBeGreaterThan(source.indexOf("es.position"))
        // Who waits for the lock has drawn nothing yet.
        const before = yield* lastDrawn(connection)
        yield* connection.query("begin")
        yield* connection.query("lock table es.event in share mode")
        const waiting = yield* Effect.forkChild(Effect.all([append("a"), append("b")], { concurrency: "unbounded" }))
        yield* Effect.sleep("200 millis")
        expect(yield* lastDrawn(connection)).toBe(before)
        yield* connection.query("commit")
        const receipts = yield* Fiber.join(waiting)
        yield* soon(settled(store, Position.make(Math.max(...receipts.map(({ position }) => position)))))
      })
  )

  it.live("works while the only connection of the pool is in a transaction", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const { context, store, unit } = yield* start(url, { maxConnections: 1 })
      const connection = yield* connect(url)
      const work = Effect.gen(function* () {
        const position = yield* appendBy(connection, "Test-other")
        yield* soon(settled(store, position))
        return yield* store.append({ stream: StreamName.make("Test", "a"), expected: "any", events: [noted(1)] })
      })
      const { position } = yield* Effect.provide(unit.transaction(work), context)
      yield* soon(settled(store, position))
    })
  )

  it.live("costs next to nothing while nothing is written", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const { append, store } = yield* start(url)
      const { position } = yield* append("a")
      yield* soon(settled(store, position))
      const connection = yield* connect(url)
      yield* Effect.sleep("1 second")
      const counted = Effect.map(
        connection.query(
          "select xact_commit::float8 as count from pg_stat_database where datname = current_database()"
        ),
        ({ rows }) => Number(rows[0]?.["count"])
      )
      const before = yield* counted
      yield* Effect.sleep("3 seconds")
      // Four looks a second, the lease, and what the server does by itself.
      expect((yield* counted) - before).toBeLessThan(3 * 15)
    })
  )
})
