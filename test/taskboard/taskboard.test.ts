// The task board as people use it: a real browser, a server that is killed, pages that were offline.
import { afterAll, beforeAll, describe, expect, it, vi } from "@effect/vitest"
import { type ChildProcess, execFile, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core"
import { root, sourceCondition } from "../../scripts/tree.ts"

const executablePath = [
  process.env["CHROMIUM"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome"
]
  .filter((file) => file !== undefined)
  .find((file) => fs.existsSync(file))
const without = "there is no Chromium: apt-get install chromium, or say where it is with CHROMIUM"

vi.setConfig({ testTimeout: 60_000 })

const data = fs.mkdtempSync(path.join(os.tmpdir(), "effect-cqrs-taskboard-"))
const node = [`--conditions=${sourceCondition}`]
let port = 0
let server: ChildProcess | undefined
let browser: Browser | undefined

const freePort = () =>
  new Promise<number>((resolve) => {
    const probe = net.createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

const start = () =>
  new Promise<void>((resolve, reject) => {
    const env = { ...process.env, PORT: `${port}`, TASKBOARD_DATA: data, DATABASE_URL: undefined }
    const child = spawn(process.execPath, [...node, "examples/taskboard/main.ts"], { cwd: root, env })
    let said = ""
    const listen = (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes("The board is at")) resolve()
    }
    child.stdout.on("data", listen)
    child.stderr.on("data", listen)
    child.once("exit", () => reject(new Error(`The server ended: ${said}`)))
    server = child
  })

const stop = (signal: NodeJS.Signals) =>
  new Promise<void>((resolve) => {
    if (server === undefined || server.exitCode !== null) return resolve()
    server.once("exit", () => resolve())
    server.kill(signal)
  })

const tasks = (...args: ReadonlyArray<string>) =>
  new Promise<string>((resolve, reject) => {
    const env = { ...process.env, BOARD_URL: `http://127.0.0.1:${port}` }
    execFile(
      process.execPath,
      [...node, "examples/taskboard/tasks.ts", ...args],
      { cwd: root, env },
      (error, stdout) => (error === null ? resolve(stdout) : reject(error))
    )
  })

const open = async (user: string): Promise<{ readonly page: Page; readonly context: BrowserContext }> => {
  if (browser === undefined) throw new Error(without)
  const context = await browser.newContext({ viewport: { width: 760, height: 560 } })
  const page = await context.newPage()
  await page.goto(`http://127.0.0.1:${port}/`)
  await page.click(`[data-user="${user}"]`)
  await status(page, "Live")
  return { page, context }
}

const status = (page: Page, text: string) =>
  page.locator("#status", { hasText: new RegExp(`^${text}`) }).waitFor({ timeout: 25_000 })
const add = async (page: Page, title: string) => {
  await page.fill("#title", title)
  await page.click("#add button")
}
const see = (page: Page, list: "open" | "done", title: string) =>
  page.locator(`#${list} li:not(.pending) b`, { hasText: title }).waitFor({ timeout: 25_000 })
const titles = (page: Page, list: "open" | "done") => page.locator(`#${list} li b`).allTextContents()
const complete = (page: Page, title: string) => page.click(`#open li:has(b:text-is("${title}")) button`)

if (executablePath === undefined) console.warn(`The task board's tests are skipped: ${without}`)

describe.skipIf(executablePath === undefined)("the task board", () => {
  beforeAll(async () => {
    port = await freePort()
    const args = [
      "--no-sandbox",
      "--disable-gpu",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-sync"
    ]
    const launched = chromium.launch({ executablePath: executablePath ?? "", args })
    await start()
    browser = await launched
  }, 60_000)

  afterAll(async () => {
    await browser?.close()
    await stop("SIGKILL")
    fs.rmSync(data, { recursive: true, force: true })
  })

  it("shows in a second window at once what was done in the first", async () => {
    const [ada, alan] = await Promise.all([open("ada@acme"), open("alan@acme")])
    await add(ada.page, "Write the guide")
    await see(alan.page, "open", "Write the guide")
    await complete(alan.page, "Write the guide")
    await see(ada.page, "done", "Write the guide")
    expect(await titles(ada.page, "open")).toEqual([])
    await ada.page.click("#done li button")
    await see(alan.page, "open", "Write the guide")
    await Promise.all([ada.context.close(), alan.context.close()])
  })

  it("shows nothing of another tenant's, in the page, over HTTP and over RPC", async () => {
    const [ada, grace] = await Promise.all([open("ada@acme"), open("grace@globex")])
    await add(ada.page, "Acme's secret")
    await add(grace.page, "Globex's own")
    await see(ada.page, "open", "Acme's secret")
    await see(grace.page, "open", "Globex's own")
    expect(await titles(grace.page, "open")).toEqual(["Globex's own"])
    expect(await tasks("grace@globex")).toBe("[ ] Globex's own (grace)\n")
    expect(await tasks("ada@acme")).not.toContain("Globex")
    const taken = await grace.page.evaluate(async (title) => {
      const found: ReadonlyArray<{ readonly title: string }> = await (await fetch("/tasks")).json()
      return found.some((task) => task.title === title)
    }, "Acme's secret")
    expect(taken).toBe(false)
    await Promise.all([ada.context.close(), grace.context.close()])
  })

  it("keeps what is done offline and catches up with what others did", async () => {
    const [ada, alan] = await Promise.all([open("ada@acme"), open("alan@acme")])
    await add(ada.page, "Before")
    await see(alan.page, "open", "Before")
    await alan.context.setOffline(true)
    await status(alan.page, "Offline")
    await add(alan.page, "Thought of on a train")
    await complete(alan.page, "Before")
    await status(alan.page, "Offline, 2 kept")
    await add(ada.page, "Meanwhile")
    await see(ada.page, "open", "Meanwhile")
    await alan.context.setOffline(false)
    for (const { page } of [ada, alan]) {
      await see(page, "open", "Thought of on a train")
      await see(page, "open", "Meanwhile")
      await see(page, "done", "Before")
    }
    await status(alan.page, "Live")
    await Promise.all([ada.context.close(), alan.context.close()])
  })

  it("misses nothing when the server is killed and comes back", async () => {
    const [ada, alan] = await Promise.all([open("ada@acme"), open("alan@acme")])
    await add(ada.page, "Committed before the crash")
    await see(alan.page, "open", "Committed before the crash")
    await stop("SIGKILL")
    await status(ada.page, "Offline")
    await status(alan.page, "Offline")
    await add(ada.page, "Written while it was down")
    await complete(alan.page, "Committed before the crash")
    await start()
    for (const { page } of [ada, alan]) {
      await see(page, "open", "Written while it was down")
      await see(page, "done", "Committed before the crash")
    }
    await status(ada.page, "Live")
    const [opened, done] = [await titles(ada.page, "open"), await titles(ada.page, "done")]
    await ada.page.reload()
    await status(ada.page, "Live")
    await see(ada.page, "open", "Written while it was down")
    expect(await titles(ada.page, "open")).toEqual(opened)
    expect(new Set(await titles(ada.page, "done"))).toEqual(new Set(done))
    expect(await titles(alan.page, "open")).toEqual(opened)
    await Promise.all([ada.context.close(), alan.context.close()])
  })

  it("is spoken to by a program over RPC, which a page sees", async () => {
    const ada = await open("ada@acme")
    expect(await tasks("alan@acme", "From the command line")).toContain("[ ] From the command line (alan)")
    await see(ada.page, "open", "From the command line")
    const picture = process.env["SCREENSHOT"]
    if (picture !== undefined) await ada.page.screenshot({ path: picture })
    await ada.context.close()
  })
})
