import { describe, expect, it } from "@effect/vitest"
import { check, type Kind } from "./checker.ts"
import type { Operation, Transaction } from "./history.ts"

const append = (stream: string, value: number): Operation => ({ kind: "append", stream, value })
const read = (stream: string, ...values: ReadonlyArray<number>): Operation => ({ kind: "read", stream, values })

/** Transactions that all run at once. */
const at = (...operations: ReadonlyArray<Operation>): Transaction => ({
  operations,
  start: 0,
  end: 100,
  committed: true
})
const during = (start: number, end: number, ...operations: ReadonlyArray<Operation>): Transaction => ({
  ...at(...operations),
  start,
  end
})
const undone = (...operations: ReadonlyArray<Operation>): Transaction => ({ ...at(...operations), committed: false })

const kinds = (
  streams: Readonly<Record<string, ReadonlyArray<number>>>,
  ...transactions: ReadonlyArray<Transaction>
): ReadonlyArray<Kind> => check({ transactions, streams: new Map(Object.entries(streams)) }).map(({ kind }) => kind)

describe("the checker", () => {
  it("accepts what is serial", () => {
    expect(
      kinds(
        { x: [1, 2], y: [3] },
        during(0, 1, append("x", 1)),
        during(2, 3, read("x", 1), append("x", 2)),
        during(4, 5, read("y"), append("y", 3), read("y", 3)),
        during(6, 7, read("x", 1, 2), read("y", 3)),
        undone(append("x", 9))
      )
    ).toEqual([])
  })

  it("accepts reads of the past by who runs at the same time", () => {
    expect(kinds({ x: [1] }, during(0, 5, append("x", 1)), during(1, 6, read("x")))).toEqual([])
  })

  it("finds G0: two that write before each other", () => {
    const one = at(append("x", 1), append("y", 2))
    const other = at(append("x", 3), append("y", 4))
    expect(kinds({ x: [1, 3], y: [4, 2] }, one, other)).toContain("G0")
  })

  it("finds G1a: what was undone is read, or there", () => {
    expect(kinds({ x: [] }, undone(append("x", 1)), at(read("x", 1)))).toContain("G1a")
    expect(kinds({ x: [1] }, undone(append("x", 1)))).toEqual(["G1a"])
  })

  it("finds G1b: half of what another wrote is read", () => {
    expect(kinds({ x: [1, 2] }, at(append("x", 1), append("x", 2)), at(read("x", 1)))).toContain("G1b")
  })

  it("finds G1c: two that read what the other wrote", () => {
    const one = at(append("x", 1), read("y", 2))
    const other = at(append("y", 2), read("x", 1))
    expect(kinds({ x: [1], y: [2] }, one, other)).toEqual(["G1c"])
  })

  it("finds G-single: one that sees a part of another", () => {
    const writer = at(append("x", 1), append("y", 2))
    const reader = at(read("x", 1), read("y"))
    expect(kinds({ x: [1], y: [2] }, writer, reader)).toEqual(["G-single"])
  })

  it("finds G-single: two that decide by one state and both write it", () => {
    const one = at(read("x"), append("x", 1))
    const other = at(read("x"), append("x", 2))
    expect(kinds({ x: [1, 2] }, one, other)).toEqual(["G-single"])
  })

  it("finds G2: two that do not see what the other wrote", () => {
    const one = at(read("x"), append("y", 1))
    const other = at(read("y"), append("x", 2))
    expect(kinds({ x: [2], y: [1] }, one, other)).toEqual(["G2"])
  })

  it("finds long cycles", () => {
    const ring = Array.from({ length: 50 }, (_, n) => at(append(`s${n}`, n), read(`s${(n + 49) % 50}`, (n + 49) % 50)))
    const streams = Object.fromEntries(ring.map((_, n) => [`s${n}`, [n]]))
    expect(kinds(streams, ...ring)).toEqual(["G1c"])
  })

  it("finds what time forbids", () => {
    const writer = during(0, 1, append("x", 1))
    expect(kinds({ x: [1] }, writer, during(2, 3, read("x")))).toEqual(["G-single-realtime"])
    const later = during(2, 3, append("x", 2))
    expect(kinds({ x: [2, 1] }, writer, later)).toContain("G0-realtime")
    // Also by way of a third, which had ended before one and begun after the other.
    const between = during(2, 3, append("z", 7))
    expect(kinds({ x: [2, 1], z: [7] }, writer, between, during(4, 5, append("x", 2)))).toContain("G0-realtime")
    const ahead = during(0, 1, read("x", 1))
    expect(kinds({ x: [1] }, ahead, during(2, 3, append("x", 1)))).toContain("G1c-realtime")
  })

  it("finds what was acknowledged and is not there", () => {
    expect(kinds({ x: [] }, at(append("x", 1)))).toEqual(["lost"])
  })

  it("finds reads that are no beginning", () => {
    const writers = [at(append("x", 1)), at(append("x", 2))]
    expect(kinds({ x: [1, 2] }, ...writers, at(read("x", 2)))).toContain("incompatible order")
    expect(kinds({ x: [1, 2] }, ...writers, at(read("x", 1, 2, 3)))).toContain("incompatible order")
  })

  it("finds who does not see what it wrote itself", () => {
    expect(kinds({ x: [1] }, at(append("x", 1), read("x")))).toContain("internal")
  })
})
