import { describe, expect, it } from "@effect/vitest"
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
import * as LiveTail from "../../src/application/LiveTail.ts"
import * as Position from "../../src/domain/Position.ts"
import * as SseClient from "../../src/interfaces/sse/SseClient.ts"
import * as EventStore from "../../src/ports/EventStore.ts"
import * as Memory from "../../src/ports/Memory.ts"
import * as SystemContext from "../../src/ports/SystemContext.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"
import { freshStore } from "../adapters/postgres/support.ts"
import * as support from "./support.ts"

const { Added, append, client, logged, read, serve } = support

const total = 150

/** Writers of two tenants, a server that is restarted, and a reader that is cut off and slow: what it gets. */
const disturbed = (serving: support.Serving = {}, patience: Duration.Input = "20 seconds") =>
  Effect.gen(function* () {
    yield* append("acme", "Sum", ...Array.from({ length: 40 }, (_, n) => n))
    let scope = yield* Scope.make()
    const start = Effect.gen(function* () {
      const capacity = yield* Random.nextIntBetween(4, 40)
      return yield* serve({
        ...serving,
        sse: { events: [Added], retry: 1, spread: 1 },
        tail: { capacity, batchSize: 7 }
      })
    })
    let server = yield* Scope.provide(start, scope)
    const restart = Effect.gen(function* () {
      yield* Scope.close(scope, Exit.void)
      scope = yield* Scope.make()
      server = yield* Scope.provide(start, scope)
    })
    const write = Effect.gen(function* () {
      for (let n = 40; n < total; n += 5) {
        yield* append("other", "Sum", n)
        yield* append("acme", n % 2 === 0 ? "Sum" : "Product", n, n + 1, n + 2, n + 3, n + 4)
        if (n % 20 === 0) yield* restart
        yield* Effect.sleep("2 millis")
      }
    })
    const http = client(
      Effect.sync(() => server.handler),
      support.anywhere(6_000)
    )
    const received: Array<number> = []
    const reader = yield* read("acme").pipe(
      Stream.tap(({ position }) => (position % 10 === 0 ? Effect.sleep("3 millis") : Effect.void)),
      Stream.runForEachWhile(({ event, position }) =>
        Effect.sync(() => received.push(position) > 0 && event.n < total - 1)
      ),
      Effect.timeoutOption(patience),
      Effect.provideService(HttpClient.HttpClient, http),
      Effect.forkScoped
    )
    yield* write
    yield* Fiber.join(reader)
    yield* Scope.close(scope, Exit.void)
    return { received, expected: yield* logged("acme") }
  }).pipe(Effect.scoped)

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
        const server = yield* Layer.build(LiveTail.layer({ capacity: 12, batchSize: 3 }))
        const tail = Context.get(server, LiveTail.LiveTail)
        yield* append("acme", "Product", 5, 6)
        yield* append("other", "Sum", 7)
        const { position: last } = yield* append("acme", "Sum", 8, 9, 10)
        const filters: ReadonlyArray<LiveTail.Filter> = [
          {},
          { types: ["Added"] },
          { categories: ["Product"] },
          { tags: ["even"] },
          { types: ["Added"], categories: ["Sum"], tags: ["odd", "none"] },
          { types: [] }
        ]
        for (const filter of filters) {
          const { types, categories, tags } = filter
          for (let after = 0; after < last; after++) {
            const found = yield* tail.stream(Position.make(after), filter).pipe(
              Stream.takeUntil(({ cursor }) => cursor >= last),
              Stream.flatMap(({ events }) => Stream.fromIterable(events)),
              Stream.map(({ position }) => position),
              Stream.runCollect
            )
            const page = yield* store.readAll({ after: Position.make(after), limit: 1_000, types, categories, tags })
            expect(found).toEqual(page.events.map(({ position }) => position))
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

describe("a tail that is wrong", () => {
  it.live("goes on from the newest event where it should join the backlog, and is seen to miss some", () =>
    Effect.gen(function* () {
      // Whatever the backlog has not given by now is forgotten.
      const over: support.Serving["over"] = (tail) => ({
        ...tail,
        read: (cursor, filter) =>
          Effect.flatMap(tail.position, (now) =>
            Effect.map(tail.read(cursor, filter), (found) => ({ ...found, cursor: Position.max(found.cursor, now) }))
          )
      })
      const { expected, received } = yield* disturbed({ over }, "2 seconds")
      expect(received.length).toBeGreaterThan(0)
      expect(received.length).toBeLessThan(expected.length)
    }).pipe(Effect.provide(Memory.layer))
  )
})

describe("a stream of events", () => {
  const open = (handler: support.Handler, path: string, headers: Record<string, string> = {}) =>
    Effect.promise(() => handler(new Request(`http://localhost${path}`, { headers })))

  const first = (response: Response, count: number) =>
    Effect.promise(async () => {
      const reader = response.body?.getReader()
      const text = new TextDecoder()
      let all = ""
      while (reader !== undefined && all.split("\n\n").length <= count) {
        const { done, value } = await reader.read()
        if (done) break
        all += text.decode(value, { stream: true })
      }
      await reader?.cancel()
      return all.split("\n\n").slice(0, count)
    })

  it.live("tells what proxies need, where it is, and when the log does not reach to the client", () =>
    Effect.gen(function* () {
      yield* append("acme", "Sum", 1)
      const { handler } = yield* serve({ tail: { grace: 0 }, sse: { heartbeat: "5 millis" } })
      const response = yield* open(handler, "/acme?after=99", { "last-event-id": "1" })
      expect(Object.fromEntries(response.headers)).toMatchObject({
        "content-type": "text/event-stream",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no"
      })
      const [retry, cursor, event, beat] = yield* first(response, 4)
      expect(retry).toMatch(/^retry: \d{4}$/)
      expect(cursor).toBe("id: 1\nevent: cursor\ndata: 1")
      expect(event).toMatch(/^id: 2\ndata: \{"position":2,.*"type":"Other".*\}$/)
      expect(event).not.toContain("acme")
      expect(beat).toBe("id: 2\nevent: cursor\ndata: 2")
      const ahead = yield* first(yield* open(handler, "/acme?after=99"), 2)
      expect(ahead[1]).toBe("id: 2\nevent: reset\ndata: 2")
      const error = yield* Effect.flip(
        Stream.runDrain(SseClient.events({ url: "http://localhost/acme?after=99", events: [Added] }))
      ).pipe(Effect.provideService(HttpClient.HttpClient, client(Effect.succeed(handler))))
      expect(error.reason).toMatchObject({ _tag: "LogReset", cursor: 2 })
    }).pipe(Effect.scoped, Effect.provide(Memory.layer))
  )

  it.live("refuses what is no cursor, and more connections than there may be", () =>
    Effect.gen(function* () {
      const { connections, handler } = yield* serve({ limits: { perTenant: 2, perPrincipal: 1 } })
      expect((yield* open(handler, "/acme?after=x")).status).toBe(400)
      expect((yield* open(handler, "/acme", { "last-event-id": "-1" })).status).toBe(400)
      const held = yield* open(handler, "/acme")
      const refused = yield* open(handler, "/acme")
      expect([held.status, refused.status, refused.headers.get("retry-after")]).toEqual([200, 429, "5"])
      expect((yield* open(handler, "/other")).status).toBe(200)
      yield* first(held, 1)
      while ((yield* connections.count) > 1) yield* Effect.sleep("1 millis")
      expect((yield* open(handler, "/acme")).status).toBe(200)
    }).pipe(Effect.scoped, Effect.provide(Memory.layer))
  )

  it.live("ends with a pause for its client when the server drains", () =>
    Effect.gen(function* () {
      const { connections, handler } = yield* serve()
      const response = yield* open(handler, "/acme")
      yield* connections.drain
      const frames = yield* first(response, 9)
      expect(frames.slice(2)).toEqual([expect.stringMatching(/^retry: \d+$/), "id: 0\nevent: cursor\ndata: 0", ""])
      expect((yield* open(handler, "/acme")).status).toBe(503)
    }).pipe(Effect.scoped, Effect.provide(Memory.layer))
  )

  it.live("shows what the client may see, and goes on after the rest", () =>
    Effect.gen(function* () {
      yield* append("acme", "Sum", 1, 2, 3)
      const { handler } = yield* serve({
        sse: {
          events: [Added],
          from: "start",
          heartbeat: "5 millis",
          visible: (stored) =>
            stored.tags.includes("even")
              ? { ...stored, data: { n: 2, text: "hidden" } }
              : stored.position === 1
                ? stored
                : undefined
        }
      })
      const frames = yield* first(yield* open(handler, "/acme"), 5)
      expect(frames[2]).toContain("naïve")
      expect(frames[3]).toContain('"text":"hidden"')
      expect(frames[4]).toBe("id: 6\nevent: cursor\ndata: 6")
    }).pipe(Effect.scoped, Effect.provide(Memory.layer))
  )
})
