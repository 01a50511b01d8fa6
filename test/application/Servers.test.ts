import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Result from "effect/Result"
import * as Dns from "effect/net/Dns"
import * as NetAddress from "effect/net/NetAddress"
import { TestClock } from "effect/testing"
import * as Servers from "../../src/application/Servers.ts"

const quiet = Logger.layer([])

class Down {
  readonly _tag = "Down"
  readonly verdict: Servers.Verdict
  constructor(verdict: Servers.Verdict) {
    this.verdict = verdict
  }
}

/** A service whose servers do what they are told to. */
const make = (servers: Servers.Servers, dead: Map<string, Servers.Verdict> = new Map()) =>
  Effect.map(Servers.pool(servers), (pool) => {
    const seen: Array<string> = []
    const call = pool.use(
      (url) =>
        Effect.suspend(() => {
          seen.push(url)
          return dead.has(url) ? Effect.fail(new Down(dead.get(url))) : Effect.succeed(url)
        }),
      ({ verdict }) => verdict
    )
    return { call, dead, pool, seen }
  })

const times = (n: number) => Array.from({ length: n }, (_, index) => index)

describe("calls to several servers", () => {
  it.effect("take turns", () =>
    Effect.gen(function* () {
      const { call } = yield* make(Servers.list(["a", "b", "c"]))
      expect(yield* Effect.forEach(times(7), () => call)).toEqual(["a", "b", "c", "a", "b", "c", "a"])
    })
  )

  it.effect("go to whom the fewest are open", () =>
    Effect.gen(function* () {
      const pool = yield* Servers.pool(Servers.list(["a", "b"], { strategy: "least-pending" }))
      const gate = yield* Deferred.make<void>()
      const nothing = (): Servers.Verdict => undefined
      const slow = yield* Effect.forkChild(
        pool.use((url) => Effect.as(Deferred.await(gate), url), nothing),
        {
          startImmediately: true
        }
      )
      const others = yield* Effect.forEach(times(3), () => pool.use(Effect.succeed, nothing))
      expect(others).toEqual(["b", "b", "b"])
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(slow)).toBe("a")
      expect(yield* pool.use(Effect.succeed, nothing)).toBe("a")
    })
  )

  it.effect("leave alone whom they cannot reach, longer each time, and then try it with one call", () =>
    Effect.gen(function* () {
      const { call, dead, seen } = yield* make(Servers.list(["a", "b"]), new Map([["a", "lost"]]))
      expect(yield* Effect.flip(call)).toBeInstanceOf(Down)
      yield* Effect.forEach(times(4), () => call)
      expect(seen.splice(0)).toEqual(["a", "b", "b", "b", "b"])
      yield* TestClock.adjust("1 second")
      // One of them tries it.
      const again = yield* Effect.forEach(times(4), () => Effect.result(call))
      expect(again.filter(Result.isFailure)).toHaveLength(1)
      expect(seen.splice(0).filter((url) => url === "a")).toHaveLength(1)
      // Twice as long this time.
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(times(4), () => call)
      expect(seen.splice(0)).not.toContain("a")
      dead.clear()
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(times(4), () => call)
      expect(seen.splice(0).filter((url) => url === "a")).toHaveLength(2)
    }).pipe(Effect.provide(quiet))
  )

  it.effect("that are lost together count once", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const pool = yield* Servers.pool(Servers.list(["a", "b"]))
      const lost = pool.use(
        (url) =>
          Effect.andThen(Deferred.await(gate), url === "a" ? Effect.fail(new Down("lost")) : Effect.succeed(url)),
        ({ verdict }) => verdict
      )
      const open = Effect.forkChild(Effect.result(lost), { startImmediately: true })
      const all = yield* Effect.forEach(times(20), () => open)
      yield* TestClock.adjust(1)
      yield* Deferred.succeed(gate, undefined)
      expect((yield* Effect.forEach(all, Fiber.join)).filter(Result.isFailure)).toHaveLength(10)
      yield* TestClock.adjust("1 second")
      const after = yield* Effect.forEach(times(4), () => pool.use(Effect.succeed, (): Servers.Verdict => undefined))
      expect(after).toContain("a")
    }).pipe(Effect.provide(quiet))
  )

  it.effect("try the only server there is, though its time has not come", () =>
    Effect.gen(function* () {
      const { call, dead } = yield* make(Servers.list(["a"]), new Map([["a", "lost"]]))
      yield* Effect.flip(call)
      dead.clear()
      expect(yield* call).toBe("a")
    }).pipe(Effect.provide(quiet))
  )

  it.effect("that no server has seen go to another; others are not sent twice", () =>
    Effect.gen(function* () {
      const { call, dead, seen } = yield* make(
        Servers.list(["a", "b", "c"]),
        new Map([
          ["a", "unseen"],
          ["b", "unseen"]
        ])
      )
      expect(yield* call).toBe("c")
      expect(seen.splice(0)).toEqual(["a", "b", "c"])
      dead.set("c", "unseen")
      expect(yield* Effect.flip(call)).toBeInstanceOf(Down)
      expect(seen.splice(0).toSorted()).toEqual(["a", "b", "c"])
      const other = yield* make(Servers.list(["a", "b"]), new Map([["a", "lost"]]))
      yield* Effect.flip(other.call)
      expect(other.seen).toEqual(["a"])
    }).pipe(Effect.provide(quiet))
  )

  it.effect("stay with a server that refuses what it was asked", () =>
    Effect.gen(function* () {
      const { call, seen } = yield* make(Servers.list(["a", "b"]), new Map([["a", undefined]]))
      yield* Effect.forEach(times(4), () => Effect.result(call))
      expect(seen).toEqual(["a", "b", "a", "b"])
    })
  )
})

describe("servers found by DNS", () => {
  const zone = { addresses: ["10.0.0.1", "10.0.0.2"], asked: 0, knows: true }
  const resolver = Layer.succeed(
    Dns.Dns,
    Dns.make({
      lookup: (name) =>
        Effect.suspend(() => {
          zone.asked++
          const found = zone.addresses.map((text) => Result.getOrThrow(NetAddress.ipFromString(text)))
          return zone.knows
            ? Effect.succeed(found)
            : Effect.fail(new Dns.DnsError({ reason: "NotFound", method: "lookup", hostname: String(name) }))
        })
    })
  )

  it.effect("are asked for again when that is old, and stay when nobody knows", () =>
    Effect.gen(function* () {
      Object.assign(zone, { asked: 0, knows: false })
      const pool = yield* Servers.pool(Servers.dns("http://tasks.internal:8080", { every: "10 seconds" }))
      const call = pool.use(Effect.succeed, (): Servers.Verdict => undefined)
      expect((yield* Effect.flip(call))._tag).toBe("NoServer")
      zone.knows = true
      yield* TestClock.adjust("1 second")
      const first = yield* Effect.all([call, call, call], { concurrency: "unbounded" })
      expect(first.toSorted()).toEqual(["http://10.0.0.1:8080", "http://10.0.0.1:8080", "http://10.0.0.2:8080"])
      expect(zone.asked).toBe(2)
      zone.addresses = ["10.0.0.3"]
      yield* TestClock.adjust("9 seconds")
      expect(yield* call).toBe("http://10.0.0.2:8080")
      yield* TestClock.adjust("1 second")
      expect([yield* call, yield* call]).toEqual(["http://10.0.0.3:8080", "http://10.0.0.3:8080"])
      zone.knows = false
      yield* TestClock.adjust("10 seconds")
      expect(yield* call).toBe("http://10.0.0.3:8080")
      expect(zone.asked).toBe(4)
    }).pipe(Effect.provide([resolver, quiet]))
  )
})
