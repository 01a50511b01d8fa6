import { describe, expect, it } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as PgliteClient from "../../../src/adapters/pglite/PgliteClient.ts"
import { Joining, split } from "../../../src/adapters/postgres/internal/chunks.ts"
import * as PgEventBus from "../../../src/adapters/postgres/PgEventBus.ts"
import * as PgUnitOfWork from "../../../src/adapters/postgres/PgUnitOfWork.ts"
import * as EventBus from "../../../src/ports/EventBus.ts"
import * as TenantContext from "../../../src/ports/TenantContext.ts"
import { UnitOfWork } from "../../../src/ports/UnitOfWork.ts"
import * as EventBusLaws from "../../../src/testing/EventBusLaws.ts"
import { Announced } from "../../../src/testing/internal/eventBus/listening.ts"
import { checkLaws } from "../../laws/checkLaws.ts"
import * as Elsewhere from "../../laws/elsewhere.ts"
import { databaseUrl } from "../../services/database.ts"
import { connect, quiet } from "./support.ts"

const suites = { EventBus: EventBusLaws.laws, "EventBus in a UnitOfWork": EventBusLaws.transactional }

/** What one process has. */
const process = (url: string, applicationName: string) =>
  Layer.fresh(
    Layer.merge(PgEventBus.layer({ events: EventBusLaws.events }), PgUnitOfWork.layer).pipe(
      Layer.provideMerge(PgClient.layer({ url: Redacted.make(url), applicationName })),
      Layer.provide(quiet)
    )
  )

/** Ends all sessions of a process. */
const terminate = (url: string, applicationName: string) =>
  Effect.scoped(
    Effect.flatMap(connect(url), (connection) =>
      connection.query(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name like $1 and datname = current_database()",
        [`${applicationName}%`]
      )
    )
  )

const both = Layer.unwrap(
  Effect.map(databaseUrl, (url) =>
    Layer.mergeAll(process(url, "here"), Elsewhere.layer(process(url, "there"), terminate(url, "there")))
  )
)

checkLaws("PgEventBus.layer", { ...suites, "EventBus across processes": EventBusLaws.acrossProcesses }, both, {
  sessions: 10
})

checkLaws(
  "PgEventBus.layer on an embedded database",
  suites,
  Layer.merge(PgEventBus.layer({ events: EventBusLaws.events }), PgUnitOfWork.layer).pipe(
    Layer.provideMerge(PgliteClient.layer())
  ),
  { sessions: 1 }
)

const acme = TenantContext.provide("acme")
const announced = (n: number, run = "test") => new Announced({ run, n })

describe("a bus on PostgreSQL", () => {
  it.live("announces what was committed, and nothing when the session ends before the commit", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const here = yield* Layer.build(process(url, "here"))
      const there = Context.get(yield* Layer.build(process(url, "there")), EventBus.EventBus)
      const seen: Array<number> = []
      yield* acme(there.subscribe(EventBus.of(Announced), ({ event }) => Effect.sync(() => seen.push(event.n))))
      const bus = Context.get(here, EventBus.EventBus)
      const unit = Context.get(here, UnitOfWork)
      yield* Effect.exit(
        unit.transaction(Effect.andThen(acme(bus.publish([announced(1)])), Effect.orDie(terminate(url, "here"))))
      )
      // The pool finds out which of its connections are gone.
      yield* acme(Effect.eventually(unit.transaction(bus.publish([announced(2), announced(2), announced(3)]))))
      yield* Effect.sleep("100 millis")
      expect(seen).toEqual([2, 2, 3])
    }).pipe(Effect.scoped)
  )

  it.live("keeps large events of concurrent transactions apart", () =>
    Effect.gen(function* () {
      const url = yield* databaseUrl
      const bus = Context.get(yield* Layer.build(process(url, "here")), EventBus.EventBus)
      const seen: Array<Announced> = []
      yield* acme(bus.subscribe(EventBus.of(Announced), ({ event }) => Effect.sync(() => seen.push(event))))
      const long = (n: number) => `${n}`.repeat(1) + "ü€𝄞".repeat(3000 + n)
      yield* Effect.forEach([1, 2, 3, 4, 5, 6], (n) => acme(bus.publish([announced(n, long(n)), announced(n * 10)])), {
        concurrency: 6
      })
      while (seen.length < 12) yield* Effect.sleep("5 millis")
      for (const { n, run } of seen) expect(run).toBe(n < 10 ? long(n) : "test")
    }).pipe(Effect.scoped)
  )
})

describe("payloads", () => {
  const texts = ["{}", "a".repeat(7999), "a".repeat(8000), "€".repeat(40_000), "𝄞x".repeat(9_000), " +".repeat(8_000)]

  it("hold less than 8,000 bytes, and are whole again", () => {
    const joining = new Joining()
    for (const text of texts) {
      const payloads = split("id", text)
      for (const payload of payloads) expect(Buffer.byteLength(payload)).toBeLessThan(8000)
      expect(new Set(payloads).size).toBe(payloads.length)
      expect(payloads.map((payload) => joining.take(payload)).filter((whole) => whole !== undefined)).toEqual([text])
    }
  })

  it("whose beginning was missed are nothing", () => {
    const joining = new Joining()
    const [, ...rest] = split("one", "a".repeat(30_000))
    for (const payload of [...rest, ...split("two", "{}")]) {
      expect(joining.take(payload)).toBe(payload === "{}" ? "{}" : undefined)
    }
  })
})
