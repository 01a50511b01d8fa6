/**
 * Laws about what is forwarded: it is there once, and stays for as long as a group needs it.
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import type * as EventGroups from "../../../ports/EventGroups.ts"
import type { ForwardTarget } from "../../../ports/ForwardTarget.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { aWhile, until } from "../eventBus/listening.ts"
import { law, numbers } from "./post.ts"

const marked = law("a mark is where it was opened first, and moves with what is added", (post) =>
  Effect.gen(function* () {
    const open = (floor: number) => post.target.open(post.log, 3, { groups: ["group"], floor })
    Assert.equal([yield* open(5), yield* open(9)], [5, 5])
    Assert.equal(yield* post.target.add(post.log, 3, { from: 5, to: 8, entries: [] }), true)
    Assert.equal(yield* open(0), 8)
    Assert.equal(yield* post.target.open(post.log, 4, { groups: [], floor: 2 }), 2, "another segment's mark")
    Assert.equal(yield* post.target.open(`${post.log}-other`, 3, { groups: [], floor: 2 }), 2, "another log's mark")
  })
)

const elsewhere = law("nothing is added where the mark is not as it was thought to be", (post) =>
  Effect.gen(function* () {
    const seen = yield* post.noting()
    const segment = post.segment("a")
    const entry = post.entry("a", 1)
    yield* post.target.open(post.log, segment, { groups: [], floor: 0 })
    const add = (from: number, to: number) => post.target.add(post.log, segment, { from, to, entries: [entry] })
    Assert.equal([yield* add(1, 2), yield* add(0, 1), yield* add(0, 1)], [false, true, false])
    yield* until(() => seen.length >= 1)
    yield* aWhile
    Assert.equal(numbers(seen), [1])
  })
)

const once = law("what is there already is left out, however often it is sent", (post) =>
  Effect.gen(function* () {
    const seen = yield* post.noting()
    const entries = [post.entry("a", 1), post.entry("a", 2), { ...post.entry("a", 3), id: "2-1" }, post.entry("a", 4)]
    yield* post.add(...entries.slice(0, 3))
    yield* until(() => seen.length >= 3)
    yield* post.add(...entries)
    yield* until(() => seen.length >= 4)
    yield* aWhile
    Assert.equal(numbers(seen), [1, 2, 3, 4])
  })
)

const needed = law("what all groups have handled is forgotten, and nothing that one still needs", (post) =>
  Effect.gen(function* () {
    yield* post.open("quick", "absent")
    const quick = yield* post.noting({ group: "quick" })
    const segment = post.segment("a")
    const settle = post.target.settle(post.log, segment)
    Assert.equal(yield* settle, 0)
    yield* post.send("a", 1, 2, 3)
    yield* until(() => quick.length >= 3)
    yield* aWhile
    Assert.isTrue((yield* settle) < 1, "a group that has handled nothing needs nothing")
    const absent = yield* post.noting({ group: "absent" })
    yield* until(() => absent.length >= 3)
    Assert.equal(numbers(absent), [1, 2, 3])
    while ((yield* settle) < 3) yield* Effect.sleep("3 millis")
    const late = yield* post.noting({ group: "late" })
    yield* post.send("a", 4)
    yield* until(() => late.length >= 1 && absent.length >= 4)
    yield* aWhile
    Assert.equal([numbers(late), numbers(absent)], [[4], [1, 2, 3, 4]])
  })
)

const parked = law("what is parked for a group is still needed", (post) =>
  Effect.gen(function* () {
    yield* post.member(({ event }) => (event.n === 2 ? Effect.fail("poison") : Effect.void))
    yield* post.send("a", 1, 2)
    while ((yield* post.groups.parked(post.name())).length === 0) yield* Effect.sleep("3 millis")
    yield* post.send("b", 3)
    const settle = post.target.settle(post.log, post.segment("a"))
    while ((yield* settle) < 1) yield* Effect.sleep("3 millis")
    yield* aWhile
    Assert.equal(yield* settle, 1)
    yield* post.groups.skip(post.name(), "2-0", "it is poison")
    while ((yield* settle) < 2) yield* Effect.sleep("3 millis")
  }).pipe(Effect.provideService(Logger.CurrentLoggers, new Set()))
)

const standing = law("it is told who owns a segment, and what waits there", (post) =>
  Effect.gen(function* () {
    yield* post.open("group")
    yield* post.send("a", 1, 2)
    const segment = post.segment("a")
    const inspect = Effect.map(post.groups.inspect(post.name()), (all) => all[segment])
    Assert.equal(yield* inspect, { segment, owner: undefined, lag: 2, pending: 0, parked: 0 })
    let token = 0
    yield* post.member((delivery) =>
      Effect.andThen(
        Effect.sync(() => (token = delivery.token)),
        Effect.never
      )
    )
    yield* until(() => token > 0)
    const now = yield* inspect
    Assert.equal([now?.owner?.token, now?.lag, now?.pending], [token, 0, 2])
  })
)

const removed = law("a group that is removed needs nothing any more, and begins anew", (post) =>
  Effect.gen(function* () {
    yield* post.open("gone", "group")
    const seen = yield* post.noting()
    yield* post.send("a", 1, 2)
    yield* until(() => seen.length >= 2)
    yield* post.groups.remove(post.name("gone"))
    const settle = post.target.settle(post.log, post.segment("a"))
    while ((yield* settle) < 2) yield* Effect.sleep("3 millis")
    const anew = yield* post.noting({ group: "gone" })
    yield* post.send("a", 3)
    yield* until(() => anew.length >= 1)
    Assert.equal(numbers(anew), [3])
  })
)

const refused = law("a group or a log without a name is refused", (post) =>
  Effect.gen(function* () {
    for (const name of [{ group: "" }, { group: "g".repeat(201) }, { group: "a\0b" }]) {
      const error = yield* Effect.flip(post.noting(name))
      Assert.equal(error.reason._tag, "InvalidGroup")
    }
  })
)

export const laws: ReadonlyArray<Law.Law<EventGroups.EventGroups | ForwardTarget>> = [
  marked,
  elsewhere,
  once,
  needed,
  parked,
  standing,
  removed,
  refused
]
