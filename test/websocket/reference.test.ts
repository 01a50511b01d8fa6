/**
 * Whatever happens to wires and servers, a client gets what the filter leaves of the log: in order, and once.
 */
import * as NodeWS from "@effect/platform-node/NodeWS"
import { describe, expect, inject, it } from "@effect/vitest"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as Position from "../../src/domain/Position.ts"
import * as LiveSocket from "../../src/interfaces/websocket/LiveSocket.ts"
import * as LiveSocketClient from "../../src/interfaces/websocket/LiveSocketClient.ts"
import * as Memory from "../../src/ports/Memory.ts"
import { Added, append, logged } from "../sse/support.ts"
import { killable, pause, serve, type Serving, wire } from "./support.ts"

const total = 150

/** Writers of two tenants, two servers that are killed, a wire that breaks anywhere, and a slow reader: what it gets. */
const disturbed = (serving: Serving = {}, patience: Duration.Input = "20 seconds") =>
  Effect.gen(function* () {
    yield* append("acme", "Sum", ...Array.from({ length: 40 }, (_, n) => n))
    const rules = { criteria: () => ({ types: ["Added"] }) }
    const start = Effect.gen(function* () {
      const capacity = yield* Random.nextIntBetween(4, 40)
      const handled = LiveSocket.handle({ rules, spread: 0, largest: 1_000 })
      return yield* killable(serve(handled, { tail: { capacity, batchSize: 7 }, ...serving }))
    })
    const servers = [yield* start, yield* start]
    // Of the wire's own, since it is asked outside of Effect.
    const cuts = yield* Effect.forEach(Array.from({ length: 1_000 }), () =>
      Effect.all({
        after: Random.nextIntBetween(150, 6_000),
        size: Random.nextIntBetween(1, 60),
        of: Random.nextIntBetween(0, 2)
      })
    )
    let turnOf = 0
    const next = () => cuts[turnOf++ % cuts.length] ?? { after: 1_000, size: 10, of: 0 }
    const cable = yield* wire(() => servers[next().of]?.port ?? 0, next)
    const client = yield* LiveSocketClient.make({
      url: `ws://127.0.0.1:${cable.port}/`,
      headers: { authorization: "Bearer acme ada" },
      retry: 0,
      longestRetry: 0
    })
    const received: Array<number> = []
    const events = LiveSocketClient.events(client, { channels: ["tenant"], events: [Added], after: "0", window: 20 })
    const reader = yield* events.pipe(
      Stream.tap(({ position }) => (position % 10 === 0 ? pause(5) : Effect.void)),
      Stream.runForEachWhile(({ event, position }) =>
        Effect.sync(() => {
          const before = received.at(-1) ?? 0
          received.push(position)
          return position > before && event.n < total - 1
        })
      ),
      Effect.timeoutOption(patience),
      Effect.forkScoped
    )
    for (let n = 40; n < total; n += 5) {
      yield* append("other", "Sum", n)
      yield* append("acme", n % 2 === 0 ? "Sum" : "Product", n, n + 1, n + 2, n + 3, n + 4)
      if (n % 20 === 0) {
        yield* servers.shift()?.kill ?? Effect.void
        servers.push(yield* start)
      }
      yield* pause(5)
    }
    yield* Fiber.join(reader)
    cable.breakAll()
    for (const { kill } of servers) yield* kill
    return { received, expected: yield* logged("acme") }
  }).pipe(
    Effect.scoped,
    Random.withSeed(inject("seed")),
    Effect.provide([Memory.layer, NodeWS.layerWebSocketConstructor])
  )

describe("events over a socket", () => {
  it.live(
    "come in order and once, through wires that break anywhere and servers that are killed",
    () =>
      Effect.gen(function* () {
        const { expected, received } = yield* disturbed()
        expect(expected).toHaveLength(total)
        expect(received).toEqual(expected)
      }),
    60_000
  )

  const wrong: Record<string, Serving> = {
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
    "begins a little before where the client was": {
      over: (tail) => ({
        ...tail,
        check: (cursor) =>
          Effect.map(tail.check(cursor), (now) => ({ ...now, cursor: Position.make(Math.max(0, now.cursor - 3)) }))
      })
    }
  }
  it.live.each(Object.entries(wrong))("of a server that %s are seen to be wrong", ([_, serving]) =>
    Effect.gen(function* () {
      const { expected, received } = yield* disturbed(serving, "2 seconds")
      expect(received.length).toBeGreaterThan(0)
      expect(received).not.toEqual(expected)
    })
  )
})
