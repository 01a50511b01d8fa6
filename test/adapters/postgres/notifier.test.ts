import { describe, expect, it } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as PgMigrations from "../../../src/adapters/postgres/PgMigrations.ts"
import * as PgNotifier from "../../../src/adapters/postgres/PgNotifier.ts"
import * as Position from "../../../src/domain/Position.ts"
import { databaseUrl } from "../../services/database.ts"
import { type Connection, connect, quiet } from "./support.ts"

const at = Position.make

/** A notifier alone, over a database where this test is the agent. */
const start = (layer: Layer.Layer<PgNotifier.MarkNotifier, never, PgClient.PgClient>) =>
  Effect.gen(function* () {
    const url = yield* databaseUrl
    const client = PgClient.layer({ url: Redacted.make(url) })
    const context = yield* Layer.build(
      layer.pipe(Layer.provide(PgMigrations.layer), Layer.provide(client), Layer.provide(quiet))
    )
    return { notifier: Context.get(context, PgNotifier.MarkNotifier), connection: yield* connect(url) }
  })

const listening = (connection: Connection): Effect.Effect<unknown, unknown> =>
  Effect.flatMap(
    connection.query("select 1 from pg_stat_activity where query like 'LISTEN%' or application_name like '%listener'"),
    ({ rows }) =>
      rows.length > 0 ? Effect.sleep("100 millis") : Effect.andThen(Effect.sleep("5 millis"), listening(connection))
  )

const announce = (connection: Connection, mark: number) =>
  connection.query("select pg_notify('es_high_water', $1::text)", [String(mark)])

const move = (connection: Connection, mark: number) => connection.query(`update es.high_water set position = ${mark}`)

describe("the notifier of the mark", () => {
  it.effect("wakes those who wait for less, and nobody else", () =>
    Effect.gen(function* () {
      const notifier = yield* PgNotifier.MarkNotifier
      const three = yield* Effect.forkChild(notifier.changed(at(3)), { startImmediately: true })
      const five = yield* Effect.forkChild(notifier.changed(at(5)), { startImmediately: true })
      notifier.publish(at(5))
      yield* Fiber.join(three)
      yield* notifier.changed(at(4))
      notifier.publish(at(2))
      expect(notifier.known()).toBe(5)
      expect(five.pollUnsafe()).toBeUndefined()
      notifier.publish(at(6))
      yield* Fiber.join(five)
    }).pipe(Effect.provide(PgNotifier.layerLocal))
  )

  it.effect("believes a log that went back, so that nobody is woken for what is not there", () =>
    Effect.gen(function* () {
      const notifier = yield* PgNotifier.MarkNotifier
      notifier.publish(at(9))
      // Read before the last mark was known: it is late, not lower.
      notifier.observe(at(7), at(5))
      expect(notifier.known()).toBe(9)
      notifier.observe(at(7), at(9))
      expect(notifier.known()).toBe(7)
      const waiting = yield* Effect.forkChild(notifier.changed(at(8)), { startImmediately: true })
      yield* Effect.yieldNow
      expect(waiting.pollUnsafe()).toBeUndefined()
      yield* Fiber.interrupt(waiting)
    }).pipe(Effect.provide(PgNotifier.layerLocal))
  )

  it.live("hears of other processes at once", () =>
    Effect.gen(function* () {
      const { connection, notifier } = yield* start(PgNotifier.layer)
      yield* listening(connection)
      yield* announce(connection, 5)
      const [duration] = yield* Effect.timed(notifier.changed(at(4)))
      expect(Duration.toMillis(duration)).toBeLessThan(180)
      yield* announce(connection, 4)
      yield* connection.query("notify es_high_water, 'nonsense'")
      yield* announce(connection, 6)
      yield* notifier.changed(at(5))
      expect(notifier.known()).toBe(6)
    })
  )

  it.live("loses no wake-up with its connection, and listens again", () =>
    Effect.gen(function* () {
      const { connection, notifier } = yield* start(PgNotifier.layer)
      yield* listening(connection)
      yield* connection.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name like '%listener' and datname = current_database()"
      )
      // Nobody announces it: it is seen all the same.
      yield* move(connection, 5)
      yield* Effect.timeout(notifier.changed(at(4)), "2 seconds")
      yield* Effect.sleep("300 millis")
      yield* listening(connection)
      yield* announce(connection, 6)
      const [duration] = yield* Effect.timed(notifier.changed(at(5)))
      expect(Duration.toMillis(duration)).toBeLessThan(180)
    })
  )

  it.live("looks for itself where nothing is heard, but only while somebody waits", () =>
    Effect.gen(function* () {
      const { connection, notifier } = yield* start(PgNotifier.layerPolling)
      yield* move(connection, 5)
      yield* Effect.sleep("600 millis")
      expect(notifier.known()).toBe(0)
      yield* Effect.timeout(notifier.changed(at(4)), "2 seconds")
      expect(notifier.known()).toBe(5)
    })
  )
})
