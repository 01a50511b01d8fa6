import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Ref } from "effect"
import { Consumer, ConsumerStore, EventStore, Position, SystemContext } from "../../src/index.ts"
import { logging } from "../application/logged.ts"
import { ticking } from "../application/ticking.ts"
import { Added, added, append, consumers, Live, run, settled, until } from "./support.ts"

const watching = () => {
  const seen: Array<number> = []
  const consumer = Consumer.make("watch", {
    events: [Added],
    segments: 1,
    handle: ({ event }) => Effect.sync(() => seen.push(event.n))
  })
  return { seen, consumer }
}

const ids = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const { events } = yield* store.readAllTenants({ after: Position.start, limit: 100 })
  return events.map(({ id, position }) => ({ id, position: Number(position) }))
}).pipe(SystemContext.provide("test"))

/** A consumer that has handled six events, and whose checkpoint is then put elsewhere. */
const put = (checkpoint: (events: ReadonlyArray<{ id: string; position: number }>) => Partial<Checkpoint>) =>
  Effect.gen(function* () {
    const store = yield* consumers
    yield* append(1, ...added(1, 6))
    yield* store.open("watch", { segments: 1, after: Position.start })
    const moved = { event: undefined, trail: [], epoch: "memory", ...checkpoint(yield* ids) }
    yield* store.reset("watch", [{ segment: 0, checkpoint: { position: Position.start, ...moved } }])
  })

type Checkpoint = Parameters<ConsumerStore.ConsumerStore["Service"]["reset"]>[1][number]["checkpoint"]

const state = Effect.flatMap(consumers, (store) => Effect.map(store.inspect("watch"), (info) => info.state))
const diverged = Effect.map(state, ({ status }) => status === "diverged")

describe("a consumer whose history is not the log's", () => {
  it.effect("stops, says where, and goes on from the last common event when it is rewound", () =>
    Effect.gen(function* () {
      const { capture, lines } = logging()
      const { consumer, seen } = watching()
      yield* Effect.gen(function* () {
        yield* put((events) => ({
          position: Position.make(5),
          event: { position: 5, id: "another" },
          trail: [events[0], events[2], { position: 4, id: "lost" }].flatMap((event) => event ?? [])
        }))
        yield* Effect.forkChild(run(consumer))
        yield* until(diverged, "the divergence")
        const found = (yield* ids)[4]?.id
        const expected = { position: 5, id: "another" }
        expect(yield* state).toEqual({ status: "diverged", segment: 0, expected, found })
        yield* Effect.sleep("30 seconds")
        expect(seen).toEqual([])
        yield* Consumer.rewind(consumer)
        yield* until(settled("watch"))
        expect(seen).toEqual([4, 5, 6])
        expect(yield* state).toEqual({ status: "running" })
      }).pipe(ticking, Effect.provide(Live), capture)
      expect(lines.find(({ level }) => level === "Error")?.message).toContain("watch is diverged: the segment 0")
    })
  )

  it.effect("begins anew when nothing is common, or goes on as if nothing were wrong when that is accepted", () =>
    Effect.gen(function* () {
      for (const [command, handled] of [
        [Consumer.rewind, [1, 2, 3, 4, 5, 6, 7]],
        [Consumer.accept, [7]]
      ] as const) {
        const { consumer, seen } = watching()
        yield* Effect.gen(function* () {
          yield* put(() => ({ position: Position.make(99), event: { position: 98, id: "lost" } }))
          yield* Effect.forkChild(run(consumer))
          yield* until(diverged, "the divergence")
          yield* command(consumer)
          yield* append(1, ...added(7))
          yield* until(settled("watch"))
        }).pipe(ticking, Effect.provide(Live), logging().capture)
        expect(seen).toEqual(handled)
      }
    })
  )

  it.effect("in another epoch reads again what came after its last event: it may have come in place of others", () =>
    Effect.gen(function* () {
      const { consumer, seen } = watching()
      yield* Effect.gen(function* () {
        yield* put((events) => ({
          position: Position.make(5),
          event: Option.getOrThrow(Option.fromUndefinedOr(events[2])),
          epoch: "before"
        }))
        yield* Effect.forkChild(run(consumer))
        yield* until(settled("watch"))
      }).pipe(ticking, Effect.provide(Live))
      expect(seen).toEqual([4, 5, 6])
    })
  )

  it.effect("is looked at again when the epoch changes while it runs", () =>
    Effect.gen(function* () {
      const epoch = yield* Ref.make("first")
      const Changing = Layer.effect(
        ConsumerStore.ConsumerStore,
        Effect.map(ConsumerStore.ConsumerStore, (store) => ({
          ...store,
          beat: (...args: Parameters<typeof store.beat>) =>
            Effect.flatMap(Ref.get(epoch), (now) =>
              Effect.map(store.beat(...args), (beat) => ({ ...beat, epoch: now }))
            )
        }))
      ).pipe(Layer.provideMerge(Live))
      const { consumer, seen } = watching()
      yield* Effect.gen(function* () {
        const store = yield* consumers
        yield* append(1, ...added(1, 3))
        const running = yield* Effect.forkChild(run(consumer))
        yield* until(settled("watch"))
        const before = (yield* store.inspect("watch")).segments[0]?.token
        yield* Ref.set(epoch, "second")
        const again = Effect.map(store.inspect("watch"), ({ segments }) => segments[0]?.token !== before)
        yield* until(again, "another claim")
        yield* append(1, ...added(4))
        yield* until(settled("watch"))
        expect((yield* store.inspect("watch")).segments[0]?.checkpoint.epoch).toBe("second")
        yield* Fiber.interrupt(running)
      }).pipe(ticking, Effect.provide(Changing), logging().capture)
      expect(seen).toEqual([1, 2, 3, 4])
    })
  )

  it.effect("is put back to a position on demand", () =>
    Effect.gen(function* () {
      const { consumer, seen } = watching()
      yield* Effect.gen(function* () {
        yield* append(1, ...added(1, 6))
        yield* Effect.forkChild(run(consumer))
        yield* until(() => seen.length === 6)
        yield* Consumer.rewind(consumer, { to: Position.make(4) })
        yield* until(() => seen.length === 8)
      }).pipe(ticking, Effect.provide(Live), logging().capture)
      expect(seen).toEqual([1, 2, 3, 4, 5, 6, 5, 6])
    })
  )
})
