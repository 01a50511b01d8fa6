import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as EventForwarding from "../../src/application/EventForwarding.ts"
import * as StreamName from "../../src/domain/StreamName.ts"
import * as EventGroups from "../../src/ports/EventGroups.ts"
import type { Driver } from "../../src/ports/EventGroupsDriver.ts"
import { EventGroupsError } from "../../src/ports/EventGroupsError.ts"
import * as EventStore from "../../src/ports/EventStore.ts"
import { makeMemory } from "../../src/ports/internal/memoryEventGroups.ts"
import * as Memory from "../../src/ports/Memory.ts"
import * as StorageFailure from "../../src/ports/StorageFailure.ts"
import * as SystemContext from "../../src/ports/SystemContext.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"
import { Noted, noted } from "../adapters/postgres/support.ts"

/** A process of its own over the same storage: once it is killed, nothing it does reaches that any more. */
const process = (driver: Driver) => {
  const state = { isAlive: true }
  const reached = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.suspend(() => (state.isAlive ? effect : Effect.never))
  const groups = EventGroups.make({
    ...driver,
    join: (...args) => reached(driver.join(...args)),
    leave: (...args) => reached(driver.leave(...args)),
    claim: (...args) => reached(driver.claim(...args)),
    renew: (...args) => reached(driver.renew(...args)),
    release: (...args) => reached(driver.release(...args)),
    take: (...args) => reached(driver.take(...args)),
    park: (...args) => reached(driver.park(...args)),
    settled: (...args) => reached(driver.settled(...args)),
    failed: (...args) => reached(driver.failed(...args))
  })
  return { groups, kill: () => (state.isAlive = false) }
}

it.live(
  "what owners handled and were killed before they noted it keeps nothing from being handled that is parked",
  () =>
    Effect.gen(function* () {
      const driver = makeMemory(1)
      const context = EventGroups.layerOf(driver)
      yield* Effect.forkScoped(
        Effect.provide(
          EventForwarding.run(EventForwarding.make("log", { events: [Noted], groups: ["group"] })),
          context
        )
      )
      const handled: Array<number> = []
      let isPoison = true
      const member = Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { groups, kill } = process(driver)
        yield* groups
          .subscribe({
            log: "log",
            group: "group",
            events: [Noted],
            lease: "150 millis",
            poll: "10 millis",
            retry: { times: 1, base: "1 millis", later: Array.from({ length: 100 }, () => "5 millis" as const) },
            handle: ({ event: { n } }) => {
              if (n === 2 && isPoison) return Effect.fail("poison")
              handled.push(n)
              // The last one is never done with, so what was handled before is not noted.
              return n === 9 && isPoison ? Effect.never : Effect.void
            }
          })
          .pipe(Scope.provide(scope))
        return { kill, end: Scope.close(scope, Exit.void) }
      })
      const store = yield* EventStore.EventStore
      const append = (id: string, ...numbers: ReadonlyArray<number>) =>
        store.append({ stream: StreamName.make("Sum", id), expected: "any", events: numbers.map(noted) })
      yield* append("a", 1, 2, 3)
      yield* append("b", 9)
      for (let round = 1; round <= 3; round++) {
        const { kill } = yield* member
        while (handled.filter((n) => n === 9).length < round) yield* Effect.sleep("5 millis")
        kill()
      }
      isPoison = false
      const { end } = yield* member
      while (!handled.includes(3)) yield* Effect.sleep("5 millis")
      expect(Array.from(new Set(handled))).toEqual([1, 9, 2, 3])
      yield* end
    }).pipe(
      Effect.provide(
        Layer.mergeAll(Memory.layer, TenantContext.layerSingle, SystemContext.layer("a test"), Logger.layer([]))
      )
    )
)

it.live("what was given in an answer that was lost was not tried, and is not missing", () => {
  const errors: Array<unknown> = []
  return Effect.gen(function* () {
    const driver = makeMemory(1)
    const context = EventGroups.layerOf(driver)
    const store = yield* EventStore.EventStore
    yield* Effect.forkScoped(
      Effect.provide(EventForwarding.run(EventForwarding.make("log", { events: [Noted], groups: ["group"] })), context)
    )
    const append = (...numbers: ReadonlyArray<number>) =>
      store.append({ stream: StreamName.make("Sum", "a"), expected: "any", events: numbers.map(noted) })
    const reason = StorageFailure.make({ operation: "take", retryable: true, cause: "no answer" })
    let lost = 0
    const groups = EventGroups.make({
      ...driver,
      take: (claim, options) =>
        Effect.flatMap(driver.take(claim, options), (taken) =>
          taken !== undefined && taken.entries.length === 2 && lost++ < 1
            ? Effect.fail(new EventGroupsError({ reason }))
            : Effect.succeed(taken)
        )
    })
    const attempts: Array<number> = []
    yield* groups.subscribe({
      log: "log",
      group: "group",
      events: [Noted],
      poll: "10 millis",
      handle: ({ attempt }) => Effect.sync(() => attempts.push(attempt))
    })
    const handled = (count: number) =>
      Effect.gen(function* () {
        while (attempts.length < count) yield* Effect.sleep("5 millis")
      })
    yield* append(1)
    yield* handled(1)
    yield* append(2, 3)
    yield* handled(3)
    yield* append(4)
    yield* handled(4)
    // The third was given with the second, and is given once more.
    expect(attempts).toEqual([1, 1, 2, 1])
    expect(errors).toEqual([])
  }).pipe(
    Effect.provide(
      Layer.mergeAll(
        Memory.layer,
        TenantContext.layerSingle,
        SystemContext.layer("a test"),
        Logger.layer([Logger.make(({ logLevel, message }) => void (logLevel === "Error" && errors.push(message)))])
      )
    )
  )
})

it.effect("a group is refused whose numbers cannot be meant, and the error names them", () =>
  Effect.gen(function* () {
    const groups = EventGroups.make(makeMemory(1))
    const options = { log: "log", group: "group", events: [Noted], handle: () => Effect.void } as const
    const issuesOf = (wrong: Partial<EventGroups.Options<readonly [typeof Noted]>>) =>
      groups.subscribe({ ...options, ...wrong }).pipe(
        Effect.flip,
        Effect.map(({ reason }) => (reason._tag === "InvalidGroup" ? reason.issues.map(({ path }) => path) : []))
      )
    expect(yield* issuesOf({ batchSize: 1.5 })).toEqual(["batchSize"])
    expect(yield* issuesOf({ concurrency: 0, maxParked: Number.NaN, retry: { times: -1 } })).toEqual([
      "concurrency",
      "maxParked",
      "retry.times"
    ])
    expect(yield* issuesOf({ lease: 0, log: "" })).toEqual(["log", "lease"])
    expect(yield* issuesOf({ lease: "Infinity" })).toEqual(["lease"])
  }).pipe(Effect.provide(SystemContext.layer("a test")))
)
