/**
 * What every query cache promises, as laws.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Position from "../domain/Position.ts"
import * as TenantId from "../domain/TenantId.ts"
import * as QueryCache from "../ports/QueryCache.ts"
import type { Driver, Entry, Filling, Looked, Slot, Ticket } from "../ports/QueryCacheDriver.ts"
import * as Assert from "./Assert.ts"
import { count } from "./internal/samples.ts"
import { type Options, race, racing, unique } from "./internal/world.ts"
import * as Law from "./Law.ts"

/** A tenant of one's own, and short ways to use its cache. */
class Shelf {
  readonly cache: Driver
  readonly tenant: TenantId.TenantId

  constructor(cache: Driver, tenant: string) {
    this.cache = cache
    this.tenant = TenantId.make(tenant)
  }

  slot(key: string, tags: ReadonlyArray<string> = [], source?: string): Slot {
    return { tenant: this.tenant, key, tags: QueryCache.tagsOf(tags), source, decode }
  }

  look(slot: Slot, after: number = 0, lease: number = 10_000): Effect.Effect<Looked> {
    return this.cache.look(slot, { after: Position.make(after), lease })
  }

  /** The value there is; undefined when there is none, and then nobody is making one. */
  value(slot: Slot, after: number = 0): Effect.Effect<unknown, unknown> {
    return Effect.flatMap(this.look(slot, after), (looked) => {
      if (looked._tag === "Found") return looked.entry.outcome
      return looked._tag === "Taken"
        ? Effect.succeed("taken")
        : Effect.as(this.cache.abandon(slot, looked.ticket), undefined)
    })
  }

  ticket(slot: Slot, lease?: number): Effect.Effect<Ticket> {
    return Effect.map(this.look(slot, 0, lease), (looked) => {
      Assert.equal(looked._tag, "Vacant")
      return looked._tag === "Vacant" ? looked.ticket : { token: "", isCurrent: () => false }
    })
  }

  put(slot: Slot, value: unknown, options?: Partial<Filling>): Effect.Effect<boolean> {
    return Effect.flatMap(this.ticket(slot), (ticket) => this.cache.fill(slot, ticket, filling(value, options)))
  }

  invalidate(...tags: ReadonlyArray<string>): Effect.Effect<void> {
    return this.cache.invalidate(this.tenant, { tags })
  }
}

const decode = (text: string) => Exit.succeed<unknown>(JSON.parse(text))

const filling = (value: unknown, options?: Partial<Filling>): Filling => ({
  outcome: Exit.succeed(value),
  text: JSON.stringify(value),
  ttl: 60_000,
  grace: 0,
  cost: 7,
  position: Position.start,
  ...options
})

const law = <A, E, R>(
  name: string,
  body: (shelf: Shelf) => Effect.Effect<A, E, R>,
  options?: Options
): Law.Law<R | QueryCache.QueryCache> =>
  Law.make(
    name,
    () =>
      Effect.gen(function* () {
        return yield* body(new Shelf(yield* QueryCache.QueryCache, `law-${yield* unique}`))
      }),
    options
  )

const kept = law("what was filled is found, by its tenant and key alone", (shelf) =>
  Effect.gen(function* () {
    const value = { text: 'é \u2028 "', list: [1, null] }
    const slot = shelf.slot("a")
    Assert.equal(yield* shelf.value(slot), undefined)
    Assert.equal(yield* shelf.put(slot, value, { ttl: 50_000, position: Position.make(5) }), true)
    const looked = yield* shelf.look(slot)
    Assert.equal(looked._tag, "Found")
    if (looked._tag !== "Found") return
    const { cost, outcome, position, ttl }: Entry = looked.entry
    Assert.equal([yield* outcome, cost, position, ttl], [value, 7, 5, 50_000])
    Assert.equal(yield* shelf.value(shelf.slot("A")), undefined)
    const other = new Shelf(shelf.cache, `${shelf.tenant}-other`)
    Assert.equal(yield* other.value(other.slot("a")), undefined)
  })
)

const aged = law("an answer's age is counted from when it was filled", (shelf) =>
  Effect.gen(function* () {
    const slot = shelf.slot("a")
    yield* shelf.put(slot, 1)
    yield* Effect.sleep("30 millis")
    const now = yield* Clock.currentTimeMillis
    const looked = yield* shelf.look(slot)
    const age = looked._tag === "Found" ? now - looked.entry.filledAt : -1
    Assert.isTrue(age >= 25 && age < 5000, `it is ${age} ms`)
  })
)

const forgotten = law("an answer is gone when its time and its grace are over", (shelf) =>
  Effect.gen(function* () {
    const slot = shelf.slot("a")
    yield* shelf.put(slot, 1, { ttl: 20, grace: 30 })
    yield* Effect.sleep("80 millis")
    Assert.equal(yield* shelf.value(slot), undefined)
    yield* shelf.put(slot, 2, { ttl: 0, grace: 60_000 })
    Assert.equal(yield* shelf.value(slot), 2)
  })
)

const oneTicket = law(
  "of many that find nothing at the same time one has the ticket, until it is given back or used",
  (shelf) =>
    Effect.gen(function* () {
      const slot = shelf.slot("a", ["t"])
      const looked = yield* race(count(8).map(() => shelf.look(slot)))
      const tickets = looked.flatMap((one) => (one._tag === "Vacant" ? [one.ticket] : []))
      Assert.equal([tickets.length, looked.filter(({ _tag }) => _tag === "Taken").length], [1, 7])
      Assert.equal(yield* shelf.cache.claim(slot, 1000), undefined)
      for (const ticket of tickets) yield* shelf.cache.abandon(slot, ticket)
      Assert.equal(yield* shelf.put(slot, 1), true)
      for (const ticket of tickets) Assert.equal(yield* shelf.cache.fill(slot, ticket, filling("late")), false)
      Assert.equal(yield* shelf.value(slot), 1)
    }),
  racing
)

const paused = law(
  "a ticket that has run out is given to another, and the first no longer covers what that one made",
  (shelf) =>
    Effect.gen(function* () {
      const slot = shelf.slot("a")
      const first = yield* shelf.ticket(slot, 20)
      yield* Effect.sleep("40 millis")
      const second = yield* shelf.ticket(slot)
      Assert.equal(yield* shelf.cache.fill(slot, second, filling("newer")), true)
      Assert.equal(yield* shelf.cache.fill(slot, first, filling("older")), false)
      Assert.equal(yield* shelf.value(slot), "newer")
    })
)

const renewed = law("an answer can be made again while it is given", (shelf) =>
  Effect.gen(function* () {
    const { cache } = shelf
    const slot = shelf.slot("a", ["t"])
    yield* shelf.put(slot, 1)
    const ticket = yield* cache.claim(slot, 10_000)
    Assert.isTrue(ticket !== undefined, "there is a ticket")
    if (ticket === undefined) return
    Assert.equal(yield* cache.claim(slot, 10_000), undefined)
    Assert.equal(yield* shelf.value(slot), 1)
    Assert.equal(yield* cache.fill(slot, ticket, filling(2)), true)
    Assert.equal(yield* shelf.value(slot), 2)
  })
)

const invalidated = law("an answer is not found after one of its tags was invalidated; others are", (shelf) =>
  Effect.gen(function* () {
    const tags: Readonly<Record<string, ReadonlyArray<string>>> = {
      one: ["task:1", "query:A"],
      notes: ["task:1:notes", "query:A"],
      two: ["task:2", "query:B"],
      none: []
    }
    const slots = Object.entries(tags).map(([key, own]) => [key, shelf.slot(key, own)] as const)
    const gone = (...invalid: ReadonlyArray<string>) =>
      Effect.gen(function* () {
        for (const [key, slot] of slots) if ((yield* shelf.value(slot)) === undefined) yield* shelf.put(slot, key)
        yield* shelf.invalidate(...invalid)
        const lost: Array<string> = []
        for (const [key, slot] of slots) {
          const peeked = shelf.cache.peek(slot, Position.start, yield* Clock.currentTimeMillis)
          const value = yield* shelf.value(slot)
          Assert.isTrue(value !== undefined || peeked === undefined, `${key} is in this process still`)
          if (value === undefined) lost.push(key)
        }
        return lost
      })
    Assert.equal(yield* gone("task:1"), ["one"])
    Assert.equal(yield* gone("task:1:*"), ["notes"])
    Assert.equal(yield* gone("task:*"), ["one", "notes", "two"])
    Assert.equal(yield* gone("query:A", "query:B"), ["one", "notes", "two"])
    Assert.equal(yield* gone("task", "tas*", "task:1*", "TASK:1", "unknown"), [])
    Assert.equal(yield* gone("*"), ["one", "notes", "two", "none"])
  })
)

const refused = law("an answer that was begun before an invalidation is not kept, however late it comes", (shelf) =>
  Effect.gen(function* () {
    const { cache } = shelf
    const slot = shelf.slot("a", ["task:1"])
    for (const tag of ["task:1", "task:*", "*"]) {
      const early = yield* shelf.ticket(slot)
      Assert.equal(early.isCurrent(), true)
      yield* shelf.invalidate("task:2", tag)
      Assert.equal(early.isCurrent(), false, "whoever has the ticket is told")
      const later = yield* shelf.ticket(slot)
      Assert.equal(yield* cache.fill(slot, early, filling("old")), false)
      Assert.equal(yield* shelf.value(slot), "taken", "the later ticket is still good")
      Assert.equal(yield* cache.fill(slot, later, filling(tag)), true)
      Assert.equal(yield* shelf.value(slot), tag)
      yield* shelf.invalidate("*")
    }
    const other = yield* shelf.ticket(slot)
    yield* shelf.invalidate("task:2", "task:1:*", "query:*")
    Assert.equal(yield* cache.fill(slot, other, filling("right")), true)
    Assert.equal(yield* shelf.value(slot), "right")
  })
)

const refreshed = law(
  "an answer that is made again is not kept either when it was begun before an invalidation",
  (shelf) =>
    Effect.gen(function* () {
      const slot = shelf.slot("a", ["t"])
      yield* shelf.put(slot, 1)
      const ticket = yield* shelf.cache.claim(slot, 10_000)
      yield* shelf.invalidate("t")
      yield* shelf.put(slot, 3)
      if (ticket !== undefined) Assert.equal(yield* shelf.cache.fill(slot, ticket, filling(2)), false)
      Assert.equal(yield* shelf.value(slot), 3)
    })
)

const tenants = law("tenants have tags and progress of their own", (shelf) =>
  Effect.gen(function* () {
    const other = new Shelf(shelf.cache, `${shelf.tenant}-other`)
    for (const one of [shelf, other]) yield* one.put(one.slot("a", ["t"], "p"), one.tenant)
    yield* shelf.cache.invalidate(shelf.tenant, {
      tags: ["t", "*"],
      progress: { source: "p", position: Position.make(9) }
    })
    Assert.equal(yield* shelf.value(shelf.slot("a", ["t"], "p")), undefined)
    Assert.equal(yield* other.value(other.slot("a", ["t"], "p")), other.tenant)
    Assert.equal(yield* other.value(other.slot("a", ["t"], "p"), 9), undefined)
  })
)

const afterwards = law("an answer is found for a position that it or its source is known to hold", (shelf) =>
  Effect.gen(function* () {
    const { cache, tenant } = shelf
    const slot = shelf.slot("a", ["t"], "tasks")
    yield* shelf.put(slot, "a", { position: Position.make(4) })
    Assert.equal([yield* shelf.value(slot, 4), yield* shelf.value(slot, 5)], ["a", undefined])
    const reached = (position: number, source = "tasks") =>
      cache.invalidate(tenant, { tags: ["unrelated"], progress: { source, position: Position.make(position) } })
    yield* reached(9, "others")
    Assert.equal(yield* shelf.value(slot, 5), undefined)
    yield* reached(9)
    yield* reached(7)
    Assert.equal([yield* shelf.value(slot, 9), yield* shelf.value(slot, 10)], ["a", undefined])
    yield* shelf.invalidate("t")
    Assert.equal(yield* shelf.value(slot, 5), undefined)
  })
)

const monotone = law(
  "whoever has seen an invalidation never gets an answer from before it, whatever is filled meanwhile",
  (shelf) =>
    Effect.gen(function* () {
      const slot = shelf.slot("a", ["t"])
      let truth = 0
      let invalidated = 0
      const reader = Effect.gen(function* () {
        for (const _ of count(30)) {
          const least = invalidated
          const looked = yield* shelf.look(slot)
          if (looked._tag === "Found") {
            const seen = Number(yield* looked.entry.outcome)
            Assert.isTrue(seen >= least, `${seen} was given after the invalidation of ${least}`)
          } else if (looked._tag === "Vacant") {
            const read = truth
            yield* Effect.sleep("1 millis")
            yield* shelf.cache.fill(slot, looked.ticket, filling(read))
          }
          yield* Effect.yieldNow
        }
      })
      const writer = Effect.gen(function* () {
        for (const next of count(20)) {
          truth = next
          yield* shelf.invalidate("t")
          invalidated = next
          yield* Effect.sleep("1 millis")
        }
      })
      yield* race([writer, ...count(4).map(() => reader)])
    }),
  racing
)

/**
 * The laws of `QueryCache`.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<QueryCache.QueryCache>> = [
  kept,
  aged,
  forgotten,
  oneTicket,
  paused,
  renewed,
  invalidated,
  refused,
  refreshed,
  tenants,
  afterwards,
  monotone
]
