/**
 * Finds the TypeScript blocks of documents and of doc comments.
 */
import { parseSync } from "oxc-parser"

export interface Block {
  /** Where its first line of code is. */
  readonly file: string
  readonly line: number
  readonly code: string
  /** Whether it needs the code of the block before it. */
  readonly continues: boolean
  /** How far it is proven: run and type-checked, only type-checked, or neither; less than all has a reason. */
  readonly proof: "run" | "no-run" | "no-check"
  /** What is wrong with the words after its fence's language. */
  readonly problem: string | undefined
}

interface Line {
  readonly number: number
  readonly text: string
}

/** The blocks of a Markdown document. */
export const fromMarkdown = (file: string, text: string): ReadonlyArray<Block> =>
  blocks(
    file,
    text.split("\n").map((line, index) => ({ number: index + 1, text: line }))
  )

/** The blocks of the doc comments of a source file. */
export const fromSource = (file: string, text: string): ReadonlyArray<Block> =>
  parseSync(file, text)
    .comments.filter(({ type, value }) => type === "Block" && value.startsWith("*"))
    .flatMap(({ start, value }) => {
      const first = text.slice(0, start).split("\n").length
      const lines = value.split("\n").map((line, index) => ({
        number: first + index,
        text: line.replace(/^\s*\* ?/, "")
      }))
      return blocks(file, lines)
    })

const blocks = (file: string, lines: ReadonlyArray<Line>): ReadonlyArray<Block> => {
  const found: Array<Block> = []
  let open:
    | { readonly fence: string; readonly indent: number; readonly info: string; readonly code: Array<Line> }
    | undefined
  for (const line of lines) {
    const [, indent = "", fence = "", info = ""] = /^(\s*)(`{3,}|~{3,})\s*(.*?)\s*$/.exec(line.text) ?? []
    if (open === undefined) {
      if (fence !== "") open = { fence, indent: indent.length, info, code: [] }
    } else if (info === "" && fence.startsWith(open.fence)) {
      const block = toBlock(file, open.info, open.code, line.number)
      if (block !== undefined) found.push(block)
      open = undefined
    } else {
      const margin = open.indent
      open.code.push({ number: line.number, text: line.text.replace(/^\s*/, (space) => space.slice(margin)) })
    }
  }
  const unclosed = open === undefined ? undefined : toBlock(file, open.info, open.code, lines.length)
  return unclosed === undefined ? found : [...found, { ...unclosed, problem: "its fence is never closed" }]
}

const toBlock = (file: string, info: string, code: ReadonlyArray<Line>, end: number): Block | undefined => {
  const [language, ...words] = info.split(/\s+/)
  if (language !== "ts" && language !== "typescript") return undefined
  const continues = words[0] === "continues"
  const [proof = "run", ...reason] = continues ? words.slice(1) : words
  const known = proof === "run" || proof === "no-run" || proof === "no-check"
  const problem = !known
    ? `unknown word "${proof}" after the fence's language`
    : proof !== "run" && reason.length === 0
      ? `${proof} needs a reason: \`\`\`ts ${proof} because ...`
      : undefined
  return {
    file,
    line: code[0]?.number ?? end,
    code: code.map(({ text }) => text).join("\n"),
    continues,
    proof: known ? proof : "run",
    problem
  }
}
