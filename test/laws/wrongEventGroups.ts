import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as EventGroups from "../../src/ports/EventGroups.ts"
import type { Claim, Driver, Name } from "../../src/ports/EventGroupsDriver.ts"
import { makeMemory } from "../../src/ports/internal/memoryEventGroups.ts"
import * as EventGroupsLaws from "../../src/testing/EventGroupsLaws.ts"
import { controls } from "./controls.ts"

const groups = controls<Driver>(EventGroupsLaws.laws, (make) =>
  Layer.effectContext(Effect.sync(() => EventGroups.layerOf(make(makeMemory(16)))))
)

/** A driver to which every group has another name. */
const named = (right: Driver, change: (name: Name) => Name): Driver => {
  const claimed = (claim: Claim): Claim => ({ ...claim, ...change(claim) })
  return {
    ...right,
    start: (name, segment, at) => right.start(change(name), segment, at),
    join: (name, worker, millis) => right.join(change(name), worker, millis),
    claim: (name, segment, worker, millis) => right.claim(change(name), segment, worker, millis),
    renew: (claim, millis) => right.renew(claimed(claim), millis),
    take: (claim, options) => right.take(claimed(claim), options)
  }
}

const handledAtOnce = (right: Driver, claim: Claim, id: string) =>
  Effect.as(right.take(claim, { handled: [id], millis: 900 }), true)

export const wrongEventGroups = [
  groups("what is given counts as handled", ["cut off is handled again"], (right) => ({
    ...right,
    take: (claim, options) =>
      Effect.tap(right.take(claim, options), (taken) =>
        Effect.forEach(taken?.entries ?? [], ({ id }) => handledAtOnce(right, claim, id))
      )
  })),
  groups("it is not counted how often something is given", ["cut off is handled again"], (right) => ({
    ...right,
    take: (claim, options) =>
      Effect.map(right.take(claim, options), (taken) =>
        taken === undefined
          ? undefined
          : { ...taken, entries: taken.entries.map((entry) => ({ ...entry, attempt: 1 })) }
      )
  })),
  groups("the oldest are dropped where there are too many", ["every group handles every event"], (right) => ({
    ...right,
    take: (claim, options) =>
      Effect.flatMap(right.take(claim, options), (taken) => {
        const dropped = taken?.entries.slice(0, -3) ?? []
        return Effect.as(
          Effect.forEach(dropped, ({ id }) => handledAtOnce(right, claim, id)),
          taken === undefined ? undefined : { ...taken, entries: taken.entries.slice(-3) }
        )
      })
  })),
  groups("what comes last is given first", ["in the order of its key", "one after the other"], (right) => ({
    ...right,
    take: (claim, options) =>
      Effect.map(right.take(claim, options), (taken) =>
        taken === undefined ? undefined : { ...taken, entries: taken.entries.toReversed() }
      ),
    listen: () => Effect.void
  })),
  groups("groups are at the same place", ["every group handles every event"], (right) =>
    named(right, ({ log }) => ({ log, group: "all" }))
  ),
  groups("a group forgets where it was", ["goes on where it was"], (right) => ({
    ...right,
    start: (name, segment, at) => Effect.andThen(right.remove(name), right.start(name, segment, at))
  })),
  groups("members do not know of each other", ["all of them work"], (right) => ({
    ...right,
    join: () => Effect.succeed(1)
  })),
  groups("tokens begin anew", ["the token of a segment grows"], (right) => {
    const real = new Map<string, Claim>()
    const known = (claim: Claim) => real.get(`${claim.worker}/${claim.log}/${claim.group}/${claim.segment}`) ?? claim
    return {
      ...right,
      claim: (name, segment, worker, millis) =>
        Effect.map(right.claim(name, segment, worker, millis), (claim) => {
          if (claim === undefined) return undefined
          real.set(`${worker}/${claim.log}/${claim.group}/${segment}`, claim)
          return { ...claim, token: 1 }
        }),
      renew: (claim, millis) => right.renew(known(claim), millis),
      release: (claim) => right.release(known(claim)),
      take: (claim, options) => right.take(known(claim), options)
    }
  }),
  groups("what fails is dropped", ["whose handler fails is parked", "whose handler dies is parked"], (right) => ({
    ...right,
    park: (claim, entry) => handledAtOnce(right, claim, entry.id)
  })),
  groups("a new owner knows nothing of what is parked", ["outlives the members"], (right) => ({
    ...right,
    claim: (name, segment, worker, millis) =>
      Effect.map(right.claim(name, segment, worker, millis), (claim) =>
        claim === undefined ? undefined : { ...claim, parked: [] }
      )
  })),
  groups("what is parked is never tried again", ["tried again by itself"], (right) => ({
    ...right,
    park: (claim, entry, why) => right.park(claim, entry, "behind" in why ? why : { ...why, retryInMillis: undefined })
  })),
  groups("what is replayed is forgotten", ["handled in order when it is replayed"], (right) => ({
    ...right,
    replay: (name, segment, ids) => Effect.andThen(right.remove(name), right.replay(name, segment, ids))
  })),
  groups("nothing is skipped", ["left out when it is its turn"], (right) => ({
    ...right,
    skip: () => Effect.succeed(1)
  })),
  groups("a mark follows whoever opens it", ["a mark is where it was opened first"], (right) => ({
    ...right,
    open: (log, segment, options) => Effect.as(right.open(log, segment, options), options.floor)
  })),
  groups("logs share their marks", ["a mark is where it was opened first"], (right) => ({
    ...right,
    open: (_, segment, options) => right.open("all", segment, options),
    add: (_, segment, batch) => right.add("all", segment, batch)
  })),
  groups("whoever comes adds", ["not as it was thought to be"], (right) => ({
    ...right,
    add: (log, segment, batch) =>
      Effect.flatMap(right.open(log, segment, { groups: [], floor: 0 }), (from) =>
        right.add(log, segment, { ...batch, from })
      )
  })),
  groups("what is there already is added again", ["however often it is sent"], (right) => {
    let last = 0
    return {
      ...right,
      add: (log, segment, batch) =>
        right.add(log, segment, {
          ...batch,
          entries: batch.entries.map((entry) => ({ ...entry, id: `${++last}-0` }))
        })
    }
  }),
  groups("nothing is needed that was added", ["nothing that one still needs", "is still needed"], (right) => ({
    ...right,
    settle: (log, segment) => right.open(log, segment, { groups: [], floor: 0 })
  })),
  groups("nothing is forgotten", ["is forgotten, and nothing"], (right) => ({
    ...right,
    settle: () => Effect.succeed(0)
  })),
  groups("a group cannot be removed", ["needs nothing any more"], (right) => ({ ...right, remove: () => Effect.void })),
  groups("nobody owns anything", ["who owns a segment"], (right) => ({
    ...right,
    inspect: (name) =>
      Effect.map(right.inspect(name), (all) => all.map((standing) => ({ ...standing, owner: undefined })))
  })),
  groups("a group always begins with the oldest", ["begins with the oldest event"], (right) => ({
    ...right,
    start: (name, segment) => right.start(name, segment, "earliest")
  }))
]
