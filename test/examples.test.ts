import { describe, expect, it, vi } from "@effect/vitest"
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { root, sourceCondition } from "../scripts/tree.ts"
import { databaseUrls } from "./services/database.ts"

/** The examples that do not print the same each time, and why. */
const unprinted: Record<string, string> = {}

vi.setConfig({ maxConcurrency: 2 })
const database = databaseUrls()

/** What an example says that it prints: the comment lines at its end, after `// prints:`. */
const promised = (text: string): string | undefined =>
  /^\/\/ prints:\n((?:\/\/.*\n?)*)\s*$/m
    .exec(text)?.[1]
    ?.replace(/^\/\/ ?/gm, "")
    .trimEnd()

interface Ran {
  readonly code: number | string | null
  readonly stdout: string
  readonly stderr: string
}

const run = async (file: string, env: NodeJS.ProcessEnv): Promise<Ran> =>
  new Promise((resolve) => {
    const options = { cwd: root, env: { ...process.env, ...env, NO_COLOR: "1" }, timeout: 25_000 }
    const child = execFile(
      process.execPath,
      [`--conditions=${sourceCondition}`, file],
      options,
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : (child.exitCode ?? child.signalCode), stdout, stderr })
      }
    )
  })

const prove = async (file: string): Promise<void> => {
  const text = fs.readFileSync(path.join(root, file), "utf8")
  const expected = promised(text)
  const reason = unprinted[path.basename(file)]
  expect(expected ?? reason, "has neither a // prints: block at its end nor a reason to have none").toBeDefined()
  const env = text.includes("DATABASE_URL") ? { DATABASE_URL: await database() } : {}
  const { code, stderr, stdout } = await run(file, env)
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
  if (expected !== undefined) expect(stdout.trimEnd()).toBe(expected)
}

describe.concurrent("examples", () => {
  it.each(fs.globSync("examples/*.ts", { cwd: root }).sort())("%s", prove)

  it.each([
    ["right.ts", undefined],
    ["fails.ts", "code"],
    ["prints-something-else.ts", "expected"],
    ["promises-nothing.ts", "has neither"]
  ])("are proven by a proof that sees %s", async (file, message) => {
    const proof = prove(`test/fixtures/examples/${file}`)
    if (message === undefined) await proof
    else await expect(proof).rejects.toThrow(message)
  })
})
