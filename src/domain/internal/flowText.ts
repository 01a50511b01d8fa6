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
  /** For each level, whether more of it follows; the last is the node's own. */
  readonly more: ReadonlyArray<boolean>
}

/** All nodes from top to bottom. */
export const linesOf = (flow: Flow): ReadonlyArray<Line> => {
  const lines: Array<Line> = []
  const open: Array<Line> = []
  const push = (nodes: ReadonlyArray<Node>, above: ReadonlyArray<boolean>) => {
    for (let index = nodes.length - 1; index >= 0; index--) {
      const node = nodes[index]
      if (node !== undefined) open.push({ node, more: [...above, index < nodes.length - 1] })
    }
  }
  push(flow.roots, [])
  for (let line = open.pop(); line !== undefined; line = open.pop()) {
    lines.push(line)
    push(line.node.children, line.more)
  }
  return lines
}

export const title = ({ id, step }: Node): string => {
  if (step === undefined) return `unknown cause ${printable(id)}`
  const place = step.place === undefined ? "" : ` (${printable(step.place)})`
  return `${step.kind} ${printable(step.name)}${place}`
}

export const ending = ({ step }: Node): string => {
  const outcome = step?.outcome
  if (outcome === undefined) return ""
  const error = outcome.error === undefined ? "" : ` with ${printable(outcome.error)}`
  const attempts = outcome.attempts > 1 ? `, attempt ${outcome.attempts}` : ""
  return `${outcome._tag.toLowerCase()}${error} in ${outcome.millis} ms${attempts}`
}

// A name with a line break, or with what steers a terminal, stays on its line and steers nothing.
export const printable = (text: string): string => text.replace(/[\p{Cc}\u2028\u2029\p{Cs}\ufffe\uffff]/gu, "\ufffd")

export const text = (flow: Flow): string => {
  const lines = linesOf(flow).map(({ more, node }) => {
    const above = more.slice(0, -1).map((follows) => (follows ? "│  " : "   "))
    const end = ending(node)
    return `${above.join("")}${more.at(-1) === true ? "├─" : "└─"} ${title(node)}${end === "" ? "" : `: ${end}`}`
  })
  return [`flow ${printable(flow.correlationId)}`, ...(lines.length === 0 ? ["nothing is known of it"] : lines)].join(
    "\n"
  )
}
