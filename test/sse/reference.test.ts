/**
 * Whatever happens to connections and servers, a client gets what the filter leaves of the log: in order, and once.
 */
import { describe, expect, inject, it } from "@effect/vitest"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as HttpClient from "effect/http/HttpClient"
import type { SqlError } from "effect/sql/SqlError"
import type { PostgresError } from "../../src/adapters/postgres/PostgresError.ts"
import type * as LiveFilter from "../../src/application/LiveFilter.ts"
import * as LiveTail from "../../src/application/LiveTail.ts"
import * as Position from "../../src/domain/Position.ts"
import type { Stored } from "../../src/domain/RecordedEvent.ts"
import * as StreamName from "../../src/domain/StreamName.ts"
import * as EventStore from "../../src/ports/EventStore.ts"
import * as Memory from "../../src/ports/Memory.ts"
import * as SystemContext from "../../src/ports/SystemContext.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"
import { freshStore } from "../adapters/postgres/support.ts"
import * as support from "./support.ts"

const { Added, append, client, logged, read, serve } = support

const total = 150

/** As often as chance says, others have their turn. */
const pause = (most: number) =>
  Effect.flatMap(Random.nextIntBetween(0, most), (times) => Effect.repeat(Effect.yieldNow, { times }))

/** Writers of two tenants, two servers that are restarted, and a reader that is cut off and slow: what it gets. */
const disturbed = (serving: support.Serving = {}, patience: Duration.Input = "20 seconds") =>
  Effect.gen(function* () {
    yield* append("acme", "Sum", ...Array.from({ length: 40 }, (_, n) => n))
    const start = Effect.gen(function* () {
      const scope = yield* Scope.make()
      const capacity = yield* Random.nextIntBetween(4, 40)
      const sse = { events: [Added], retry: 0, spread: 0 }
      const made = serve({ ...serving, sse, tail: { capacity, batchSize: 7 } })
      return { scope, ...(yield* Scope.provide(made, scope)) }
    })
    const servers = [yield* start, yield* start]
    const restart = Effect.gen(function* () {
      const killed = servers.shift()
      if (killed !== undefined) yield* Scope.close(killed.scope, Exit.void)
      servers.push(yield* start)
    })
    const either = Effect.map(Random.nextIntBetween(0, 2), (index) => servers[index]?.handler ?? offline)
    const received: Array<number> = []
    const reader = yield* read("acme").pipe(
      Stream.tap(({ position }) => (position % 10 === 0 ? pause(50) : Effect.void)),
      // What comes twice or too early is not waited after.
      Stream.runForEachWhile(({ event, position }) =>
        Effect.sync(() => {
          const before = received.at(-1) ?? 0
          received.push(position)
          return position > before && event.n < total - 1
        })
      ),
      Effect.timeoutOption(patience),
      Effect.provideService(HttpClient.HttpClient, client(either, support.anywhere(6_000))),
      Effect.forkScoped
    )
    for (let n = 40; n < total; n += 5) {
      yield* append("other", "Sum", n)
      yield* append("acme", n % 2 === 0 ? "Sum" : "Product", n, n + 1, n + 2, n + 3, n + 4)
      if (n % 20 === 0) yield* restart
      yield* pause(40)
    }
    yield* Fiber.join(reader)
    for (const { scope } of servers) yield* Scope.close(scope, Exit.void)
    return { received, expected: yield* logged("acme") }
  }).pipe(Effect.scoped, Random.withSeed(inject("seed")))

const offline: support.Handler = () => Promise.resolve(new Response(null, { status: 503 }))

const stores: Record<string, Layer.Layer<EventStore.EventStore, PostgresError | SqlError>> = {
  memory: Memory.layer,
  Postgres: freshStore
}

describe.each(Object.entries(stores))("events over %s", (_, layer) => {
  it.live(
    "come in order and once, through connections cut anywhere and restarts",
    () =>
      Effect.gen(function* () {
        const { expected, received } = yield* disturbed()
        expect(expected).toHaveLength(total)
        expect(received).toEqual(expected)
      }).pipe(Effect.provide(layer)),
    60_000
  )

  it.live(
    "are the same from the ring, from the store and where they meet, for every filter",
    () =>
      Effect.gen(function* () {
        yield* append("acme", "Sum", 1, 2, 3, 4)
        const store = yield* EventStore.EventStore
        const server = yield* Layer.build(LiveTail.layer({ capacity: 12, batchSize: 3, everybody: "other" }))
        const tail = Context.get(server, LiveTail.LiveTail)
        yield* append("acme", "Product", 5, 6)
        yield* append("other", "Sum", 7)
        const { position: last } = yield* append("acme", "Sum", 8, 9, 10)
        const filters: ReadonlyArray<LiveFilter.Filter> = [
          {},
          { types: ["Added"] },
          { categories: ["Product"] },
          { tags: ["even"] },
          { types: ["Added"], categories: ["Sum"], tags: ["odd", "none"] },
          { types: [] },
          { any: [{ tags: ["even"] }, { categories: ["Product"] }] },
          { types: ["Added"], any: [{ tags: ["odd"] }, { tags: ["even"], everybody: true }] },
          { any: [{ everybody: true }] },
          { any: [] }
        ]
        while ((yield* store.mark) < last) yield* store.changed(Position.make(last - 1))
        const everything = yield* store.readAllTenants({ after: Position.start, limit: 1_000 })
        for (const filter of filters) {
          for (let after = 0; after < last; after++) {
            const found = yield* tail.stream(Position.make(after), filter).pipe(
              Stream.takeUntil(({ cursor }) => cursor >= last),
              Stream.flatMap(({ events }) => Stream.fromIterable(events)),
              Stream.map(({ position }) => position),
              Stream.runCollect
            )
            const wanted = everything.events.filter((stored) => stored.position > after && isWanted(stored, filter))
            expect(found).toEqual(wanted.map(({ position }) => position))
          }
        }
      }).pipe(
        Effect.scoped,
        Effect.provide([TenantContext.layer("acme"), SystemContext.layer("test")]),
        Effect.provide(layer)
      ),
    60_000
  )
})

/** What a filter says, in the plainest words. */
const isWanted = (stored: Stored, { any, ...filter }: LiveFilter.Filter): boolean => {
  const fits = ({ categories, tags, types }: LiveFilter.Criteria) =>
    (types ?? [stored.type]).includes(stored.type) &&
    (categories ?? [StreamName.category(stored.stream)]).includes(StreamName.category(stored.stream)) &&
    (tags === undefined || tags.some((tag) => stored.tags.includes(tag)))
  if (any === undefined) return stored.tenant === "acme" && fits(filter)
  return fits(filter) && any.some((one) => stored.tenant === (one.everybody === true ? "other" : "acme") && fits(one))
}

describe("servers that are wrong", () => {
  const wrong: Record<string, support.Serving> = {
    "goes on from the newest event where it should join the backlog": {
      over: (tail) => ({
        ...tail,
        poller: (filter) =>
          Effect.map(
            tail.poller(filter),
            (poll) => (cursor) =>
              Effect.map(poll(cursor), (found) => found && { ...found, cursor: Position.max(found.cursor, tail.end()) })
          )
      })
    },
    "ignores where the client was": {
      request: (request) => {
        const headers = new Headers(request.headers)
        headers.delete("last-event-id")
        return new Request(request.url, { headers, signal: request.signal })
      }
    },
    "sends everything of a batch again": {
      over: (tail) => ({
        ...tail,
        poller: (filter) =>
          Effect.map(
            tail.poller(filter),
            (poll) => (cursor) =>
              Effect.map(poll(cursor), (found) => found && { ...found, events: [...found.events, ...found.events] })
          )
      })
    }
  }
  it.live.each(Object.entries(wrong))("one that %s is seen", ([_, serving]) =>
    Effect.gen(function* () {
      const { expected, received } = yield* disturbed(serving, "2 seconds")
      expect(received.length).toBeGreaterThan(0)
      expect(received).not.toEqual(expected)
    }).pipe(Effect.provide(Memory.layer))
  )
})
