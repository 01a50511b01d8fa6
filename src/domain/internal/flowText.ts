/** Flows as lines. The shapes are said again here, so that no module depends on who depends on it. */

interface Step {
  readonly kind: string
  readonly name: string
  readonly place?: string | undefined
  readonly outcome?:
    | {
        readonly _tag: string
        readonly error?: string | undefined
        readonly millis: number
        readonly attempts: number
      }
    | undefined
}

export interface Node {
  readonly id: string
  readonly step: Step | undefined
  readonly children: ReadonlyArray<Node>
}

export interface Flow {
  readonly correlationId: string
  readonly roots: ReadonlyArray<Node>
}

export interface Line {
  readonly node: Node
  /** How many causes are above it. */
  readonly depth: number
  /** Whether more of its level follows. */
  readonly follows: boolean
  /** What is drawn before it, of the levels above. */
  readonly above: string
}

/** Deeper levels are not moved further to the right: a long chain of causes would be as wide as it is long. */
export const deepest = 60

/** All nodes from top to bottom. */
export const linesOf = (flow: Flow): ReadonlyArray<Line> => {
  const lines: Array<Line> = []
  const open: Array<Line> = []
  const push = (nodes: ReadonlyArray<Node>, depth: number, above: string) => {
    for (let index = nodes.length - 1; index >= 0; index--) {
      const node = nodes[index]
      if (node !== undefined) open.push({ node, depth, follows: index < nodes.length - 1, above })
    }
  }
  push(flow.roots, 0, "")
  for (let line = open.pop(); line !== undefined; line = open.pop()) {
    lines.push(line)
    const { above, depth, follows, node } = line
    push(node.children, depth + 1, depth < deepest ? above + (follows ? "│  " : "   ") : above)
  }
  return lines
}

export const title = ({ depth, node: { id, step } }: Line): string => {
  const level = depth > deepest ? `[${depth}] ` : ""
  if (step === undefined) return `${level}unknown cause ${printable(id)}`
  const place = step.place === undefined ? "" : ` (${printable(step.place)})`
  return `${level}${step.kind} ${printable(step.name)}${place}`
}

export const ending = ({ step }: Node): string => {
  const outcome = step?.outcome
  if (outcome === undefined) return ""
  const error = outcome.error === undefined ? "" : ` with ${printable(outcome.error)}`
  const attempts = outcome.attempts > 1 ? `, attempt ${outcome.attempts}` : ""
  return `${outcome._tag.toLowerCase()}${error} in ${outcome.millis} ms${attempts}`
}

// A name with a line break, or with what steers a terminal or turns what follows around, stays on its line and steers nothing.
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cs}\u2028-\u202e\u2066-\u2069\ufffe\uffff]/gu, "\ufffd")

export const text = (flow: Flow): string => {
  const lines = linesOf(flow).map((line) => {
    const end = ending(line.node)
    return `${line.above}${line.follows ? "├─" : "└─"} ${title(line)}${end === "" ? "" : `: ${end}`}`
  })
  return [`flow ${printable(flow.correlationId)}`, ...(lines.length === 0 ? ["nothing is known of it"] : lines)].join(
    "\n"
  )
}
