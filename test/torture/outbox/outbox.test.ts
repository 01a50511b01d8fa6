import { describe, expect, it } from "@effect/vitest"
import { checkTorture } from "../check.ts"
import { judge } from "./sink.ts"
import { torture } from "./torture.ts"

describe("what waits in an outbox", () => {
  checkTorture(torture, 4)

  it("is judged by what was committed and by the order of keys", () => {
    const [a1, a2, b1, free] = [
      { id: "1", key: "a", n: 1 },
      { id: "2", key: "a", n: 2 },
      { id: "3", key: "b", n: 1 },
      { id: "4", key: undefined, n: 9 }
    ] as const
    const sent = [a1, a2, b1, free]
    expect(judge(sent, [free, b1, a1, a2])).toEqual([])
    expect(judge(sent, [a1, a1, a2, a1, b1, free])).toEqual([])
    expect(judge(sent, [a2, a1, b1, free])).toEqual(["1 of a was received after 2"])
    expect(judge(sent, [a1, a2, free])).toEqual(["1 of b (3) was never received"])
    expect(judge([a1], [a1, b1])).toEqual(["3 was received, and its transaction was rolled back"])
  })
})
