import { describe, expect, inject, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Channel from "../../src/application/Channel.ts"
import * as LiveHub from "../../src/application/LiveHub.ts"
import * as Actor from "../../src/domain/Actor.ts"
import type * as Event from "../../src/domain/Event.ts"
import * as EventBus from "../../src/ports/EventBus.ts"
import type { EventBusError } from "../../src/ports/EventBusError.ts"
import * as SystemContext from "../../src/ports/SystemContext.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"
import * as Law from "../../src/testing/Law.ts"
import * as LiveHubLaws from "../../src/testing/LiveHubLaws.ts"
import { checkLaws } from "../laws/checkLaws.ts"

const { Nodes } = LiveHubLaws
type Hub = LiveHub.LiveHub["Service"]

const system = SystemContext.layer("channels of all tenants")
/** A process of its own, on the bus that is provided; `within` changes what it says to others. */
const hub = (
  heartbeat = 100,
  within: (publish: EventBus.EventBus["Service"]["publish"]) => EventBus.EventBus["Service"]["publish"] = (same) => same
) =>
  Effect.gen(function* () {
    const bus = yield* EventBus.EventBus
    const services = yield* Layer.build(
      Layer.fresh(LiveHub.layerBus({ heartbeat })).pipe(
        Layer.provide(Layer.succeed(EventBus.EventBus, { ...bus, publish: within(bus.publish) })),
        // One bus in memory stands for one between processes.
        Layer.provide(Layer.succeed(EventBus.AcrossProcesses, { promises: bus.promises })),
        Layer.provide(system)
      )
    )
    return Context.get(services, LiveHub.LiveHub)
  })

const pair = (within?: Parameters<typeof hub>[1]) =>
  Layer.effect(
    Nodes,
    Effect.gen(function* () {
      return { one: yield* hub(100, within), other: yield* hub(100, within) }
    })
  ).pipe(Layer.provide(EventBus.layerMemory))

const sessions = { sessions: Number.POSITIVE_INFINITY }

checkLaws(
  "LiveHub.layer",
  { LiveHub: LiveHubLaws.laws },
  Layer.effect(
    Nodes,
    Effect.map(LiveHub.LiveHub, (one) => ({ one, other: one }))
  ).pipe(Layer.provide(LiveHub.layer)),
  sessions
)

checkLaws("LiveHub.layerBus in memory", { LiveHub: LiveHubLaws.laws }, pair(), sessions)

const chat = Channel.topic("chat")
const idsOf = (one: Hub) => Effect.map(one.members(chat), (actors) => actors.map(({ id }) => id).sort())
const join = (one: Hub, id: string, presences: Array<string> = []) =>
  one.join(chat, {
    actor: Actor.user(id),
    message: () => true,
    presence: ({ actor, isHere }) => void presences.push(`${actor.id} ${isHere}`)
  })

const soon = <E, R>(expected: ReadonlyArray<string>, actual: Effect.Effect<ReadonlyArray<string>, E, R>) =>
  Effect.gen(function* () {
    for (let tries = 0; tries < 500; tries++) {
      if (JSON.stringify(yield* actual) === JSON.stringify(expected)) return
      yield* Effect.sleep("10 millis")
    }
    expect(yield* actual).toEqual(expected)
  })

/** What is said while it is cut is lost. */
const cable = () => {
  const state = { isCut: false }
  const within: Parameters<typeof hub>[1] = (publish) => (events) =>
    Effect.suspend(() => (state.isCut ? Effect.void : publish(events)))
  return { state, within }
}

const bus = Layer.mergeAll(EventBus.layerMemory, TenantContext.layerSingle)

describe("processes on one bus", () => {
  it.live("learn of each other when they start, and that one has ended", () =>
    Effect.gen(function* () {
      const one = yield* hub()
      yield* join(one, "ada")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const late = yield* hub()
          yield* soon(["ada"], idsOf(late))
          yield* join(late, "bob")
          yield* soon(["ada", "bob"], idsOf(one))
        })
      )
      yield* soon(["ada"], idsOf(one))
    }).pipe(Effect.provide(bus))
  )

  it.live("take one that is not heard of to be gone within three heartbeats, and agree again when it is", () =>
    Effect.gen(function* () {
      const { state, within } = cable()
      const [one, other] = [yield* hub(200), yield* hub(200, within)]
      const presences: Array<string> = []
      yield* join(one, "ada", presences)
      yield* join(other, "bob")
      yield* soon(["ada", "bob"], idsOf(one))
      state.isCut = true
      const began = performance.now()
      yield* soon(["ada"], idsOf(one))
      expect(performance.now() - began).toBeGreaterThan(350)
      yield* join(other, "cy")
      state.isCut = false
      yield* soon(["ada", "bob", "cy"], idsOf(one))
      expect(presences.slice(0, 2)).toEqual(["bob true", "bob false"])
      expect(presences.slice(2).sort()).toEqual(["bob true", "cy true"])
    }).pipe(Effect.provide(bus))
  )

  it.live("notice a single change that was lost", () =>
    Effect.gen(function* () {
      const { state, within } = cable()
      const [one, other] = [yield* hub(1000), yield* hub(1000, within)]
      yield* soon([], idsOf(one))
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* join(other, "bob")
          yield* soon(["bob"], idsOf(one))
          state.isCut = true
        })
      )
      yield* Effect.sleep("50 millis")
      state.isCut = false
      expect(yield* idsOf(one)).toEqual(["bob"])
      yield* soon([], idsOf(one))
    }).pipe(Effect.provide(bus))
  )

  it.live("go on without what is not JSON, and without a bus", () =>
    Effect.gen(function* () {
      const [one, other] = [yield* hub(100, () => () => Effect.die("no bus")), yield* hub(100)]
      yield* join(one, "ada")
      yield* join(other, "bob")
      expect([yield* one.publish(chat, () => 1), yield* one.publish(chat, 1)]).toEqual([1, 1])
      expect(yield* idsOf(other)).toEqual(["bob"])
    }).pipe(Effect.provide([bus, Logger.layer([])]))
  )
})

/** Says something else than it was told to. */
const saying = (change: (signal: LiveHub.Signal) => ReadonlyArray<Event.Any>) =>
  pair(
    (publish) => (events) =>
      publish(events.flatMap((event) => (event instanceof LiveHub.Signal ? change(event) : [event])))
  )

const wrongs: ReadonlyArray<readonly [string, string, Layer.Layer<LiveHubLaws.Nodes, EventBusError>]> = [
  [
    "messages stay in their process",
    "reaches who is in the channel at another",
    saying((signal) => (signal.content._tag === "Message" ? [] : [signal]))
  ],
  [
    "messages are heard twice",
    "reaches who is in the channel at another",
    saying((signal) => (signal.content._tag === "Message" ? [signal, signal] : [signal]))
  ],
  [
    "nobody is told who comes and goes",
    "at any process",
    saying((signal) => (/Changed|State|Alive/.test(signal.content._tag) ? [] : [signal]))
  ],
  [
    "who goes is kept for ever",
    "agree in the end",
    saying((signal) => {
      const { content } = signal
      return content._tag === "State" || (content._tag === "Changed" && !content.isHere) ? [] : [signal]
    })
  ],
  [
    "tenants share their channels",
    "neither sees nor hears",
    Layer.effect(
      Nodes,
      Effect.map(LiveHub.LiveHub, (right) => {
        const all = TenantContext.provide("all")
        const one: Hub = {
          publish: (channel, data, from) => all(right.publish(channel, data, from)),
          join: (channel, member) => all(right.join(channel, member)),
          members: (channel) => all(right.members(channel))
        }
        return { one, other: one }
      })
    ).pipe(Layer.provide(LiveHub.layer))
  ],
  [
    "each connection is told of",
    "first connection",
    Layer.effect(
      Nodes,
      Effect.map(LiveHub.LiveHub, (right) => {
        let n = 0
        const one: Hub = {
          ...right,
          join: (channel, member) =>
            right.join(channel, {
              actor: Actor.user(`${member.actor.id}${++n}`),
              message: (message) => member.message(message),
              presence: (presence) => member.presence(presence)
            })
        }
        return { one, other: one }
      })
    ).pipe(Layer.provide(LiveHub.layer))
  ],
  [
    "nobody is counted",
    "which are counted",
    Layer.effect(
      Nodes,
      Effect.map(LiveHub.LiveHub, (right) => {
        const one: Hub = {
          ...right,
          publish: (channel, data, from) => Effect.as(right.publish(channel, data, from), 0)
        }
        return { one, other: one }
      })
    ).pipe(Layer.provide(LiveHub.layer))
  ]
]

describe("what is wrong with channels is seen", () => {
  it.live.each(wrongs)("%s", ([, words, layer]) =>
    Effect.gen(function* () {
      const meant = LiveHubLaws.laws.filter(({ name }) => name.includes(words))
      expect(meant.length).toBe(1)
      const report = yield* Law.checkAll(meant, { seed: inject("seed"), timeout: "2 seconds" })
      expect(report.held).toEqual([])
    }).pipe(Effect.provide([layer, Logger.layer([])]))
  )
})
