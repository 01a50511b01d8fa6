/**
 * Laws about what is known of a stream beside its events.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as StreamName from "../../../domain/StreamName.ts"
import type { EventStore } from "../../../ports/EventStore.ts"
import * as StreamAdmin from "../../../ports/StreamAdmin.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count, noted, rich, unkeepable } from "../samples.ts"
import { race, racing } from "../world.ts"
import { law } from "./place.ts"

const unset = { version: 0, retention: {}, data: undefined }

const never = law("metadata that was never set is empty, at version 0", ({ admin, world }) =>
  Effect.gen(function* () {
    yield* world.append(world.stream("present"), "none", noted(1))
    for (const id of ["present", "missing"]) Assert.equal(yield* admin.metadata(world.stream(id)), unset)
  })
)

const back = law("metadata comes back as it was set, and each setting counts a version", ({ admin, world }) =>
  Effect.gen(function* () {
    const stream = world.stream()
    const retention = { maxAge: "90 days", maxCount: 7, truncateBefore: 3 } as const
    Assert.equal(yield* admin.setMetadata(stream, { expected: 0, retention, data: rich.json }), 1)
    Assert.equal(yield* admin.metadata(stream), {
      version: 1,
      retention: { ...retention, maxAge: Duration.days(90) },
      data: rich.json
    })
    for (const [index, data] of [null, false, 0, "", [], {}, [null]].entries()) {
      Assert.equal(yield* admin.setMetadata(stream, { expected: "exists", data }), index + 2)
      Assert.equal(yield* admin.metadata(stream), { version: index + 2, retention: {}, data })
    }
    const version = yield* admin.setMetadata(stream, { expected: "any" })
    Assert.equal(yield* admin.metadata(stream), { version, retention: {}, data: undefined })
  })
)

const guarded = law(
  "metadata at another version than expected stays, and MetadataConflict names its version",
  ({ admin, world }) =>
    Effect.gen(function* () {
      const stream = world.stream()
      const refused = (expected: number | "none" | "exists", actual: number) =>
        Effect.gen(function* () {
          const conflict = yield* Assert.fails(
            admin.setMetadata(stream, { expected, data: "late" }),
            "MetadataConflict"
          )
          Assert.equal([conflict.stream, conflict.expected, conflict.actual], [stream, expected, actual])
        })
      for (const expected of [1, "exists"] as const) yield* refused(expected, 0)
      yield* admin.setMetadata(stream, { expected: "none", data: "first" })
      yield* admin.setMetadata(stream, { expected: 1, data: "second" })
      for (const expected of ["none", 0, 1, 3] as const) yield* refused(expected, 2)
      Assert.equal((yield* admin.metadata(stream)).data, "second")
    })
)

const oneWins = law(
  "of many who set metadata at one version exactly one does, and the others get MetadataConflict",
  ({ admin, world }) =>
    Effect.gen(function* () {
      const stream = world.stream()
      for (const round of count(5, 0)) {
        const results = yield* race(
          count(8).map((n) => Effect.result(admin.setMetadata(stream, { expected: round, data: n })))
        )
        Assert.equal(results.filter(Result.isSuccess).length, 1, `round ${round}`)
        for (const result of results) {
          if (Result.isFailure(result)) Assert.equal(result.failure.reason._tag, "MetadataConflict")
        }
        Assert.equal((yield* admin.metadata(stream)).version, round + 1)
      }
    }),
  racing
)

const apart = law(
  "metadata says nothing about whether a stream is there, and belongs to one name of one tenant",
  ({ admin, world }) =>
    Effect.gen(function* () {
      const stream = world.stream()
      yield* admin.setMetadata(stream, { expected: "none", data: 1 })
      Assert.equal(yield* world.store.streamState(stream), { version: 0, tombstoned: false })
      yield* world.append(stream, "none", noted(1))
      yield* world.store.tombstone(stream, 1)
      Assert.equal((yield* admin.metadata(stream)).data, 1)
      Assert.equal(yield* admin.metadata(world.stream("10")), unset)
      Assert.equal(yield* admin.metadata(stream).pipe(TenantContext.provide(world.otherTenant)), unset)
    })
)

const refuses = law(
  "metadata that cannot be kept is refused with InvalidMetadata, which names what is wrong",
  ({ admin, world }) =>
    Effect.gen(function* () {
      const stream = world.stream()
      const refused = (metadata: Omit<StreamAdmin.SetMetadata, "expected">, path: string) =>
        Effect.gen(function* () {
          const setting = admin.setMetadata(stream, { expected: "any", ...metadata })
          const { issues } = yield* Assert.fails(setting, "InvalidMetadata")
          Assert.equal(
            issues.map((issue) => issue.path),
            [path]
          )
        })
      for (const wrong of [0, -1, 1.5, Number.NaN, 2 ** 53]) {
        yield* refused({ retention: { maxCount: wrong } }, "retention.maxCount")
        yield* refused({ retention: { truncateBefore: wrong } }, "retention.truncateBefore")
      }
      for (const maxAge of [-1, Number.POSITIVE_INFINITY, "400000 days"] as const) {
        yield* refused({ retention: { maxAge } }, "retention.maxAge")
      }
      for (const data of [1n, Symbol("x"), () => 1]) yield* refused({ data }, "data")
      for (const [_, text] of unkeepable) {
        yield* refused({ data: { x: text } }, "data.x")
        const bad = StreamName.fromString(`${world.category}-${text}`)
        yield* Assert.fails(admin.setMetadata(bad, { expected: "any" }), "InvalidMetadata")
        Assert.equal(yield* admin.metadata(bad), unset)
      }
      Assert.equal(yield* admin.metadata(stream), unset)
    })
)

const Owned = StreamAdmin.typed(Schema.Struct({ owner: Schema.String, since: Schema.DateTimeUtcFromMillis }))
const Counted = StreamAdmin.typed(Schema.Struct({ owner: Schema.Int }))

const typed = law("metadata of a schema comes back decoded, and what does not fit it is InvalidMetadata", ({ world }) =>
  Effect.gen(function* () {
    const stream = world.stream()
    Assert.equal(yield* Owned.get(stream), unset)
    const data = { owner: "Ada", since: Schema.decodeSync(Schema.DateTimeUtcFromMillis)(0) }
    yield* Owned.set(stream, { expected: "none", data })
    Assert.equal(yield* Owned.get(stream), { version: 1, retention: {}, data })
    const { issues } = yield* Assert.fails(Counted.get(stream), "InvalidMetadata")
    Assert.equal(
      issues.map(({ path }) => path),
      ["data.owner"]
    )
    const wrong = Counted.set(stream, { expected: "any", data: { owner: 0.5 } })
    Assert.equal((yield* Assert.fails(wrong, "InvalidMetadata")).issues.length, 1)
  })
)

export const laws: ReadonlyArray<Law.Law<EventStore | StreamAdmin.StreamAdmin>> = [
  never,
  back,
  guarded,
  oneWins,
  apart,
  refuses,
  typed
]
