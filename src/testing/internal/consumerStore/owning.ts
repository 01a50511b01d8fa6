/**
 * Who owns a segment, and for how long.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { ConsumerStore } from "../../../ports/ConsumerStore.ts"
import * as Segment from "../../../domain/Segment.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count } from "../samples.ts"
import { race, racing } from "../world.ts"
import { at, claimOne, law, long, short, shown } from "./sample.ts"

const opens = law("a consumer is opened once, and stays as it is when it is opened again", (store, consumer) =>
  Effect.gen(function* () {
    yield* store.open(consumer, { segments: 16, after: at(9) })
    const { name, segments, state, workers } = yield* store.inspect(consumer)
    Assert.equal({ name, state, workers }, { name: consumer, state: { status: "running" }, workers: [] })
    Assert.equal(
      segments.map(({ checkpoint, owner, segment }) => ({ checkpoint, owner, segment })),
      Segment.initial(4).map((segment) => {
        return {
          checkpoint: { position: at(0), event: undefined, trail: [], epoch: undefined },
          owner: undefined,
          segment
        }
      })
    )
    const other = `${consumer}-later`
    yield* store.open(other, { segments: 1, after: at(9) })
    const begun = { position: at(9), event: undefined, trail: [{ position: 9, id: "" }], epoch: undefined }
    Assert.equal(
      (yield* store.inspect(other)).segments.map(({ checkpoint }) => checkpoint),
      [begun]
    )
    const names = (yield* store.list).map((info) => info.name).filter((name) => name.startsWith(consumer))
    Assert.equal(names, [consumer, other])
  })
)

const unknown = law("what nobody has opened is ConsumerUnknown, and so is what was removed", (store, consumer) =>
  Effect.gen(function* () {
    yield* store.remove(consumer)
    yield* store.leave(consumer, "worker")
    for (const asked of [
      store.beat(consumer, "worker", long),
      store.claim(consumer, "worker", { limit: 1, lease: long }),
      store.split(consumer, 0),
      store.merge(consumer, 0),
      store.reset(consumer, []),
      store.setState(consumer, { status: "paused", reason: "" }),
      store.inspect(consumer)
    ]) {
      Assert.equal((yield* Assert.fails(asked, "ConsumerUnknown")).consumer, consumer)
    }
  })
)

const claims = law("a segment is claimed by one worker, and given to the next when it is released", (store, consumer) =>
  Effect.gen(function* () {
    const first = yield* store.claim(consumer, "a", { limit: 3, lease: long })
    Assert.equal(
      first.map(({ segment }) => segment.id),
      [0, 1, 2]
    )
    const second = yield* store.claim(consumer, "b", { limit: 3, lease: long })
    Assert.equal(
      second.map(({ segment }) => segment.id),
      [3]
    )
    const claim = Assert.defined(first[1], "three were claimed")
    yield* store.release(claim)
    yield* store.release(claim)
    const third = yield* claimOne(store, consumer, "b")
    Assert.equal(third.segment, claim.segment)
    Assert.isTrue(third.token > claim.token, "the token did not grow")
    yield* store.release(claim)
    Assert.equal((yield* shown(store, consumer, 1)).owner, "b")
    yield* store.leave(consumer, "b")
    const rest = yield* store.claim(consumer, "c", { limit: 9, lease: long })
    Assert.equal(
      rest.map(({ segment }) => segment.id),
      [1, 3]
    )
  })
)

const tokens = law("every claim has a greater token than all before it", (store, consumer) =>
  Effect.gen(function* () {
    let last = 0
    for (const round of count(5)) {
      const claim = yield* claimOne(store, consumer, `worker ${round}`)
      Assert.isTrue(claim.token > last, `${claim.token} came after ${last}`)
      last = claim.token
      yield* round === 3 ? store.remove(consumer) : store.release(claim)
      yield* store.open(consumer, { segments: 1, after: at(0) })
    }
  })
)

const oneOwner = law(
  "of many workers that claim at once, each segment has one",
  (store, consumer) =>
    Effect.gen(function* () {
      for (const _ of count(8)) {
        const all = yield* race(count(8).map((n) => store.claim(consumer, `w${n}`, { limit: 2, lease: long })))
        const ids = all.flat().map(({ segment }) => segment.id)
        Assert.equal(new Set(ids).size, ids.length, "how many segments were claimed")
        const { segments } = yield* store.inspect(consumer)
        for (const { segment, token } of all.flat()) {
          Assert.equal(segments.find((one) => one.segment.id === segment.id)?.token, token, "the token of the owner")
        }
        yield* Effect.forEach(all.flat(), store.release)
      }
    }),
  racing
)

const leases = law("a segment is free when its lease has run out, and not before", (store, consumer) =>
  Effect.gen(function* () {
    const claim = yield* claimOne(store, consumer, "a", Duration.millis(400))
    const rest = yield* store.claim(consumer, "b", { limit: 9, lease: long })
    Assert.equal(rest.length, 3, "how many were free")
    yield* Effect.sleep("500 millis")
    Assert.equal((yield* shown(store, consumer, claim.segment.id)).owner, undefined, "the owner after the lease")
    const taken = yield* claimOne(store, consumer, "b")
    Assert.equal(taken.segment, claim.segment)
    Assert.isTrue(taken.token > claim.token, "the token did not grow")
  })
)

const renews = law("a worker keeps what it owns as long as it beats", (store, consumer) =>
  Effect.gen(function* () {
    const claim = yield* claimOne(store, consumer, "a", Duration.millis(500))
    for (const _ of count(5)) {
      yield* Effect.sleep("150 millis")
      const { held } = yield* store.beat(consumer, "a", Duration.millis(500))
      Assert.equal(held, [{ consumer, segment: claim.segment, token: claim.token }])
    }
    yield* Effect.sleep("50 millis")
    Assert.equal((yield* shown(store, consumer, claim.segment.id)).owner, "a")
    Assert.equal((yield* store.beat(consumer, "b", long)).held, [])
  })
)

const returns = law(
  "who comes back after its lease keeps what nobody took, and knows what was taken",
  (store, consumer) =>
    Effect.gen(function* () {
      const [kept, lost] = yield* store.claim(consumer, "a", { limit: 2, lease: short })
      yield* store.claim(consumer, "b", { limit: 2, lease: long })
      yield* Effect.sleep("250 millis")
      const { segment } = yield* claimOne(store, consumer, "b")
      const { held } = yield* store.beat(consumer, "a", long)
      Assert.equal(
        held.map((one) => one.segment.id),
        [kept, lost].flatMap((one) => (one === undefined || one.segment.id === segment.id ? [] : [one.segment.id]))
      )
      Assert.equal((yield* shown(store, consumer, segment.id)).owner, "b")
    })
)

const shares = law("the shares of all workers that live are as equal as can be", (store, consumer) =>
  Effect.gen(function* () {
    const sharesOf = (workers: ReadonlyArray<string>) =>
      Effect.map(
        Effect.forEach(workers, (worker) => Effect.map(store.beat(consumer, worker, long), (beat) => beat.share)),
        (shares) => shares.toSorted((a, b) => b - a)
      )
    Assert.equal(yield* sharesOf(["a"]), [4])
    yield* sharesOf(["a", "b", "c"])
    Assert.equal(yield* sharesOf(["a", "b", "c"]), [2, 1, 1])
    yield* sharesOf(["d", "e"])
    Assert.equal(yield* sharesOf(["a", "b", "c", "d", "e"]), [1, 1, 1, 1, 0])
    for (const worker of ["b", "c", "d"]) yield* store.leave(consumer, worker)
    Assert.equal(yield* sharesOf(["a", "e"]), [2, 2])
    yield* store.beat(consumer, "f", short)
    yield* Effect.sleep("250 millis")
    Assert.equal(yield* sharesOf(["a", "e"]), [2, 2])
    Assert.equal((yield* store.inspect(consumer)).workers, ["a", "e"])
  })
)

const stops = law("a consumer that does not run is told so, and nobody claims its segments", (store, consumer) =>
  Effect.gen(function* () {
    const claim = yield* claimOne(store, consumer, "a")
    const diverged = { status: "diverged", segment: 1, expected: { position: 7, id: "x" }, found: "y" } as const
    for (const state of [{ status: "paused", reason: "to look at it" } as const, diverged]) {
      yield* store.setState(consumer, state)
      Assert.equal((yield* store.beat(consumer, "a", long)).state, state)
      Assert.equal((yield* store.inspect(consumer)).state, state)
      Assert.equal(yield* store.claim(consumer, "b", { limit: 9, lease: long }), [])
      Assert.equal((yield* shown(store, consumer, claim.segment.id)).owner, "a")
    }
    yield* store.setState(consumer, { status: "running" })
    Assert.equal((yield* store.claim(consumer, "b", { limit: 9, lease: long })).length, 3)
  })
)

const names = law("consumers have segments and workers of their own", (store, consumer) =>
  Effect.gen(function* () {
    const others = [`${consumer} `, `${consumer}A`, `${consumer}a`, `${consumer}é`, `${consumer}%`]
    for (const other of others) {
      yield* store.open(other, { segments: 1, after: at(0) })
      const claim = yield* claimOne(store, other, "a")
      yield* store.commit(claim, at(0), { position: at(other.length) })
    }
    Assert.equal((yield* store.claim(consumer, "b", { limit: 9, lease: long })).length, 4)
    Assert.equal((yield* store.beat(consumer, "b", long)).share, 4)
    for (const other of others) {
      Assert.equal((yield* shown(store, other, 0)).checkpoint.position, at(other.length))
    }
  })
)

export const laws: ReadonlyArray<Law.Law<ConsumerStore>> = [
  opens,
  unknown,
  claims,
  tokens,
  oneOwner,
  leases,
  renews,
  returns,
  shares,
  stops,
  names
]
