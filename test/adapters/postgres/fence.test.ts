import { describe, expect, inject, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Ref from "effect/Ref"
import type * as Position from "../../../src/domain/Position.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import { databaseUrl } from "../../services/database.ts"
import * as support from "./support.ts"
import * as torture from "./torture.ts"

const writers = 20
const seconds = 4

/** What is wrong with what a reader saw, by how often. */
const faults = (seen: ReadonlyArray<number>, written: ReadonlySet<number>) => ({
  missed: written.size - new Set(seen.filter((position) => written.has(position))).size,
  duplicated: seen.length - new Set(seen).size,
  inverted: seen.filter((position, index) => index > 0 && position < (seen[index - 1] ?? 0)).length,
  invented: seen.filter((position) => !written.has(position)).length
})

const none = { missed: 0, duplicated: 0, inverted: 0, invented: 0 }

/** Two processes write and read for a while; `disturb` runs beside them. */
const run = (
  url: string,
  disturb: (connection: support.Connection) => Effect.Effect<void, unknown>
): Effect.Effect<{ readonly written: ReadonlySet<number>; readonly seen: ReadonlyArray<torture.Seen> }, unknown> =>
  Effect.gen(function* () {
    const one = yield* Layer.build(support.process(url, { maxConnections: writers / 2 + 2 }))
    const other = yield* Layer.build(support.process(url, { maxConnections: writers / 2 + 2 }))
    const connection = yield* support.connect(url)
    const stopped = yield* Ref.make(false)
    const end = yield* Ref.make<Position.Position | undefined>(undefined)

    const readers = yield* Effect.forkChild(
      Effect.all(
        [
          torture.follower("in the one process", end, 100).pipe(Effect.provide(one)),
          torture.follower("page by page", end, 3).pipe(Effect.provide(one)),
          torture.follower("in the other process", end, 500).pipe(Effect.provide(other)),
          torture.wrongFollower("naive", end, url, torture.naive),
          torture.wrongFollower("by transaction id", end, url, torture.byTransactionId),
          torture.wrongFollower("by gaps", end, url, torture.byGaps)
        ],
        { concurrency: "unbounded" }
      )
    )
    const writing = yield* Effect.forkChild(
      Effect.all(
        [
          ...Array.from({ length: writers }, (_, n) =>
            torture.writer(stopped).pipe(Effect.provide(n % 2 === 0 ? one : other))
          ),
          torture.preparer(stopped, url)
        ],
        { concurrency: "unbounded", discard: true }
      )
    )
    const disturbing = yield* Effect.forkChild(Effect.forever(disturb(connection)))
    yield* Effect.sleep(`${seconds} seconds`)
    yield* Ref.set(stopped, true)
    yield* Fiber.join(writing)
    yield* Fiber.interrupt(disturbing)

    // Nothing is written any more: the mark has to come to the last position that was drawn, used or not.
    const last = yield* support.lastDrawn(connection)
    const store = yield* Effect.provide(EventStore.EventStore, one)
    yield* support.settled(store, last)
    yield* Ref.set(end, last)
    const seen = yield* Fiber.join(readers)
    const { rows } = yield* connection.query("select position::float8 as position from es.event")
    return { written: new Set(rows.map((row) => Number(row["position"]))), seen }
  }).pipe(Effect.scoped, Random.withSeed(inject("seed")))

const report = ({ seen, written }: Effect.Success<ReturnType<typeof run>>) => {
  expect(written.size).toBeGreaterThan(500)
  return Object.fromEntries(seen.map(({ name, positions }) => [name, faults(positions, written)]))
}

describe("the order of the log", () => {
  it.live(
    "is what every reader sees, once and without holes, and what wrong readers do not",
    () =>
      Effect.gen(function* () {
        const found = report(yield* run(yield* databaseUrl, () => Effect.never))
        expect(found["in the one process"]).toEqual(none)
        expect(found["page by page"]).toEqual(none)
        expect(found["in the other process"]).toEqual(none)
        // A test that cannot see the mistake proves nothing.
        expect(found["naive"]?.missed).toBeGreaterThan(0)
        expect(found["by transaction id"]?.missed).toBeGreaterThan(0)
        expect(found["by gaps"]?.missed).toBeGreaterThan(0)
      }),
    60_000
  )

  it.live(
    "does not rest on there being one leader",
    () =>
      Effect.gen(function* () {
        // Ends the lease while the leader is at work, so that the other takes it and both move the mark.
        const disturb = (connection: support.Connection) =>
          Effect.andThen(
            connection.query("update es.high_water set lease_until = clock_timestamp(), owner = null"),
            Effect.sleep("30 millis")
          )
        const found = report(yield* run(yield* databaseUrl, disturb))
        expect(found["in the one process"]).toEqual(none)
        expect(found["page by page"]).toEqual(none)
        expect(found["in the other process"]).toEqual(none)
        expect(found["naive"]?.missed).toBeGreaterThan(0)
      }),
    60_000
  )
})
