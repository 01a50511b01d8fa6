import { describe, expect, it } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as PgEventStore from "../../../src/adapters/postgres/PgEventStore.ts"
import * as PgHighWater from "../../../src/adapters/postgres/PgHighWater.ts"
import * as PgNotifier from "../../../src/adapters/postgres/PgNotifier.ts"
import * as Position from "../../../src/domain/Position.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as SystemContext from "../../../src/ports/SystemContext.ts"
import * as UnitOfWork from "../../../src/ports/UnitOfWork.ts"
import * as servers from "../../services/servers.ts"
import { standby } from "../../services/standby.ts"
import { connect, noted, process, quiet, settled } from "./support.ts"

const server = Effect.acquireRelease(
  Effect.promise(() => servers.postgres({ settings: { wal_keep_size: "512MB" } })),
  (running) => Effect.promise(running.stop)
)

const follow = (primary: servers.Server, settings?: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.promise(() => standby(primary, settings)),
    (running) => Effect.promise(running.stop)
  )

/** A store that only reads. */
const reader = (url: string) => {
  const client = PgClient.layer({ url: Redacted.make(url), maxConnections: 2 })
  const agent = Layer.succeed(PgHighWater.PgHighWater, {
    nudge: () => undefined,
    state: Effect.die("a reader has no agent")
  })
  return Effect.map(
    Layer.build(
      PgEventStore.layerStore.pipe(
        Layer.provide([agent, PgNotifier.layerPolling]),
        Layer.provideMerge(client),
        Layer.provideMerge(quiet)
      )
    ),
    (context) => ({ store: Context.get(context, EventStore.EventStore), sql: Context.get(context, PgClient.PgClient) })
  )
}

const log = (store: EventStore.EventStore["Service"], after: Position.Position) =>
  store.readAllTenants({ after, limit: 200 }).pipe(SystemContext.provide("test"))

/** Follows the log until it has read up to where all ends; a page never goes beyond its mark. */
const followed = (store: EventStore.EventStore["Service"], end: Ref.Ref<Position.Position | undefined>) =>
  Effect.gen(function* () {
    const seen: Array<number> = []
    let after = Position.start
    let beyond = 0
    while (true) {
      const until = yield* Ref.get(end)
      if (until !== undefined && after >= until) return { seen, beyond }
      const page = yield* log(store, after)
      seen.push(...page.events.map((event) => event.position))
      beyond += page.events.filter((event) => event.position > page.mark).length
      if (page.cursor === after) yield* Effect.sleep("3 millis")
      after = page.cursor
    }
  })

/** Takes what is visible there: what commits late is behind it by then. */
const naive = (sql: PgClient.PgClient, end: Ref.Ref<Position.Position | undefined>) =>
  Effect.gen(function* () {
    const seen: Array<number> = []
    while (true) {
      const after = seen.at(-1) ?? 0
      const ended = (yield* Ref.get(end)) !== undefined
      const rows = yield* sql<{ readonly position: number }>`
        select position::float8 as position from es.event where position > ${after}::int8 order by 1 limit 100`
      seen.push(...rows.map(({ position }) => position))
      if (rows.length > 0) continue
      if (ended) return { seen, beyond: 0 }
      yield* Effect.sleep("3 millis")
    }
  })

describe("a standby", () => {
  it.live(
    "shows the log without a hole, and nothing beyond the mark, while its primary is written to",
    () =>
      Effect.gen(function* () {
        const primary = yield* server
        const context = yield* Layer.build(Layer.provide(process(primary.url, { maxConnections: 12 }), quiet))
        const store = Context.get(context, EventStore.EventStore)
        const { transaction } = Context.get(context, UnitOfWork.UnitOfWork)
        const near = yield* follow(primary)
        const late = yield* follow(primary, { recovery_min_apply_delay: "300ms" })
        const onNear = yield* reader(near.url)
        const onLate = yield* reader(late.url)

        const end = yield* Ref.make<Position.Position | undefined>(undefined)
        const readers = yield* Effect.forkChild(
          Effect.all(
            {
              near: followed(onNear.store, end),
              late: followed(onLate.store, end),
              primary: followed(store, end),
              naive: naive(onNear.sql, end)
            },
            { concurrency: "unbounded" }
          )
        )
        const stopped = yield* Ref.make(false)
        const write = (writer: number) =>
          Effect.gen(function* () {
            for (let n = 0; !(yield* Ref.get(stopped)); n++) {
              const stream = StreamName.make("Test", `${writer}-${n % 7}`)
              const one = store.append({ stream, expected: "any", events: [noted(n), noted(n)] })
              // Some commit late, so that positions become visible in another order than they were drawn in.
              if (n % 5 === 0) yield* transaction(Effect.andThen(one, Effect.sleep(writer * 4)))
              else if (n % 11 === 0) yield* Effect.ignore(transaction(Effect.andThen(one, Effect.fail("undo"))))
              else yield* one
            }
          }).pipe(Effect.provide(context))
        const writers = yield* Effect.forkChild(
          Effect.all(
            Array.from({ length: 10 }, (_, n) => write(n)),
            { concurrency: "unbounded" }
          )
        )
        yield* Effect.sleep("3 seconds")
        yield* Ref.set(stopped, true)
        yield* Fiber.join(writers)

        const connection = yield* connect(primary.url)
        const { rows } = yield* connection.query("select position::float8 as position from es.event order by 1")
        const written = rows.map((row) => Number(row["position"]))
        const last = Position.make(written.at(-1) ?? 0)
        yield* Effect.timeout(settled(store, last), "5 seconds")
        yield* Ref.set(end, last)
        const seen = yield* Effect.timeout(Fiber.join(readers), "20 seconds")
        expect(written.length).toBeGreaterThan(500)
        expect(seen.near).toEqual({ seen: written, beyond: 0 })
        expect(seen.late).toEqual({ seen: written, beyond: 0 })
        expect(seen.primary).toEqual({ seen: written, beyond: 0 })
        // A test that cannot see the mistake proves nothing.
        expect(seen.naive.seen.length).toBeLessThan(written.length)
      }),
    90_000
  )

  it.live(
    "that lags shows what was, and what is after its lag; it refuses to be written to, and may be asked again",
    () =>
      Effect.gen(function* () {
        const primary = yield* server
        const context = yield* Layer.build(Layer.provide(process(primary.url), quiet))
        const store = Context.get(context, EventStore.EventStore)
        const append = Effect.provide(
          store.append({ stream: StreamName.make("Test", "a"), expected: "any", events: [noted(1)] }),
          context
        )
        const before = yield* append
        yield* settled(store, before.position)
        const { url } = yield* follow(primary)
        const { sql, store: behind } = yield* reader(url)
        yield* Effect.timeout(settled(behind, before.position), "10 seconds")

        yield* sql`select pg_wal_replay_pause()`
        const { position } = yield* append
        yield* settled(store, position)
        yield* Effect.sleep("300 millis")
        const lagging = yield* log(behind, Position.start)
        expect(lagging).toMatchObject({ mark: before.position, cursor: before.position })
        expect(lagging.events.map((event) => event.position)).toEqual([before.position])

        const refused = yield* Effect.flip(
          Effect.provide(
            behind.append({ stream: StreamName.make("Test", "a"), expected: "any", events: [noted(1)] }),
            context
          )
        )
        expect(refused.reason).toMatchObject({ _tag: "StorageFailure", retryable: true })

        // Who waits for it is woken once it is there.
        const waiting = yield* Effect.forkChild(behind.changed(before.position))
        yield* sql`select pg_wal_replay_resume()`
        yield* Effect.timeout(Fiber.join(waiting), "5 seconds")
        expect((yield* log(behind, before.position)).events.map((event) => event.position)).toEqual([position])
      }),
    90_000
  )
})
