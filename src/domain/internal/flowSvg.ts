/** Flows as pictures: one row for each step, and lines from causes to what they caused. */
import { deepest, ending, type Flow, type Line, linesOf, printable, title } from "./flowText.ts"

const row = 40
const indent = 28
const top = 48

export const svg = (flow: Flow): string => {
  const lines = linesOf(flow)
  const heading = `flow ${printable(flow.correlationId)}`
  const width = lines.reduce(
    (widest, line) => Math.max(widest, left(line) + widthOf(line) + 16),
    heading.length * 9 + 32
  )
  const height = top + Math.max(lines.length, 1) * row + 8
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escape(heading)}</title>`,
    `<style>${style}</style>`,
    `<rect class="page" width="${width}" height="${height}"/>`,
    `<text class="heading" x="16" y="28">${escape(heading)}</text>`,
    ...edges(lines),
    ...lines.map(box),
    ...(lines.length === 0 ? [`<text class="end" x="16" y="${top + 20}">nothing is known of it</text>`] : []),
    `</svg>`
  ].join("\n")
}

const left = ({ depth }: Line): number => 16 + Math.min(depth, deepest) * indent

// Wide enough for characters of any width a monospaced font has in this size.
const widthOf = (line: Line): number => 32 + Math.max(columns(title(line)), columns(ending(line.node))) * 8

const columns = (text: string): number => {
  let count = 0
  for (const character of text) count += (character.codePointAt(0) ?? 0) < 0x1100 ? 1 : 2
  return count
}

const box = (line: Line, index: number): string => {
  const { node } = line
  const x = left(line)
  const y = top + index * row
  const kind = node.step?.kind ?? "unknown"
  const outcome = node.step?.outcome?._tag.toLowerCase() ?? "none"
  const end = ending(node)
  return [
    `<g class="${kind} ${outcome}">`,
    `<rect class="box" x="${x}" y="${y}" width="${widthOf(line)}" height="${row - 6}" rx="6"/>`,
    `<text x="${x + 12}" y="${y + (end === "" ? 21 : 15)}">${escape(title(line))}</text>`,
    ...(end === "" ? [] : [`<text class="end" x="${x + 12}" y="${y + 28}">${escape(end)}</text>`]),
    `</g>`
  ].join("")
}

const edges = (lines: ReadonlyArray<Line>): ReadonlyArray<string> => {
  const lastAt: Array<number> = []
  return lines.flatMap((line, index) => {
    const { depth } = line
    lastAt[depth] = index
    const parent = lastAt[depth - 1]
    if (depth === 0 || parent === undefined) return []
    const x = left(line) - indent / 2
    return [`<path class="edge" d="M${x} ${top + parent * row + row - 6}V${top + index * row + 17}H${left(line)}"/>`]
  })
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}

const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character] ?? character)

const style =
  `text{font:13px ui-monospace,monospace;fill:#1f2328}.heading{font-weight:600;font-size:15px}.end{font-size:11px;fill:#59636e}` +
  `.page{fill:#fff}.box{fill:#f6f8fa;stroke:#59636e}.edge{fill:none;stroke:#818b98}` +
  `.command .box,.query .box{stroke:#0969da}.event .box{stroke:#9a6700}.handler .box{stroke:#8250df}` +
  `.unknown .box{stroke-dasharray:4 3}.refused .end{fill:#9a6700}.failed .end{fill:#cf222e}` +
  `@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.end{fill:#9198a1}.page{fill:#0d1117}.box{fill:#151b23;stroke:#9198a1}` +
  `.edge{stroke:#656c76}.command .box,.query .box{stroke:#4493f8}.event .box{stroke:#d29922}.handler .box{stroke:#ab7df8}` +
  `.refused .end{fill:#d29922}.failed .end{fill:#f85149}}`
