import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import * as tree from "../scripts/tree.ts"
import { fromMarkdown, fromSource } from "./docs/extract.ts"
import { type Package, type Program, programs } from "./docs/program.ts"
import { verify } from "./docs/verify.ts"
import { databaseUrls } from "./services/database.ts"

const database = databaseUrls()
const { name } = tree.packageJson()
const self: Package = {
  name,
  modules: new Map(
    [...tree.entries(tree.sources())].map(([subpath, source]) => [name + subpath.slice(1), `../src/${source}`])
  )
}

const programsOf = (file: string, text: string): ReadonlyArray<Program> =>
  programs(file.endsWith(".ts") ? fromSource(file, text) : fromMarkdown(file, text), self)

describe("the documentation", () => {
  const documents = fs
    .globSync(["README.md", "docs/**/*.md", "src/**/*.ts"], { cwd: tree.root })
    .map((file) => file.replaceAll(path.sep, "/"))
    .sort()
  const all = documents.flatMap((file) => programsOf(file, fs.readFileSync(path.join(tree.root, file), "utf8")))
  let failures: ReadonlyMap<string, ReadonlyArray<string>> = new Map()
  beforeAll(async () => {
    failures = await verify(all, { database })
  }, 300_000)

  it.each(all.map((program) => [`${program.name} (${program.proof})`, program] as const))("%s", (_, program) => {
    expect(failures.get(program.name)?.join("\n")).toBe("")
  })
})

const fenced = (...code: ReadonlyArray<string>) => ["```ts", ...code, "```"].join("\n")

describe("blocks", () => {
  it("are found in Markdown with their place, without their margin", () => {
    const text = ["# Title", "", "- item", "  ```ts", "  const a = 1", "    + 1", "  ```", "```sh", "ls", "```"].join(
      "\n"
    )
    expect(fromMarkdown("a.md", text)).toEqual([
      {
        file: "a.md",
        line: 5,
        code: "const a = 1\n  + 1",
        continues: false,
        proof: "run",
        problem: undefined
      }
    ])
  })

  it("are not found in other blocks", () => {
    expect(fromMarkdown("a.md", ["````md", "```ts", "1", "```", "````"].join("\n"))).toEqual([])
  })

  it("are found in doc comments with their place, not in strings and other comments", () => {
    const text = [
      'const s = "/** \\n```ts\\nwrong\\n``` */"',
      "/*",
      " * ```ts",
      " * wrong",
      " * ```",
      " */",
      "  /**",
      "   * Adds.",
      "   *",
      "   * ```ts",
      "   * const a = 1",
      "   *",
      "   * a + 1",
      "   * ```",
      "   */",
      "const add = 1"
    ].join("\n")
    expect(fromSource("a.ts", text)).toMatchObject([{ line: 11, code: "const a = 1\n\na + 1" }])
  })

  it("have an end", () => {
    const [block] = fromMarkdown("a.md", "```ts\n1\n2")
    expect(block).toMatchObject({ line: 2, code: "1\n2", problem: "its fence is never closed" })
  })

  it("say why they are not run", () => {
    const found = fromMarkdown(
      "a.md",
      "```ts no-run needs a broker\n1\n```\n```ts no-run\n1\n```\n```ts nonsense\n1\n```"
    )
    expect(found.map(({ problem, proof }) => [proof, problem])).toEqual([
      ["no-run", undefined],
      ["no-run", expect.stringContaining("no-run needs a reason")],
      ["run", expect.stringContaining(`unknown word "nonsense"`)]
    ])
  })
})

describe("proof", () => {
  const prove = async (text: string) => {
    const all = programsOf("sample.md", text)
    const failures = await verify(all, { database, timeout: 3_000 })
    return all.map((program) => failures.get(program.name))
  }

  it("accepts what is true", async () => {
    const text = fenced(
      `import * as Effect from "effect/Effect"`,
      `import * as Option from "effect/Option"`,
      "",
      "1 + 1 // => 2",
      "const list = [1, 2].map((n) => n * 2) // => [2, 4]",
      "list.map((n) => ({",
      "  n",
      "}))",
      "// => [",
      "//   { n: 2 },",
      "//   { n: 4 }",
      "// ]",
      "Option.some(1) // => Option.some(1)",
      "class Point { readonly x: number = 1 }",
      "new Point() // => { x: 1 }",
      `console.log("a", { b: 1 }) // => a { b: 1 }`,
      "const program = Effect.gen(function* () {",
      "  yield* Effect.succeed(3) // => 3",
      "  return 4 // => 4",
      "})",
      "await Effect.runPromise(program) // => 4",
      "void Effect.runPromise(Effect.delay(program, 50))"
    ).replace("// ]", "//   ]")
    expect(await prove(text)).toEqual([[]])
  })

  it.each([
    ["a wrong value", "1 + 1 // => 3", "sample.md:2: expected 3, got 2"],
    ["a wrong variable", "const a = [1] // => [2]", "sample.md:2: expected [ 2 ], got [ 1 ]"],
    ["a wrong print", `console.log("a") // => b`, "sample.md:2: expected b, got a"],
    ["a value with other fields", "({ a: 1, b: 2 }) // => { a: 1 }", "sample.md:2: expected { a: 1 }"],
    ["a value that is no expression", "1 // => one (or so", "sample.md:2: // => one (or so is not an expression"],
    ["a value of nothing", "type A = 1 // => 1", "sample.md:2: // => stands behind nothing"],
    ["what is never reached", "export const f = () => {\n  f() // => 1\n}", "sample.md:3: never reached"],
    ["an exception", "\nthrow new Error('oh')", "sample.md:3: Error: oh"],
    ["a rejection", "void Promise.reject(new Error('oh'))", "sample.md:2: Error: oh"],
    ["a late rejection", "setTimeout(() => Promise.reject(new Error('oh')), 50)", "sample.md:2: Error: oh"],
    ["a crash", "process.kill(process.pid, 'SIGKILL')", "ended the process with SIGKILL"],
    ["the end of the process", "process.exit(0)", "ended the process with 0"],
    ["a hang", "for (;;) {}", "did not end within 3000 ms"],
    ["bad grammar", "const = 1", "sample.md:2: "],
    ["an unknown module", `import "effect-cqrs/Nothing"`, "sample.md:2: effect-cqrs/Nothing is not exported"]
  ])("refuses %s", async (_, code, message) => {
    const [failures] = await prove(fenced(code))
    expect(failures?.join("\n")).toContain(message)
  })

  it("refuses a wrong type, run or not", async () => {
    const wrong = `const a: number = "a"\n`
    const [run, notRun, unchecked] = await prove(
      `\`\`\`ts\n${wrong}\`\`\`\n\`\`\`ts no-run because\n${wrong}\`\`\`\n\`\`\`ts no-check because\n${wrong}\`\`\``
    )
    expect(run).toEqual([expect.stringContaining("sample.md:2: error TS2322")])
    expect(notRun).toEqual([expect.stringContaining("sample.md:5: error TS2322")])
    expect(unchecked).toEqual([])
  })

  it("continues the block before", async () => {
    const text = `${fenced("const a = 1")}\n\`\`\`ts continues\na // => 2\n\`\`\`\n${fenced("a")}`
    const [first, second, third] = await prove(text)
    expect(first).toEqual([])
    expect(second).toEqual(["sample.md:5: expected 2, got 1"])
    expect(third?.join("\n")).toContain("a is not defined")
  })

  it("gives a database to who asks for one", async () => {
    const text = fenced("new URL(process.env['DATABASE_URL'] ?? '').pathname.slice(0, 6) // => '/test_'")
    expect(await prove(text)).toEqual([[]])
  })
})
