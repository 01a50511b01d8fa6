/**
 * Drivers of groups that are wrong on purpose in what they keep for the owner of a segment.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Driver } from "../../src/ports/EventGroupsDriver.ts"
import { makeMemory } from "../../src/ports/internal/memoryEventGroups.ts"
import * as EventGroupsLaws from "../../src/testing/EventGroupsLaws.ts"
import type { Control } from "./controls.ts"

const drivers = (
  wrong: string,
  breaks: ReadonlyArray<string>,
  change: (right: Driver) => Driver
): Control<EventGroupsLaws.Driver> => ({
  wrong,
  breaks,
  laws: EventGroupsLaws.driver,
  layer: Layer.sync(EventGroupsLaws.Driver, () => change(makeMemory(16)))
})

export const wrongGroupDrivers: ReadonlyArray<Control<EventGroupsLaws.Driver>> = [
  drivers("who notes is given more", ["who only notes"], (right) => ({
    ...right,
    take: (claim, options) => right.take(claim, { ...options, limit: options.limit ?? 1 })
  })),
  drivers("what is due comes before all else", ["nothing else is left", "no room for more"], (right) => ({
    ...right,
    take: (claim, options) =>
      Effect.gen(function* () {
        const taken = yield* right.take(claim, options)
        const [head] = yield* right.parked(claim)
        return taken === undefined ? undefined : { entries: options.limit === 0 ? [] : taken.entries, due: head }
      })
  })),
  drivers("a full owner is given more", ["no room for more"], (right) => ({
    ...right,
    take: (claim, options) => right.take(claim, { ...options, limit: options.limit === 0 ? 1 : options.limit })
  })),
  drivers("a full owner is not given what he has not handled", ["no room for more"], (right) => ({
    ...right,
    take: (claim, options) => right.take(claim, { ...options, limit: options.limit === 0 ? undefined : options.limit })
  })),
  drivers("all that is parked is said to be", ["was not given", "behind what is not"], (right) => ({
    ...right,
    park: (claim, entry, why) => Effect.as(right.park(claim, entry, why), true)
  })),
  drivers("nothing is parked twice", ["parks it again"], (right) => ({
    ...right,
    park: (claim, entry, why) =>
      Effect.gen(function* () {
        const known = yield* right.parked(claim)
        return !known.some(({ id }) => id === entry.id) && (yield* right.park(claim, entry, why))
      })
  })),
  drivers("what waits is parked alone", ["behind what is not"], (right) => ({
    ...right,
    park: (claim, entry, why) =>
      right.park(
        claim,
        entry,
        "behind" in why ? { category: "Behind", error: "", attempts: 0, retryInMillis: undefined } : why
      )
  })),
  drivers("what is settled makes due what there is", ["in favour of"], (right) => ({
    ...right,
    settled: (claim, id, next) =>
      Effect.gen(function* () {
        const known = yield* right.parked(claim)
        return yield* right.settled(claim, id, known.some((one) => one.id === next) ? next : undefined)
      })
  })),
  drivers("nothing is settled", ["in favour of"], (right) => ({ ...right, settled: () => Effect.succeed(true) })),
  drivers("whatever waits is not due any more", ["waits for its turn"], (right) => ({
    ...right,
    failed: (claim, id, why) => right.failed(claim, id, "behind" in why ? { behind: id } : why)
  })),
  drivers("what cannot be written is not parked", ["for whatever reason"], (right) => ({
    ...right,
    park: (claim, entry, why) =>
      "error" in why && !why.error.isWellFormed() ? Effect.succeed(false) : right.park(claim, entry, why)
  })),
  drivers("what fails is not left out", ["left out while it is tried"], (right) => ({
    ...right,
    failed: (claim, id, why) =>
      Effect.tap(right.failed(claim, id, why), () => right.failed(claim, id, "behind" in why ? why : { behind: id }))
  })),
  drivers("what fails is not tried anew", ["replayed while it is tried"], (right) => ({
    ...right,
    failed: (claim, id, why) =>
      Effect.tap(right.failed(claim, id, why), () => right.failed(claim, id, "behind" in why ? why : { behind: id }))
  })),
  drivers("only the last are noted", ["as many are noted"], (right) => ({
    ...right,
    take: (claim, options) => right.take(claim, { ...options, handled: options.handled.slice(-1000) })
  })),
  drivers("with a group others are removed", ["whose name it begins with"], (right) => ({
    ...right,
    remove: (name) => Effect.andThen(right.remove(name), right.remove({ ...name, group: `${name.group}|2` }))
  })),
  drivers("whoever knows the token is the owner", ["its worker alone"], (right) => ({
    ...right,
    take: (claim, options) => right.take({ ...claim, worker: "worker" }, options)
  })),
  drivers("it does not matter how many are parked", ["than is, or by less"], (right) => ({
    ...right,
    take: (claim, options) => right.take(claim, { ...options, parked: undefined })
  }))
]
