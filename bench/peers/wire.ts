/**
 * Clients of an HTTP server in a process of their own, which know of HTTP as much as it takes to tell answers apart: what is
 * measured is the server.
 */
import * as net from "node:net"
import type { Answer } from "../contender.ts"
import { quantile } from "../harness.ts"
import type { Request } from "../load.ts"

export interface Order {
  readonly clients: number
  readonly request: Request
  readonly seconds: number
}

const end = "\r\n\r\n"

/** One client: asks, waits for the whole answer, asks again. */
const client = ({ answer, body, contentType, path, port }: Request, until: number, taken: Array<number>) =>
  new Promise<void>((resolve, reject) => {
    const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: ${contentType}\r\n`
    const request = `${head}content-length: ${Buffer.byteLength(body)}${end}${body}`
    const socket = net.connect({ host: "127.0.0.1", port, noDelay: true })
    let text = ""
    let since = 0
    const ask = () => {
      since = performance.now()
      if (since < until) return socket.write(request)
      socket.destroy()
      resolve()
    }
    socket.setEncoding("latin1")
    socket.on("connect", ask)
    socket.on("error", reject)
    socket.on("close", () => reject(new Error("The server closed the connection")))
    socket.on("data", (part: string) => {
      text += part
      if (!isWhole(text)) return
      if (!text.startsWith("HTTP/1.1 2") || !text.includes(answer)) return reject(new Error(`answered ${text}`))
      taken.push(performance.now() - since)
      text = ""
      ask()
    })
  })

const isWhole = (text: string): boolean => {
  const at = text.indexOf(end)
  if (at === -1) return false
  const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1]
  return length === undefined ? text.endsWith(`0${end}`) : text.length >= at + end.length + Number(length)
}

const measure = async ({ clients, request, seconds }: Order): Promise<Answer> => {
  const taken: Array<number> = []
  const start = performance.now()
  const until = start + seconds * 1000
  await Promise.all(Array.from({ length: clients }, () => client(request, until, taken)))
  const value = taken.length / ((performance.now() - start) / 1000)
  return { value, also: { p50: quantile(taken, 0.5), p95: quantile(taken, 0.95), p99: quantile(taken, 0.99) } }
}

process.on("disconnect", () => process.exit())
process.on("message", (order: Order) => {
  measure(order).then(
    (measured) => process.send?.(measured),
    (error: unknown) => process.send?.({ failure: String(error) })
  )
})
