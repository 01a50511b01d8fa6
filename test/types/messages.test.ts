// Types are tested by compiling: a wrong program must not compile, and what the compiler says must help. The text after
// `@ts-expect-error:` stands in the compiler's own words; here it is compared with them.
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as tree from "../../scripts/tree.ts"

const here = import.meta.dirname
const files = fs.readdirSync(here).filter((file) => file.endsWith(".test-d.ts"))

interface Refusal {
  readonly file: string
  readonly line: number
  readonly words: string
}

const expectedIn = (file: string): ReadonlyArray<Refusal> =>
  fs
    .readFileSync(path.join(here, file), "utf8")
    .split("\n")
    .flatMap((text, index) => {
      const words = /@ts-expect-error: (.+)$/.exec(text)?.[1]
      // The error is on the line after the directive; lines count from 1.
      return words === undefined ? [] : [{ file, line: index + 2, words }]
    })

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "effect-cqrs-types-"))
afterAll(() => fs.rmSync(folder, { recursive: true }))

/** What the compiler says when nothing is expected, by file and line. */
const said = new Map<string, string>()

beforeAll(() => {
  const copies = path.join(folder, "test/types")
  fs.mkdirSync(copies, { recursive: true })
  for (const name of ["src", "node_modules"]) fs.symlinkSync(path.join(tree.root, name), path.join(folder, name))
  for (const file of fs.readdirSync(here)) {
    const text = fs.readFileSync(path.join(here, file), "utf8")
    fs.writeFileSync(path.join(copies, file), text.replaceAll("@ts-expect-error", "expected"))
  }
  const { compilerOptions } = JSON.parse(fs.readFileSync(path.join(tree.root, "tsconfig.json"), "utf8"))
  const config = { compilerOptions: { ...compilerOptions, plugins: [] }, include: ["test/types/*.test-d.ts"] }
  fs.writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify(config))
  fs.writeFileSync(path.join(folder, "package.json"), JSON.stringify({ type: "module" }))

  const compiler = path.join(tree.root, "node_modules/typescript/bin/tsc")
  const { stdout } = spawnSync(process.execPath, [compiler, "-p", folder, "--pretty", "false"], {
    cwd: folder,
    encoding: "utf8"
  })
  let at = ""
  for (const line of stdout.split("\n")) {
    const head = /^test\/types\/(.+)\((\d+),\d+\): error/.exec(line)
    if (head !== null) at = `${head[1]}:${head[2]}`
    else if (!line.startsWith(" ")) at = line
    said.set(at, `${said.get(at) ?? ""}${line}\n`)
  }
}, 60_000)

describe.each(files)("%s", (file) => {
  const refusals = expectedIn(file)

  it.each(refusals)("line $line is refused in these words: $words", ({ line, words }) => {
    expect(said.get(`${file}:${line}`)).toContain(words)
  })

  it("is refused nowhere else", () => {
    const lines = new Set(refusals.map(({ line }) => `${file}:${line}`))
    expect(Array.from(said.keys()).filter((at) => at.startsWith(file) && !lines.has(at))).toEqual([])
  })

  it("says of each wrong program what the compiler says", () => {
    const text = fs.readFileSync(path.join(here, file), "utf8")
    expect(text.match(/@ts-expect-error/g)?.length ?? 0).toBe(refusals.length)
  })
})
