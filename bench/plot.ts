/**
 * How something grows: as a table in Markdown, and as a picture that stands for itself and is readable on light and on dark.
 */

/** What something cost in one place, in milliseconds. */
export interface Point {
  readonly median: number
  readonly low: number
  readonly high: number
}

export interface Growth {
  readonly name: string
  /** One for each size. */
  readonly points: ReadonlyArray<Point>
}

const inWords = (size: number): string =>
  size >= 1e6 ? `${size / 1e6} M` : size >= 1e3 ? `${size / 1e3} k` : String(size)

const millis = (value: number): string => String(Number(value.toPrecision(value < 0.1 ? 2 : 3)))

/** A column for each size, and how much more the last costs than the first. */
export const table = (sizes: ReadonlyArray<number>, growths: ReadonlyArray<Growth>): string => {
  const rows = growths.map(({ name, points }) => {
    const times = (points.at(-1)?.median ?? Number.NaN) / (points[0]?.median ?? Number.NaN)
    return [name, ...points.map(({ median }) => millis(median)), `${times.toFixed(2)}x`]
  })
  const all = [["ms each, by events in the log", ...sizes.map(inWords), "last by first"], ...rows]
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  const line = (row: ReadonlyArray<string>) =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join(" | ")} |`
  const rule = `| ${widths.map((width, column) => (column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`
  const [head = [], ...body] = all
  return [line(head), rule, ...body.map(line)].join("\n")
}

// One small plot each, from zero: a flat line is what a log should have, whatever its unit.
const panel = { width: 260, height: 150, left: 16, top: 34, right: 16, bottom: 24 }
const columns = 3
const gap = 20

const style = `
  text { font: 12px system-ui, sans-serif; fill: #57606a }
  .title { font-weight: 600; fill: #1f2328 }
  .value { font-size: 11px; fill: #1f2328; paint-order: stroke; stroke: #ffffff; stroke-width: 3px }
  .axis { stroke: #d0d7de }
  .line { fill: none; stroke: #0969da; stroke-width: 2 }
  .spread { stroke: #0969da; stroke-width: 6; opacity: 0.25; stroke-linecap: round }
  .dot { fill: #0969da }
  .ground { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1 }
    .title { fill: #f0f6fc }
    .value { fill: #f0f6fc; stroke: #0d1117 }
    .axis { stroke: #3d444d }
    .line, .spread { stroke: #4493f8 }
    .dot { fill: #4493f8 }
    .ground { fill: #0d1117 }
  }`

const escape = (text: string): string => text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`)

const drawn = (sizes: ReadonlyArray<number>, { name, points }: Growth): string => {
  const { bottom, height, left, right, top, width } = panel
  const most = Math.max(...points.map(({ high, median }) => Math.max(Math.min(high, 2 * median), median))) * 1.1
  const [first = 1, last = first] = [sizes[0], sizes.at(-1)]
  const span = Math.log(last / first) || 1
  const inset = 22
  const x = (size: number) => left + inset + (Math.log(size / first) / span) * (width - left - right - 2 * inset)
  const y = (value: number) => top + (1 - Math.min(1, value / most)) * (height - top - bottom)
  const at = points.map((point, index) => ({ ...point, size: sizes[index] ?? first }))
  const round = (value: number) => value.toFixed(1)
  return [
    `<text class="title" x="${left}" y="14">${escape(name)}</text>`,
    `<line class="axis" x1="${left}" x2="${width - right}" y1="${y(0)}" y2="${y(0)}"/>`,
    ...at.map(
      ({ high, low, size }) =>
        `<line class="spread" x1="${round(x(size))}" x2="${round(x(size))}" y1="${round(y(low))}" y2="${round(y(high))}"/>`
    ),
    `<polyline class="line" points="${at.map(({ median, size }) => `${round(x(size))},${round(y(median))}`).join(" ")}"/>`,
    ...at.flatMap(({ median, size }) => [
      `<circle class="dot" cx="${round(x(size))}" cy="${round(y(median))}" r="3.5"/>`,
      `<text class="value" x="${round(x(size))}" y="${round(Math.max(y(median) - 9, top - 8))}" text-anchor="middle">${millis(median)} ms</text>`,
      `<text x="${round(x(size))}" y="${height - 7}" text-anchor="middle">${inWords(size)}</text>`
    ])
  ].join("\n")
}

export const plot = (sizes: ReadonlyArray<number>, growths: ReadonlyArray<Growth>): string => {
  const rows = Math.ceil(growths.length / columns)
  const width = columns * panel.width + (columns - 1) * gap
  const height = rows * panel.height + (rows - 1) * gap + 28
  const panels = growths.map((growth, index) => {
    const [left, top] = [(index % columns) * (panel.width + gap), Math.floor(index / columns) * (panel.height + gap)]
    return `<g transform="translate(${left} ${top + 8})">\n${drawn(sizes, growth)}\n</g>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Milliseconds each, by events in the log">`,
    `<style>${style}\n</style>`,
    `<rect class="ground" width="${width}" height="${height}"/>`,
    ...panels,
    `<text x="${panel.left}" y="${height - 6}">Milliseconds each, median and spread of the rounds, by how many events are in the log.</text>`,
    "</svg>\n"
  ].join("\n")
}
