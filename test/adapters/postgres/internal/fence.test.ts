import { describe, expect, inject, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Fence from "../../../../src/adapters/postgres/internal/fence.ts"

const sight = (last: number, holders: ReadonlyArray<string>, now = 0): Fence.Sight => ({
  last,
  holders: new Set(holders),
  now
})

/** What is settled after each of these sights. */
const settle = (...sights: ReadonlyArray<Fence.Sight>): ReadonlyArray<number> => {
  let open: ReadonlyArray<Fence.Fence> = []
  return sights.map((seen) => {
    const next = Fence.observe(open, seen)
    open = next.open
    return next.position
  })
}

/** Transactions that take the lock, draw positions, and end or are prepared; sometimes the server restarts. */
class Server {
  last = 0
  names = 0
  restarts = 0
  active: Array<{ name: string; readonly drawn: Array<number>; prepared: boolean }> = []

  step(choice: number, which: number): void {
    const chosen = this.active[which % Math.max(this.active.length, 1)]
    if (choice < 30) this.active.push({ name: `${this.restarts}/${++this.names}`, drawn: [], prepared: false })
    else if (chosen === undefined) return
    else if (choice < 60) {
      if (!chosen.prepared) chosen.drawn.push(++this.last)
    } else if (choice < 90) this.active = this.active.filter((other) => other !== chosen)
    else if (choice < 99) chosen.prepared = true
    else {
      // Only what was prepared survives, under another name.
      this.restarts++
      this.active = this.active.filter(({ prepared }) => prepared)
      for (const other of this.active) other.name = `-1/${++this.names}`
    }
  }

  /** The lowest position that can still appear. */
  get lowest(): number {
    return Math.min(...this.active.flatMap(({ drawn }) => drawn), Number.POSITIVE_INFINITY)
  }
}

describe("fences", () => {
  it("settle at once what nobody holds", () => {
    expect(settle(sight(5, []))).toEqual([5])
  })

  it("settle what was drawn before a moment when all who held the lock then have gone", () => {
    expect(
      settle(sight(5, ["3/1", "4/1"]), sight(7, ["4/1", "5/1"]), sight(9, ["5/1", "6/1"]), sight(9, ["6/1"]))
    ).toEqual([0, 0, 5, 7])
  })

  it("wait for one that comes back under the name of a prepared transaction", () => {
    expect(settle(sight(5, ["3/1"]), sight(6, ["-1/700"]), sight(6, []))).toEqual([0, 0, 6])
  })

  it("are few, however much is written beside one that stays", () => {
    let open: ReadonlyArray<Fence.Fence> = []
    for (let last = 1; last <= 1000; last++) open = Fence.observe(open, sight(last, ["3/1", `4/${last}`], last)).open
    expect(open.length).toBe(Fence.limit)
    expect(open[0]).toEqual({ last: 1, members: ["3/1"], since: 1 })
    // All but the newest have lost their other members.
    expect(Fence.observe(open, sight(1001, ["4/1001"])).position).toBe(1000)
  })

  it("open once for one position", () => {
    const first = Fence.observe([], sight(5, ["3/1"], 1))
    expect(Fence.observe(first.open, sight(5, ["3/1", "4/1"], 2)).open).toEqual(first.open)
  })

  it.effect("never settle what can still appear, and settle all once nobody writes", () =>
    Effect.gen(function* () {
      for (let run = 0; run < 300; run++) {
        const server = new Server()
        let open: ReadonlyArray<Fence.Fence> = []
        let settled = 0
        const steps = Effect.gen(function* () {
          const count = yield* Random.nextIntBetween(0, 6)
          for (let n = 0; n < count; n++) {
            server.step(yield* Random.nextIntBetween(0, 100), yield* Random.nextIntBetween(0, 1000))
          }
        })
        for (let look = 0; look < 60; look++) {
          // The sequence is read first, and anything may happen before the locks are.
          const last = server.last
          yield* steps
          const next = Fence.observe(
            open,
            sight(
              last,
              server.active.map(({ name }) => name)
            )
          )
          open = next.open
          settled = Math.max(settled, next.position)
          expect(settled).toBeLessThan(server.lowest)
          expect(open.length).toBeLessThanOrEqual(Fence.limit)
          yield* steps
        }
        server.active = []
        expect(Fence.observe(open, sight(server.last, []))).toEqual({ position: server.last, open: [] })
      }
    }).pipe(Random.withSeed(inject("seed")))
  )
})
