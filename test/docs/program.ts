/**
 * Makes programs of blocks: imports lead to the sources, and each `// =>` becomes an expectation.
 */
import { type Node, parseSync, Visitor } from "oxc-parser"
import type { Block } from "./extract.ts"

export interface Program {
  /** Where its block is. */
  readonly name: string
  readonly proof: Block["proof"]
  /** As many lines as the blocks it was made of, and one that imports the expectations. */
  readonly code: string
  /** Where each line of it came from. */
  readonly origins: ReadonlyArray<string>
  /** The key of each expectation. */
  readonly expectations: ReadonlyArray<string>
  /** What is wrong with it as it is written. */
  readonly problems: ReadonlyArray<string>
}

/** The package whose name leads to sources. */
export interface Package {
  readonly name: string
  /** Specifier to path, relative to the folder the programs are in. */
  readonly modules: ReadonlyMap<string, string>
}

/** Programs of all blocks of one file, in order; one that continues begins with the code of those before it. */
export const programs = (blocks: ReadonlyArray<Block>, self: Package): ReadonlyArray<Program> => {
  const chains: Array<ReadonlyArray<Block>> = []
  return blocks.map((block) => {
    const chain = block.continues ? [...(chains.at(-1) ?? []), block] : [block]
    chains.push(chain)
    const name = `${block.file}:${block.line}`
    const origins = chain.flatMap(({ code, file, line }) =>
      code.split("\n").map((_, index) => `${file}:${line + index}`)
    )
    const rewritten = rewrite(chain.map(({ code }) => code).join("\n"), name, origins, self)
    const missing = block.continues && chain.length === 1 ? [`${name}: continues, but is the first of its file`] : []
    const problems = chain.flatMap(({ file, line, problem }) =>
      problem === undefined ? [] : [`${file}:${line}: ${problem}`]
    )
    // What depends on code that is not run or not checked cannot be either.
    const proofs = new Set(chain.map(({ proof }) => proof))
    const proof = proofs.has("no-check") ? "no-check" : proofs.has("no-run") ? "no-run" : "run"
    return { ...rewritten, name, proof, origins, problems: [...missing, ...problems, ...rewritten.problems] }
  })
}

interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

type Statement = Extract<Node, { readonly type: "ExpressionStatement" | "VariableDeclaration" | "ReturnStatement" }>

const rewrite = (
  code: string,
  name: string,
  origins: ReadonlyArray<string>,
  self: Package
): Pick<Program, "code" | "expectations" | "problems"> => {
  const { comments, errors, module, program } = parseSync("block.ts", code)
  const origin = (offset: number) => origins[code.slice(0, offset).split("\n").length - 1] ?? name
  if (errors.length > 0) {
    const problems = errors.map(({ labels, message }) => `${origin(labels[0]?.start ?? 0)}: ${message}`)
    return { code, expectations: [], problems }
  }

  const edits: Array<Edit> = []
  const expectations: Array<string> = []
  const problems: Array<string> = []

  const redirect = (specifier: string, start: number, end: number) => {
    if (specifier !== self.name && !specifier.startsWith(`${self.name}/`)) return
    const target = self.modules.get(specifier)
    if (target === undefined) problems.push(`${origin(start)}: ${specifier} is not exported`)
    else edits.push({ start, end, text: JSON.stringify(target) })
  }
  for (const { moduleRequest } of module.staticImports) {
    redirect(moduleRequest.value, moduleRequest.start, moduleRequest.end)
  }
  for (const { entries } of module.staticExports) {
    const request = entries[0]?.moduleRequest
    if (request !== null && request !== undefined) redirect(request.value, request.start, request.end)
  }

  const statements: Array<Statement> = []
  new Visitor({
    ImportExpression: ({ source }) => {
      if (source.type === "Literal" && typeof source.value === "string") {
        redirect(source.value, source.start, source.end)
      }
    },
    ExpressionStatement: (statement) => void statements.push(statement),
    VariableDeclaration: (statement) => void statements.push(statement),
    ReturnStatement: (statement) => void statements.push(statement)
  }).visit(program)

  for (const [index, comment] of comments.entries()) {
    const first = /^\s*=>\s*(.*)$/.exec(comment.value)?.[1]
    if (comment.type !== "Line" || first === undefined) continue
    const where = origin(comment.start)
    const expected = [first, ...continuation(code, comments.slice(index))].join(" ").trim()
    const key = `${name} ${where}`
    const made = expectation(key, expected, code, comment.start, statements)
    if (typeof made === "string") problems.push(`${where}: ${made}`)
    else {
      edits.push(...made)
      expectations.push(key)
    }
  }

  const rewritten = edits
    .sort((a, b) => b.start - a.start)
    .reduce((text, { end, start, text: by }) => text.slice(0, start) + by + text.slice(end), code)
  // At the end, so that lines keep their numbers.
  const helpers = `import { equals as __equals, prints as __prints } from "../test/docs/expectations.ts"\n`
  return { code: `${rewritten}\n${helpers}`, expectations, problems }
}

/** A long value goes on in the comment lines below that are indented by two spaces or more. */
const continuation = (code: string, comments: ReadonlyArray<{ start: number; end: number; value: string }>) => {
  const more: Array<string> = []
  for (const [index, comment] of comments.entries()) {
    const next = comments[index + 1]
    if (next === undefined || !/^\n\s*$/.test(code.slice(comment.end, next.start)) || !/^ {2,}\S/.test(next.value))
      break
    more.push(next.value.trim())
  }
  return more
}

/** The edits that make an expectation of a comment, or what is wrong with it. */
const expectation = (
  key: string,
  expected: string,
  code: string,
  at: number,
  statements: ReadonlyArray<Statement>
): ReadonlyArray<Edit> | string => {
  const statement = statements.find(({ end }) => end <= at && /^[ \t;]*(\n[ \t]*)?$/.test(code.slice(end, at)))
  if (statement === undefined) return "// => stands behind nothing that has a value"
  const id = JSON.stringify(key)

  if (statement.type === "ExpressionStatement" && statement.expression.type === "CallExpression") {
    const { callee } = statement.expression
    if (/^console\.\w+$/.test(code.slice(callee.start, callee.end))) {
      return [{ start: callee.start, end: callee.end, text: `__prints(${id}, ${JSON.stringify(expected)})` }]
    }
  }

  if (parseSync("value.ts", `(${expected})`).errors.length > 0) return `// => ${expected} is not an expression`
  if (statement.type === "VariableDeclaration") {
    const [variable, ...others] = statement.declarations
    if (variable?.id.type !== "Identifier" || others.length > 0) return "// => stands behind more than one variable"
    return [{ start: statement.end, end: statement.end, text: `; __equals(${id}, ${variable.id.name}, (${expected}))` }]
  }
  const value = statement.type === "ReturnStatement" ? statement.argument : statement.expression
  if (value === null) return "// => stands behind nothing that has a value"
  return [
    { start: value.start, end: value.start, text: `__equals(${id}, (` },
    { start: value.end, end: value.end, text: `), (${expected}))` }
  ]
}
