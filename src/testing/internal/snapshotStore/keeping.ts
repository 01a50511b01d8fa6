/**
 * Laws about what is kept, for whom, and what gives way to what.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as StreamName from "../../../domain/StreamName.ts"
import type * as SnapshotStore from "../../../ports/SnapshotStore.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count, nest, rich, richFields, unkeepable } from "../samples.ts"
import { race, racing } from "../world.ts"
import { law } from "./shelf.ts"

const absent = law("a stream that none was saved for has none, and there is none to remove", (shelf) =>
  Effect.gen(function* () {
    Assert.equal(yield* shelf.store.load(shelf.stream()), Option.none())
    yield* shelf.store.remove(shelf.stream())
    Assert.equal(yield* shelf.store.load(shelf.stream()), Option.none())
  })
)

const comesBack = law("a snapshot comes back as it was, with every field", (shelf) =>
  Effect.gen(function* () {
    for (const version of [1, 2, 1000, Number.MAX_SAFE_INTEGER]) {
      const saved = {
        ...shelf.snapshot(version, { sum: version, list: [1, [2]], none: null }),
        schema: `${version}:é 😀 ${"x".repeat(400)}`,
        takenAt: 253_402_300_799_999 - (version % 1000)
      }
      yield* shelf.store.save(saved)
      Assert.equal(yield* shelf.store.load(shelf.stream()), Option.some(saved))
    }
    yield* shelf.store.remove(shelf.stream())
    const oldest = { ...shelf.snapshot(1, 0), takenAt: 0 }
    yield* shelf.store.save(oldest)
    Assert.equal(yield* shelf.store.load(shelf.stream()), Option.some(oldest))
  })
)

const newest = law("the newest stays: a lower version never takes its place, the same one or a higher does", (shelf) =>
  Effect.gen(function* () {
    const at = (version: number, state: unknown) => ({ ...shelf.snapshot(version, state), schema: String(state) })
    const stays = (saved: SnapshotStore.Snapshot, kept: SnapshotStore.Snapshot) =>
      Effect.gen(function* () {
        yield* shelf.store.save(saved)
        Assert.equal(yield* shelf.store.load(shelf.stream()), Option.some(kept))
      })
    const [fifth, again, tenth] = [at(5, "a"), at(5, "b"), at(10, "c")]
    yield* stays(fifth, fifth)
    yield* stays(at(4, "d"), fifth)
    yield* stays(at(1, "e"), fifth)
    yield* stays(again, again)
    yield* stays(tenth, tenth)
    yield* stays(at(9, "f"), tenth)
  })
)

const removes = law("a removed snapshot is gone, and one of a lower version can be saved after it", (shelf) =>
  Effect.gen(function* () {
    const other = shelf.snapshot(7, "other", shelf.stream("other"))
    yield* shelf.store.save(other)
    yield* shelf.store.save(shelf.snapshot(9, "first"))
    yield* shelf.store.remove(shelf.stream())
    Assert.equal(yield* shelf.store.load(shelf.stream()), Option.none())
    const second = shelf.snapshot(2, "second")
    yield* shelf.store.save(second)
    Assert.equal(yield* shelf.store.load(shelf.stream()), Option.some(second))
    Assert.equal(yield* shelf.store.load(other.stream), Option.some(other))
  })
)

const tenants = law("a tenant neither sees nor changes what another has", (shelf) =>
  Effect.gen(function* () {
    const { store, tenant } = shelf
    const mine = shelf.snapshot(5, "mine")
    yield* store.save(mine)
    for (const other of [`${tenant}a`, tenant.slice(0, -1), `${tenant}%`, `${tenant} `, tenant.toUpperCase()]) {
      yield* Effect.gen(function* () {
        Assert.equal(yield* store.load(shelf.stream()), Option.none())
        yield* store.remove(shelf.stream())
        const theirs = shelf.snapshot(9, "theirs")
        yield* store.save(theirs)
        Assert.equal(yield* store.load(shelf.stream()), Option.some(theirs))
      }).pipe(TenantContext.provide(other))
    }
    Assert.equal(yield* store.load(shelf.stream()), Option.some(mine))
  })
)

const streams = law("streams have snapshots of their own, whatever their names", (shelf) =>
  Effect.gen(function* () {
    const ids = ["1", "1 ", "1a", "1A", "1%", "é", "e\u0301", "__proto__", "'; --", "$1", "a/b", "\t\n"]
    for (const [n, id] of ids.entries()) yield* shelf.store.save(shelf.snapshot(n + 1, id, shelf.stream(id)))
    for (const [n, id] of ids.entries()) {
      const saved = shelf.snapshot(n + 1, id, shelf.stream(id))
      Assert.equal(yield* shelf.store.load(shelf.stream(id)), Option.some(saved), id)
    }
  })
)

const anyState = law("a state can be any JSON, of any text", (shelf) =>
  Effect.gen(function* () {
    const encoded = yield* Schema.encodeUnknownEffect(Schema.toCodecJson(Schema.Struct(richFields)))(rich)
    const texts = unkeepable.map(([, text]) => text)
    const all = [0, -1.5, 1e300, 1e-300, "", true, false, null, [], [1, [2]], {}, encoded, ...texts, { texts }]
    for (const [n, state] of all.entries()) {
      const saved = shelf.snapshot(1, state)
      yield* shelf.store.save(saved)
      Assert.equal(yield* shelf.store.load(shelf.stream()), Option.some(saved), `state ${n}`)
    }
    const keyed = shelf.snapshot(1, JSON.parse('{"\\u0000":1,"\\ud800":2,"__proto__":3}'))
    yield* shelf.store.save(keyed)
    Assert.equal(yield* shelf.store.load(shelf.stream()), Option.some(keyed))
  })
)

const large = law("a state of a megabyte and one nested two hundred times come back", (shelf) =>
  Effect.gen(function* () {
    for (const [n, state] of ["😀".repeat(500_000), nest(200)].entries()) {
      const saved = shelf.snapshot(n + 1, state)
      yield* shelf.store.save(saved)
      Assert.equal(yield* shelf.store.load(shelf.stream()), Option.some(saved))
    }
  })
)

const race20 = law(
  "of many that are saved at the same time the highest stays",
  (shelf) =>
    Effect.gen(function* () {
      for (const round of count(10)) {
        const stream = shelf.stream(round)
        const versions = count(20).toSorted((a, b) => ((a * 7 * round) % 23) - ((b * 7 * round) % 23))
        yield* race(versions.map((version) => shelf.store.save(shelf.snapshot(version, version, stream))))
        Assert.equal(yield* shelf.store.load(stream), Option.some(shelf.snapshot(20, 20, stream)), `round ${round}`)
      }
    }),
  racing
)

const refusals = law("what no store can keep is refused, and every wrong field is named", (shelf) =>
  Effect.gen(function* () {
    const { store, tenant } = shelf
    const right = shelf.snapshot(1, "right")
    const refused = (wrong: Partial<SnapshotStore.Snapshot>, ...paths: ReadonlyArray<string>) =>
      Effect.gen(function* () {
        const { issues } = yield* Assert.fails(store.save({ ...right, ...wrong }), "InvalidSnapshot")
        Assert.equal(
          issues.map(({ path }) => path),
          paths
        )
      })
    for (const version of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      yield* refused({ version }, "version")
    }
    for (const takenAt of [-1, 0.5, Number.NaN, 8.64e15]) yield* refused({ takenAt }, "takenAt")
    for (const event of ["", "1", `${right.event}0`]) yield* refused({ event }, "event")
    for (const [, text] of unkeepable) yield* refused({ schema: text }, "schema")
    yield* refused({ schema: "x".repeat(513) }, "schema")
    const circle: Array<unknown> = []
    circle.push(circle)
    for (const state of [undefined, () => 1, 1n, { n: 1n }, circle]) yield* refused({ state }, "state")
    yield* refused({ version: 0, event: "", schema: "", state: undefined }, "version", "event", "schema", "state")
    const longest = shelf.stream("x".repeat(StreamName.maxBytes - shelf.stream("").length))
    yield* refused({ stream: StreamName.fromString(`${longest}x`) }, "stream")
    for (const [what, text] of unkeepable) {
      const stream = shelf.stream(text)
      yield* refused({ stream }, "stream")
      Assert.equal(yield* store.load(stream), Option.none(), what)
      yield* store.remove(stream)
      yield* Effect.gen(function* () {
        yield* refused({}, "tenant")
        Assert.equal(yield* store.load(right.stream), Option.none(), what)
        yield* store.remove(right.stream)
      }).pipe(TenantContext.provide(tenant + text))
    }
    yield* refused({}, "tenant").pipe(TenantContext.provide(""))
    Assert.equal(yield* store.load(right.stream), Option.none())
    yield* store.save({ ...right, stream: longest })
    Assert.equal(yield* store.load(longest), Option.some({ ...right, stream: longest }))
  })
)

export const laws: ReadonlyArray<Law.Law<SnapshotStore.SnapshotStore>> = [
  absent,
  comesBack,
  newest,
  removes,
  tenants,
  streams,
  anyState,
  large,
  race20,
  refusals
]
