/**
 * Laws about appending to one stream and to several.
 */
import * as Effect from "effect/Effect"
import * as StreamName from "../../../domain/StreamName.ts"
import type * as EventStore from "../../../ports/EventStore.ts"
import type { ExpectedVersion } from "../../../ports/EventStoreError.ts"
import * as Receipt from "../../../ports/Receipt.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count, noted } from "../samples.ts"
import { law } from "../world.ts"

const receipts = law("an append answers with the stream, its new version and the position of its last event", (world) =>
  Effect.gen(function* () {
    const stream = world.stream()
    const first = yield* world.append(stream, "none", noted(1))
    const second = yield* world.append(stream, 1, noted(2, 3, 4))
    Assert.equal([first.stream, first.version], [stream, 1])
    Assert.equal([second.stream, second.version], [stream, 4])
    const stored = yield* world.store.readStream(stream)
    Assert.equal([first.position, second.position], [stored[0]?.position, stored[3]?.position])
  })
)

const versions = law("versions count from 1 without holes, in the order of appending", (world) =>
  Effect.gen(function* () {
    const stream = world.stream()
    let next = 1
    for (const length of [1, 3, 1, 7, 2]) {
      const receipt = yield* world.append(stream, next - 1, noted(...count(length, next)))
      next += length
      Assert.equal(receipt.version, next - 1)
    }
    const stored = yield* world.store.readStream(stream)
    Assert.equal(
      stored.map(({ data, version }) => ({ data, version })),
      count(next - 1).map((version) => ({ data: { n: version }, version }))
    )
    Assert.equal(yield* world.store.streamState(stream), { version: next - 1, tombstoned: false })
  })
)

/** What each expectation says to a stream at version 2, and to one that is missing. */
const expectations: ReadonlyArray<{
  readonly expected: ExpectedVersion
  readonly missing: boolean
  readonly present: boolean
}> = [
  { expected: "any", missing: true, present: true },
  { expected: "none", missing: true, present: false },
  { expected: "exists", missing: false, present: true },
  { expected: 0, missing: true, present: false },
  { expected: 1, missing: false, present: false },
  { expected: 2, missing: false, present: true },
  { expected: 3, missing: false, present: false }
]

const expecting = expectations.flatMap(({ expected, missing, present }) =>
  [
    { which: "a missing stream", before: noted(), allowed: missing },
    { which: "a stream at version 2", before: noted(1, 2), allowed: present }
  ].map(({ allowed, before, which }) =>
    law(`an append that expects ${expected} ${allowed ? "goes to" : "is refused by"} ${which}`, (world) =>
      Effect.gen(function* () {
        const stream = world.stream()
        if (before.length > 0) yield* world.append(stream, "none", before)
        const append = world.append(stream, expected, noted(3))
        if (allowed) {
          Assert.equal((yield* append).version, before.length + 1)
        } else {
          const conflict = yield* Assert.fails(append, "VersionConflict")
          const { actual, stream: name } = conflict
          Assert.equal({ actual, expected: conflict.expected, name }, { actual: before.length, expected, name: stream })
        }
        const left = allowed ? [...before, ...noted(3)] : before
        Assert.equal(
          yield* world.data(stream),
          left.map(({ n }) => ({ n }))
        )
        Assert.equal(yield* world.store.streamState(stream), { version: left.length, tombstoned: false })
      })
    )
  )
)

const refusedIsNothing = law("a refused append leaves nothing in the log", (world) =>
  Effect.gen(function* () {
    const first = yield* world.append(world.stream(), "none", noted(1))
    yield* Assert.fails(world.append(world.stream(), "none", noted(2)), "VersionConflict")
    const second = yield* world.append(world.stream(), 1, noted(3))
    Assert.equal(
      (yield* world.log(second.position)).map(({ data, position }) => ({ data, position })),
      [
        { data: { n: 1 }, position: first.position },
        { data: { n: 3 }, position: second.position }
      ]
    )
  })
)

const empty = law("an append without events checks what it expects and writes nothing", (world) =>
  Effect.gen(function* () {
    const stream = world.stream()
    const { position } = yield* world.append(stream, "none", noted(1, 2))
    for (const expected of ["any", "exists", 2] as const) {
      const receipt = yield* world.append(stream, expected, [])
      Assert.equal([receipt.stream, receipt.version, receipt.position], [stream, 2, 0], `expected ${expected}`)
    }
    for (const expected of ["none", 0, 1, 3] as const) {
      const { actual } = yield* Assert.fails(world.append(stream, expected, []), "VersionConflict")
      Assert.equal(actual, 2, `expected ${expected}`)
    }
    const missing = world.stream("missing")
    Assert.equal((yield* world.append(missing, "none", [])).version, 0)
    const { actual } = yield* Assert.fails(world.append(missing, "exists", []), "VersionConflict")
    Assert.equal(actual, 0)
    Assert.equal(yield* world.store.streamState(missing), { version: 0, tombstoned: false })
    Assert.equal((yield* world.log(position)).length, 2)
  })
)

const several = law("an append to several streams answers in the order it was given", (world) =>
  Effect.gen(function* () {
    const [a, b, c, d] = [world.stream("a"), world.stream("b"), world.stream("c"), world.stream("d")]
    yield* world.append(c, "none", noted(1))
    const written = yield* world.store.appendAll([
      { stream: d, expected: "any", events: noted(1, 2) },
      { stream: a, expected: "none", events: noted(3) },
      { stream: c, expected: 1, events: [] },
      { stream: b, expected: 0, events: noted(4, 5, 6) }
    ])
    Assert.equal(
      written.map(({ stream, version }) => ({ stream, version })),
      [
        { stream: d, version: 2 },
        { stream: a, version: 1 },
        { stream: c, version: 1 },
        { stream: b, version: 3 }
      ]
    )
    for (const { position, stream, version } of written) {
      const stored = yield* world.store.readStream(StreamName.fromString(stream), {
        direction: "backward",
        limit: 1
      })
      Assert.equal(
        stored.map((event) => event.version),
        [version]
      )
      Assert.equal(position, stream === c ? 0 : stored[0]?.position, `the position of ${stream}`)
    }
    Assert.equal(yield* world.store.appendAll([]), [])
  })
)

const atomic = [0, 1, 2].map((wrong) =>
  law(`an append to several streams keeps nothing when number ${wrong + 1} of three conflicts`, (world) =>
    Effect.gen(function* () {
      const streams = [world.stream("a"), world.stream("b"), world.stream("c")]
      for (const stream of streams) yield* world.append(stream, "none", noted(1))
      const all = streams.map((stream, index) => ({
        stream,
        expected: index === wrong ? 7 : 1,
        events: noted(2, 3)
      }))
      const conflict = yield* Assert.fails(world.store.appendAll(all), "VersionConflict")
      Assert.equal([conflict.stream, conflict.expected, conflict.actual], [streams[wrong], 7, 1])
      for (const stream of streams) Assert.equal(yield* world.data(stream), [{ n: 1 }])
      const { position } = yield* world.append(world.stream("d"), "none", noted(4))
      Assert.equal((yield* world.log(position)).length, 4)
    })
  )
)

const atomicEmpty = law(
  "an append to several streams keeps nothing when the expectation of an empty one fails",
  (world) =>
    Effect.gen(function* () {
      const [a, b] = [world.stream("a"), world.stream("b")]
      const all = [
        { stream: a, expected: "none", events: noted(1) },
        { stream: b, expected: "exists", events: [] }
      ] as const
      const { actual, stream } = yield* Assert.fails(world.store.appendAll(all), "VersionConflict")
      Assert.equal([stream, actual], [b, 0])
      Assert.equal(yield* world.store.streamState(a), { version: 0, tombstoned: false })
    })
)

const twice = law("one stream twice in one append is InvalidInput and writes nothing", (world) =>
  Effect.gen(function* () {
    const [a, b] = [world.stream("a"), world.stream("b")]
    for (const [first, second] of [
      [noted(1), noted(2)],
      [noted(1), []],
      [[], noted(2)],
      [[], []]
    ] as const) {
      const all = [
        { stream: a, expected: "any", events: first },
        { stream: b, expected: "any", events: noted(3) },
        { stream: a, expected: "any", events: second }
      ] as const
      const invalid = yield* Assert.fails(world.store.appendAll(all), "InvalidInput")
      Assert.equal(
        { stream: invalid.stream, paths: invalid.issues.map(({ path }) => path) },
        { stream: a, paths: ["stream"] },
        `${first.length} and ${second.length} events`
      )
    }
    for (const stream of [a, b]) Assert.equal((yield* world.store.streamState(stream)).version, 0)
  })
)

const collected = law(
  "an append is noted for whoever collects the receipts of its fiber; a refused one is not",
  (world) =>
    Effect.gen(function* () {
      const collected: Array<Receipt.AppendReceipt> = []
      const [a, b] = [world.stream("a"), world.stream("b")]
      const written = yield* Effect.gen(function* () {
        const first = yield* world.append(a, "none", noted(1))
        yield* Assert.fails(world.append(a, "none", noted(2)), "VersionConflict")
        const more = yield* world.store.appendAll([
          { stream: a, expected: 1, events: noted(3) },
          { stream: b, expected: 0, events: noted(4) }
        ])
        return [first, ...more]
      }).pipe(Effect.provideService(Receipt.Collector, collected))
      Assert.equal(collected, written)
    })
)

export const laws: ReadonlyArray<Law.Law<EventStore.EventStore>> = [
  receipts,
  versions,
  ...expecting,
  refusedIsNothing,
  empty,
  several,
  ...atomic,
  atomicEmpty,
  twice,
  collected
]
