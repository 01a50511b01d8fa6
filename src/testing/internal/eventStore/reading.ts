/**
 * Laws about reading one stream.
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as StreamName from "../../../domain/StreamName.ts"
import type * as EventStore from "../../../ports/EventStore.ts"
import type { ReadStream } from "../../../ports/EventStoreDriver.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count, noted, unkeepable } from "../samples.ts"
import { law } from "../world.ts"

const missing = law("a missing stream reads as empty, at version 0", (world) =>
  Effect.gen(function* () {
    Assert.equal(yield* world.store.readStream(world.stream()), [])
    Assert.equal(yield* world.store.readStream(world.stream(), { direction: "backward", limit: 1 }), [])
    Assert.equal(yield* world.store.streamState(world.stream()), { version: 0, tombstoned: false })
  })
)

/** What a read of a stream with so many events must give. */
const selected = (length: number, { direction, fromVersion = 1, limit = length, toVersion = length }: ReadStream) => {
  const all = count(length).filter((version) => version >= fromVersion && version <= toVersion)
  return (direction === "backward" ? all.toReversed() : all).slice(0, limit)
}

const ranges = law("a read gives the versions from one to another, in its direction, up to its limit", (world) =>
  Effect.gen(function* () {
    const stream = world.stream()
    yield* world.append(stream, "none", noted(...count(10)))
    for (const direction of [undefined, "forward", "backward"] as const) {
      for (const fromVersion of [undefined, 0, 1, 4, 10, 11]) {
        for (const toVersion of [undefined, 0, 1, 4, 10, 99]) {
          for (const limit of [undefined, 0, 1, 3, 99]) {
            const options = { direction, fromVersion, toVersion, limit }
            const versions = (yield* world.store.readStream(stream, options)).map(({ version }) => version)
            Assert.equal(versions, selected(10, options), JSON.stringify(options))
          }
        }
      }
    }
  })
)

const until = law("a read until a time gives what was recorded then or before", (world) =>
  Effect.gen(function* () {
    const stream = world.stream()
    for (const n of [1, 2, 3]) {
      if (n > 1) yield* Effect.sleep("15 millis")
      yield* world.append(stream, n - 1, noted(n))
    }
    const times = (yield* world.store.readStream(stream)).map(({ recordedAt }) => recordedAt)
    const [first = 0, second = 0, third = 0] = times
    Assert.isTrue(first < second && second < third, `the times of recording do not grow: ${times.join()}`)
    const read = (time: number, options: ReadStream) =>
      Effect.map(world.store.readStream(stream, { ...options, until: DateTime.makeUnsafe(time) }), (events) =>
        events.map(({ version }) => version)
      )
    Assert.equal(yield* read(first - 1, {}), [])
    Assert.equal(yield* read(first, {}), [1])
    Assert.equal(yield* read(second - 1, {}), [1])
    Assert.equal(yield* read(second, {}), [1, 2])
    Assert.equal(yield* read(third, {}), [1, 2, 3])
    Assert.equal(yield* read(second, { direction: "backward" }), [2, 1])
    Assert.equal(yield* read(second, { direction: "backward", limit: 1 }), [2])
    Assert.equal(yield* read(second, { fromVersion: 2 }), [2])
    Assert.equal(yield* read(second, { toVersion: 1 }), [1])
  })
)

const envelope = law("a stream reads with the same envelopes as the log", (world) =>
  Effect.gen(function* () {
    const stream = world.stream()
    yield* world.append(stream, "none", noted(1, 2))
    const { position } = yield* world.append(stream, 2, noted(3))
    const stored = yield* world.store.readStream(stream)
    Assert.equal(
      stored.map((event) => [event.stream, event.tenant, event.type]),
      [1, 2, 3].map(() => [stream, world.tenant, "LawNoted"])
    )
    Assert.equal(yield* world.log(position), stored)
  })
)

const size = 10_000
const batch = 1_000

const long = law(
  `a stream of ${size} events appends in batches and reads in order`,
  (world) =>
    Effect.gen(function* () {
      const stream = world.stream()
      for (let version = 0; version < size; version += batch) {
        const receipt = yield* world.append(stream, version, noted(...count(batch, version + 1)))
        Assert.equal(receipt.version, version + batch)
      }
      const numbers = (options: ReadStream) =>
        Effect.map(world.store.readStream(stream, options), (events) => events.map(({ data }) => data))
      const expected = (...range: ReadonlyArray<number>) => range.map((n) => ({ n }))
      Assert.equal(yield* numbers({}), expected(...count(size)))
      Assert.equal(yield* numbers({ fromVersion: 4_999, toVersion: 5_002 }), expected(4_999, 5_000, 5_001, 5_002))
      Assert.equal(yield* numbers({ fromVersion: 9_999 }), expected(9_999, 10_000))
      Assert.equal(yield* numbers({ direction: "backward", limit: 2 }), expected(10_000, 9_999))
      Assert.equal(yield* numbers({ direction: "backward", toVersion: 7_000, limit: 2 }), expected(7_000, 6_999))
      Assert.equal(yield* numbers({ fromVersion: 1_000, limit: 2 }), expected(1_000, 1_001))
    }),
  { timeout: "60 seconds" }
)

/** Names that no stream can have. */
const impossible = [
  StreamName.fromString(""),
  StreamName.fromString(`Law-${"x".repeat(StreamName.maxBytes)}`),
  ...unkeepable.map(([_, text]) => StreamName.fromString(`Law-${text}`))
]

const unwritable = law("a stream that can never be written reads as empty", (world) =>
  Effect.gen(function* () {
    for (const stream of impossible) {
      Assert.equal(yield* world.store.readStream(stream), [])
      Assert.equal(yield* world.store.streamState(stream), { version: 0, tombstoned: false })
    }
  })
)

const nobody = law("a tenant that can never write has no streams and no log", (world) =>
  Effect.gen(function* () {
    const { position } = yield* world.append(world.stream(), "none", noted(1))
    const tenants = ["", "x".repeat(129), ...unkeepable.map(([_, text]) => text)]
    for (const tenant of tenants) {
      yield* Effect.gen(function* () {
        Assert.equal(yield* world.store.readStream(world.stream()), [])
        Assert.equal(yield* world.store.streamState(world.stream()), { version: 0, tombstoned: false })
        Assert.equal(yield* world.log(position), [])
      }).pipe(TenantContext.provide(tenant))
    }
  })
)

export const laws: ReadonlyArray<Law.Law<EventStore.EventStore>> = [
  missing,
  ranges,
  until,
  envelope,
  long,
  unwritable,
  nobody
]
