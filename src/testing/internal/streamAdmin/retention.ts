/**
 * Laws about retention: what it hides is hidden from everybody at once, and what is scavenged changes nothing for readers.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as Position from "../../../domain/Position.ts"
import type { EventStore } from "../../../ports/EventStore.ts"
import type { StreamAdmin } from "../../../ports/StreamAdmin.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import * as Law from "../../Law.ts"
import { count, noted } from "../samples.ts"
import { follow, unique } from "../world.ts"
import { law, type Place, start } from "./place.ts"

/** All readers get these versions of a stream, and nothing else. */
const shows = (place: Place, id: string, expected: ReadonlyArray<number>, about: string) =>
  Effect.gen(function* () {
    const stream = place.world.stream(id)
    Assert.equal(yield* place.versions(stream), expected, `${about}: the stream`)
    Assert.equal(yield* place.versions(stream, { direction: "backward" }), expected.toReversed(), `${about}: backward`)
    Assert.equal(yield* place.versions(stream, { limit: 2 }), expected.slice(0, 2), `${about}: the first two`)
    Assert.equal(
      yield* place.versions(stream, { direction: "backward", limit: 2 }),
      expected.toReversed().slice(0, 2),
      `${about}: the last two`
    )
    Assert.equal(
      yield* place.versions(stream, { fromVersion: 2, toVersion: 4 }),
      expected.filter((version) => version >= 2 && version <= 4),
      `${about}: a part`
    )
    Assert.equal(yield* place.logged(stream), expected, `${about}: the log`)
    Assert.equal(yield* place.logged(stream, { limit: 2 }), expected, `${about}: the log in pages`)
    Assert.equal(yield* place.logged(stream, { archived: true, skipped: true }), expected, `${about}: all of the log`)
    Assert.equal(yield* place.loggedForAll(stream, start), expected, `${about}: everybody's log`)
    Assert.equal(yield* place.matching(stream), expected, `${about}: a query`)
    Assert.equal((yield* place.admin.info(stream)).count, expected.length, `${about}: how many`)
  })

const before = law("what is truncated is hidden from every reader, and lifting the rule shows it again", (place) =>
  Effect.gen(function* () {
    const stream = place.world.stream("a")
    yield* place.settled(yield* place.grow(stream, 6))
    yield* place.retain(stream, { truncateBefore: 4 })
    yield* shows(place, "a", [4, 5, 6], "truncated")
    yield* place.retain(stream, {})
    yield* shows(place, "a", [1, 2, 3, 4, 5, 6], "lifted")
  })
)

const newest = law(
  "of a stream with a maximum count only so many of the newest events are shown, as it grows",
  (place) =>
    Effect.gen(function* () {
      const stream = place.world.stream("a")
      yield* place.retain(stream, { maxCount: 3 })
      for (const [to, shown] of [
        [2, [1, 2]],
        [3, [1, 2, 3]],
        [4, [2, 3, 4]],
        [9, [7, 8, 9]]
      ] as const) {
        yield* place.settled(yield* place.grow(stream, to))
        yield* shows(place, "a", shown, `at version ${to}`)
      }
    })
)

const age = law("events older than the maximum age are hidden, and shown again under a longer one", (place) =>
  Effect.gen(function* () {
    const stream = place.world.stream("a")
    yield* place.grow(stream, 3)
    yield* Effect.sleep("60 millis")
    yield* place.settled(yield* place.grow(stream, 4))
    yield* place.retain(stream, { maxAge: "50 millis" })
    yield* shows(place, "a", [4], "50 ms")
    yield* place.retain(stream, { maxAge: "1 hour" })
    yield* shows(place, "a", [1, 2, 3, 4], "an hour")
    yield* place.retain(stream, { maxAge: 0 })
    yield* shows(place, "a", [4], "no time at all")
  })
)

const stays = law("the newest event of a stream always stays, whatever is retained", (place) =>
  Effect.gen(function* () {
    const stream = place.world.stream("a")
    yield* place.settled(yield* place.grow(stream, 3))
    yield* Effect.sleep("2 millis")
    for (const retention of [{ truncateBefore: 100 }, { maxAge: 0 }, { maxAge: 0, maxCount: 1, truncateBefore: 4 }]) {
      yield* place.retain(stream, retention)
      yield* shows(place, "a", [3], JSON.stringify(retention))
    }
    yield* place.scavenge(10)
    yield* shows(place, "a", [3], "scavenged")
  })
)

const moves = law("versions never move and none is used again, whatever is hidden and removed", (place) =>
  Effect.gen(function* () {
    const { world } = place
    const stream = world.stream("a")
    yield* place.grow(stream, 5)
    yield* place.retain(stream, { truncateBefore: 5 })
    Assert.equal(yield* world.store.streamState(stream), { version: 5, tombstoned: false })
    yield* Assert.fails(world.append(stream, "none", noted(1)), "VersionConflict")
    Assert.equal((yield* world.append(stream, 5, noted(6))).version, 6)
    yield* place.scavenge(10)
    Assert.equal(yield* world.store.streamState(stream), { version: 6, tombstoned: false })
    yield* place.settled((yield* world.append(stream, 6, noted(7))).position)
    yield* shows(place, "a", [5, 6, 7], "in the end")
  })
)

const gone = law("what was scavenged is gone, also when the rule is lifted, and nothing else is", (place) =>
  Effect.gen(function* () {
    const { world } = place
    for (const id of ["a", "b", "c"]) yield* place.grow(world.stream(id), 5)
    const other = TenantContext.provide(world.otherTenant)
    yield* place.settled(yield* other(place.grow(world.stream("a"), 5)))
    yield* other(place.retain(world.stream("a"), { maxCount: 2 }))
    yield* place.retain(world.stream("a"), { truncateBefore: 3 })
    yield* place.retain(world.stream("c"), { maxCount: 1 })
    const batches = yield* place.scavenge(10)
    Assert.equal(batches, [
      [world.stream("a"), 2],
      [world.stream("c"), 4]
    ])
    for (const id of ["a", "c"]) yield* place.retain(world.stream(id), {})
    yield* other(place.retain(world.stream("a"), {}))
    yield* shows(place, "a", [3, 4, 5], "a")
    yield* shows(place, "b", [1, 2, 3, 4, 5], "b")
    yield* shows(place, "c", [5], "c")
    Assert.equal(yield* other(place.versions(world.stream("a"))), [1, 2, 3, 4, 5])
  })
)

const batches = law("scavenging goes in batches as it is pulled, and goes on wherever it was left", (place) =>
  Effect.gen(function* () {
    const [a, b] = [place.world.stream("a"), place.world.stream("b")]
    for (const stream of [a, b]) {
      yield* place.grow(stream, 8)
      yield* place.retain(stream, { maxCount: 1 })
    }
    const two = yield* Stream.runCollect(place.admin.scavenge({ batchSize: 3 }).pipe(Stream.take(2)))
    Assert.equal(
      two.map(({ removed, stream }) => [stream, removed]),
      [
        [a, 3],
        [a, 3]
      ]
    )
    yield* place.retain(a, {})
    Assert.equal(yield* place.versions(a), [7, 8])
    yield* place.retain(a, { maxCount: 1 })
    Assert.equal(yield* place.scavenge(3), [
      [a, 1],
      [b, 3],
      [b, 3],
      [b, 1]
    ])
    const after = yield* Stream.runCollect(place.admin.scavenge({ after: a }))
    Assert.equal(
      after.map(({ removed, stream }) => [stream, removed]),
      [[b, 0]]
    )
  })
)

const pages = law("what is hidden takes no place in a page, and the cursor passes it", (place) =>
  Effect.gen(function* () {
    const { world } = place
    yield* place.grow(world.stream("a"), 20)
    yield* place.grow(world.stream("b"), 3)
    yield* place.retain(world.stream("a"), { maxCount: 1 })
    yield* place.settled(yield* place.grow(world.stream("c"), 2))
    for (const scavenged of [false, true]) {
      if (scavenged) yield* place.scavenge(7)
      const page = yield* world.store.readAll({ after: start, limit: 4 })
      Assert.equal(
        page.events.map(({ data, stream }) => [stream, data]),
        [[world.stream("a"), { n: 20 }], ...[1, 2, 3].map((n) => [world.stream("b"), { n }])]
      )
      Assert.equal(page.cursor, page.events[3]?.position)
    }
  })
)

const Case = Schema.Struct({
  events: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 })),
  maxCount: Schema.UndefinedOr(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 14 }))),
  truncateBefore: Schema.UndefinedOr(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 14 }))),
  batchSize: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 }))
})

const model = law("all the rules together show what each of them shows, before and after scavenging", (place) =>
  Law.forAll(
    Arbitrary.schema(Case),
    ({ batchSize, events, maxCount, truncateBefore }) =>
      Effect.gen(function* () {
        const id = yield* unique
        const stream = place.world.stream(id)
        yield* place.settled(yield* place.grow(stream, events))
        yield* place.retain(stream, { maxCount, truncateBefore })
        const shown = count(events).filter(
          (version) =>
            version === events ||
            ((maxCount === undefined || version > events - maxCount) &&
              (truncateBefore === undefined || version >= truncateBefore))
        )
        yield* shows(place, id, shown, "hidden")
        const batches = yield* place.scavenge(batchSize)
        const own = batches.filter(([name]) => name === stream).map(([_, removed]) => removed)
        Assert.isTrue(
          own.every((removed) => removed <= batchSize),
          `batches of ${own.join()}, at most ${batchSize}`
        )
        Assert.equal(
          own.reduce((sum, removed) => sum + removed, 0),
          events - shown.length,
          "removed"
        )
        yield* shows(place, id, shown, "removed")
        yield* place.retain(stream, {})
        yield* shows(place, id, shown, "lifted")
      }),
    { runs: 20 }
  )
)

const followed = law(
  "who follows the log while it is scavenged comes to its end and misses nothing that is shown",
  (place) =>
    Effect.gen(function* () {
      const { world } = place
      const done = yield* Ref.make<Position.Position | undefined>(undefined)
      const [kept, hidden] = [world.stream("kept"), world.stream("hidden")]
      yield* place.retain(hidden, { maxCount: 1 })
      const writing = Effect.gen(function* () {
        for (const n of count(20)) {
          yield* place.grow(hidden, n * 5)
          yield* place.grow(kept, n)
          if (n % 4 === 0) yield* place.scavenge(3)
        }
        yield* Ref.set(done, yield* place.grow(kept, 21))
      })
      const [seen] = yield* Effect.all([follow(world, done, 4), writing], { concurrency: "unbounded" })
      const versions = seen.filter(({ stream }) => stream === kept).map(({ version }) => version)
      Assert.equal(versions, count(21))
    })
)

export const laws: ReadonlyArray<Law.Law<EventStore | StreamAdmin>> = [
  before,
  newest,
  age,
  stays,
  moves,
  gone,
  batches,
  pages,
  model,
  followed
]
