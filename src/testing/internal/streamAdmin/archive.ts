/**
 * Laws about archived streams: out of the log, still readable, closed to appends, and back where they were.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { EventStore } from "../../../ports/EventStore.ts"
import type { StreamAdmin } from "../../../ports/StreamAdmin.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count, noted } from "../samples.ts"
import { race, racing } from "../world.ts"
import { law, start } from "./place.ts"

const detached = law("an archived stream is out of the log and read by its name as it was", (place) =>
  Effect.gen(function* () {
    const { admin, world } = place
    const [a, b] = [world.stream("a"), world.stream("b")]
    yield* place.grow(a, 3)
    yield* place.settled(yield* place.grow(b, 2))
    const before = yield* world.store.readStream(a)
    yield* admin.archive(a)
    Assert.equal(yield* world.store.readStream(a), before)
    Assert.equal(yield* world.store.streamState(a), { version: 3, tombstoned: false })
    for (const options of [{}, { limit: 1 }, { types: ["LawNoted"] }, { categories: [world.category] }]) {
      Assert.equal(yield* place.logged(a, options), [], JSON.stringify(options))
      Assert.equal(yield* place.logged(b, options), [1, 2], JSON.stringify(options))
    }
    Assert.equal(yield* place.loggedForAll(a, start), [])
    Assert.equal(yield* place.matching(a), [])
  })
)

const asked = law("who asks for archived streams reads the log with them, every event at its position", (place) =>
  Effect.gen(function* () {
    const { admin, world } = place
    for (const n of count(3)) for (const id of ["a", "b"]) yield* place.grow(world.stream(id), n)
    const mark = (yield* world.append(world.stream("b"), 3, noted(4))).position
    const before = yield* world.log(mark)
    yield* admin.archive(world.stream("a"))
    Assert.equal(yield* world.log(mark, { archived: true }), before)
    Assert.equal(yield* world.log(mark, { archived: true, limit: 2 }), before)
    yield* admin.restore(world.stream("a"))
    Assert.equal(yield* world.log(mark), before, "restored")
  })
)

const closed = law("an archived stream takes nothing, whatever is expected, and says StreamArchived", (place) =>
  Effect.gen(function* () {
    const { admin, world } = place
    const [a, b] = [world.stream("a"), world.stream("b")]
    yield* place.grow(a, 2)
    yield* admin.archive(a)
    for (const expected of ["any", "none", "exists", 0, 1, 2] as const) {
      const { stream } = yield* Assert.fails(world.append(a, expected, noted(3)), "StreamArchived")
      Assert.equal(stream, a)
      yield* Assert.fails(world.store.tombstone(a, expected), "StreamArchived")
    }
    const both = [b, a].map((stream) => ({ stream, expected: "any" as const, events: noted(1) }))
    yield* Assert.fails(world.store.appendAll(both), "StreamArchived")
    Assert.equal(yield* world.store.streamState(b), { version: 0, tombstoned: false })
    Assert.equal(yield* place.versions(a), [1, 2])
  })
)

const open = law("a restored stream goes on where it was", (place) =>
  Effect.gen(function* () {
    const { admin, world } = place
    const stream = world.stream()
    yield* place.grow(stream, 2)
    yield* admin.archive(stream)
    yield* admin.restore(stream)
    yield* place.settled(yield* place.grow(stream, 3))
    Assert.equal(yield* place.versions(stream), [1, 2, 3])
    Assert.equal(yield* place.logged(stream), [1, 2, 3])
    yield* world.store.tombstone(stream, 3)
    yield* Assert.fails(world.append(stream, 3, noted(4)), "StreamTombstoned")
  })
)

const expecting = law("archiving checks what it expects, and needs a stream", ({ admin, ...place }) =>
  Effect.gen(function* () {
    const { world } = place
    const stream = world.stream()
    for (const expected of ["exists", 0, 1] as const) {
      Assert.equal((yield* Assert.fails(admin.archive(stream, expected), "VersionConflict")).actual, 0)
    }
    yield* world.append(stream, "none", noted(1, 2))
    for (const expected of [0, 1, 3]) {
      const { actual } = yield* Assert.fails(admin.archive(stream, expected), "VersionConflict")
      Assert.equal(actual, 2)
    }
    yield* admin.archive(stream, 2)
    yield* Assert.fails(admin.archive(stream, 1), "VersionConflict")
    yield* admin.archive(stream, 2)
    yield* admin.archive(stream)
    const ended = world.stream("ended")
    yield* world.append(ended, "none", noted(1))
    yield* world.store.tombstone(ended, 1)
    yield* Assert.fails(admin.archive(ended), "StreamTombstoned")
    yield* admin.restore(ended)
    Assert.equal(yield* world.store.streamState(ended), { version: 1, tombstoned: true })
    yield* admin.restore(world.stream("missing"))
    Assert.equal(yield* world.store.streamState(world.stream("missing")), { version: 0, tombstoned: false })
  })
)

const apart = law("archiving concerns one stream of one tenant", (place) =>
  Effect.gen(function* () {
    const { admin, world } = place
    const other = TenantContext.provide(world.otherTenant)
    const stream = world.stream("1")
    yield* place.grow(stream, 1)
    yield* other(place.grow(stream, 1))
    yield* place.settled(yield* place.grow(world.stream("10"), 1))
    yield* admin.archive(stream)
    yield* place.grow(world.stream("10"), 2)
    yield* place.settled(yield* other(place.grow(stream, 2)))
    Assert.equal(yield* other(place.logged(stream)), [1, 2])
    Assert.equal(yield* place.logged(world.stream("10")), [1, 2])
  })
)

const retained = law("retention hides the events of an archived stream, and archiving outlives metadata", (place) =>
  Effect.gen(function* () {
    const { admin, world } = place
    const stream = world.stream()
    yield* place.settled(yield* place.grow(stream, 5))
    yield* admin.archive(stream)
    yield* place.retain(stream, { maxCount: 2 })
    Assert.equal(yield* place.versions(stream), [4, 5])
    Assert.equal(yield* place.logged(stream), [])
    Assert.equal(yield* place.logged(stream, { archived: true }), [4, 5])
    yield* admin.restore(stream)
    Assert.equal((yield* admin.metadata(stream)).retention, { maxCount: 2 })
    Assert.equal(yield* place.logged(stream), [4, 5])
  })
)

const racingAppends = law(
  "of an archiving and the appends beside it, those that come after are refused",
  (place) =>
    Effect.gen(function* () {
      const { admin, world } = place
      for (const round of count(6)) {
        const stream = world.stream(round)
        yield* place.grow(stream, 1)
        const append = Effect.result(world.append(stream, "any", noted(1)))
        const appends = race(count(4).map(() => append))
        const [before, , after] = yield* Effect.all([appends, admin.archive(stream), appends], {
          concurrency: "unbounded"
        })
        const results = [...before, ...after]
        const written = results.flatMap((result) => (Result.isSuccess(result) ? [result.success.version] : []))
        for (const result of results) {
          if (Result.isFailure(result)) Assert.equal(result.failure.reason._tag, "StreamArchived")
        }
        const version = Math.max(1, ...written)
        Assert.equal(yield* world.store.streamState(stream), { version, tombstoned: false })
        Assert.equal(yield* place.versions(stream), count(version))
      }
    }),
  racing
)

export const laws: ReadonlyArray<Law.Law<EventStore | StreamAdmin>> = [
  detached,
  asked,
  closed,
  open,
  expecting,
  apart,
  retained,
  racingAppends
]
