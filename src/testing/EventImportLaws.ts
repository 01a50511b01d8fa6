/**
 * What every bulk import promises, as laws.
 *
 * @since 0.1.0
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as EventExport from "../application/EventExport.ts"
import type { ImportedEvent } from "../domain/EventLine.ts"
import * as StreamName from "../domain/StreamName.ts"
import * as EventImport from "../ports/EventImport.ts"
import type { EventStore } from "../ports/EventStore.ts"
import { StreamAdmin } from "../ports/StreamAdmin.ts"
import * as SystemContext from "../ports/SystemContext.ts"
import * as TenantContext from "../ports/TenantContext.ts"
import * as Assert from "./Assert.ts"
import { event, events, importing, logged } from "./internal/eventImport/source.ts"
import { count, noted, unkeepable } from "./internal/samples.ts"
import { interruptedAfter, law, race, racing, settled, unique } from "./internal/world.ts"
import * as Law from "./Law.ts"

const same = law("imported events are what they were, in their order, and positions are new", (world) =>
  Effect.gen(function* () {
    const source = events(world, 25)
    Assert.equal(yield* importing(world, source, 10), [10, 20, 25])
    Assert.equal(yield* logged(world), source)
    for (const id of [0, 1, 2]) {
      const stream = world.stream(id)
      const own = source.filter((one) => one.stream === stream)
      const read = yield* world.store.readStream(stream)
      Assert.equal(
        read.map(({ version, data }) => ({ version, data })),
        own.map(({ version, data }) => ({ version, data }))
      )
      Assert.equal(yield* world.store.streamState(stream), { version: own.length, tombstoned: false })
    }
    Assert.equal((yield* world.log(yield* world.store.mark, { tags: ["a"] })).length, 7)
  })
)

const goesOn = law("streams go on after their imported events, and versions may have holes", (world) =>
  Effect.gen(function* () {
    const [a, b] = [world.stream("0"), world.stream("1")]
    yield* world.append(b, "none", noted(1, 2))
    const at = (stream: StreamName.StreamName, n: number, version: number) => ({ ...event(world, n), stream, version })
    yield* importing(world, [at(a, 1, 5), at(b, 2, 3), at(a, 3, 9), at(b, 4, 7)])
    Assert.equal((yield* world.append(a, 9, noted(10))).version, 10)
    yield* Assert.fails(world.append(b, 6, noted(8)), "VersionConflict")
    Assert.equal((yield* world.append(b, 7, noted(8))).version, 8)
    const versions = (stream: StreamName.StreamName) =>
      Effect.map(world.store.readStream(stream), (all) => all.map(({ version }) => version))
    Assert.equal(yield* versions(a), [5, 9, 10])
    Assert.equal(yield* versions(b), [1, 2, 3, 7, 8])
    const part = yield* world.store.readStream(a, { fromVersion: 6, toVersion: 9 })
    Assert.equal(part.length, 1)
  })
)

const resumes = law("an import that was left anywhere goes on where it was, and imports every event once", (world) =>
  Effect.gen(function* () {
    const source = events(world, 100)
    const name = `law-${world.token}`
    const again = EventImport.run(name, Stream.fromIterable(source), { batchSize: 7 })
    yield* Stream.runDrain(Stream.take(again, 2))
    const slowly = EventImport.run(name, Stream.fromIterable(source), { batchSize: 1 })
    for (const steps of count(100, 60)) yield* interruptedAfter(Stream.runDrain(Stream.take(slowly, 1)), steps)
    yield* Stream.runDrain(again)
    Assert.equal(yield* logged(world), source)
    yield* Stream.runDrain(again)
    Assert.equal(yield* importing(world, source), [], "what is left to import")
    Assert.equal((yield* logged(world)).length, 100)
  })
)

const bad: ReadonlyArray<readonly [path: string, change: Partial<ImportedEvent>]> = [
  ["stream", { stream: StreamName.fromString("") }],
  ["version", { version: 0 }],
  ["version", { version: 1.5 }],
  ["id", { id: "not a uuid" }],
  ["type", { type: "" }],
  ["schemaVersion", { schemaVersion: -1 }],
  ["tags[1]", { tags: ["fine", ""] }],
  ["recordedAt", { recordedAt: Number.NaN }],
  ["data", { data: 1n }],
  ...unkeepable.map(([_, text]) => ["data.text", { data: { text } }] as const),
  ...unkeepable.map(
    ([_, text]) => ["metadata.correlationId", { metadata: { correlationId: text, occurredAt: 0 } }] as const
  )
]

const refuses = law(
  "the first event that cannot be kept is named by its row and its fields, and all before it is kept",
  (world) =>
    Effect.gen(function* () {
      for (const [index, [path, change]] of bad.entries()) {
        const category = `${world.category}x${index}`
        const source = count(10, 0).map((n) => {
          const stream = StreamName.make(category, String(n % 3))
          const made = { ...event(world, n), stream }
          return n === 7 ? { ...made, ...change } : made
        })
        const name = `law-${world.token}-${index}`
        const reason = yield* Assert.fails(importing(world, source, 5, name), "ImportRefused")
        Assert.equal([reason.row, reason.issues.map((issue) => issue.path)], [8, [path]])
        const versions = yield* Effect.forEach([0, 1, 2], (id) =>
          world.store.streamState(StreamName.make(category, String(id)))
        )
        Assert.equal(
          versions.map(({ version }) => version),
          [3, 2, 2],
          path
        )
      }
    })
)

const fails = law("a source that fails has imported all that it gave, and goes on when it no longer fails", (world) =>
  Effect.gen(function* () {
    const source = events(world, 20)
    const broken = Stream.concat(Stream.fromIterable(source.slice(0, 13)), Stream.fail("broken" as const))
    const name = `law-${world.token}`
    const error = yield* Effect.flip(Stream.runDrain(EventImport.run(name, broken, { batchSize: 5 })))
    Assert.equal(error, "broken")
    Assert.equal((yield* logged(world)).length, 13)
    yield* importing(world, source, 5)
    Assert.equal(yield* logged(world), source)
  })
)

const conflicts = law(
  "an event whose stream is at its version or beyond is ImportConflict with the row, and all before is kept",
  (world) =>
    Effect.gen(function* () {
      yield* world.append(world.stream("2"), "none", noted(1, 2))
      const source = events(world, 12)
      const reason = yield* Assert.fails(importing(world, source, 5), "ImportConflict")
      const { actual, closed, row, stream, version } = reason
      Assert.equal(
        { actual, closed, row, stream, version },
        { actual: 2, closed: false, row: 3, stream: world.stream("2"), version: 1 }
      )
      Assert.equal((yield* logged(world)).slice(2), source.slice(0, 2))
      const twice = [event(world, 0), event(world, 1), event(world, 0)].map((one) => ({
        ...one,
        stream: world.stream("4")
      }))
      const repeated = yield* Assert.fails(importing(world, twice, 5, `law-${world.token}-2`), "ImportRefused")
      Assert.equal(repeated.row, 2)
    })
)

const closed = law("a stream that is tombstoned or archived takes no imported events", (world) =>
  Effect.gen(function* () {
    const admin = yield* StreamAdmin
    const [archived, ended] = [world.stream("0"), world.stream("1")]
    for (const stream of [archived, ended]) yield* world.append(stream, "none", noted(1))
    yield* admin.archive(archived)
    yield* world.store.tombstone(ended, 1)
    for (const [index, stream] of [archived, ended].entries()) {
      const source = [{ ...event(world, 1), stream, version: 2 }]
      const name = `law-${world.token}-${index}`
      const reason = yield* Assert.fails(importing(world, source, 5, name), "ImportConflict")
      Assert.equal([reason.row, reason.actual, reason.closed], [1, 1, true])
    }
  })
)

const both = law(
  "of several runs of one import each event is imported once, and who is overtaken says so",
  (world) =>
    Effect.gen(function* () {
      const source = events(world, 60)
      const results = yield* race(count(4).map(() => Effect.result(importing(world, source, 4))))
      for (const result of results) {
        if (Result.isFailure(result)) Assert.equal(result.failure.reason._tag, "ImportOvertaken")
      }
      yield* importing(world, source, 4)
      Assert.equal(yield* logged(world), source)
    }),
  racing
)

const beside = law("appends beside an import keep their own order, and no reader of the log misses anything", (world) =>
  Effect.gen(function* () {
    const source = events(world, 80)
    const stream = world.stream("live")
    const appending = Effect.forEach(count(30), (n) => world.append(stream, n - 1, noted(n)))
    const [, receipts] = yield* Effect.all([importing(world, source, 8), appending], { concurrency: "unbounded" })
    yield* settled(world.store, receipts[29]?.position ?? receipts[0]?.position ?? (yield* world.store.mark))
    const all = yield* logged(world)
    Assert.equal(
      all.filter((one) => one.stream !== stream),
      source
    )
    Assert.equal(
      all.filter((one) => one.stream === stream).map(({ version }) => version),
      count(30)
    )
  })
)

const wakes = law("who waits for the log hears of an import", (world) =>
  Effect.gen(function* () {
    const { position } = yield* world.append(world.stream("first"), "none", noted(1))
    yield* settled(world.store, position)
    const mark = yield* world.store.mark
    yield* Effect.all([world.store.changed(mark), importing(world, events(world, 3))], { concurrency: "unbounded" })
  })
)

const tenants = law("events of many tenants are imported each into its own, in one order", (world) =>
  Effect.gen(function* () {
    const source = events(world, 10).map((one, n) => ({
      ...one,
      tenant: n % 2 === 0 ? world.tenant : world.otherTenant
    }))
    const name = `law-${world.token}`
    yield* SystemContext.provide("a law")(Stream.runDrain(EventImport.runAllTenants(name, Stream.fromIterable(source))))
    const own = yield* logged(world)
    const others = yield* TenantContext.provide(world.otherTenant)(logged(world))
    const ids = (all: ReadonlyArray<ImportedEvent>) => all.map(({ id }) => id)
    Assert.equal(ids(own), ids(source.filter(({ tenant }) => tenant === world.tenant)))
    Assert.equal(ids(others), ids(source.filter(({ tenant }) => tenant === world.otherTenant)))
    const first = source.filter(({ tenant }) => tenant === world.tenant).slice(0, 1)
    yield* Assert.fails(importing(world, first), "ImportConflict")
  })
)

const Line = Schema.Struct({
  stream: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 })),
  type: Schema.NonEmptyString,
  text: Schema.String,
  tags: Schema.Array(Schema.NonEmptyString),
  recordedAt: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 253_402_300_799_999 })),
  cut: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 200 }))
})

const clean = (text: string) => text.toWellFormed().replaceAll("\0", "").slice(0, 100)

const lines = law("what is exported as lines and imported again is the same, however the text is cut", (world) =>
  Law.forAll(
    Arbitrary.array(Arbitrary.schema(Line), { minLength: 5, maxLength: 20 }),
    (all) =>
      Effect.gen(function* () {
        const token = yield* unique
        const versions = new Map<number, number>()
        const source = all.map(({ recordedAt, stream, tags, text, type }, n): ImportedEvent => {
          const version = (versions.get(stream) ?? 0) + 1
          versions.set(stream, version)
          return {
            ...event(world, n),
            stream: world.stream(stream),
            version,
            type: clean(type) || "x",
            tags: tags.map((tag) => clean(tag) || "x"),
            recordedAt,
            data: { text: clean(text), lines: "\r\n\u2028" }
          }
        })
        const as = (tenant: string) => TenantContext.provide(`law-${tenant}-${token}`)
        const exported = EventExport.events().pipe(EventExport.toNdjson, Stream.mkString)
        yield* as("a")(importing(world, source, 6, token))
        const before = yield* as("a")(logged(world))
        const text = yield* as("a")(exported)
        const cut = all[0]?.cut ?? 1
        const pieces = count(Math.ceil(text.length / cut), 0).map((n) => text.slice(n * cut, (n + 1) * cut))
        const source2 = EventExport.fromNdjson(Stream.fromIterable(pieces))
        yield* as("b")(Stream.runDrain(EventImport.run(token, source2, { batchSize: 7 })))
        Assert.equal(before, source)
        Assert.equal(yield* as("b")(logged(world)), source)
      }),
    { runs: 10 }
  )
)

/**
 * The laws of `EventImport`, over the event store it imports into.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<EventStore | EventImport.EventImport | StreamAdmin>> = [
  same,
  goesOn,
  resumes,
  refuses,
  fails,
  conflicts,
  closed,
  both,
  beside,
  wakes,
  tenants,
  lines
]
