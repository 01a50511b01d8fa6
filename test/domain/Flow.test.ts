import { describe, expect, it } from "@effect/vitest"
import * as Flow from "../../src/domain/Flow.ts"

const steps: ReadonlyArray<Flow.Step> = [
  { id: "c1", kind: "command", name: "Place", at: 1, outcome: { _tag: "Succeeded", millis: 4, attempts: 1 } },
  { id: "e1", kind: "event", name: "Placed", causationId: "c1", at: 2, place: "Order-1@1" },
  { id: "e1/mails", kind: "handler", name: "mails", causationId: "e1", at: 3, outcome: failed(1) },
  { id: "e1/mails", kind: "handler", name: "mails", causationId: "e1", at: 4, outcome: failed(2) },
  {
    id: "c2",
    kind: "command",
    name: "Bill",
    causationId: "e1",
    at: 5,
    outcome: { _tag: "Refused", error: "NoFunds", millis: 0, attempts: 1 }
  },
  { id: "e9", kind: "event", name: "Stray", causationId: "gone", at: 6 }
]

function failed(attempts: number): Flow.Outcome {
  return { _tag: "Failed", error: "TypeError", millis: 2, attempts }
}

const golden = `flow r-1
├─ command Place: succeeded in 4 ms
│  └─ event Placed (Order-1@1)
│     ├─ handler mails: failed with TypeError in 2 ms, attempt 2
│     └─ command Bill: refused with NoFunds in 0 ms
└─ unknown cause gone
   └─ event Stray`

/** Whether every element is closed in its order, and text and attributes hold no bare markup. */
const wellFormed = (xml: string): boolean => {
  const open: Array<string> = []
  const rest = xml.replace(
    /<(\/?)([a-z]+)((?: [a-zA-Z]+="[^"<&]*")*)(\/?)>/g,
    (_, end: string, name: string, _a, self) => {
      if (end === "/") return open.pop() === name ? "" : "<"
      if (self !== "/") open.push(name)
      return ""
    }
  )
  return open.length === 0 && !/[<>]|&(?!(?:amp|lt|gt|quot|#39);)/.test(rest)
}

describe("Flow", () => {
  it("is a tree of causes, in whichever order its steps come, each once", () => {
    expect(Flow.toText(Flow.make("r-1", steps))).toBe(golden)
    expect(Flow.toText(Flow.make("r-1", [...steps, ...steps].reverse()))).toBe(golden)
  })

  it("has no roots when nothing is known", () => {
    const flow = Flow.make("r-2", [])
    expect(flow.roots).toEqual([])
    expect(Flow.toText(flow)).toBe("flow r-2\nnothing is known of it")
    expect(wellFormed(Flow.toSvg(flow))).toBe(true)
  })

  it("begins a circle of causes at its earliest step", () => {
    const flow = Flow.make("r", [
      { id: "b", kind: "event", name: "B", causationId: "a", at: 2 },
      { id: "a", kind: "event", name: "A", causationId: "b", at: 1 },
      { id: "self", kind: "event", name: "Self", causationId: "self", at: 3 }
    ])
    expect(Flow.toText(flow)).toBe("flow r\n├─ event A\n│  └─ event B\n└─ event Self")
  })

  it("bears a chain of causes deeper than the stack, and draws it no wider than can be read", () => {
    const chain = Array.from(
      { length: 10_000 },
      (_, n): Flow.Step => ({
        id: `${n}`,
        kind: "event",
        name: "E",
        causationId: n === 0 ? undefined : `${n - 1}`,
        at: n
      })
    )
    const flow = Flow.make("r", chain)
    const lines = Flow.toText(flow).split("\n")
    expect(lines.length).toBe(10_001)
    expect([lines[61], lines[62], lines.at(-1)]).toEqual([
      `${" ".repeat(180)}└─ event E`,
      `${" ".repeat(180)}└─ [61] event E`,
      `${" ".repeat(180)}└─ [9999] event E`
    ])
    const svg = Flow.toSvg(flow)
    expect(svg.match(/class="edge"/g)?.length).toBe(9999)
    expect(Number(/ width="(\d+)"/.exec(svg)?.[1])).toBeLessThan(2500)
  })

  it("bears ten thousand effects of one cause", () => {
    const steps = Array.from(
      { length: 10_000 },
      (_, n): Flow.Step => ({
        id: `${n}`,
        kind: "event",
        name: "E",
        causationId: "c",
        at: n
      })
    )
    const flow = Flow.make("r", steps.concat({ id: "c", kind: "command", name: "C", at: 0 }))
    expect(flow.roots[0]?.children.length).toBe(10_000)
    expect(Flow.toText(flow).split("\n").length).toBe(10_002)
    expect(wellFormed(Flow.toSvg(flow))).toBe(true)
  })

  it("is a picture that is well-formed, needs nothing else, and is the same each time", () => {
    const svg = Flow.toSvg(Flow.make("r-1", steps))
    expect(wellFormed(svg)).toBe(true)
    expect(svg).toContain("prefers-color-scheme:dark")
    expect(svg).not.toMatch(/href|url\(|@import|<script/)
    expect(Flow.toSvg(Flow.make("r-1", [...steps].reverse()))).toBe(svg)
    expect(svg.match(/class="box"/g)?.length).toBe(6)
    expect(svg.match(/class="edge"/g)?.length).toBe(4)
  })

  it("escapes what names hold, and keeps each on its line", () => {
    const evil = `</text><script>alert("1")</script>&'\n\u001b[31m\u0000\ud800\u202e`
    const flow = Flow.make(evil, [{ id: "1", kind: "command", name: evil, at: 0, place: evil }])
    const svg = Flow.toSvg(flow)
    expect(wellFormed(svg)).toBe(true)
    expect(svg).not.toContain("<script")
    expect(Flow.toText(flow).split("\n").length).toBe(2)
    for (const bad of ["\u001b", "\u202e"]) expect(Flow.toText(flow)).not.toContain(bad)
  })
})
