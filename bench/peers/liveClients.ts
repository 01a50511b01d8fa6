/**
 * Clients that only count what comes, in a process of their own, so that the server's own work and memory are measured.
 */
import { fork } from "node:child_process"
import * as net from "node:net"

/** What is in each event: a sign that it has once and nothing else has, and more. */
export const text = `§${"x".repeat(160)}`
const [high = 0, low = 0] = Buffer.from("§")

type Command =
  | {
      readonly type: "open"
      readonly port: number
      readonly count: number
      readonly path: string
      readonly webSocket: boolean
      readonly first: string
    }
  | { readonly type: "await"; readonly total: number }
type Reply =
  | { readonly type: "opened"; readonly total: number }
  | { readonly type: "came"; readonly total: number; readonly at: ReadonlyArray<number> }

export interface Clients {
  /** Opens connections, and waits until each has heard something. */
  readonly open: (options: Omit<Extract<Command, { readonly type: "open" }>, "type">) => Promise<void>
  /** Waits until so many events more have come, over all connections, and says when they did. */
  readonly come: (events: number) => Promise<ReadonlyArray<number>>
  readonly end: () => void
}

/** Now, as all processes of the machine have it. */
export const now = (): number => performance.timeOrigin + performance.now()

export const start = (): Clients => {
  const child = fork(import.meta.filename, [], { execArgv: process.execArgv })
  const heard = (): Promise<Reply> => new Promise((resolve) => child.once("message", (reply: Reply) => resolve(reply)))
  let total = 0
  const ask = async (command: Command) => {
    const reply = heard()
    child.send(command)
    return await reply
  }
  process.on("exit", () => child.kill())
  return {
    open: async (options) => {
      total = (await ask({ type: "open", ...options })).total
    },
    come: async (events) => {
      total += events
      const reply = await ask({ type: "await", total })
      return reply.type === "came" ? reply.at : []
    },
    end: () => void child.kill()
  }
}

const handshake = (path: string, webSocket: boolean) =>
  [
    `GET ${path} HTTP/1.1`,
    "Host: 127.0.0.1",
    ...(webSocket
      ? [
          "Connection: Upgrade",
          "Upgrade: websocket",
          "Sec-WebSocket-Version: 13",
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        ]
      : ["Accept: text/event-stream"]),
    "",
    ""
  ].join("\r\n")

// Masked with nothing: a mask of zeros changes no byte.
const frame = (text: string) => {
  const payload = Buffer.from(text)
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload])
}

const serve = (tell: (reply: Reply) => void) => {
  let total = 0
  let wanted = Number.POSITIVE_INFINITY
  let times: Array<number> = []
  const check = () => {
    if (total < wanted) return
    wanted = Number.POSITIVE_INFINITY
    tell({ type: "came", total, at: times })
    times = []
  }
  const connect = ({ first, path, port, webSocket }: Extract<Command, { readonly type: "open" }>) =>
    new Promise<void>((resolve, reject) => {
      const socket = net.connect(port, "127.0.0.1")
      let isFirst = true
      let end: number | undefined
      socket.once("error", reject)
      socket.write(handshake(path, webSocket))
      socket.on("data", (bytes: Buffer) => {
        if (isFirst) {
          isFirst = false
          if (webSocket && first !== "") socket.write(frame(first))
          setTimeout(resolve, 50)
        }
        const before = total
        for (let at = bytes.indexOf(low); at >= 0; at = bytes.indexOf(low, at + 1)) {
          if ((at === 0 ? end : bytes[at - 1]) === high) total++
        }
        end = bytes[bytes.length - 1]
        if (total > before) {
          times.push(now())
          check()
        }
      })
    })
  const obey = async (command: Command) => {
    switch (command.type) {
      case "open":
        // A few at a time, as the server's backlog allows.
        for (let left = command.count; left > 0; left -= 100) {
          await Promise.all(Array.from({ length: Math.min(left, 100) }, () => connect(command)))
        }
        total = 0
        times = []
        return tell({ type: "opened", total })
      case "await":
        wanted = command.total
        check()
    }
  }
  process.on("message", (command: Command) => void obey(command))
}

if (process.send !== undefined && process.argv[1] === import.meta.filename) serve((reply) => void process.send?.(reply))
