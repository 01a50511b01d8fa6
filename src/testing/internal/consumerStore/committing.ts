/**
 * How far a segment has come, and who may say so.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { ConsumerStore } from "../../../ports/ConsumerStore.ts"
import type { Claim } from "../../../ports/ConsumerStoreDriver.ts"
import * as ReadModelStore from "../../../ports/ReadModelStore.ts"
import * as SegmentLayout from "../../../ports/SegmentLayout.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import { UnitOfWork } from "../../../ports/UnitOfWork.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count } from "../samples.ts"
import { race, racing } from "../world.ts"
import { at, claimOne, law, long, type Store, shown } from "./sample.ts"

const fencedAt = (store: Store, claim: Claim, from: number) =>
  Effect.gen(function* () {
    const before = yield* shown(store, claim.consumer, claim.segment.id)
    const reason = yield* Assert.fails(store.commit(claim, at(from), { position: at(999) }), "Fenced")
    const { consumer, segment, token } = reason
    Assert.equal(
      { consumer, segment, token, from: reason.from },
      { consumer: claim.consumer, segment: claim.segment.id, token: claim.token, from }
    )
    Assert.equal(yield* shown(store, claim.consumer, claim.segment.id), before, "the segment after a refused commit")
  })

const commits = law("the owner moves the checkpoint from where it is to where it is put", (store, consumer) =>
  Effect.gen(function* () {
    const claim = yield* claimOne(store, consumer, "a")
    Assert.equal(claim.checkpoint, { position: at(0), event: undefined, trail: [], epoch: undefined })
    const seven = { position: 7, id: "event 7" }
    yield* store.commit(claim, at(0), { position: at(8), event: seven, epoch: "e" })
    yield* store.commit(claim, at(8), { position: at(8) })
    yield* store.commit(claim, at(8), { position: at(Number.MAX_SAFE_INTEGER), trail: [seven] })
    const { checkpoint, owner } = yield* shown(store, consumer, claim.segment.id)
    Assert.equal(checkpoint, { position: at(Number.MAX_SAFE_INTEGER), event: seven, trail: [seven], epoch: "e" })
    Assert.equal(owner, "a")
    yield* store.release(claim)
    Assert.equal((yield* claimOne(store, consumer, "b")).checkpoint, checkpoint)
  })
)

const fences = law(
  "a commit from another position, or with a token that is not the owner's, is Fenced and changes nothing",
  (store, consumer) =>
    Effect.gen(function* () {
      const claim = yield* claimOne(store, consumer, "a")
      yield* store.commit(claim, at(0), { position: at(5) })
      for (const from of [0, 4, 6]) yield* fencedAt(store, claim, from)
      yield* fencedAt(store, { ...claim, token: claim.token + 1000 }, 5)
      yield* store.release(claim)
      yield* fencedAt(store, claim, 5)
      const next = yield* claimOne(store, consumer, "a")
      yield* fencedAt(store, claim, 5)
      yield* store.commit(next, at(5), { position: at(6) })
    })
)

const oneCommit = law(
  "of many commits from one position exactly one succeeds",
  (store, consumer) =>
    Effect.gen(function* () {
      const claim = yield* claimOne(store, consumer, "a")
      let from = at(0)
      for (const round of count(8)) {
        const results = yield* race(
          count(8).map((n) => Effect.result(store.commit(claim, from, { position: at(round * 100 + n) })))
        )
        Assert.equal(results.filter(Result.isSuccess).length, 1, `round ${round}: how many have committed`)
        from = (yield* shown(store, consumer, claim.segment.id)).checkpoint.position
      }
    }),
  racing
)

const together = law(
  "a commit in a unit of work is kept or undone with the rest, and what is Fenced undoes the rest",
  (store, consumer) =>
    Effect.gen(function* () {
      const unit = yield* UnitOfWork
      const documents = ReadModelStore.collection(consumer.replaceAll("-", "_"), Schema.Int)
      const claim = yield* claimOne(store, consumer, "a")
      const work = (n: number, from: number, to: number) =>
        unit.transaction(
          Effect.andThen(documents.set(String(n), n), store.commit(claim, at(from), { position: at(to) }))
        )
      yield* work(1, 0, 5)
      yield* Assert.fails(work(2, 0, 6), "Fenced")
      yield* Effect.ignore(unit.transaction(Effect.andThen(work(3, 5, 7), Effect.fail("undo"))))
      Assert.equal((yield* shown(store, consumer, claim.segment.id)).checkpoint.position, at(5))
      Assert.equal(
        (yield* documents.list()).map(({ document }) => document),
        [1]
      )
      yield* store.leave(consumer, "a")
      yield* claimOne(store, consumer, "b")
      yield* Assert.fails(work(4, 5, 6), "Fenced")
      Assert.equal((yield* documents.list()).length, 1)
    }).pipe(TenantContext.provide("law"))
)

const splits = law(
  "a segment is halved: both halves go on from where it was, and its owner is fenced",
  (store, consumer) =>
    Effect.gen(function* () {
      const claim = yield* claimOne(store, consumer, "a")
      yield* store.commit(claim, at(0), { position: at(5), event: { position: 5, id: "five" } })
      Assert.equal(yield* store.split(consumer, 0), [
        { id: 0, mask: 7 },
        { id: 4, mask: 7 }
      ])
      yield* fencedAt(store, claim, 5)
      const all = yield* store.claim(consumer, "b", { limit: 9, lease: long })
      Assert.equal(
        all.map(({ checkpoint, segment }) => [segment.id, segment.mask, checkpoint.position, checkpoint.event?.id]),
        [
          [0, 7, 5, "five"],
          [1, 3, 0, undefined],
          [2, 3, 0, undefined],
          [3, 3, 0, undefined],
          [4, 7, 5, "five"]
        ]
      )
      for (const { token } of all) Assert.isTrue(token > claim.token, "the token did not grow")
    })
)

const merges = law(
  "two halves are joined: as far as the one that is behind, with what the other is ahead remembered",
  (store, consumer) =>
    Effect.gen(function* () {
      const all = yield* store.claim(consumer, "a", { limit: 9, lease: long })
      for (const claim of all) yield* store.commit(claim, at(0), { position: at(10 + claim.segment.id) })
      Assert.equal(yield* store.merge(consumer, 2), { id: 0, mask: 1 })
      for (const claim of all) {
        if (claim.segment.id === 0) yield* fencedAt(store, claim, 10)
      }
      Assert.equal(
        (yield* store.inspect(consumer)).segments.map(({ segment }) => segment.id),
        [0, 1, 3]
      )
      yield* store.merge(consumer, 1)
      yield* store.merge(consumer, 1)
      const whole = yield* claimOne(store, consumer, "b")
      Assert.equal([whole.segment, whole.checkpoint.position], [{ id: 0, mask: 0 }, at(10)])
      // Each key is handled from where its own segment was.
      for (const hash of count(8, 0)) {
        for (const position of count(6, 9)) {
          const handled = position <= 10 || SegmentLayout.isAhead(whole.ahead, hash, at(position))
          Assert.equal(handled, position <= 10 + (hash & 3), `whether ${hash} is handled at ${position}`)
        }
      }
      const halves = yield* Effect.andThen(
        store.split(consumer, 0),
        store.claim(consumer, "c", { limit: 9, lease: long })
      )
      for (const half of halves) Assert.equal(half.ahead, whole.ahead, "what a half remembers")
    })
)

const refuses = law("a segment that cannot be halved or joined is refused, and why", (store, consumer) =>
  Effect.gen(function* () {
    Assert.equal((yield* Assert.fails(store.split(consumer, 9), "SegmentRefused")).why, "unknown")
    Assert.equal((yield* Assert.fails(store.merge(consumer, 9), "SegmentRefused")).why, "unknown")
    yield* store.split(consumer, 0)
    Assert.equal((yield* Assert.fails(store.merge(consumer, 2), "SegmentRefused")).why, "otherHalfIsSplit")
    yield* store.merge(consumer, 4)
    for (const id of [0, 1, 1]) yield* store.merge(consumer, id)
    Assert.equal((yield* Assert.fails(store.merge(consumer, 0), "SegmentRefused")).why, "whole")
    for (const _ of count(12)) yield* store.split(consumer, 0)
    Assert.equal((yield* Assert.fails(store.split(consumer, 0), "SegmentRefused")).why, "smallest")
  })
)

const resets = law("a reset puts checkpoints elsewhere, and fences who owned them", (store, consumer) =>
  Effect.gen(function* () {
    const claim = yield* claimOne(store, consumer, "a")
    yield* store.commit(claim, at(0), { position: at(5), event: { position: 5, id: "five" } })
    const back = {
      position: at(3),
      event: { position: 3, id: "three" },
      trail: [{ position: 1, id: "one" }],
      epoch: "e"
    }
    yield* store.reset(consumer, [{ segment: 0, checkpoint: back }])
    yield* fencedAt(store, claim, 5)
    yield* fencedAt(store, claim, 3)
    Assert.equal((yield* claimOne(store, consumer, "b")).checkpoint, back)
    const start = { position: at(0), event: undefined, trail: [], epoch: undefined }
    yield* store.reset(consumer, [{ segment: 0, checkpoint: start }])
    Assert.equal((yield* claimOne(store, consumer, "b")).checkpoint, start)
    const both = [
      { segment: 1, checkpoint: back },
      { segment: 9, checkpoint: back }
    ]
    Assert.equal((yield* Assert.fails(store.reset(consumer, both), "SegmentRefused")).segment, 9)
    Assert.equal((yield* shown(store, consumer, 1)).checkpoint.position, at(0), "what a refused reset has moved")
  })
)

export const laws: ReadonlyArray<Law.Law<ConsumerStore | UnitOfWork | ReadModelStore.ReadModelStore>> = [
  commits,
  fences,
  oneCommit,
  together,
  splits,
  merges,
  refuses,
  resets
]
