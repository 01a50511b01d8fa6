import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Position from "../../src/domain/Position.ts"
import { ConsumerStore } from "../../src/ports/ConsumerStore.ts"
import type { Claim } from "../../src/ports/ConsumerStoreDriver.ts"
import { ParkedStore } from "../../src/ports/ParkedStore.ts"
import * as ConsumerStoreLaws from "../../src/testing/ConsumerStoreLaws.ts"
import * as ParkedStoreLaws from "../../src/testing/ParkedStoreLaws.ts"
import { controls } from "./controls.ts"

const consumers = controls<ConsumerStore["Service"]>(ConsumerStoreLaws.laws, (make) =>
  Layer.effect(ConsumerStore, Effect.map(ConsumerStore, make))
)

const anyDay = Duration.days(1)

export const wrongConsumerStores = [
  consumers(
    "whoever has ever owned a segment may commit",
    ["is Fenced and changes nothing", "undoes the rest"],
    (store) => ({
      ...store,
      commit: (owned, from, to) =>
        Effect.catchReason(store.commit(owned, from, to), "ConsumerStoreError", "Fenced", (_, error) =>
          Effect.flatMap(store.inspect(owned.consumer), ({ segments }) => {
            const now = segments.find(({ segment }) => segment.id === owned.segment.id)
            return now === undefined || now.checkpoint.position !== from
              ? Effect.fail(error)
              : store.reset(owned.consumer, [
                  { segment: now.segment.id, checkpoint: { ...now.checkpoint, position: to.position } }
                ])
          })
        )
    })
  ),
  consumers("a commit moves the checkpoint from wherever it is", ["is Fenced and changes nothing"], (store) => ({
    ...store,
    commit: (owned, from, to) =>
      Effect.flatMap(store.inspect(owned.consumer), ({ segments }) => {
        const now = segments.find(({ segment }) => segment.id === owned.segment.id)
        return store.commit(owned, now?.checkpoint.position ?? from, to)
      })
  })),
  consumers("it looks first and commits later", ["exactly one succeeds"], (store) => ({
    ...store,
    commit: (owned, from, to) =>
      Effect.flatMap(store.inspect(owned.consumer), ({ segments }) => {
        const now = segments.find(({ segment }) => segment.id === owned.segment.id)?.checkpoint.position
        if (now !== from) return store.commit(owned, from, to)
        const last = Effect.flatMap(store.inspect(owned.consumer), (info) => {
          const at = info.segments.find(({ segment }) => segment.id === owned.segment.id)?.checkpoint.position
          return store.commit(owned, at ?? from, to)
        })
        return Effect.andThen(Effect.yieldNow, last)
      })
  })),
  consumers("leases never end", ["free when its lease has run out", "the shares of all", "comes back"], (store) => ({
    ...store,
    beat: (consumer, worker) => store.beat(consumer, worker, anyDay),
    claim: (consumer, worker, { limit }) => store.claim(consumer, worker, { limit, lease: anyDay })
  })),
  consumers(
    "nobody has to wait for a lease to end",
    ["and not before", "by one worker", "keeps what it owns"],
    (store) => ({
      ...store,
      beat: (consumer, worker) => store.beat(consumer, worker, Duration.zero),
      claim: (consumer, worker, { limit }) => store.claim(consumer, worker, { limit, lease: Duration.zero })
    })
  ),
  consumers("a token is kept from owner to owner", ["a greater token", "given to the next"], (store) => ({
    ...store,
    claim: (consumer, worker, options) =>
      Effect.map(store.claim(consumer, worker, options), (claims) =>
        claims.map((claim): Claim => ({ ...claim, token: 1 }))
      )
  })),
  consumers("a beat renews nothing", ["as long as it beats"], (store) => ({
    ...store,
    beat: (consumer, worker) => store.beat(consumer, worker, Duration.millis(10))
  })),
  consumers("every worker should own all", ["the shares of all"], (store) => ({
    ...store,
    beat: (consumer, worker, lease) =>
      Effect.map(store.beat(consumer, worker, lease), (beat) => ({ ...beat, share: 4 }))
  })),
  consumers("a stopped consumer is claimed all the same", ["nobody claims its segments"], (store) => ({
    ...store,
    setState: () => Effect.void
  })),
  consumers("joined halves forget who was ahead", ["remembered"], (store) => ({
    ...store,
    claim: (consumer, worker, options) =>
      Effect.map(store.claim(consumer, worker, options), (claims) => claims.map((claim) => ({ ...claim, ahead: [] })))
  })),
  consumers("halves begin anew", ["go on from where it was"], (store) => ({
    ...store,
    split: (consumer, segment) =>
      Effect.tap(store.split(consumer, segment), ([, half]) =>
        store.reset(consumer, [
          { segment: half.id, checkpoint: { position: Position.start, event: undefined, trail: [], epoch: undefined } }
        ])
      )
  })),
  consumers("opening again begins anew", ["stays as it is"], (store) => ({
    ...store,
    open: (consumer, options) => Effect.andThen(store.remove(consumer), store.open(consumer, options))
  })),
  consumers("the last event is not kept", ["where it is put"], (store) => ({
    ...store,
    commit: (owned, from, { position }) => store.commit(owned, from, { position })
  })),
  consumers("names are of one case", ["of their own"], (store) => ({
    ...store,
    open: (consumer, options) => store.open(consumer.toLowerCase(), options),
    claim: (consumer, worker, options) => store.claim(consumer.toLowerCase(), worker, options)
  }))
]

const parked = controls<ParkedStore["Service"]>(ParkedStoreLaws.laws, (make) =>
  Layer.effect(ParkedStore, Effect.map(ParkedStore, make))
)

export const wrongParkedStores = [
  parked("nothing is ever too much", ["ParkingFull", "kept or undone"], (store) => ({
    ...store,
    add: (entries) => store.add(entries, { perKey: 1e9, perConsumer: 1e9 })
  })),
  parked("what is too much is dropped", ["ParkingFull"], (store) => ({
    ...store,
    add: (entries, limits) => Effect.catchTag(store.add(entries, limits), "ParkedStoreError", () => Effect.void)
  })),
  parked("the others do not wait for the first", ["wait for it"], (store) => ({
    ...store,
    due: (consumer, _, limit) => store.list(consumer, { limit })
  })),
  parked("a segment has all keys", ["whose hash is its own"], (store) => ({
    ...store,
    keys: (consumer) => store.keys(consumer, { id: 0, mask: 0 }),
    due: (consumer, _, limit) => store.due(consumer, { id: 0, mask: 0 }, limit)
  })),
  parked("a failure is forgotten", ["another failure"], (store) => ({ ...store, failed: () => Effect.void })),
  parked("a replay is of all", ["the fitting heads"], (store) => ({
    ...store,
    replay: (consumer) => store.replay(consumer)
  })),
  parked("an edit changes nothing", ["other contents"], (store) => ({
    ...store,
    edit: (ref) => Effect.flatMap(store.get(ref), ({ stored }) => store.edit(ref, stored.data))
  })),
  parked("what is skipped is gone", ["for a reason that is kept"], (store) => ({
    ...store,
    skip: (ref) => store.settle(ref)
  })),
  parked("keeping again counts as new", ["kept already stays"], (store) => ({
    ...store,
    add: (entries, limits) =>
      Effect.andThen(
        Effect.forEach(entries, (entry) => Effect.ignore(store.settle(entry))),
        store.add(entries, limits)
      )
  })),
  parked("a list is of everything", ["has what fits"], (store) => ({
    ...store,
    list: (consumer, options) => store.list(consumer, { limit: options?.limit })
  }))
]
