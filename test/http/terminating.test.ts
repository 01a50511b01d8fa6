import { spawn } from "node:child_process"
import { once } from "node:events"
import * as path from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { expect, it } from "@effect/vitest"
import * as tree from "../../scripts/tree.ts"

it("a process that gets SIGTERM says that it is not ready, finishes what is in flight, and ends", async () => {
  const program = path.join(import.meta.dirname, "fixtures/server.ts")
  const child = spawn(process.execPath, [`--conditions=${tree.sourceCondition}`, program], {
    cwd: tree.root,
    stdio: ["ignore", "pipe", "inherit"]
  })
  try {
    const [line]: ReadonlyArray<Buffer> = await once(child.stdout, "data")
    const base = `http://127.0.0.1:${String(line).trim()}`
    expect((await fetch(`${base}/health/ready`)).status).toBe(200)
    const slow = fetch(`${base}/slow`)
    await pause(100)
    child.kill("SIGTERM")
    await pause(50)
    expect((await fetch(`${base}/health/ready`)).status).toBe(503)
    const answer = await slow
    expect([answer.status, await answer.text()]).toEqual([200, "done"])
    const ended = child.exitCode === null ? await once(child, "exit") : []
    expect(ended).not.toContain("SIGKILL")
    await expect(fetch(`${base}/health`)).rejects.toThrow()
  } finally {
    child.kill("SIGKILL")
  }
}, 20_000)
