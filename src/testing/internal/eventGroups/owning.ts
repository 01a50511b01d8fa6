/**
 * Laws about what the owner of a segment does, among them what he does to a broker that has gone back to what it had before.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Segment from "../../../domain/Segment.ts"
import type { Claimed, Driver as Kept, Entry, Failure, Parked } from "../../../ports/EventGroupsDriver.ts"
import type { EventGroupsError } from "../../../ports/EventGroupsError.ts"
import * as Assert from "../../Assert.ts"
import * as Law from "../../Law.ts"
import { unique } from "../world.ts"

/**
 * What an adapter implements, as the laws of it need it.
 *
 * @category services
 * @since 0.1.0
 */
export class Driver extends Context.Service<Driver, Kept>()("effect-cqrs/testing/EventGroupsDriver") {}

const lease = 5000

/** A segment with entries `1-0`, `2-0` ... of one key, and who owns it. */
class Own {
  readonly driver: Kept
  readonly claim: Claimed
  readonly entries: ReadonlyArray<Entry>

  constructor(driver: Kept, claim: Claimed, entries: ReadonlyArray<Entry>) {
    this.driver = driver
    this.claim = claim
    this.entries = entries
  }

  entry(n: number): Entry {
    const found = this.entries[n - 1]
    if (found === undefined) throw new Error(`There is no entry ${n}`)
    return found
  }

  /** The ids that are given, and the one that is due. */
  take(limit?: number, ...handled: ReadonlyArray<number>) {
    const ids = handled.map((n) => this.entry(n).id)
    return Effect.map(this.driver.take(this.claim, { handled: ids, limit, millis: lease }), (taken) => ({
      ids: taken?.entries.map(({ id }) => id),
      due: taken?.due?.id
    }))
  }

  park(n: number, why: Failure | { readonly behind: string }): Effect.Effect<boolean, EventGroupsError> {
    return this.driver.park(this.claim, this.entry(n), why)
  }

  parked<K extends keyof Parked>(...fields: ReadonlyArray<K>) {
    return Effect.map(this.driver.parked(this.claim), (all) => all.map((one) => fields.map((field) => one[field])))
  }
}

const failure = (retryInMillis?: number, attempts = 1): Failure => ({
  category: "HandlerFailed",
  error: "poison",
  attempts,
  retryInMillis
})

const law = <E>(name: string, body: (own: Own) => Effect.Effect<unknown, E>): Law.Law<Driver> =>
  Law.make(name, () =>
    Effect.gen(function* () {
      const driver = yield* Driver
      const log = `law-${yield* unique}`
      const segment = Segment.hash("key") & (driver.segments - 1)
      const entries = [1, 2, 3, 4].map((n) => ({ id: `${n}-0`, key: "key", text: `${n}` }))
      const from = yield* driver.open(log, segment, { groups: ["group"], floor: 0 })
      yield* driver.add(log, segment, { from, to: 4, entries })
      const claim = yield* driver.claim({ log, group: "group" }, segment, "worker", lease)
      if (claim === undefined) return yield* Effect.fail("a segment that nobody has is not given")
      return yield* body(new Own(driver, claim, entries))
    })
  )

const notes = law("who only notes what is handled is given nothing", (own) =>
  Effect.gen(function* () {
    Assert.equal(yield* own.take(2), { ids: ["1-0", "2-0"], due: undefined })
    yield* own.park(1, failure(0))
    Assert.equal(yield* own.take(undefined, 2), { ids: [], due: undefined })
    Assert.equal(yield* own.take(1), { ids: ["3-0"], due: "1-0" })
  })
)

const first = law("what is due is given when nothing else is left to be handled before it", (own) =>
  Effect.gen(function* () {
    yield* own.take(3)
    yield* own.park(2, failure(0))
    Assert.equal(yield* own.take(3), { ids: ["1-0"], due: undefined }, "with 1 and 3 not handled")
    Assert.equal(yield* own.take(3, 1), { ids: ["3-0"], due: undefined }, "with 3 not handled")
    Assert.equal(yield* own.take(0, 3), { ids: [], due: "2-0" }, "with all handled")
  })
)

const full = law("who has no room for more is given what he has not handled, and nothing new", (own) =>
  Effect.gen(function* () {
    yield* own.take(2)
    Assert.equal(yield* own.take(0), { ids: ["1-0"], due: undefined })
    Assert.equal(yield* own.take(0, 1), { ids: ["2-0"], due: undefined })
    Assert.equal(yield* own.take(0, 2), { ids: [], due: undefined })
  })
)

const ungiven = law("what was not given is not parked", (own) =>
  Effect.gen(function* () {
    yield* own.take(2, 1)
    yield* own.take(0, 1)
    Assert.equal([yield* own.park(1, failure()), yield* own.park(3, failure())], [false, false])
    Assert.equal(yield* own.parked("id"), [])
    Assert.equal(yield* own.take(4, 2), { ids: ["3-0", "4-0"], due: undefined })
  })
)

const twice = law("what is parked already stays as it is when its owner parks it again", (own) =>
  Effect.gen(function* () {
    yield* own.take(1)
    Assert.isTrue(yield* own.park(1, failure(undefined, 1)), "it is not parked")
    Assert.isTrue(yield* own.park(1, failure(undefined, 7)), "it is not parked any more")
    Assert.equal(yield* own.parked("id", "attempts"), [["1-0", 1]])
  })
)

const behind = law("nothing is parked behind what is not", (own) =>
  Effect.gen(function* () {
    yield* own.take(3)
    Assert.equal(yield* own.park(2, { behind: "1-0" }), false)
    Assert.equal(yield* own.parked("id"), [])
    yield* own.park(1, failure())
    Assert.equal(yield* own.park(2, { behind: "1-0" }), true)
    Assert.equal(yield* own.parked("id", "category"), [
      ["1-0", "HandlerFailed"],
      ["2-0", "Behind"]
    ])
    Assert.equal(yield* own.take(4), { ids: ["3-0"], due: undefined })
  })
)

const next = law("nothing is settled in favour of what is not parked", (own) =>
  Effect.gen(function* () {
    yield* own.take(2)
    yield* own.park(1, failure(0))
    Assert.equal(yield* own.driver.settled(own.claim, "1-0", "2-0"), false)
    Assert.equal(yield* own.parked("id"), [["1-0"]])
    yield* own.park(2, { behind: "1-0" })
    Assert.equal(yield* own.take(0), { ids: [], due: "1-0" })
    Assert.equal(yield* own.driver.settled(own.claim, "1-0", "2-0"), true)
    Assert.equal(yield* own.take(0), { ids: [], due: "2-0" })
    Assert.equal(yield* own.driver.settled(own.claim, "2-0", undefined), true)
    Assert.equal(yield* own.parked("id"), [])
  })
)

const turn = law("what is due waits for its turn only where there is something to wait for", (own) =>
  Effect.gen(function* () {
    yield* own.take(2)
    yield* own.park(2, failure(0))
    Assert.equal(yield* own.driver.failed(own.claim, "2-0", { behind: "1-0" }), false)
    Assert.equal(yield* own.take(0, 1), { ids: [], due: "2-0" }, "it is still due")
  })
)

const odd = law("what is parked may have failed for whatever reason", (own) =>
  Effect.gen(function* () {
    yield* own.take(1)
    // A text that was cut may end with half of a character.
    const half = "\u{1f600}".slice(0, 1)
    Assert.equal(yield* own.park(1, { ...failure(0), error: half }), true)
    Assert.equal(yield* own.take(0), { ids: [], due: "1-0" })
    Assert.equal(yield* own.driver.failed(own.claim, "1-0", { ...failure(0, 2), error: half }), true)
    Assert.equal(yield* own.parked("id", "attempts"), [["1-0", 2]])
    Assert.equal(yield* own.driver.skip(own.claim, own.claim.segment, "1-0", half), 1)
  })
)

const left = law("what is left out while it is tried is due whatever becomes of that", (own) =>
  Effect.gen(function* () {
    yield* own.take(1)
    yield* own.park(1, failure(0))
    Assert.equal(yield* own.take(0), { ids: [], due: "1-0" })
    Assert.equal(yield* own.driver.skip(own.claim, own.claim.segment, "1-0", "it is wrong"), 1)
    Assert.equal(yield* own.driver.failed(own.claim, "1-0", failure(undefined, 2)), true)
    Assert.equal(yield* own.take(0), { ids: [], due: "1-0" })
    Assert.equal(yield* own.parked("skipped"), [["it is wrong"]])
  })
)

const anew = law("what is replayed while it is tried is due though that fails", (own) =>
  Effect.gen(function* () {
    yield* own.take(1)
    yield* own.park(1, failure(0, 3))
    Assert.equal(yield* own.take(0), { ids: [], due: "1-0" })
    Assert.equal(yield* own.driver.replay(own.claim, own.claim.segment, ["1-0"]), 1)
    Assert.equal(yield* own.driver.failed(own.claim, "1-0", failure(undefined, 4)), true)
    Assert.equal(yield* own.take(0), { ids: [], due: "1-0" })
    Assert.equal(yield* own.parked("attempts"), [[0]])
    Assert.equal(yield* own.driver.failed(own.claim, "1-0", failure(undefined, 1)), true)
    Assert.equal(yield* own.take(0), { ids: [], due: undefined }, "it waits for somebody")
    Assert.equal(yield* own.parked("attempts"), [[1]])
  })
)

const many = law("as many are noted at once as were given", (own) =>
  Effect.gen(function* () {
    yield* own.take(2)
    const handled = ["1-0", "2-0", ...Array.from({ length: 20_000 }, (_, n) => `${n + 5}-0`)]
    yield* own.driver.take(own.claim, { handled, millis: lease })
    Assert.equal(yield* own.take(2), { ids: ["3-0", "4-0"], due: undefined })
  })
)

const kept = law("what is parked for a group is needed when another is removed whose name it begins with", (own) =>
  Effect.gen(function* () {
    const { claim, driver } = own
    const { log, segment } = claim
    const name = { log, group: "group|2" }
    yield* driver.start(name, segment, "earliest")
    const other = yield* driver.claim(name, segment, "worker", lease)
    if (other === undefined) return yield* Effect.fail("a segment that nobody has is not given")
    yield* driver.take(other, { handled: [], limit: 4, millis: lease })
    Assert.isTrue(yield* driver.park(other, own.entry(1), failure()), "it is not parked")
    yield* driver.take(other, { handled: ["2-0", "3-0", "4-0"], millis: lease })
    yield* driver.remove(claim)
    Assert.equal(yield* driver.settle(log, segment), 0)
  })
)

const alone = law("a token is of use to its worker alone", (own) =>
  Effect.gen(function* () {
    const { claim, driver } = own
    yield* own.take(1)
    const other = { ...claim, worker: "other" }
    Assert.equal(yield* driver.take(other, { handled: ["1-0"], limit: 4, millis: lease }), undefined)
    Assert.equal(yield* driver.park(other, own.entry(1), failure()), false)
    Assert.equal([yield* driver.renew(other, lease), yield* driver.release(other)], [false, false])
    Assert.equal(yield* own.take(1), { ids: ["1-0"], due: undefined })
  })
)

const counted = law("who goes by more that is parked than is, or by less, is given nothing", (own) =>
  Effect.gen(function* () {
    const { claim, driver } = own
    const take = (parked: number, ...handled: ReadonlyArray<string>) =>
      Effect.map(driver.take(claim, { handled, limit: 4, millis: lease, parked }), (taken) =>
        taken?.entries.map(({ id }) => id)
      )
    Assert.equal(yield* take(1), undefined)
    yield* own.take(2)
    yield* own.park(1, failure())
    Assert.equal([yield* take(0, "2-0"), yield* take(2, "2-0")], [undefined, undefined])
    Assert.equal(yield* take(1), ["2-0"], "nothing was noted")
    Assert.equal(yield* take(1, "2-0"), ["3-0", "4-0"])
  })
)

export const laws: ReadonlyArray<Law.Law<Driver>> = [
  notes,
  first,
  full,
  ungiven,
  twice,
  behind,
  next,
  turn,
  odd,
  left,
  anew,
  many,
  kept,
  alone,
  counted
]
