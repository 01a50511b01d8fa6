/**
 * Laws about ending streams.
 */
import * as Effect from "effect/Effect"
import type * as EventStore from "../../../ports/EventStore.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { noted } from "../samples.ts"
import { law } from "../world.ts"

const expectations = ["any", "none", "exists", 0, 1, 2] as const

const empty = law("a tombstoned stream reads as empty and keeps its version", (world) =>
  Effect.gen(function* () {
    const stream = world.stream()
    yield* world.append(stream, "none", noted(1, 2))
    yield* world.store.tombstone(stream, 2)
    Assert.equal(yield* world.store.readStream(stream), [])
    Assert.equal(yield* world.store.readStream(stream, { direction: "backward", limit: 1 }), [])
    Assert.equal(yield* world.store.streamState(stream), { version: 2, tombstoned: true })
  })
)

const closed = law(
  "a tombstoned stream takes nothing, whatever is expected of it, and says StreamTombstoned",
  (world) =>
    Effect.gen(function* () {
      const [present, missing] = [world.stream("present"), world.stream("missing")]
      yield* world.append(present, "none", noted(1, 2))
      for (const stream of [present, missing]) {
        yield* world.store.tombstone(stream, "any")
        const before = yield* world.store.streamState(stream)
        for (const expected of expectations) {
          for (const events of [noted(3), noted()]) {
            const reason = yield* Assert.fails(world.append(stream, expected, events), "StreamTombstoned")
            Assert.equal(reason.stream, stream)
          }
          const again = yield* Assert.fails(world.store.tombstone(stream, expected), "StreamTombstoned")
          Assert.equal(again.stream, stream)
        }
        Assert.equal(yield* world.store.streamState(stream), before)
        Assert.equal(yield* world.store.readStream(stream), [])
      }
    })
)

const together = law("an append to several streams keeps nothing when one of them is tombstoned", (world) =>
  Effect.gen(function* () {
    const [a, b] = [world.stream("a"), world.stream("b")]
    yield* world.store.tombstone(b, "none")
    for (const events of [noted(2), noted()]) {
      const all = [
        { stream: a, expected: "any", events: noted(1) },
        { stream: b, expected: "any", events }
      ] as const
      const { stream } = yield* Assert.fails(world.store.appendAll(all), "StreamTombstoned")
      Assert.equal(stream, b)
    }
    Assert.equal(yield* world.store.streamState(a), { version: 0, tombstoned: false })
  })
)

const expecting = law("a tombstone checks what it expects and names the actual version", (world) =>
  Effect.gen(function* () {
    const stream = world.stream()
    yield* world.append(stream, "none", noted(1, 2))
    for (const expected of ["none", 0, 1, 3] as const) {
      const conflict = yield* Assert.fails(world.store.tombstone(stream, expected), "VersionConflict")
      Assert.equal([conflict.stream, conflict.expected, conflict.actual], [stream, expected, 2])
    }
    for (const expected of ["exists", 1] as const) {
      const { actual } = yield* Assert.fails(
        world.store.tombstone(world.stream("missing"), expected),
        "VersionConflict"
      )
      Assert.equal(actual, 0)
    }
    Assert.equal(yield* world.store.streamState(stream), { version: 2, tombstoned: false })
    Assert.equal(yield* world.data(stream), [{ n: 1 }, { n: 2 }])
    yield* world.store.tombstone(stream, "exists")
    Assert.equal(yield* world.store.streamState(stream), { version: 2, tombstoned: true })
    Assert.equal(yield* world.store.streamState(world.stream("missing")), { version: 0, tombstoned: false })
  })
)

const never = law("a stream that never was can be tombstoned, so that it never will be", (world) =>
  Effect.gen(function* () {
    for (const expected of ["any", "none", 0] as const) {
      const stream = world.stream(expected)
      yield* world.store.tombstone(stream, expected)
      Assert.equal(yield* world.store.streamState(stream), { version: 0, tombstoned: true })
      yield* Assert.fails(world.append(stream, "none", noted(1)), "StreamTombstoned")
    }
  })
)

const apart = law("a tombstone ends one stream and no other", (world) =>
  Effect.gen(function* () {
    const [one, longer] = [world.stream("1"), world.stream("10")]
    yield* world.append(one, "none", noted(1))
    yield* world.append(longer, "none", noted(2))
    yield* world.store.tombstone(one, "any")
    Assert.equal(yield* world.data(longer), [{ n: 2 }])
    Assert.equal((yield* world.append(longer, 1, noted(3))).version, 2)
  })
)

const history = law("what a tombstoned stream held stays in the log", (world) =>
  Effect.gen(function* () {
    const stream = world.stream()
    const { position } = yield* world.append(stream, "none", noted(1, 2))
    const before = yield* world.log(position)
    Assert.equal(before.length, 2)
    yield* world.store.tombstone(stream, "any")
    Assert.equal(yield* world.log(position), before)
  })
)

export const laws: ReadonlyArray<Law.Law<EventStore.EventStore>> = [
  empty,
  closed,
  together,
  expecting,
  never,
  apart,
  history
]
