/**
 * Requests to an HTTP server of this process, over connections that stay open, and how long each took.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import * as http from "node:http"
import * as path from "node:path"
import type { Answer } from "./contender.ts"
import { inFlight, quantile, type Round } from "./harness.ts"
import type { Order } from "./peers/wire.ts"

export interface Request {
  readonly port: number
  readonly path: string
  readonly contentType: string
  readonly body: string
  /** What every answer must have in it. */
  readonly answer: string
}

/** The aspects of `load`, in milliseconds. */
export const aspects = { p50: "p50", p95: "p95", p99: "p99" }

/** Requests a second by so many clients at once, and what these waited. */
export const load = (clients: number, { answer, body, contentType, path, port }: Request): Round => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: clients })
  const headers = { "content-type": contentType, "content-length": Buffer.byteLength(body) }
  const ask = () =>
    new Promise<void>((resolve, reject) => {
      const request = http.request({ host: "127.0.0.1", port, path, method: "POST", agent, headers }, (response) => {
        let text = ""
        response.setEncoding("utf8")
        response.on("data", (part) => (text += part))
        response.on("end", () => (text.includes(answer) ? resolve() : reject(new Error(`answered ${text}`))))
      })
      request.on("error", reject)
      request.end(body)
    })
  return async (seconds) => {
    const taken: Array<number> = []
    const until = performance.now() + seconds * 1000
    const start = performance.now()
    const work = inFlight(clients, () => async () => {
      const before = performance.now()
      if (before < until) {
        await ask()
        taken.push(performance.now() - before)
      }
    })
    while (performance.now() < until) await work(1000)
    const value = taken.length / ((performance.now() - start) / 1000)
    const also = { p50: quantile(taken, 0.5), p95: quantile(taken, 0.95), p99: quantile(taken, 0.99) }
    return { value, also }
  }
}

/** The same by clients in a process of their own, which do little: what is measured is the server. */
export const loadFromOutside = (clients: number, request: Request): Round => {
  const child = fork(path.join(import.meta.dirname, "peers/wire.ts"), { stdio: ["ignore", 2, 2, "ipc"] })
  return async (seconds) => {
    const order: Order = { clients, request, seconds }
    const replied = once(child, "message").then(([answer]: ReadonlyArray<Answer>) => answer)
    const ended = once(child, "exit").then(([code]): Answer => ({ failure: `the clients ended with ${code}` }))
    child.send(order)
    const answer = (await Promise.race([replied, ended])) ?? { failure: "the clients said nothing" }
    if ("failure" in answer) throw new Error(answer.failure)
    return answer
  }
}
