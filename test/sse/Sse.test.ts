import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import { describe, expect, inject, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Channel from "../../src/application/Channel.ts"
import * as LiveTokens from "../../src/application/LiveTokens.ts"
import * as Actor from "../../src/domain/Actor.ts"
import * as Position from "../../src/domain/Position.ts"
import type { Stored } from "../../src/domain/RecordedEvent.ts"
import * as TenantId from "../../src/domain/TenantId.ts"
import * as Sse from "../../src/interfaces/sse/Sse.ts"
import * as SseClient from "../../src/interfaces/sse/SseClient.ts"
import * as Memory from "../../src/ports/Memory.ts"
import * as support from "./support.ts"

const { Added, append, client, elapsing, frames, open, serve } = support

const acme = TenantId.make("acme")

const signed = (epoch = "") =>
  LiveTokens.layer({ secret: Redacted.make("sixteen characters"), epoch }).pipe(Layer.provide(NodeCrypto.layerMac))

describe("a stream of events", () => {
  it.effect("tells what proxies need, where it is, and when the log does not reach to the client", () =>
    Effect.gen(function* () {
      yield* append("acme", "Sum", 1)
      const { handler } = yield* serve({ tail: { grace: 0 } })
      const response = yield* open(handler, "/acme?after=99", { "last-event-id": "1" })
      expect(Object.fromEntries(response.headers)).toMatchObject({
        "content-type": "text/event-stream",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no"
      })
      const reader = frames(response)
      const [retry, connected, event] = yield* reader.take(3)
      expect(retry).toMatch(/^retry: \d{4}$/)
      expect(connected).toBe('id: 1\nevent: connected\ndata: {"position":1,"heartbeat":15000}')
      expect(event).toMatch(/^id: 2\ndata: \{"position":2,.*"type":"Other".*\}$/)
      expect(event).not.toContain("acme")
      expect(yield* elapsing(reader.next)).toBe("id: 2\nevent: cursor\ndata: 2")
      const ahead = yield* frames(yield* open(handler, "/acme?after=99")).take(3)
      expect(ahead.slice(1)).toEqual([expect.stringContaining("event: connected"), "id: 2\nevent: reset\ndata: 2"])
      const error = yield* Effect.flip(
        Stream.runDrain(SseClient.events({ url: "http://localhost/acme?after=99", events: [Added] }))
      ).pipe(Effect.provideService(HttpClient.HttpClient, client(Effect.succeed(handler))))
      expect(error.reason).toMatchObject({ _tag: "LogReset", cursor: "2", position: 2 })
    }).pipe(Effect.scoped, Effect.provide(Memory.layer))
  )

  it.effect("ends with a pause for its client when the server drains", () =>
    Effect.gen(function* () {
      const { connections, handler } = yield* serve()
      const reader = frames(yield* open(handler, "/acme"))
      yield* reader.take(2)
      yield* connections.drain
      expect(yield* reader.take(3)).toEqual([
        expect.stringMatching(/^retry: \d+$/),
        "id: 0\nevent: cursor\ndata: 0",
        ""
      ])
      expect((yield* open(handler, "/acme")).status).toBe(503)
    }).pipe(Effect.scoped, Effect.provide(Memory.layer))
  )

  it.effect("ends when its time is over, and goes on where it was", () =>
    Effect.gen(function* () {
      const { handler } = yield* serve({ limits: { lifetime: "1 minute" }, sse: { heartbeat: "1 hour" } })
      const reader = frames(yield* open(handler, "/acme"))
      yield* reader.take(2)
      yield* append("acme", "Sum", 1)
      yield* reader.take(2)
      expect(yield* elapsing(reader.take(3))).toEqual([
        expect.stringMatching(/^retry: \d+$/),
        "id: 2\nevent: cursor\ndata: 2",
        ""
      ])
    }).pipe(Effect.scoped, Effect.provide(Memory.layer))
  )

  it.effect("shows what the client may see, and goes on after the rest", () =>
    Effect.gen(function* () {
      yield* append("acme", "Sum", 1, 2, 3)
      const { handler } = yield* serve({
        sse: {
          events: [Added],
          from: "start",
          visible: (stored) =>
            stored.tags.includes("even")
              ? { ...stored, data: { n: 2, text: "hidden" } }
              : stored.position === 1
                ? stored
                : undefined
        }
      })
      const reader = frames(yield* open(handler, "/acme"))
      const sent = yield* reader.take(4)
      expect(sent[2]).toContain("naïve")
      expect(sent[3]).toContain('"text":"hidden"')
      expect(yield* elapsing(reader.next)).toBe("id: 6\nevent: cursor\ndata: 6")
    }).pipe(Effect.scoped, Effect.provide(Memory.layer))
  )

  it.effect("is refused beyond the limits, and admitted when another ends", () =>
    Effect.gen(function* () {
      const { connections, handler } = yield* serve({ limits: { perTenant: 2, perPrincipal: 1 } })
      const held = yield* open(handler, "/acme")
      const refused = yield* open(handler, "/acme")
      expect([held.status, refused.status, refused.headers.get("retry-after")]).toEqual([200, 429, "5"])
      expect((yield* open(handler, "/other")).status).toBe(200)
      const reader = frames(held)
      yield* reader.take(1)
      yield* reader.cancel
      while ((yield* connections.count) > 1) yield* support.turn
      expect((yield* open(handler, "/acme")).status).toBe(200)
    }).pipe(Effect.scoped, Effect.provide(Memory.layer))
  )

  it.effect("encodes an event once, however many get it", () =>
    Effect.gen(function* () {
      let encoded = 0
      const told = new WeakMap<Stored, Stored>()
      const counted = (stored: Stored): Stored => ({ ...stored, data: { toJSON: () => ++encoded } })
      const { handler } = yield* serve({
        sse: {
          events: [Added],
          visible: (stored) => {
            const known = told.get(stored) ?? counted(stored)
            told.set(stored, known)
            return known
          }
        },
        limits: { perPrincipal: 100 }
      })
      const readers = yield* Effect.forEach(Array.from({ length: 20 }), () =>
        Effect.map(open(handler, "/acme"), frames)
      )
      for (const reader of readers) yield* reader.take(2)
      yield* append("acme", "Sum", 1)
      const got = yield* Effect.forEach(readers, (reader) => reader.next)
      expect(new Set(got).size).toBe(1)
      expect(encoded).toBe(1)
    }).pipe(Effect.scoped, Effect.provide(Memory.layer))
  )

  it.effect("is measured", () =>
    Effect.gen(function* () {
      const { handler } = yield* serve()
      const reader = frames(yield* open(handler, "/acme"))
      yield* reader.take(2)
      yield* append("acme", "Sum", 1, 2)
      yield* reader.take(4)
      yield* elapsing(reader.next)
      const metrics = yield* Metric.snapshot
      const of = (id: string) =>
        metrics.find((metric) => metric.id === id && metric.attributes?.["transport"] === "sse")
      expect(of("effect_cqrs_live_connections")?.state).toMatchObject({ value: 1 })
      expect(of("effect_cqrs_live_events_sent")?.state).toMatchObject({ count: 4 })
      expect(of("effect_cqrs_live_lag_positions")?.state).toMatchObject({ value: 0 })
    }).pipe(Effect.scoped, Effect.provide(Memory.layer), Effect.provideService(Metric.MetricRegistry, new Map()))
  )
})

describe("channels", () => {
  const ada = { authorization: "Bearer acme ada" }
  const options: Sse.ChannelOptions = { from: "start", heartbeat: "1 hour" }

  it.effect("give each principal its own, its tenant's and everybody's events, and nobody else's", () =>
    Effect.gen(function* () {
      const note = (tenant: string, ...tags: ReadonlyArray<string>) => support.note(tenant, tags)
      yield* note("acme", "user:ada")
      yield* note("acme", "user:bob")
      yield* note("acme", "tenant")
      yield* note("acme", "topic:orders")
      yield* note("acme")
      yield* note("acme", "broadcast")
      yield* note("globex", "user:ada")
      yield* note("globex", "tenant")
      yield* note("system", "broadcast")
      yield* note("acme", "user:ada", "tenant")
      const { handler } = yield* serve({
        tail: { everybody: "system" },
        channels: {
          ...options,
          rules: {
            read: (principal, channel) =>
              Effect.succeed(channel.channel === "topic:orders" || Channel.isOwn(principal, channel))
          }
        }
      })
      const got = (query: string, count: number) =>
        Effect.gen(function* () {
          const all = yield* frames(yield* open(handler, `/?${query}`, ada)).take(count + 2)
          return all.slice(2).map((frame) => Number(/^id: (\d+)/.exec(frame)?.[1]))
        })
      expect(yield* got("", 2)).toEqual([3, 10])
      expect(yield* got("channel=user:ada", 2)).toEqual([1, 10])
      expect(yield* got("channel=user:ada&channel=tenant&channel=topic:orders&channel=broadcast", 5)).toEqual([
        1, 3, 4, 9, 10
      ])
      const refused = yield* Effect.forEach(
        ["user:bob", "topic:secrets", "user:", "nonsense", "user:ada%00", `user:${"x".repeat(201)}`],
        (channel) => Effect.map(open(handler, `/?channel=${channel}`, ada), ({ status }) => status)
      )
      expect(refused).toEqual([403, 403, 400, 400, 400, 400])
      const many = Array.from({ length: 51 }, () => "channel=tenant").join("&")
      expect((yield* open(handler, `/?${many}`, ada)).status).toBe(400)
      expect((yield* open(handler, "/")).status).toBe(401)
    }).pipe(Effect.scoped, Effect.provide(Memory.layer))
  )

  it.effect("are for pages of the same origin, and of those that are allowed", () =>
    Effect.gen(function* () {
      const { handler } = yield* serve({ channels: { ...options, origins: ["https://app.example"] } })
      const from = (headers: Record<string, string>) => open(handler, "/", { ...ada, host: "api.example", ...headers })
      expect((yield* from({ origin: "https://api.example" })).status).toBe(200)
      const allowed = yield* from({ origin: "https://app.example" })
      expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([200, "https://app.example"])
      for (const origin of [
        "https://evil.example",
        "null",
        "https://api.example.evil.example",
        "https://app.example.x"
      ]) {
        expect((yield* from({ origin })).status).toBe(403)
      }
      expect((yield* from({ "sec-fetch-site": "cross-site" })).status).toBe(403)
    }).pipe(Effect.scoped, Effect.provide(Memory.layer))
  )

  it.effect("are open to who has a ticket, for its time", () =>
    Effect.gen(function* () {
      yield* support.note("acme", ["user:ada"])
      const { ticket } = yield* LiveTokens.LiveTokens
      const { handler } = yield* serve({ channels: options })
      const good = yield* ticket({ tenant: acme, actor: Actor.user("ada") }, "30 seconds")
      const response = yield* open(handler, `/?channel=user:ada&ticket=${good}`)
      expect((yield* frames(response).take(3))[2]).toContain('"user:ada"')
      expect((yield* open(handler, `/?channel=user:bob&ticket=${good}`)).status).toBe(403)
      const [claims = "", tag = ""] = good.split(".")
      const other = yield* ticket({ tenant: TenantId.make("globex"), actor: Actor.user("ada") })
      const forged = [claims, `${claims}.`, `.${tag}`, `${other.split(".")[0]}.${tag}`, `${good}.x`, "x", ""]
      for (const text of forged) expect((yield* open(handler, `/?ticket=${text}`, ada)).status).toBe(401)
      yield* elapsing(Effect.sleep("30 seconds"))
      expect((yield* open(handler, `/?channel=user:ada&ticket=${good}`)).status).toBe(401)
    }).pipe(Effect.scoped, Effect.provide([Memory.layer, signed()]))
  )
})

describe("cursors", () => {
  const resumed = (cursor: string, tenant = "acme") =>
    Effect.gen(function* () {
      const { handler } = yield* serve()
      const response = yield* open(handler, `/${tenant}`, { "last-event-id": cursor })
      return response.status === 200 ? yield* frames(response).take(3) : response.status
    })

  const isReset = (frame: unknown) => typeof frame === "string" && frame.includes("event: reset")

  it.effect("that are signed count for their tenant and their epoch alone", () =>
    Effect.gen(function* () {
      yield* append("acme", "Sum", 1, 2)
      yield* append("other", "Sum", 1, 2)
      const { cursor } = yield* Effect.provide(LiveTokens.LiveTokens, signed("e1"))
      const good = yield* cursor(acme, Position.make(1))
      const here = yield* resumed(good).pipe(Effect.provide(signed("e1")))
      expect(here).toEqual([
        expect.anything(),
        expect.stringContaining(`id: ${good}\nevent: connected`),
        expect.stringContaining('"position":2')
      ])
      const after = yield* resumed(good).pipe(Effect.provide(signed("e2")))
      expect(Array.isArray(after) && isReset(after[2])).toBe(true)
      const refused = yield* Effect.forEach(
        ["1", "1.e1", `2${good.slice(1)}`, good.slice(0, -1), `${good}A`, good.replace("e1", "e2"), "0", "-1", "x"],
        (text) => resumed(text)
      ).pipe(Effect.provide(signed("e1")))
      expect(new Set(refused)).toEqual(new Set([400]))
      expect(yield* resumed(good, "other").pipe(Effect.provide(signed("e1")))).toBe(400)
    }).pipe(Effect.scoped, Effect.provide(Memory.layer))
  )

  it.effect("that are plain say of which epoch they are", () =>
    Effect.gen(function* () {
      yield* append("acme", "Sum", 1, 2)
      const unsigned = LiveTokens.layerUnsigned("e1")
      expect(yield* resumed("1.e1").pipe(Effect.provide(unsigned))).toEqual([
        expect.anything(),
        expect.anything(),
        expect.stringContaining('"position":2')
      ])
      for (const text of ["1", "1.e2"]) {
        const after = yield* resumed(text).pipe(Effect.provide(unsigned))
        expect(Array.isArray(after) && isReset(after[2])).toBe(true)
      }
      expect(yield* resumed("1.e1.x").pipe(Effect.provide(unsigned))).toBe(400)
    }).pipe(Effect.scoped, Effect.provide(Memory.layer))
  )

  const rubbish = Effect.gen(function* () {
    const alphabet = ["0", "9", ".", "-", "e1", "%00", "é", " ", "\t", "acme", "a".repeat(400), "%", "&", "=", "?", "/"]
    const length = yield* Random.nextIntBetween(0, 12)
    return (yield* Effect.forEach(Array.from({ length }), () => Random.nextIntBetween(0, alphabet.length)))
      .map((index) => alphabet[index])
      .join("")
  })

  it.effect("channels, headers and tickets of any kind give no server error and nobody else's events", () =>
    Effect.gen(function* () {
      yield* support.note("acme", ["tenant"])
      yield* support.note("globex", ["tenant", "user:ada", "broadcast"])
      const { handler } = yield* serve({
        channels: { from: "start" },
        tail: { grace: 0 },
        limits: { perPrincipal: 1_000 }
      })
      const { cursor } = yield* LiveTokens.LiveTokens
      const good = yield* cursor(acme, Position.start)
      const seen = new Map<number, number>()
      for (let times = 0; times < 300; times++) {
        const one = () => Effect.flatMap(Random.nextBoolean, (lucky) => (lucky ? Effect.succeed(good) : rubbish))
        const query = yield* Random.nextBoolean
        const path = query
          ? `/?channel=${yield* rubbish}&ticket=${yield* rubbish}`
          : `/?after=${yield* rubbish}&channel=tenant`
        const headers = new Headers({ authorization: "Bearer acme ada" })
        const id = (yield* one()).replace(/[^\x20-\x7e]/g, "")
        headers.set("last-event-id", id)
        if (yield* Random.nextBoolean) headers.set("origin", (yield* rubbish).replace(/[^\x20-\x7e]/g, ""))
        const response = yield* Effect.promise(() => handler(new Request(`http://localhost${path}`, { headers })))
        seen.set(response.status, (seen.get(response.status) ?? 0) + 1)
        expect([200, 400, 401, 403]).toContain(response.status)
        if (response.status !== 200) continue
        const reader = frames(response)
        expect((yield* reader.take(3)).join("\n")).not.toContain("broadcast")
        yield* reader.cancel
      }
      expect(new Set(seen.keys())).toEqual(new Set([200, 400, 401, 403]))
    }).pipe(Effect.scoped, Effect.provide([Memory.layer, signed()]), Random.withSeed(inject("seed")))
  )
})

describe("a client", () => {
  it.effect("fails by name where an event is too large, after what came before it", () =>
    Effect.gen(function* () {
      yield* append("acme", "Sum", 1, 2)
      const { handler } = yield* serve()
      const got: Array<number> = []
      const error = yield* SseClient.events({
        url: "http://localhost/acme?after=0",
        events: [Added],
        largest: 100
      }).pipe(
        Stream.runForEach(({ position }) => Effect.sync(() => got.push(position))),
        Effect.flip,
        Effect.provideService(HttpClient.HttpClient, client(Effect.succeed(handler), support.pieces(40)))
      )
      expect([got, error.reason]).toEqual([[], expect.objectContaining({ _tag: "TooLarge", after: "0", limit: 100 })])
    }).pipe(Effect.scoped, Effect.provide(Memory.layer))
  )
})

describe("streams of one's own", () => {
  it.effect("are sent with ids, and kept open by comments", () =>
    Effect.gen(function* () {
      const own = Stream.concat(Stream.make({ n: 1 }), Stream.never)
      const reader = frames(HttpServerResponse.toWeb(Sse.fromStream(own, { id: ({ n }) => `${n}\nid: 7` })))
      expect(yield* reader.next).toBe('id: 1 id: 7\ndata: {"n":1}')
    })
  )
})
