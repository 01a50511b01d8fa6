/**
 * Laws about what is known of streams, and in which order they are listed.
 */
import * as Effect from "effect/Effect"
import * as StreamName from "../../../domain/StreamName.ts"
import type { EventStore } from "../../../ports/EventStore.ts"
import type { StreamAdmin } from "../../../ports/StreamAdmin.ts"
import type { ListStreams } from "../../../ports/StreamAdminDriver.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { noted, unkeepable } from "../samples.ts"
import { law } from "./place.ts"

const missing = {
  version: 0,
  count: 0,
  firstRecordedAt: undefined,
  lastRecordedAt: undefined,
  tombstoned: false,
  archived: false
}

const info = law("a stream tells its version, how many events it shows and when they were recorded", (place) =>
  Effect.gen(function* () {
    const { admin, world } = place
    const stream = world.stream()
    Assert.equal(yield* admin.info(stream), { stream, ...missing })
    yield* place.grow(stream, 2)
    yield* Effect.sleep("5 millis")
    yield* place.grow(stream, 3)
    const times = (yield* world.store.readStream(stream)).map(({ recordedAt }) => recordedAt)
    const whole = {
      stream,
      version: 3,
      count: 3,
      firstRecordedAt: Math.min(...times),
      lastRecordedAt: Math.max(...times),
      tombstoned: false,
      archived: false
    }
    Assert.equal(yield* admin.info(stream), whole)
    yield* admin.archive(stream)
    Assert.equal(yield* admin.info(stream), { ...whole, archived: true })
    yield* admin.restore(stream)
    yield* place.retain(stream, { maxCount: 1 })
    Assert.equal(yield* admin.info(stream), { ...whole, count: 1, firstRecordedAt: times[2] })
    yield* world.store.tombstone(stream, "any")
    Assert.equal(yield* admin.info(stream), { stream, ...missing, version: 3, tombstoned: true })
  })
)

const order = law("streams are listed by name, in the order of UTF-8 bytes, page by page", (place) =>
  Effect.gen(function* () {
    const { admin, world } = place
    const names = ["", "-", "-1", "-10", "-2", "-a", "-é", "-\uffff", "-😀", "x-1"].map((rest) =>
      StreamName.fromString(`${world.category}${rest}`)
    )
    for (const name of names.toReversed()) yield* world.append(name, "none", noted(1))
    yield* admin.setMetadata(world.stream("only-metadata"), { expected: "any", data: 1 })
    const list = (options: ListStreams) => Effect.map(admin.list(options), (all) => all.map(({ stream }) => stream))
    Assert.equal(yield* list({}), names)
    const paged: Array<StreamName.StreamName> = []
    for (let page = yield* list({ limit: 3 }); page.length > 0; page = yield* list({ limit: 3, after: page.at(-1) })) {
      paged.push(...page)
    }
    Assert.equal(paged, names, "page by page")
    Assert.equal(yield* list({ category: world.category }), names.slice(0, -1), "of the category")
    Assert.equal(yield* list({ prefix: `${world.category}-1` }), names.slice(2, 4), "of a prefix")
    Assert.equal(yield* list({ prefix: `${world.category}-\uffff` }), names.slice(7, 8), "of the prefix U+FFFF")
    Assert.equal(yield* list({ prefix: `${world.category}-😀` }), names.slice(8, 9), "of the prefix U+1F600")
    Assert.equal(yield* list({ category: world.category, prefix: "x" }), [], "of both")
    Assert.equal(yield* list({}).pipe(TenantContext.provide(world.otherTenant)), [], "of another tenant")
    const infos = yield* Effect.forEach(names, admin.info)
    Assert.equal(yield* admin.list(), infos, "as `info` tells of each")
    for (const [_, text] of unkeepable) {
      yield* list({ prefix: text })
      yield* list({ category: text })
      yield* list({ after: StreamName.fromString(text) })
      yield* list({}).pipe(TenantContext.provide(`${world.tenant}${text}`))
      const bad = StreamName.fromString(`${world.category}-${text}`)
      Assert.equal(yield* admin.info(bad), { stream: bad, ...missing })
    }
  })
)

export const laws: ReadonlyArray<Law.Law<EventStore | StreamAdmin>> = [info, order]
