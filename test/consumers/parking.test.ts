import { describe, expect, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { Consumer, Event, Position, ReadModelStore } from "../../src/index.ts"
import { logging } from "../application/logged.ts"
import { ticking } from "../application/ticking.ts"
import { Added, added, append, consumers, Live, numbers, parked, Refused, run, settled, until } from "./support.ts"

const Log = ReadModelStore.collection("log", Schema.Array(Schema.Int))

/** Notes each number under its stream, in the transaction; fails for those that `refuses` names. */
const noting = (
  refuses: (n: number, attempt: number) => boolean,
  options: Partial<Consumer.Options<[typeof Added]>> = {}
) =>
  Consumer.make("notes", {
    events: [Added],
    handle: ({ attempt, event: { n }, stream }) =>
      Effect.gen(function* () {
        const before = yield* Log.get(stream)
        yield* Log.set(stream, [...Option.getOrElse(before, () => []), n])
        if (refuses(n, attempt)) return yield* Effect.fail(new Refused({ n }))
      }),
    ...options
  })

const noted = (id: string | number) =>
  Effect.map(
    Log.get(`Sum-${id}`),
    Option.getOrElse((): ReadonlyArray<number> => [])
  )
const list = Effect.flatMap(parked, (store) => store.list("notes"))
const statuses = Effect.map(list, (all) => all.map(({ position, status }) => [Number(position), status]))

const quietly = <A, E, R>(self: Effect.Effect<A, E, R>) => logging().capture(self)

describe("an event that cannot be handled", () => {
  it.effect("is tried again with growing pauses, and nothing of the failed tries is kept", () =>
    Effect.gen(function* () {
      const attempts: Array<number> = []
      const Notes = noting((n, attempt) => n === 3 && (attempts.push(attempt), attempt < 4))
      yield* Effect.gen(function* () {
        yield* append(1, ...added(1, 6))
        yield* Effect.forkChild(run(Notes))
        yield* until(settled("notes"), "the end of the log")
        expect(yield* noted(1)).toEqual(numbers(1, 6))
        expect(yield* list).toEqual([])
      }).pipe(ticking, Effect.provide(Live), quietly)
      expect(attempts).toEqual([1, 2, 3, 4])
    })
  )

  it.effect("is parked, with what comes after it under its key, while others go on", () =>
    Effect.gen(function* () {
      let isBroken = true
      const Notes = noting((n) => isBroken && n === 2)
      yield* Effect.gen(function* () {
        const store = yield* parked
        yield* append(1, ...added(1, 4))
        yield* append(2, ...added(11, 14))
        yield* Effect.forkChild(run(Notes))
        yield* until(settled("notes"), "the end of the log")
        expect([yield* noted(1), yield* noted(2)]).toEqual([[1], numbers(11, 14)])
        const [first] = yield* list
        expect(first).toMatchObject({
          key: "default/Sum-1",
          category: "HandlerFailed",
          attempts: 1,
          status: "retrying"
        })
        expect(first?.error).toContain("Refused")
        yield* append(1, ...added(5))
        yield* until(settled("notes"))
        yield* until(
          Effect.map(store.get(first ?? expect.fail()), ({ status }) => status === "parked"),
          "three more tries"
        )
        expect(yield* statuses).toEqual([
          [2, "parked"],
          [3, "waiting"],
          [4, "waiting"],
          [9, "waiting"]
        ])
        isBroken = false
        expect(yield* store.replay("notes", { error: "Refused" })).toBe(1)
        yield* append(1, ...added(6))
        yield* until(
          Effect.map(store.count("notes"), (count) => count === 0),
          "the replay"
        )
        yield* until(settled("notes"))
        expect(yield* noted(1)).toEqual(numbers(1, 6))
        yield* append(1, ...added(7))
        yield* until(settled("notes"))
        expect(yield* noted(1)).toEqual(numbers(1, 7))
      }).pipe(ticking, Effect.provide(Live), quietly)
    })
  )

  it.effect("is tried again later by itself", () =>
    Effect.gen(function* () {
      let failures = 0
      const Notes = noting((n) => n === 1 && failures++ < 6)
      yield* Effect.gen(function* () {
        yield* append(1, ...added(1, 3))
        yield* Effect.forkChild(run(Notes))
        yield* until(
          Effect.map(noted(1), (all) => all.length === 3),
          "the second retry"
        )
        expect(yield* noted(1)).toEqual([1, 2, 3])
        expect(yield* list).toEqual([])
      }).pipe(ticking, Effect.provide(Live), quietly)
      expect(failures).toBe(7)
    })
  )

  it.effect("is edited or skipped, and what comes after it goes on", () =>
    Effect.gen(function* () {
      const Notes = noting((n) => n < 0)
      yield* Effect.gen(function* () {
        const store = yield* parked
        yield* append(1, ...added(-1, 3))
        yield* append(2, ...added(-2), ...added(5))
        yield* Effect.forkChild(run(Notes))
        yield* until(settled("notes"))
        const heads = (yield* list).filter(({ status }) => status !== "waiting")
        const [first, second] = heads
        if (first === undefined || second === undefined) return expect.fail("two heads")
        yield* store.edit(first, { n: 100 })
        yield* store.skip(second, "it never happened")
        yield* until(
          Effect.map(store.count("notes"), (count) => count === 0),
          "all handled"
        )
        expect(yield* noted(1)).toEqual([100, 0, 1, 2, 3])
        expect(yield* noted(2)).toEqual([5])
        expect(yield* list).toMatchObject([{ status: "skipped", reason: "it never happened" }])
        yield* append(2, ...added(6))
        yield* until(settled("notes"))
        expect(yield* noted(2)).toEqual([5, 6])
      }).pipe(ticking, Effect.provide(Live), quietly)
    })
  )

  it.effect("is compensated for instead, when that succeeds", () =>
    Effect.gen(function* () {
      const errors: Array<unknown> = []
      const Notes = Consumer.make("notes", {
        events: [Added],
        retry: { times: 2 },
        handle: ({ event, stream }) =>
          Effect.andThen(Log.set(stream, [event.n]), Effect.fail(new Refused({ n: event.n }))),
        compensate: ({ event: { n }, stream }, error) =>
          Effect.gen(function* () {
            errors.push(error)
            yield* Log.set(stream, [-n])
            if (n === 2) return yield* Effect.fail("this neither")
          })
      })
      yield* Effect.gen(function* () {
        yield* append(1, ...added(1))
        yield* append(2, ...added(2))
        yield* Effect.forkChild(run(Notes))
        yield* until(settled("notes"))
        expect([yield* noted(1), yield* noted(2)]).toEqual([[-1], []])
        expect(yield* list).toMatchObject([{ position: 2, status: "retrying" }])
      }).pipe(ticking, Effect.provide(Live), quietly)
      expect(errors.length).toBe(2)
      expect(errors).toEqual(expect.arrayContaining([new Refused({ n: 1 }), new Refused({ n: 2 })]))
    })
  )

  it.effect("makes its batch be handled one by one, and is parked alone", () =>
    Effect.gen(function* () {
      const Notes = Consumer.make("notes", {
        events: [Added],
        segments: 1,
        handleBatch: (deliveries) =>
          Effect.gen(function* () {
            const before = Option.getOrElse(yield* Log.get("Sum-all"), () => [])
            yield* Log.set("Sum-all", [...before, ...deliveries.map(({ event }) => event.n)])
            if (deliveries.some(({ event }) => event.n === 5)) return yield* Effect.fail("no five")
          })
      })
      yield* Effect.gen(function* () {
        for (const n of numbers(1, 9)) yield* append(n, ...added(n))
        yield* Effect.forkChild(run(Notes))
        yield* until(settled("notes"))
        expect(yield* noted("all")).toEqual([1, 2, 3, 4, 6, 7, 8, 9])
        expect(yield* statuses).toEqual([[5, "retrying"]])
      }).pipe(ticking, Effect.provide(Live), quietly)
    })
  )

  it.effect("pauses the consumer, and says so, when more would be parked than may be", () =>
    Effect.gen(function* () {
      const { capture, lines } = logging()
      let isBroken = true
      const Notes = noting((n) => isBroken && n === 1, { limits: { perKey: 3 } })
      yield* Effect.gen(function* () {
        yield* append(1, ...added(1, 10))
        yield* Effect.forkChild(run(Notes))
        const store = yield* consumers
        const paused = Effect.map(
          Effect.option(store.inspect("notes")),
          (info) => Option.isSome(info) && info.value.state.status === "paused"
        )
        yield* until(paused, "the pause")
        isBroken = false
        yield* Effect.flatMap(parked, (kept) => kept.replay("notes"))
        yield* store.setState("notes", { status: "running" })
        yield* until(settled("notes"), "the end of the log")
        yield* until(
          Effect.map(noted(1), (all) => all.length === 10),
          "all"
        )
        expect(yield* noted(1)).toEqual(numbers(1, 10))
      }).pipe(ticking, Effect.provide(Live), capture)
      const loud = lines.filter(({ level }) => level === "Error").map(({ message }) => message)
      expect(loud).toContain('notes is paused: More than 3 events of the key "default/Sum-1" of notes would be parked')
    })
  )
})

describe("an event that cannot be decoded", () => {
  class Old extends Event.Class<Old>()("Added", { n: Schema.String }) {}
  class Stranger extends Event.Class<Stranger>()("Stranger", {}) {}

  it.effect("is parked as it is, with the reason", () =>
    Effect.gen(function* () {
      const Notes = noting(() => false, { unknown: "park", key: (stored) => String(Object(stored.data).n.length) })
      yield* Effect.gen(function* () {
        const store = yield* parked
        yield* append(1, new Old({ n: "one" }))
        yield* append(2, new Stranger())
        const Plain = noting(() => false, { unknown: "park" })
        const running = yield* Effect.forkChild(run(Plain))
        yield* until(settled("notes"))
        expect(yield* list).toMatchObject([
          { position: 1, category: "Undecodable", status: "parked", stored: { data: { n: "one" }, type: "Added" } },
          { position: 2, category: "UnknownType", status: "parked", stored: { type: "Stranger" } }
        ])
        running.interruptUnsafe()
        expect(yield* store.replay("notes", { category: "Undecodable" })).toBe(1)
        yield* Effect.forkChild(run(Notes))
        const again = Effect.map(
          store.get({ consumer: "notes", key: "default/Sum-1", position: Position.make(1) }),
          (one) => {
            return one.status === "parked" && one.attempts === 1
          }
        )
        yield* until(again, "another try")
        yield* append(3, new Stranger())
        yield* until(settled("notes"))
        expect((yield* list).at(-1)).toMatchObject({ category: "Other", key: "default/Sum-3" })
      }).pipe(ticking, Effect.provide(Live), quietly)
    })
  )
})
