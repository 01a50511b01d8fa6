/**
 * Laws about tenants: what one has, no other sees.
 */
import * as Effect from "effect/Effect"
import type * as EventStore from "../../../ports/EventStore.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count, noted, Tagged } from "../samples.ts"
import { law, racing } from "../world.ts"

const unseen = law("a tenant sees no stream, no state, no page and no tag of another", (world) =>
  Effect.gen(function* () {
    const asOther = TenantContext.provide(world.otherTenant)
    const stream = world.stream()
    const tag = `t:${world.token}`
    const { position } = yield* world.append(stream, "none", [...noted(1), new Tagged({ n: 2, tags: [tag] })])
    yield* asOther(
      Effect.gen(function* () {
        Assert.equal(yield* world.store.readStream(stream), [])
        Assert.equal(yield* world.store.streamState(stream), { version: 0, tombstoned: false })
        for (const criteria of [{}, { types: ["LawNoted"] }, { categories: [world.category] }, { tags: [tag] }]) {
          Assert.equal(yield* world.log(position, criteria), [])
        }
      })
    )
    Assert.equal((yield* world.log(position, { tags: [tag] })).length, 1)
  })
)

const independent = law("one stream name in two tenants is two streams", (world) =>
  Effect.gen(function* () {
    const asOther = TenantContext.provide(world.otherTenant)
    const stream = world.stream()
    yield* world.append(stream, "none", noted(1, 2, 3))
    const { actual } = yield* Assert.fails(asOther(world.append(stream, "exists", noted(4))), "VersionConflict")
    Assert.equal(actual, 0)
    const receipt = yield* asOther(world.append(stream, "none", noted(5)))
    Assert.equal(receipt.version, 1)
    Assert.equal(yield* asOther(world.data(stream)), [{ n: 5 }])
    Assert.equal(yield* world.data(stream), [{ n: 1 }, { n: 2 }, { n: 3 }])
    const stored = yield* asOther(world.store.readStream(stream))
    Assert.equal(stored[0]?.tenant, world.otherTenant)
  })
)

const tombstones = law("a tenant's tombstone ends no stream of another", (world) =>
  Effect.gen(function* () {
    const asOther = TenantContext.provide(world.otherTenant)
    const stream = world.stream()
    yield* world.append(stream, "none", noted(1))
    yield* asOther(world.store.tombstone(stream, "none"))
    Assert.equal(yield* world.store.streamState(stream), { version: 1, tombstoned: false })
    Assert.equal(yield* asOther(world.store.streamState(stream)), { version: 0, tombstoned: true })
    Assert.equal((yield* world.append(stream, 1, noted(2))).version, 2)
  })
)

const names = law("names of tenants and streams that run into each other do not mix", (world) =>
  Effect.gen(function* () {
    const { tenant } = world
    const pairs = [
      [`${tenant}a`, "b-c"],
      [`${tenant}`, "ab-c"],
      [`${tenant}a-b`, "c"],
      [`${tenant}ab`, "-c"],
      [`${tenant}A`, "b-c"],
      [`${tenant}A`, "B-c"],
      [`${tenant}%`, "b_c"],
      [`${tenant}`, "é"],
      [`${tenant}`, "e\u0301"],
      [`${tenant}`, "é "]
    ] as const
    for (const [index, [name, id]] of pairs.entries()) {
      yield* world.append(world.stream(id), "none", noted(index)).pipe(TenantContext.provide(name))
    }
    for (const [index, [name, id]] of pairs.entries()) {
      Assert.equal(yield* world.data(world.stream(id)).pipe(TenantContext.provide(name)), [{ n: index }], id)
    }
  })
)

const together = law(
  "tenants that append to one stream name at the same time do not meet",
  (world) =>
    Effect.gen(function* () {
      const stream = world.stream()
      const tenants = count(8).map((n) => `${world.tenant}-${n}`)
      yield* Effect.forEach(
        tenants,
        (tenant, index) =>
          Effect.gen(function* () {
            for (const version of count(10)) {
              yield* world.append(stream, version - 1, noted(index))
            }
          }).pipe(TenantContext.provide(tenant)),
        { concurrency: "unbounded" }
      )
      for (const [index, tenant] of tenants.entries()) {
        const data = yield* world.data(stream).pipe(TenantContext.provide(tenant))
        Assert.equal(
          data,
          count(10).map(() => ({ n: index })),
          tenant
        )
      }
    }),
  racing
)

export const laws: ReadonlyArray<Law.Law<EventStore.EventStore>> = [unseen, independent, tombstones, names, together]
