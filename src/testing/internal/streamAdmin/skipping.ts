/**
 * Laws about single events that readers pass over.
 */
import * as Effect from "effect/Effect"
import * as Actor from "../../../domain/Actor.ts"
import * as StreamName from "../../../domain/StreamName.ts"
import type { EventStore } from "../../../ports/EventStore.ts"
import * as MessageContext from "../../../ports/MessageContext.ts"
import type { StreamAdmin } from "../../../ports/StreamAdmin.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count, noted, unkeepable } from "../samples.ts"
import { law, start } from "./place.ts"

const passed = law(
  "readers of the stream and of the log pass over a skipped event, until it is no longer skipped",
  (place) =>
    Effect.gen(function* () {
      const { admin, world } = place
      const stream = world.stream()
      yield* place.settled(yield* place.grow(stream, 4))
      for (const version of [2, 4]) yield* admin.skip({ stream, version }, "bad")
      Assert.equal(yield* place.versions(stream), [1, 3])
      Assert.equal(yield* place.versions(stream, { direction: "backward", limit: 1 }), [3])
      Assert.equal(yield* place.logged(stream), [1, 3])
      Assert.equal(yield* place.logged(stream, { limit: 1 }), [1, 3])
      Assert.equal(yield* place.loggedForAll(stream, start), [1, 3])
      Assert.equal(yield* place.matching(stream), [1, 3])
      const { condition } = yield* world.store.readMatching([{ types: ["LawNoted"] }])
      yield* world.store.append({ stream: world.stream("2"), expected: "none", events: noted(1), condition })
      Assert.equal((yield* admin.info(stream)).count, 2)
      Assert.equal(yield* world.store.streamState(stream), { version: 4, tombstoned: false })
      Assert.equal((yield* world.append(stream, 4, noted(5))).version, 5)
      yield* admin.unskip({ stream, version: 2 })
      yield* admin.unskip({ stream, version: 2 })
      Assert.equal(yield* place.versions(stream), [1, 2, 3, 5])
      yield* admin.unskip({ stream, version: 4 })
      Assert.equal(yield* place.versions(stream), count(5))
    })
)

const told = law(
  "who asks for skipped events reads them with reason, actor and time, and all others without",
  (place) =>
    Effect.gen(function* () {
      const { admin, world } = place
      const stream = world.stream()
      const position = yield* place.grow(stream, 3)
      const before = yield* world.store.readStream(stream)
      const actor = Actor.user("ada")
      yield* admin.skip({ stream, version: 2 }, "wrong currency").pipe(MessageContext.provide({ actor }))
      yield* admin.skip({ stream, version: 3 }, "a\nlong “story” 😀")
      const events = yield* world.store.readStream(stream, { skipped: true })
      Assert.equal(
        events.map(({ skip: _, ...event }) => event),
        before
      )
      Assert.equal(
        events.map(({ skip }) => [skip?.reason, skip?.actor]),
        [
          [undefined, undefined],
          ["wrong currency", actor],
          ["a\nlong “story” 😀", undefined]
        ]
      )
      const recordedAt = events[1]?.recordedAt ?? Number.NaN
      const skippedAt = events[1]?.skip?.skippedAt ?? Number.NaN
      Assert.isTrue(skippedAt >= recordedAt && skippedAt < recordedAt + 60_000, `skipped at ${skippedAt}`)
      Assert.equal(yield* world.log(position, { skipped: true }), events)
      Assert.equal(yield* world.store.readStream(stream, { skipped: true, direction: "backward" }), events.toReversed())
    })
)

const listed = law("skipped events are listed by stream and version, page by page", (place) =>
  Effect.gen(function* () {
    const { admin, world } = place
    const [a, b] = [world.stream("a"), world.stream("b")]
    yield* place.grow(a, 12)
    yield* place.grow(b, 2)
    for (const version of [10, 2]) yield* admin.skip({ stream: a, version }, `a ${version}`)
    yield* admin.skip({ stream: b, version: 1 }, "b 1")
    yield* admin.skip({ stream: a, version: 2 }, "for another reason")
    const all = yield* admin.skipped()
    const short = [
      [a, 2, "for another reason"],
      [a, 10, "a 10"],
      [b, 1, "b 1"]
    ]
    Assert.equal(
      all.map(({ reason, stream, version }) => [stream, version, reason]),
      short
    )
    Assert.equal(yield* admin.skipped({ limit: 2 }), all.slice(0, 2))
    Assert.equal(yield* admin.skipped({ limit: 2, after: all[1] }), all.slice(2))
    Assert.equal(yield* admin.skipped({ stream: b }), all.slice(2))
    Assert.equal(yield* admin.skipped().pipe(TenantContext.provide(world.otherTenant)), [])
    yield* admin.unskip({ stream: a, version: 2 })
    Assert.equal(yield* admin.skipped(), all.slice(1))
  })
)

const found = law("only an event that is there can be skipped: otherwise EventNotFound", (place) =>
  Effect.gen(function* () {
    const { admin, world } = place
    const stream = world.stream()
    yield* place.grow(stream, 2)
    for (const version of [0, 3]) {
      const reason = yield* Assert.fails(admin.skip({ stream, version }, "bad"), "EventNotFound")
      Assert.equal([reason.stream, reason.version], [stream, version])
    }
    yield* Assert.fails(admin.skip({ stream: world.stream("missing"), version: 1 }, "bad"), "EventNotFound")
    const foreign = TenantContext.provide(world.otherTenant)(admin.skip({ stream, version: 1 }, "bad"))
    yield* Assert.fails(foreign, "EventNotFound")
    yield* place.retain(stream, { maxCount: 1 })
    yield* place.scavenge(10)
    yield* Assert.fails(admin.skip({ stream, version: 1 }, "bad"), "EventNotFound")
    Assert.equal(yield* place.versions(stream), [2])
  })
)

const refused = law("a reason that cannot be kept is refused with InvalidMetadata", (place) =>
  Effect.gen(function* () {
    const { admin, world } = place
    const stream = world.stream()
    yield* place.grow(stream, 1)
    for (const reason of ["", "x".repeat(4097), ...unkeepable.map(([_, text]) => text)]) {
      yield* Assert.fails(admin.skip({ stream, version: 1 }, reason), "InvalidMetadata")
    }
    for (const [_, text] of unkeepable) {
      const actor = { actor: Actor.user(text) }
      yield* Assert.fails(
        admin.skip({ stream, version: 1 }, "bad").pipe(MessageContext.provide(actor)),
        "InvalidMetadata"
      )
      Assert.equal(yield* admin.skipped({ stream: StreamName.fromString(`${world.category}-1${text}`) }), [])
    }
    Assert.equal(yield* place.versions(stream), [1])
  })
)

const scavenged = law("a skipped event that is scavenged is no longer listed", (place) =>
  Effect.gen(function* () {
    const { admin, world } = place
    const stream = world.stream()
    yield* place.grow(stream, 4)
    for (const version of [1, 3, 4]) yield* admin.skip({ stream, version }, "bad")
    yield* place.retain(stream, { truncateBefore: 3 })
    yield* place.scavenge(1)
    Assert.equal(
      (yield* admin.skipped()).map(({ version }) => version),
      [3, 4]
    )
  })
)

export const laws: ReadonlyArray<Law.Law<EventStore | StreamAdmin>> = [passed, told, listed, found, refused, scavenged]
