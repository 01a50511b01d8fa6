/** Laws about who has a message, and what of that is kept. */
import * as Effect from "effect/Effect"
import type { Claimed } from "../../../ports/OutboxDriver.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import { UnitOfWork } from "../../../ports/UnitOfWork.ts"
import * as Assert from "../../Assert.ts"
import { count } from "../samples.ts"
import { race, racing } from "../world.ts"
import { failure, ids, law, numbers, type Office, sorted } from "./office.ts"

const once = law("a message is claimed by one worker at a time", (office) =>
  Effect.gen(function* () {
    for (const n of count(6)) yield* office.send(n, n % 2 === 0 ? "a" : undefined)
    Assert.equal(sorted(yield* office.claim({ worker: "first" })), count(6))
    Assert.equal(yield* office.claim({ worker: "second" }), [])
    const infos = yield* office.outbox.list(office.queue)
    Assert.equal(
      infos.map(({ owner, status }) => [owner, status]),
      count(6).map(() => ["first", "inFlight"])
    )
    const elsewhere = { limit: 10, worker: "w", from: "", lease: office.lease }
    Assert.equal(yield* office.outbox.claim(`${office.queue}2`, elsewhere), [])
  })
)

const limits = law("no more is claimed than is asked for, and nothing stays behind for ever", (office) =>
  Effect.gen(function* () {
    for (const n of count(20)) yield* office.send(n, n % 2 === 0 ? `k${n % 3}` : undefined)
    const seen: Array<number> = []
    while (seen.length < 20) {
      const claimed = yield* office.claim({ limit: 3 })
      Assert.isTrue(claimed.length > 0 && claimed.length <= 3, `${claimed.length} were claimed`)
      seen.push(...numbers(claimed))
      yield* office.outbox.complete(claimed)
    }
    Assert.equal(
      seen.toSorted((a, b) => a - b),
      count(20)
    )
  })
)

const tokens = law("every claim has a greater token than those before it", (office) =>
  Effect.gen(function* () {
    yield* office.send(1)
    let last = 0
    for (const _ of count(4)) {
      const [claimed] = yield* office.claim()
      const { token } = Assert.defined(claimed, "nothing was claimed")
      Assert.isTrue(token > last, `${token} comes after ${last}`)
      last = token
      yield* office.outbox.release([Assert.defined(claimed, "")])
    }
  })
)

const keyed = law("messages of one key are claimed in order, from the first that is not done", (office) =>
  Effect.gen(function* () {
    for (const n of count(10)) yield* office.send(n, "a")
    const first = yield* office.claim({ limit: 8 })
    Assert.equal(numbers(first), count(first.length))
    Assert.equal(yield* office.claim(), [], "while the first are in flight")
    yield* office.outbox.complete(first.slice(1))
    Assert.equal(yield* office.claim(), [], "while the very first is in flight")
    yield* office.outbox.complete(first)
    const rest: Array<number> = []
    while (rest.length < 10 - first.length) {
      const claimed = yield* office.claim()
      Assert.isTrue(claimed.length > 0, "nothing was claimed")
      rest.push(...numbers(claimed))
      yield* office.outbox.complete(claimed)
    }
    Assert.equal(rest, count(10 - first.length, first.length + 1))
  })
)

const apart = law("keys, tenants and messages without a key do not wait for each other", (office) =>
  Effect.gen(function* () {
    yield* office.send(1, "a")
    yield* office.send(2, "a")
    const blocked = yield* office.claim()
    yield* office.outbox.failed(one(blocked), failure())
    yield* office.outbox.release(blocked.slice(1))
    yield* office.send(3, "b")
    yield* office.send(4)
    yield* TenantContext.provide(office.otherTenant)(office.send(5, "a"))
    Assert.equal(sorted(yield* office.claim()), [3, 4, 5])
  })
)

const turns = law("keys have their turn from the one that is named", (office) =>
  Effect.gen(function* () {
    for (const key of ["a", "b", "c", "d"]) yield* office.send(1, key)
    const next = (from: string) =>
      Effect.gen(function* () {
        const claimed = yield* office.claim({ limit: 1, from: from === "" ? "" : `${office.tenant}\u001f${from}` })
        yield* office.outbox.release(claimed)
        return claimed.map(({ key }) => key)
      })
    Assert.equal([yield* next(""), yield* next("a"), yield* next("c"), yield* next("d")], [["a"], ["b"], ["d"], ["a"]])
  })
)

const expired = law("a lease that has run out lets another claim, and the first is refused from then on", (office) =>
  Effect.gen(function* () {
    for (const n of [1, 2]) yield* office.send(n, "a")
    yield* office.send(3)
    const stale = yield* office.claim({ worker: "stale", lease: "20 millis" })
    Assert.equal(sorted(stale), [1, 2, 3])
    yield* Effect.sleep("25 millis")
    Assert.equal(
      (yield* office.outbox.list(office.queue)).map(({ owner, status }) => [owner, status]),
      count(3).map(() => [undefined, "pending"])
    )
    const fresh = yield* office.claim({ worker: "fresh" })
    Assert.equal(sorted(fresh), [1, 2, 3])
    Assert.equal(yield* office.outbox.complete(stale), [])
    Assert.equal(yield* office.outbox.renew(stale, office.lease), [])
    Assert.equal(yield* office.outbox.failed(one(stale), failure()), false)
    yield* office.outbox.release(stale)
    Assert.equal(yield* office.claim(), [], "what the first gave back was not its own")
    Assert.equal(ids(yield* office.outbox.complete([...stale, ...fresh])), ids(fresh))
    Assert.equal(yield* office.outbox.list(office.queue), [])
  })
)

const holds = law("a lease that has run out still counts until somebody else claims", (office) =>
  Effect.gen(function* () {
    yield* office.send(1)
    const late = yield* office.claim({ lease: "5 millis" })
    yield* Effect.sleep("10 millis")
    Assert.equal(yield* office.outbox.complete(late), late)
  })
)

const renewed = law("a lease that is renewed does not run out", (office) =>
  Effect.gen(function* () {
    yield* office.send(1, "a")
    yield* office.send(2)
    const held = yield* office.claim({ lease: "30 millis" })
    Assert.equal(yield* office.outbox.renew(held, office.lease), held)
    yield* Effect.sleep("40 millis")
    Assert.equal(yield* office.claim(), [])
    Assert.equal(yield* office.outbox.complete(held), held)
  })
)

const givenBack = law(
  "what is given back is claimed again, at once or later, and its attempts are as before",
  (office) =>
    Effect.gen(function* () {
      for (const n of [1, 2]) yield* office.send(n, "a")
      yield* office.send(3)
      yield* office.outbox.release(yield* office.claim())
      const again = yield* office.claim()
      Assert.equal([sorted(again), again.map(({ attempts }) => attempts)], [count(3), [0, 0, 0]])
      yield* office.outbox.release(again, 3_600_000)
      Assert.equal(yield* office.claim(), [])
      Assert.equal(
        (yield* office.outbox.list(office.queue)).map(({ status }) => status),
        ["pending", "pending", "pending"]
      )
    })
)

const noted = law("what is delivered is noted once, and gone", (office) =>
  Effect.gen(function* () {
    const id = yield* office.send(1)
    yield* office.send(2)
    const claimed = (yield* office.claim()).filter((message) => message.id === id)
    Assert.equal(yield* office.outbox.complete(claimed), claimed)
    Assert.equal(yield* office.outbox.complete(claimed), [])
    yield* Assert.fails(office.outbox.get(office.ref(id)), "NotInOutbox")
    Assert.equal(numbers(yield* office.outbox.list(office.queue)), [2])
    Assert.equal(yield* office.outbox.complete([]), [])
  })
)

const undone = law("what became of a message is undone with the transaction", (office) =>
  Effect.gen(function* () {
    const unit = yield* UnitOfWork
    yield* office.send(1)
    const claimed = yield* office.claim()
    yield* Effect.flip(unit.transaction(Effect.andThen(office.outbox.complete(claimed), Effect.fail("no"))))
    Assert.equal(
      (yield* office.outbox.list(office.queue)).map(({ status }) => status),
      ["inFlight"]
    )
    yield* unit.transaction(office.outbox.complete(claimed))
    Assert.equal(yield* office.outbox.list(office.queue), [])
  })
)

/** Claims and completes until nothing is left, and writes down each claim as it is done. */
const work = (office: Office, worker: string, until: number, seen: Array<Claimed>) =>
  Effect.gen(function* () {
    let from = ""
    while (seen.length < until) {
      const claimed = yield* office.claim({ worker, limit: 7, from })
      for (const message of claimed) {
        seen.push(message)
        if (message.key !== undefined) from = `${message.tenant}\u001f${message.key}`
        yield* Effect.yieldNow
      }
      Assert.equal((yield* office.outbox.complete(claimed)).length, claimed.length, "what was noted")
      if (claimed.length === 0) yield* Effect.sleep("1 millis")
    }
  })

const many = law(
  "many workers deliver each message once, and those of one key in order",
  (office) =>
    Effect.gen(function* () {
      const seen: Array<Claimed> = []
      const producers = count(4).map((producer) =>
        Effect.forEach(
          count(40),
          (n) => office.send(producer * 1000 + n, n % 4 === 0 ? undefined : `${producer}-${n % 3}`),
          {
            discard: true
          }
        )
      )
      const workers = count(4).map((worker) => work(office, `w${worker}`, 160, seen))
      yield* race([...producers, ...workers])
      Assert.equal(
        sorted(seen),
        count(4).flatMap((producer) => count(40).map((n) => producer * 1000 + n))
      )
      for (const [key, run] of Map.groupBy(seen, (message) => message.key)) {
        if (key !== undefined) Assert.equal(numbers(run), sorted(run), `the order of ${key}`)
      }
    }),
  racing
)

const one = <A>(all: ReadonlyArray<A>): A => {
  const [first] = all
  if (first === undefined) throw new Error("there is none")
  return first
}

export const laws = [once, limits, tokens, keyed, apart, turns, expired, holds, renewed, givenBack, noted, undone, many]
