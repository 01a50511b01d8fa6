/**
 * Laws about what cannot be handled: it is kept, in order, and nothing is lost.
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import type * as EventGroups from "../../../ports/EventGroups.ts"
import type { ForwardTarget } from "../../../ports/ForwardTarget.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { aWhile, until } from "../eventBus/listening.ts"
import { type Delivery, law, numbers, type Post } from "./post.ts"

const quiet = Effect.provideService(Logger.CurrentLoggers, new Set<Logger.Logger<unknown, unknown>>())

/** A member that fails at one number until it is told not to. */
const failing = (post: Post, poison: number, options: Parameters<Post["member"]>[1] = {}) =>
  Effect.gen(function* () {
    const state = { isBad: true, tried: 0, seen: Array<Delivery>() }
    yield* post.member((delivery) => {
      if (delivery.event.n === poison) state.tried++
      if (delivery.event.n === poison && state.isBad) return Effect.fail("poison")
      return Effect.sync(() => state.seen.push(delivery))
    }, options)
    return state
  })

const parked = law("an event whose handler fails is parked, and those of its key after it; other keys go on", (post) =>
  quiet(
    Effect.gen(function* () {
      const [own = "", other = ""] = post.keys(2)
      const state = yield* failing(post, 2, { retry: { times: 3, base: "1 millis", later: [] } })
      yield* post.send(own, 1, 2, 3)
      yield* post.send(other, 4, 5)
      yield* until(() => state.seen.length >= 3 && state.tried >= 3)
      yield* untilParked(post, 2)
      yield* post.send(own, 6)
      yield* untilParked(post, 3)
      yield* aWhile
      Assert.equal(numbers(state.seen, own), [1])
      Assert.equal(numbers(state.seen, other), [4, 5])
      Assert.equal(state.tried, 3, "how often it was tried")
      const all = yield* post.groups.parked(post.name())
      Assert.equal(
        all.map(({ category, due, id, key }) => ({ category, due, id, key })),
        [
          { id: "2-0", key: own, category: "HandlerFailed", due: undefined },
          { id: "3-0", key: own, category: "Behind", due: undefined },
          { id: "6-0", key: own, category: "Behind", due: undefined }
        ]
      )
      Assert.isTrue(all[0]?.error.includes("poison") === true, "the error is not said")
    })
  )
)

const replayed = law("what is parked is handled in order when it is replayed, before what comes later", (post) =>
  quiet(
    Effect.gen(function* () {
      const state = yield* failing(post, 1)
      yield* post.send("a", 1, 2, 3)
      yield* untilParked(post, 3)
      Assert.equal(yield* post.groups.replay(post.name(), { key: "b" }), 0)
      Assert.equal(yield* post.groups.replay(post.name(), { error: "poison" }), 1)
      yield* until(() => state.tried >= 2)
      yield* aWhile
      Assert.equal(numbers(state.seen), [])
      state.isBad = false
      Assert.equal(yield* post.groups.replay(post.name()), 1)
      yield* post.send("a", 4)
      yield* until(() => state.seen.length >= 4)
      yield* untilParked(post, 0)
      yield* aWhile
      Assert.equal(numbers(state.seen), [1, 2, 3, 4])
    })
  )
)

const retried = law("what is parked is tried again by itself, for as long as it is meant to be", (post) =>
  quiet(
    Effect.gen(function* () {
      const retry = { times: 1, base: "1 millis", later: ["30 millis", "30 millis"] } as const
      const state = yield* failing(post, 1, { retry })
      yield* post.send("a", 1, 2)
      yield* until(() => state.tried >= 3)
      yield* aWhile
      Assert.equal(state.tried, 3)
      Assert.equal(numbers(state.seen), [])
      const [head] = yield* post.groups.parked(post.name())
      Assert.equal([head?.attempts, head?.due], [3, undefined])
    })
  )
)

const skipped = law("what is skipped is left out when it is its turn, and nothing else is", (post) =>
  quiet(
    Effect.gen(function* () {
      const state = yield* failing(post, 1)
      yield* post.send("a", 1, 2, 3)
      yield* untilParked(post, 3)
      Assert.equal(yield* post.groups.skip(post.name(), "9-0", "there is none"), false)
      Assert.equal(yield* post.groups.skip(post.name(), "1-0", "it is poison"), true)
      yield* until(() => state.seen.length >= 2)
      yield* untilParked(post, 0)
      Assert.equal(numbers(state.seen), [2, 3])
      Assert.equal(state.tried, 1)
    })
  )
)

const kept = law("what is parked outlives the members of the group", (post) =>
  quiet(
    Effect.gen(function* () {
      const end = yield* post.ending(() => Effect.fail("not now"))
      yield* post.send("a", 1, 2)
      yield* untilParked(post, 2)
      yield* end
      const seen = yield* post.noting()
      yield* post.send("a", 3)
      yield* untilParked(post, 3)
      Assert.equal(numbers(seen), [])
      yield* post.groups.replay(post.name())
      yield* until(() => seen.length >= 3)
      Assert.equal(numbers(seen), [1, 2, 3])
    })
  )
)

const unread = law("what cannot be read is parked, and what is of another type where that is wanted", (post) =>
  quiet(
    Effect.gen(function* () {
      const [a = "", b = "", c = ""] = post.keys(3)
      yield* post.open("strict", "lenient")
      const strict = yield* post.noting({ group: "strict", unknown: "park" })
      const lenient = yield* post.noting({ group: "lenient" })
      yield* post.add(post.entry(a, 1, { data: { n: "one" } }))
      yield* post.add(post.entry(b, 2, { type: "law.unheard" }))
      yield* post.add(post.entry(c, 3, { version: 9 }), post.entry(c, 4))
      yield* untilParked(post, 4, "strict")
      yield* untilParked(post, 3, "lenient")
      Assert.equal([numbers(strict), numbers(lenient)], [[], []])
      const all = yield* post.groups.parked(post.name("strict"), { category: "Unread" })
      Assert.equal(
        all.map(({ id }) => id),
        ["1-0", "2-0", "3-0"]
      )
    })
  )
)

const wrongs: ReadonlyArray<readonly [how: string, wrong: () => Effect.Effect<unknown, string>]> = [
  ["dies", () => Effect.die(new Error("a bug"))],
  [
    "throws",
    () => {
      throw new Error("a bug")
    }
  ],
  ["waits for what was interrupted", () => Effect.interrupt],
  ["takes too long", () => Effect.never]
]

const harmless = wrongs.map(([how, wrong]) =>
  law(`an event whose handler ${how} is parked, and harms no other`, (post) =>
    quiet(
      Effect.gen(function* () {
        const seen: Array<Delivery> = []
        const handle = (delivery: Delivery) =>
          delivery.event.n === 1 ? wrong() : Effect.sync(() => seen.push(delivery))
        yield* post.member(handle, { timeout: "50 millis" })
        const keys = post.keys(2)
        for (const [index, key] of keys.entries()) yield* post.send(key, index + 1)
        yield* until(() => seen.length >= 1)
        yield* untilParked(post, 1)
        Assert.equal(numbers(seen), [2])
      })
    )
  )
)

const full = law("nothing more is taken of a segment where too much is parked, until it is less", (post) =>
  quiet(
    Effect.gen(function* () {
      const state = yield* failing(post, 1, { maxParked: 2 })
      yield* post.send("a", 1, 2)
      yield* untilParked(post, 2)
      yield* post.send("a", 3)
      yield* aWhile
      const waiting = Effect.map(post.groups.inspect(post.name()), (all) => all[post.segment("a")])
      Assert.equal((yield* waiting)?.lag, 1)
      state.isBad = false
      yield* post.groups.replay(post.name())
      yield* until(() => state.seen.length >= 3)
      Assert.equal(numbers(state.seen), [1, 2, 3])
    })
  )
)

const apart = law(
  "of many that fail together each is tried by itself, and what is wrong alone is parked, in order",
  (post) =>
    quiet(
      Effect.gen(function* () {
        yield* post.open("group")
        const tried: Array<ReadonlyArray<number>> = []
        const seen: Array<Delivery> = []
        yield* post.send("a", 1, 2)
        yield* post.add(post.entry("a", 3, { data: { n: "three" } }))
        yield* post.send("a", 4)
        yield* post.gathering(
          (batch) => {
            tried.push(numbers(batch))
            return numbers(batch).includes(2) ? Effect.fail("poison") : Effect.sync(() => seen.push(...batch))
          },
          { retry: { times: 2, base: "1 millis", later: [] } }
        )
        yield* untilParked(post, 3)
        yield* aWhile
        Assert.equal(tried, [[1, 2], [1, 2], [1], [2], [2]])
        Assert.equal(numbers(seen), [1])
        Assert.equal(
          (yield* post.groups.parked(post.name())).map(({ category, id }) => [id, category]),
          [
            ["2-0", "HandlerFailed"],
            ["3-0", "Behind"],
            ["4-0", "Behind"]
          ]
        )
      })
    )
)

const unreadAmong = law(
  "what comes after an event that cannot be read waits for it, also where many are handled at once",
  (post) =>
    quiet(
      Effect.gen(function* () {
        yield* post.open("group")
        yield* post.send("a", 1)
        yield* post.add(post.entry("a", 2, { data: { n: "two" } }))
        yield* post.send("a", 3)
        const seen: Array<Delivery> = []
        yield* post.gathering((batch) => Effect.sync(() => seen.push(...batch)))
        yield* untilParked(post, 2)
        yield* aWhile
        Assert.equal(numbers(seen), [1])
        yield* post.groups.skip(post.name(), "2-0", "it cannot be read")
        yield* until(() => seen.length >= 2)
        Assert.equal(numbers(seen), [1, 3])
      })
    )
)

/** Waits until so many events are parked. */
const untilParked = (post: Post, count: number, group = "group") =>
  Effect.gen(function* () {
    while ((yield* post.groups.parked(post.name(group))).length !== count) yield* Effect.sleep("3 millis")
  })

export const laws: ReadonlyArray<Law.Law<EventGroups.EventGroups | ForwardTarget>> = [
  parked,
  replayed,
  retried,
  skipped,
  kept,
  unread,
  ...harmless,
  full,
  apart,
  unreadAmong
]
