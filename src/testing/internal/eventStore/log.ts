/**
 * Laws about the one order of the log: positions, pages, cursors and the mark.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Position from "../../../domain/Position.ts"
import type { Stored } from "../../../domain/RecordedEvent.ts"
import * as StreamName from "../../../domain/StreamName.ts"
import type * as EventStore from "../../../ports/EventStore.ts"
import type { ReadAll } from "../../../ports/EventStoreDriver.ts"
import * as SystemContext from "../../../ports/SystemContext.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { Counted, count, Noted, noted, Tagged, unkeepable } from "../samples.ts"
import { last, law, race, settled, type World } from "../world.ts"

/** Twelve events over three streams, one after the other in a known order; the streams of each, and the last position. */
const filled = (world: World) =>
  Effect.gen(function* () {
    const streams: Array<string> = []
    let position = Position.start
    for (const round of count(3)) {
      for (const name of ["a", "b", "c"]) {
        const stream = world.stream(name)
        const { length } = streams
        const more = name === "b" ? 2 : 1
        const receipt = yield* world.append(stream, "any", noted(...count(more, length + 1)))
        Assert.isTrue(receipt.position > position, `round ${round}: position ${receipt.position} after ${position}`)
        position = receipt.position
        streams.push(...count(more).map(() => stream))
      }
    }
    return { streams, position }
  })

const order = law("the log holds events in the order of appending, at positions that grow", (world) =>
  Effect.gen(function* () {
    const { position, streams } = yield* filled(world)
    const events = yield* world.log(position)
    Assert.equal(
      events.map(({ data, stream }) => ({ data, stream })),
      streams.map((stream, index) => ({ data: { n: index + 1 }, stream }))
    )
    growing(events)
    Assert.isTrue((events[0]?.position ?? 0) >= 1, "positions start at 1")
    Assert.equal(events.at(-1)?.position, position)
  })
)

const growing = (events: ReadonlyArray<Stored>): void => {
  const versions = new Map<string, number>()
  let before = 0
  for (const { position, stream, tenant, version } of events) {
    Assert.isTrue(position > before, `position ${position} comes after ${before}`)
    before = position
    const key = `${tenant}/${stream}`
    Assert.equal(version, (versions.get(key) ?? 0) + 1, `the version of ${stream} at position ${position}`)
    versions.set(key, version)
  }
}

const everybody = law(
  "everybody's log is one order: positions are unique across tenants, and each tenant's are the same",
  (world) =>
    Effect.gen(function* () {
      const asOther = TenantContext.provide(world.otherTenant)
      const before = yield* world.store.mark
      const receipts = []
      for (const n of count(4)) {
        receipts.push(yield* world.append(world.stream(n % 2), "any", noted(n)))
        receipts.push(yield* asOther(world.append(world.stream(n % 2), "any", noted(n))))
      }
      const mine = yield* world.log(last(receipts))
      const others = yield* asOther(world.log(last(receipts)))
      const all: Array<Stored> = []
      let after = before
      while (after < last(receipts)) {
        const page = yield* world.store
          .readAllTenants({ after, limit: 100, types: ["LawNoted"] })
          .pipe(SystemContext.provide("laws"))
        all.push(...page.events.filter(({ tenant }) => tenant === world.tenant || tenant === world.otherTenant))
        Assert.isTrue(page.cursor > after, "a page before the mark moves the cursor")
        after = page.cursor
      }
      growing(all)
      Assert.equal(
        all.map(({ position }) => position),
        receipts.map(({ position }) => position)
      )
      Assert.equal(
        all.filter(({ tenant }) => tenant === world.tenant),
        mine
      )
      Assert.equal(
        all.filter(({ tenant }) => tenant !== world.tenant),
        others
      )
    })
)

const paging = law("pages of any size make the same list as one big page", (world) =>
  Effect.gen(function* () {
    const { position } = yield* filled(world)
    const whole = yield* world.log(position)
    Assert.equal(whole.length, 12)
    for (const limit of [1, 2, 3, 5, 11, 12, 13]) {
      const paged: Array<Stored> = []
      let after = Position.start
      while (after < position) {
        const page = yield* world.store.readAll({ after, limit })
        Assert.isTrue(page.events.length <= limit, `a page of ${page.events.length} events, limited to ${limit}`)
        Assert.isTrue(page.cursor > after, `the cursor of a page after ${after} is ${page.cursor}`)
        for (const event of page.events) {
          Assert.isTrue(event.position > after, `position ${event.position} in a page after ${after}`)
          Assert.isTrue(event.position <= page.cursor, `position ${event.position} is past the cursor ${page.cursor}`)
        }
        paged.push(...page.events)
        after = page.cursor
      }
      Assert.equal(paged, whole, `pages of ${limit}`)
    }
  })
)

const after = law("a page holds only what comes after its position", (world) =>
  Effect.gen(function* () {
    const { position } = yield* filled(world)
    const whole = yield* world.log(position)
    for (const [index, event] of whole.entries()) {
      Assert.equal(
        (yield* world.log(position, { after: event.position })).map((one) => one.position),
        whole.slice(index + 1).map((one) => one.position)
      )
    }
  })
)

const ahead = law("a page after the end is empty and its cursor does not go back", (world) =>
  Effect.gen(function* () {
    const { position } = yield* filled(world)
    yield* settled(world.store, position)
    for (const from of [position, Position.make(position + 1_000_000_000)]) {
      const page = yield* world.store.readAll({ after: from, limit: 10 })
      Assert.equal(page.events, [])
      Assert.isTrue(page.cursor >= from, `the cursor of a page after ${from} is ${page.cursor}`)
    }
  })
)

const bounded = law("the mark bounds every page, reaches what was appended, and never goes back", (world) =>
  Effect.gen(function* () {
    let mark = yield* world.store.mark
    for (const n of count(20)) {
      const { position } = yield* world.append(world.stream(), n - 1, noted(n))
      const page = yield* world.store.readAll({ after: Position.start, limit: 100 })
      Assert.isTrue(page.mark >= mark, `the mark went from ${mark} to ${page.mark}`)
      Assert.isTrue(page.cursor <= page.mark, `the cursor ${page.cursor} is past the mark ${page.mark}`)
      for (const event of page.events) {
        Assert.isTrue(event.position <= page.mark, `position ${event.position} is past the mark ${page.mark}`)
      }
      yield* settled(world.store, position)
      const now = yield* world.store.mark
      Assert.isTrue(now >= page.mark, `the mark went from ${page.mark} to ${now}`)
      mark = now
    }
  })
)

const tagged = (n: number, ...tags: ReadonlyArray<string>) => new Tagged({ n, tags })
const counted = (n: number) => new Counted({ n })

/** Nine events of three types, in three categories, with and without tags. */
const varied = (world: World) =>
  Effect.gen(function* () {
    const { category, token } = world
    const names = { category, second: `${category}X`, third: `Lone${token}`, t: `t:${token}`, u: `u:${token}` }
    const { second, t, third, u } = names
    let position = Position.start
    for (const [name, event] of [
      [`${category}-a`, new Noted({ n: 1 })],
      [`${category}-a`, counted(2)],
      [`${category}-a`, tagged(3, t)],
      [`${category}-b`, tagged(4, u, t)],
      [`${category}-b`, new Noted({ n: 5 })],
      [`${category}-b`, tagged(6)],
      [`${second}-a-b`, tagged(7, u)],
      [`${second}-c`, counted(8)],
      [third, tagged(9, t, `${t}x`)]
    ] as const) {
      position = (yield* world.append(StreamName.fromString(name), "any", [event])).position
    }
    const find = (criteria: Partial<ReadAll>) =>
      Effect.map(world.log(position, criteria), (events) => events.map(({ data }) => data))
    return { ...names, position, find }
  })

const filters = law("a page holds what fits every criterion that is given, and any value within each", (world) =>
  Effect.gen(function* () {
    const { category, find, second, t, third, u } = yield* varied(world)
    const fits: ReadonlyArray<readonly [criteria: Partial<ReadAll>, numbers: ReadonlyArray<number>]> = [
      [{}, [1, 2, 3, 4, 5, 6, 7, 8, 9]],
      [{ types: ["LawNoted"] }, [1, 5]],
      [{ types: ["LawNoted", "LawCounted", "LawNoted"] }, [1, 2, 5, 8]],
      [{ categories: [category] }, [1, 2, 3, 4, 5, 6]],
      [{ categories: [second] }, [7, 8]],
      [{ categories: [third] }, [9]],
      [{ categories: [third, second, second] }, [7, 8, 9]],
      [{ tags: [t] }, [3, 4, 9]],
      [{ tags: [t, u] }, [3, 4, 7, 9]],
      [{ tags: [`${t}x`] }, [9]],
      [{ types: ["LawCounted", "LawTagged"], categories: [category] }, [2, 3, 4, 6]],
      [{ types: ["LawNoted"], tags: [t] }, []],
      [{ categories: [category, third], tags: [u, t] }, [3, 4, 9]],
      [{ types: ["LawTagged"], categories: [second, category], tags: [u] }, [4, 7]],
      [{ types: ["LawTagged"], categories: [second, category], tags: [u], limit: 1 }, [4, 7]]
    ]
    for (const [criteria, numbers] of fits) {
      const found = (yield* find(criteria)).map((data) => (data instanceof Object && "n" in data ? data.n : data))
      Assert.equal(found, numbers, JSON.stringify(criteria))
    }
  })
)

const misfits = law("a criterion that no event fits, or no value, leads to the mark and finds nothing", (world) =>
  Effect.gen(function* () {
    const { find, position } = yield* varied(world)
    const unknown = [`Law${world.token}Unknown`, ...unkeepable.map(([_, text]) => text)]
    for (const values of [[], ...unknown.map((text) => [text])]) {
      for (const criteria of [{ types: values }, { categories: values }, { tags: values }]) {
        Assert.equal(yield* find(criteria), [], JSON.stringify(criteria))
        Assert.equal(yield* find({ ...criteria, after: position, limit: 1 }), [], JSON.stringify(criteria))
      }
    }
  })
)

const wakes = law("`changed` completes once there is something after a position, for all who wait", (world) =>
  Effect.gen(function* () {
    const before = yield* world.append(world.stream(), "none", noted(1))
    yield* world.store.changed(Position.start)
    yield* world.store.changed(Position.make(before.position - 1))
    yield* settled(world.store, before.position)
    for (const n of [2, 3, 4]) {
      const mark = yield* world.store.mark
      const waiting = yield* Effect.forkChild(race(count(5).map(() => world.store.changed(mark))))
      yield* Effect.sleep("2 millis")
      yield* world.append(world.stream(), n - 1, noted(n))
      yield* Fiber.join(waiting)
    }
  })
)

const patient = law("`changed` waits while there is nothing after a position", (world) =>
  Effect.gen(function* () {
    // Others may write at any time, and it may be early: only one that never waits is wrong.
    for (const _ of count(100)) {
      const mark = yield* world.store.mark
      const early = yield* Effect.timeoutOption(world.store.changed(mark), "20 millis")
      if (early._tag === "None" || (yield* world.store.mark) > mark) return
    }
    Assert.isTrue(false, "it completed 100 times, and nothing had changed")
  })
)

export const laws: ReadonlyArray<Law.Law<EventStore.EventStore>> = [
  order,
  everybody,
  paging,
  after,
  ahead,
  bounded,
  filters,
  misfits,
  wakes,
  patient
]
