import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Option, Schema } from "effect"
import { Consumer, MessageContext, ReadModelStore, Segment, StreamName, TenantContext } from "../../src/index.ts"
import { logging } from "../application/logged.ts"
import { ticking } from "../application/ticking.ts"
import { Added, added, append, consumers, Live, Other, numbers, Refused, run, settled, until } from "./support.ts"

const owners = (name: string) =>
  Effect.map(
    Effect.flatMap(consumers, (store) => store.inspect(name)),
    ({ segments }) => {
      const counts = new Map<string | undefined, number>()
      for (const { owner } of segments) counts.set(owner, (counts.get(owner) ?? 0) + 1)
      return [...counts.values()].toSorted((a, b) => b - a)
    }
  )

describe("a consumer", () => {
  it.effect("handles every event once, in the order of its stream, as its tenant and with it as the cause", () =>
    Effect.gen(function* () {
      const seen: Array<{ stream: string; n: number; tenant: string; cause: string | undefined; id: string }> = []
      const Watch = Consumer.make("watch", {
        events: [Added],
        batchSize: 7,
        handle: ({ event, id, stream }) =>
          Effect.gen(function* () {
            const { messageId } = yield* MessageContext.MessageContext
            seen.push({ stream, n: event.n, tenant: (yield* TenantContext.TenantContext).id, cause: messageId, id })
          })
      })
      yield* Effect.gen(function* () {
        for (const id of numbers(1, 30)) yield* append(id, ...added(1, 5), new Other())
        yield* append("other", ...added(1, 3)).pipe(TenantContext.provide("acme"))
        const running = yield* Effect.forkChild(run(Watch))
        yield* until(() => seen.length === 153, "153 events")
        for (const id of numbers(1, 30)) yield* append(id, ...added(6, 8))
        yield* until(() => seen.length === 243, "243 events")
        yield* until(settled("watch"), "the end of the log")
        yield* Fiber.interrupt(running)
        expect(yield* owners("watch")).toEqual([16])
      }).pipe(ticking, Effect.provide(Live))
      for (const id of numbers(1, 30)) {
        expect(seen.filter(({ stream }) => stream === `Sum-${id}`).map(({ n }) => n)).toEqual(numbers(1, 8))
      }
      expect(seen.filter(({ tenant }) => tenant === "acme").map(({ n }) => n)).toEqual([1, 2, 3])
      expect(seen.every(({ cause, id }) => cause === id)).toBe(true)
    })
  )

  it.effect("gives what outside effects need to happen once", () =>
    Effect.gen(function* () {
      const seen: Array<Consumer.Delivery<Added>> = []
      const Watch = Consumer.make("watch", {
        events: [Added],
        transactional: false,
        key: (stored) => String(Object(stored.data).n % 2),
        on: { Added: (_, delivery) => Effect.sync(() => seen.push(delivery)) }
      })
      yield* Effect.gen(function* () {
        yield* append(1, ...added(1, 2))
        yield* Effect.raceFirst(
          until(() => seen.length === 2),
          run(Watch)
        )
      }).pipe(ticking, Effect.provide(Live))
      const keys = seen.toSorted((a, b) => a.position - b.position)
      expect(keys.map(({ idempotencyKey, key }) => [idempotencyKey, key])).toEqual([
        ["default/watch/1", "default/1"],
        ["default/watch/2", "default/0"]
      ])
      for (const { key, segment, token } of seen) {
        expect(Segment.has({ id: segment, mask: 15 }, Segment.hash(key))).toBe(true)
        expect(token).toBeGreaterThan(0)
      }
    })
  )

  it.effect("reads what its filters want", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const note = (what: string) => () => Effect.sync(() => seen.push(what))
      const filters = {
        where: { where: ({ event }: { readonly event: Added }) => event.n === 2 },
        stream: { stream: StreamName.make("Sum", "1") },
        tenants: { tenants: ["acme"] },
        categories: { categories: ["Nothing"] },
        tags: { tags: ["none"] },
        later: { startAt: "now" as const }
      }
      yield* Effect.gen(function* () {
        yield* append(1, ...added(1, 2))
        yield* append(2, ...added(1))
        yield* append(1, ...added(1)).pipe(TenantContext.provide("acme"))
        const names = Object.keys(filters)
        for (const [name, filter] of Object.entries(filters)) {
          const consumer = Consumer.make(name, { events: [Added], handle: note(name), ...filter })
          yield* Effect.forkChild(run(consumer))
        }
        for (const name of names) {
          yield* until(settled(name), name)
        }
      }).pipe(ticking, Effect.provide(Live))
      expect(seen.toSorted()).toEqual(["stream", "stream", "stream", "tenants", "where"])
    })
  )

  it.effect("is shared fairly, and taken over from who stops and from who dies", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const Watch = Consumer.make("watch", {
        events: [Added],
        handle: ({ event }) => Effect.sync(() => seen.push(event.n))
      })
      yield* Effect.gen(function* () {
        const first = yield* Effect.forkChild(run(Watch))
        yield* until(
          Effect.map(
            Effect.orElseSucceed(owners("watch"), () => []),
            (all) => all[0] === 16
          ),
          "all with one"
        )
        yield* append(1, ...added(1, 10))
        const second = yield* Effect.forkChild(run(Watch))
        const third = yield* Effect.forkChild(run(Watch))
        yield* until(
          Effect.map(owners("watch"), (all) => all.join() === "6,5,5"),
          "a third each"
        )
        for (const id of numbers(2, 40)) yield* append(id, ...added(id * 10 - 9, id * 10))
        yield* Fiber.interrupt(first)
        yield* until(
          Effect.map(owners("watch"), (all) => all.join() === "8,8"),
          "half each"
        )
        for (const id of numbers(41, 60)) yield* append(id, ...added(id * 10 - 9, id * 10))
        yield* until(() => seen.length >= 600, "600 events")
        yield* Fiber.interrupt(second)
        yield* until(
          Effect.map(owners("watch"), (all) => all.join() === "16"),
          "all with the last"
        )
        yield* Fiber.interrupt(third)
      }).pipe(ticking, Effect.provide(Live))
      expect(seen.toSorted((a, b) => a - b)).toEqual(numbers(1, 600))
    })
  )

  it.effect("is halved and joined while it runs, without an event missed or handled again", () =>
    Effect.gen(function* () {
      const Seen = ReadModelStore.collection("seen", Schema.Array(Schema.Int))
      const Watch = Consumer.make("watch", {
        events: [Added],
        segments: 2,
        batchSize: 3,
        handle: ({ event, stream }) =>
          Effect.gen(function* () {
            yield* Effect.sleep("5 millis")
            const before = yield* Seen.get(stream)
            yield* Seen.set(stream, [...Option.getOrElse(before, () => []), event.n])
          })
      })
      yield* Effect.gen(function* () {
        const store = yield* consumers
        yield* Effect.forkChild(run(Watch))
        yield* until(Effect.map(Effect.option(store.inspect("watch")), (info) => info._tag === "Some"))
        for (const round of numbers(1, 6)) {
          for (const id of numbers(1, 20)) yield* append(id, ...added(round * 2 - 1, round * 2))
          yield* Effect.sleep("60 millis")
          yield* round % 2 === 1 ? store.split("watch", 0) : store.merge("watch", 0)
          if (round === 3) yield* store.split("watch", 1)
        }
        yield* until(settled("watch"), "the end of the log")
        for (const { document, id } of yield* Seen.list()) expect(document, id).toEqual(numbers(1, 12))
        expect((yield* Seen.list()).length).toBe(20)
      }).pipe(ticking, Effect.provide(Live))
    })
  )

  it.effect("hands events over in batches, by size and by time", () =>
    Effect.gen(function* () {
      const batches: Array<ReadonlyArray<number>> = []
      const Watch = Consumer.make("watch", {
        events: [Added],
        segments: 1,
        batchSize: 4,
        within: "1 second",
        handleBatch: (deliveries) => Effect.sync(() => batches.push(deliveries.map(({ event }) => event.n)))
      })
      yield* Effect.gen(function* () {
        yield* Effect.forkChild(run(Watch))
        yield* append(1, ...added(1, 3))
        yield* Effect.sleep("500 millis")
        yield* append(1, ...added(4, 10))
        yield* until(() => batches.flat().length === 10, "ten events")
      }).pipe(ticking, Effect.provide(Live))
      expect(batches).toEqual([
        [1, 2, 3, 4],
        [5, 6, 7, 8],
        [9, 10]
      ])
    })
  )

  it.effect("pauses and goes on", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const { capture, lines } = logging()
      const Watch = Consumer.make("watch", {
        events: [Added],
        handle: ({ event }) => Effect.sync(() => seen.push(event.n))
      })
      yield* Effect.gen(function* () {
        const store = yield* consumers
        yield* append(1, ...added(1))
        yield* Effect.forkChild(run(Watch))
        yield* until(() => seen.length === 1)
        yield* store.setState("watch", { status: "paused", reason: "a deployment" })
        const free = Effect.map(store.inspect("watch"), ({ segments }) =>
          segments.every(({ owner }) => owner === undefined)
        )
        yield* until(free, "no owner")
        yield* append(1, ...added(2))
        yield* Effect.sleep("20 seconds")
        expect(seen).toEqual([1])
        yield* store.setState("watch", { status: "running" })
        yield* until(() => seen.length === 2)
      }).pipe(ticking, Effect.provide(Live), capture)
      expect(lines.find(({ level }) => level === "Error")?.message).toBe("watch is paused: a deployment")
    })
  )

  it.effect("does not care what becomes of another", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const Bad = Consumer.make("bad", {
        events: [Added],
        handle: ({ event }) => Effect.fail(new Refused({ n: event.n }))
      })
      const Dying = Consumer.make("dying", { events: [Added], handle: () => Effect.die("no") })
      const Good = Consumer.make("good", {
        events: [Added],
        handle: ({ event }) => Effect.sync(() => seen.push(event.n))
      })
      const { capture } = logging()
      yield* Effect.gen(function* () {
        for (const consumer of [Bad, Dying, Good]) yield* Effect.forkChild(run(consumer))
        yield* append(1, ...added(1, 20))
        yield* until(() => seen.length === 20)
      }).pipe(ticking, Effect.provide(Live), capture)
      expect(seen).toEqual(numbers(1, 20))
    })
  )
})
