import * as NodeWS from "@effect/platform-node/NodeWS"
import { describe, expect, inject, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Socket from "effect/socket/Socket"
import * as TestClock from "effect/testing/TestClock"
import * as Channel from "../../src/application/Channel.ts"
import * as CommandBus from "../../src/application/CommandBus.ts"
import * as QueryBus from "../../src/application/QueryBus.ts"
import * as Actor from "../../src/domain/Actor.ts"
import * as Command from "../../src/domain/Command.ts"
import * as Query from "../../src/domain/Query.ts"
import * as StreamName from "../../src/domain/StreamName.ts"
import * as LiveSocket from "../../src/interfaces/websocket/LiveSocket.ts"
import * as LiveSocketClient from "../../src/interfaces/websocket/LiveSocketClient.ts"
import * as Handler from "../../src/middleware/Handler.ts"
import * as EventStore from "../../src/ports/EventStore.ts"
import * as Memory from "../../src/ports/Memory.ts"
import * as MessageContext from "../../src/ports/MessageContext.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"
import { Added, elapsing, note, turn } from "../sse/support.ts"
import { deaf, serve, wire } from "./support.ts"

class Taken extends Schema.TaggedError<Taken>()("Taken", { seat: Schema.String }) {}
class Book extends Command.Class<Book>()("Book", {
  payload: { seat: Schema.NonEmptyString },
  success: Schema.Struct({ by: Schema.String, at: Schema.DateTimeUtcFromString }),
  error: Taken
}) {}
class Wait extends Command.Class<Wait>()("Wait", { payload: {} }) {}
class Fall extends Command.Class<Fall>()("Fall", { payload: {} }) {}
class Who extends Query.Class<Who>()("Who", { payload: {}, success: Schema.String }) {}
class Large extends Query.Class<Large>()("Large", { payload: {}, success: Schema.String }) {}
class Hidden extends Query.Class<Hidden>()("Hidden", { payload: {} }) {}

const { on } = Handler
const messages = [Book, Wait, Fall, Who] as const

const handlers = (gate: Effect.Effect<void>) =>
  Layer.merge(
    CommandBus.handlers(
      on(Book, ({ seat }) =>
        Effect.gen(function* () {
          if (seat === "taken") return yield* new Taken({ seat })
          const store = yield* EventStore.EventStore
          const { actor } = yield* MessageContext.MessageContext
          yield* store.append({
            stream: StreamName.make("Seat", seat),
            expected: "any",
            events: [new Added({ n: 1, text: seat })]
          })
          const at = yield* Effect.orDie(Schema.decodeEffect(Schema.DateTimeUtcFromString)("2026-01-01T00:00:00Z"))
          return { by: actor?.id ?? "nobody", at }
        })
      ),
      on(Wait, () => gate),
      on(Fall, () => Effect.die("a secret"))
    ),
    QueryBus.handlers(
      on(Who, () => Effect.map(TenantContext.TenantContext, ({ id }) => id)),
      on(Hidden, () => Effect.void)
    )
  )

const rules: Channel.Rules = {
  read: (principal, channel) => channel.channel === "topic:chat" || Channel.isOwn(principal, channel),
  publish: (_, channel) => channel.channel === "topic:chat"
}

/** A client of one's own: frames as they are. */
const raw = (port: number, headers: Record<string, string> = { authorization: "Bearer acme ada" }) =>
  Effect.gen(function* () {
    const socket = yield* Socket.makeWebSocket(`ws://127.0.0.1:${port}/`, { headers })
    const reader = yield* socket.reader
    const writer = yield* socket.writer
    const queue = yield* Queue.unbounded<unknown>()
    const reading = Effect.flatMap(reader.pull, (chunks) =>
      Queue.offerAll(
        queue,
        chunks.map((chunk): unknown => JSON.parse(String(chunk)))
      )
    )
    const ended = yield* Effect.forkScoped(Effect.flip(Effect.forever(reading)))
    return {
      say: (message: unknown) =>
        Effect.orDie(writer.write(typeof message === "string" ? message : JSON.stringify(message))),
      next: Queue.take(queue),
      take: (count: number) => Effect.forEach(Array.from({ length: count }), () => Queue.take(queue)),
      ended: Fiber.join(ended)
    }
  })

const as = (port: number, user = "ada", tenant = "acme") =>
  LiveSocketClient.make({
    url: `ws://127.0.0.1:${port}/`,
    headers: { authorization: `Bearer ${tenant} ${user}` },
    messages: [...messages, Hidden],
    retry: 0
  })

const running = <A, E>(
  program: Effect.Effect<A, E, EventStore.EventStore | Socket.WebSocketConstructor | Scope.Scope>
) => program.pipe(Effect.scoped, Effect.provide([Memory.layer, NodeWS.layerWebSocketConstructor]))

const counted = (id: string, attributes: Record<string, string>) =>
  Effect.gen(function* () {
    yield* TestClock.adjust("1 second")
    const found = (yield* Metric.snapshot).find(
      (metric) =>
        metric.id === id && Object.entries(attributes).every(([key, value]) => metric.attributes?.[key] === value)
    )
    return found?.type === "Counter" ? Number(found.state.count) : 0
  })

const until = (count: Effect.Effect<number>, wanted: number): Effect.Effect<void> =>
  Effect.flatMap(count, (now) => (now === wanted ? Effect.void : Effect.andThen(turn, until(count, wanted))))

describe("a socket", () => {
  it.effect("is for who proves who it is, and for pages of the same origin", () =>
    running(
      Effect.gen(function* () {
        const { port } = yield* serve(LiveSocket.handle())
        const opened = (headers: Record<string, string>) =>
          Effect.scoped(Effect.flatMap(raw(port, headers), ({ next }) => next)).pipe(Effect.result)
        expect(yield* opened({ authorization: "Bearer acme ada" })).toMatchObject({
          success: { type: "connected", heartbeat: 15_000 }
        })
        for (const headers of [
          {},
          { authorization: "Bearer acme" },
          { authorization: "Bearer acme ada", origin: "https://evil.example" }
        ]) {
          expect(Result.isFailure(yield* opened(headers))).toBe(true)
        }
      })
    )
  )

  it.effect("carries the events of channels that the client may read, each with where to go on", () =>
    running(
      Effect.gen(function* () {
        const { port } = yield* serve(LiveSocket.handle({ rules }))
        const { next, say, take } = yield* raw(port)
        yield* next
        yield* say({ type: "subscribe", id: "a", channels: ["user:ada", "tenant"] })
        expect(yield* next).toEqual({ type: "subscribed", id: "a", cursor: "0", position: 0 })
        yield* note("acme", ["user:bob"])
        yield* note("globex", ["tenant"])
        yield* note("acme", ["tenant"])
        expect(yield* next).toMatchObject({ type: "events", id: "a", cursor: "3", events: [{ position: 3 }] })
        yield* say({ type: "subscribe", id: "b", channels: ["tenant"], after: "0" })
        const [subscribed, events] = yield* take(2)
        expect(subscribed).toMatchObject({ type: "subscribed", id: "b", position: 0 })
        expect(events).toMatchObject({ type: "events", id: "b", cursor: "3", events: [{ position: 3 }] })
        yield* say({ type: "leave", id: "a" })
        expect(yield* next).toEqual({ type: "answer", id: "a" })
        yield* note("acme", ["tenant"])
        expect(yield* next).toMatchObject({ type: "events", id: "b", cursor: "4" })
        yield* say({ type: "subscribe", id: "c", channels: ["user:bob"] })
        expect(yield* next).toMatchObject({ type: "failed", id: "c", error: { reason: { _tag: "ChannelDenied" } } })
        yield* say({ type: "subscribe", id: "b", channels: ["tenant"] })
        expect(yield* next).toMatchObject({ type: "failed", id: "b", error: { reason: { _tag: "InvalidRequest" } } })
        yield* note("acme", ["tenant"])
        expect(yield* next).toMatchObject({ type: "events", id: "b", cursor: "5" })
      })
    )
  )

  it.effect("holds back what is not acknowledged", () =>
    running(
      Effect.gen(function* () {
        const { port } = yield* serve(LiveSocket.handle())
        const { next, say } = yield* raw(port)
        yield* next
        for (let n = 0; n < 5; n++) yield* note("acme", ["tenant"])
        yield* say({ type: "subscribe", id: "a", channels: ["tenant"], after: "0", window: 2 })
        yield* next
        expect(yield* next).toMatchObject({ cursor: "2", events: [{ position: 1 }, { position: 2 }] })
        yield* say({ type: "ping" })
        expect(yield* next).toEqual({ type: "pong" })
        yield* say({ type: "ack", id: "a", position: 1 })
        expect(yield* next).toMatchObject({ cursor: "3", events: [{ position: 3 }] })
        yield* say({ type: "ack", id: "a", position: 3 })
        expect(yield* next).toMatchObject({ cursor: "5", events: [{ position: 4 }, { position: 5 }] })
      })
    )
  )

  it.effect("answers what is no request, whatever it is, and goes on", () =>
    running(
      Effect.gen(function* () {
        const { port } = yield* serve(LiveSocket.handle({ largest: 500 }))
        const { next, say } = yield* raw(port)
        yield* next
        const rubbish = [
          "",
          "x",
          "null",
          "[]",
          "{}",
          '{"type":"subscribe"}',
          '{"type":"subscribe","id":"","channels":["tenant"]}',
          '{"type":"subscribe","id":"a","channels":[]}',
          '{"type":"ack","id":"a","position":-1}',
          '{"type":"execute","id":"a","message":{}}',
          JSON.stringify({ type: "publish", id: "a", channel: "tenant", data: "x".repeat(600) })
        ]
        for (const text of rubbish) {
          yield* say(text)
          expect(yield* next).toMatchObject({ type: "failed", error: { reason: { _tag: "InvalidRequest" } } })
        }
        for (let times = 0; times < 200; times++) {
          const parts = [
            "{",
            "}",
            '"type"',
            '"id"',
            ":",
            ",",
            '"a"',
            '"subscribe"',
            "[",
            "]",
            "1",
            "null",
            '"ack"',
            "é"
          ]
          const length = yield* Random.nextIntBetween(0, 12)
          const text = yield* Effect.forEach(Array.from({ length }), () => Random.nextIntBetween(0, parts.length))
          yield* say(text.map((index) => parts[index]).join(""))
          expect(yield* next).toMatchObject({ type: "failed" })
        }
        for (const after of ["x", "-1", "99.", "1e3", "1".repeat(400), "1.e1.tag"]) {
          yield* say({ type: "subscribe", id: "a", channels: ["tenant"], after: after.slice(0, 350) })
          expect(yield* next).toMatchObject({ type: "failed", id: "a", error: { reason: { _tag: "InvalidCursor" } } })
        }
        yield* say({ type: "ping" })
        expect(yield* next).toEqual({ type: "pong" })
      }).pipe(Random.withSeed(inject("seed")))
    )
  )

  it.effect("asks clients whether they are there, and gives up those that are not", () =>
    running(
      Effect.gen(function* () {
        const { connections, port } = yield* serve(LiveSocket.handle())
        const alive = yield* raw(port)
        yield* alive.next
        yield* deaf(port)
        while ((yield* connections.count) < 2) yield* turn
        expect(yield* elapsing(alive.next)).toEqual({ type: "ping" })
        yield* elapsing(until(connections.count, 1))
        // The other one answers by itself.
        expect(yield* elapsing(alive.next)).toEqual({ type: "ping" })
        expect(yield* connections.count).toBe(1)
        expect(yield* counted("effect_cqrs_live_closed", { transport: "websocket", reason: "dead" })).toBe(1)
      }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
    )
  )

  it.effect("gives up clients that take nothing, and holds little for them", () =>
    running(
      Effect.gen(function* () {
        const { connections, port } = yield* serve(LiveSocket.handle(), { limits: { stalled: "20 seconds" } })
        const { say } = yield* deaf(port)
        while ((yield* connections.count) < 1) yield* turn
        yield* say({ type: "subscribe", id: "a", channels: ["tenant"], after: "0" })
        for (let n = 0; n < 60; n++) yield* note("acme", ["tenant"], "x".repeat(200_000))
        yield* elapsing(until(connections.count, 0))
        expect(yield* counted("effect_cqrs_live_closed", { transport: "websocket", reason: "stalled" })).toBe(1)
        expect(yield* counted("effect_cqrs_live_events_sent", { transport: "websocket" })).toBeLessThan(60)
      }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
    )
  )

  it.effect("reads no more from who asks and takes no answers", () =>
    running(
      Effect.gen(function* () {
        let answered = 0
        const large = QueryBus.handlers(on(Large, () => Effect.sync(() => (answered++, "x".repeat(200_000)))))
        const { connections, port } = yield* serve(
          LiveSocket.handle({ messages: [Large] }).pipe(Effect.provide(yield* Layer.build(large))),
          { limits: { stalled: "60 seconds" } }
        )
        const { say } = yield* deaf(port)
        const asking = 400
        for (let n = 0; n < asking; n++) yield* say({ type: "ask", id: `${n}`, message: { _tag: "Large" } })
        for (let before = -1, same = 0; same < 100 && answered < asking; before = answered) {
          same = answered === before && answered > 0 ? same + 1 : 0
          yield* turn
        }
        // What the kernel holds for both ends is some megabytes.
        expect(answered).toBeLessThan(asking / 2)
        // It is slow and not gone: only who takes nothing for too long is given up.
        yield* TestClock.adjust("50 seconds")
        expect(yield* connections.count).toBe(1)
        yield* elapsing(until(connections.count, 0))
      })
    )
  )

  it.effect("tells its clients when it drains, and lets nobody in", () =>
    running(
      Effect.gen(function* () {
        const { connections, port } = yield* serve(LiveSocket.handle())
        const { ended, next } = yield* raw(port)
        yield* next
        yield* connections.drain
        expect(yield* next).toEqual({ type: "bye", retry: expect.any(Number) })
        expect((yield* ended).reason).toMatchObject({ _tag: "SocketCloseError", code: 1012 })
        expect(Result.isFailure(yield* Effect.result(raw(port)))).toBe(true)
      })
    )
  )
})

describe("commands and queries over a socket", () => {
  const served = Effect.gen(function* () {
    const gate = yield* Deferred.make<void>()
    const built = yield* Layer.build(handlers(Deferred.await(gate)))
    const { port } = yield* serve(Effect.provide(LiveSocket.handle({ messages, inFlight: 2, rules }), built))
    return { gate, port }
  })

  it.effect("are answered with value and receipt, as the principal", () =>
    running(
      Effect.gen(function* () {
        const { port } = yield* served
        const client = yield* as(port)
        const { receipt, value } = yield* LiveSocketClient.dispatch(client, new Book({ seat: "1a" }))
        expect([value.by, receipt]).toEqual(["ada", { streams: [{ stream: "Seat-1a", version: 1 }], position: 1 }])
        expect(yield* LiveSocketClient.ask(client, new Who())).toBe("acme")
        const other = yield* as(port, "bob", "globex")
        expect(yield* LiveSocketClient.ask(other, new Who())).toBe("globex")
      })
    )
  )

  it.effect("fail as their classes say, with what is wrong, and without what nobody may know", () =>
    running(
      Effect.gen(function* () {
        const { port } = yield* served
        const client = yield* as(port)
        expect(yield* Effect.flip(LiveSocketClient.execute(client, new Book({ seat: "taken" })))).toEqual(
          new Taken({ seat: "taken" })
        )
        const bug = yield* Effect.flip(LiveSocketClient.execute(client, new Fall()))
        expect(bug).toMatchObject({ _tag: "DispatchError", of: "Fall", reason: { _tag: "Defect" } })
        expect(JSON.stringify(bug)).not.toContain("a secret")
        expect(yield* Effect.flip(LiveSocketClient.ask(client, new Hidden()))).toMatchObject({
          reason: { _tag: "NotHandled", kind: "query" }
        })
        const { next, say } = yield* raw(port)
        yield* next
        yield* say({ type: "execute", id: "1", message: { _tag: "Book", seat: "" } })
        expect(yield* next).toMatchObject({
          type: "failed",
          id: "1",
          of: "dispatch",
          error: { reason: { _tag: "Invalid", issues: [{ path: "seat" }] } }
        })
      })
    )
  )

  it.effect("are so many at a time", () =>
    running(
      Effect.gen(function* () {
        const { gate, port } = yield* served
        const client = yield* as(port)
        const wait = Effect.forkChild(LiveSocketClient.execute(client, new Wait()), { startImmediately: true })
        yield* LiveSocketClient.ask(client, new Who())
        const waiting = [yield* wait, yield* wait]
        expect(yield* Effect.flip(LiveSocketClient.ask(client, new Who()))).toMatchObject({
          reason: { _tag: "Refused", error: { reason: { _tag: "TooManyRequests", limit: 2 } } }
        })
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.joinAll(waiting)
        expect(yield* LiveSocketClient.ask(client, new Who())).toBe("acme")
      })
    )
  )

  it.effect("fail when the connection is lost before the answer", () =>
    running(
      Effect.gen(function* () {
        const { port } = yield* served
        const cable = yield* wire(
          () => port,
          () => ({ after: 1_000_000, size: 1_000 })
        )
        const client = yield* as(cable.port)
        yield* LiveSocketClient.ask(client, new Who())
        const lost = yield* Effect.forkChild(Effect.flip(LiveSocketClient.execute(client, new Wait())), {
          startImmediately: true
        })
        // Its answer comes after the command has.
        yield* LiveSocketClient.ask(client, new Who())
        cable.breakAll()
        expect(yield* Fiber.join(lost)).toMatchObject({ reason: { _tag: "ConnectionLost" } })
        expect(yield* elapsing(LiveSocketClient.ask(client, new Who()))).toBe("acme")
      })
    )
  )
})

describe("messages in channels", () => {
  it.effect("go to all who are there, from who may send, and say who comes and goes", () =>
    running(
      Effect.gen(function* () {
        const { hub, port } = yield* serve(LiveSocket.handle({ rules }))
        const ada = yield* as(port)
        const bob = yield* as(port, "bob")
        const eve = yield* as(port, "eve", "globex")
        const seen = yield* Queue.unbounded<unknown>()
        yield* Effect.forkScoped(
          Stream.runForEach(LiveSocketClient.join(ada, "topic:chat"), (happening) => Queue.offer(seen, happening))
        )
        expect(yield* Queue.take(seen)).toEqual({ _tag: "Members", members: [{ id: "ada", kind: "user" }] })
        const first = yield* Effect.forkScoped(Stream.runDrain(LiveSocketClient.join(bob, "topic:chat")))
        expect(yield* Queue.take(seen)).toMatchObject({ _tag: "Presence", actor: { id: "bob" }, isHere: true })
        expect(yield* LiveSocketClient.publish(bob, "topic:chat", { text: "hi" })).toBe(2)
        expect(yield* Queue.take(seen)).toMatchObject({ _tag: "Message", from: { id: "bob" }, data: { text: "hi" } })
        expect(yield* LiveSocketClient.publish(eve, "topic:chat", "from elsewhere")).toBe(0)
        expect(yield* Effect.flip(LiveSocketClient.publish(bob, "tenant", "x"))).toMatchObject({
          reason: { _tag: "Refused", error: { reason: { _tag: "ChannelDenied" } } }
        })
        yield* hub.publish("topic:chat", "from the server").pipe(TenantContext.provide("acme"))
        expect(yield* Queue.take(seen)).toMatchObject({ _tag: "Message", data: "from the server" })
        yield* Fiber.interrupt(first)
        expect(yield* Queue.take(seen)).toMatchObject({ _tag: "Presence", actor: { id: "bob" }, isHere: false })
      })
    )
  )

  it.effect("of all tenants tell none who is there of another", () =>
    running(
      Effect.gen(function* () {
        const { hub, port } = yield* serve(LiveSocket.handle({ rules }))
        const watching = (user: string, tenant: string) =>
          Effect.gen(function* () {
            const seen = yield* Queue.unbounded<LiveSocketClient.Happening>()
            const joined = LiveSocketClient.join(yield* as(port, user, tenant), "broadcast")
            yield* Effect.forkScoped(Stream.runForEach(joined, (happening) => Queue.offer(seen, happening)))
            return [yield* Queue.take(seen), seen] as const
          })
        const [, adas] = yield* watching("ada", "acme")
        const [eves, of] = yield* watching("eve", "globex")
        expect(eves).toEqual({ _tag: "Members", members: [{ id: "eve", kind: "user" }] })
        expect(yield* hub.members("broadcast").pipe(TenantContext.provide("acme"))).toEqual([Actor.user("ada")])
        expect(yield* hub.publish("broadcast", "for all").pipe(TenantContext.provide("acme"))).toBe(2)
        for (const seen of [adas, of]) expect(yield* Queue.take(seen)).toMatchObject({ data: "for all" })
      })
    )
  )
})
