/**
 * What is measured of servers that send events to many clients.
 */
import { type Contender, median, perSecond } from "../harness.ts"
import * as Clients from "./liveClients.ts"

/** A server, and what has it send so many events to all of its clients. */
export interface Server {
  readonly port: number
  readonly publish: (events: number) => unknown
}

export interface Connecting {
  readonly path: string
  readonly webSocket: boolean
  /** What a client says first; nothing when empty. */
  readonly first: string
}

/** Deliveries a second: so many events at once to so many clients, until all have all. */
export const bursts =
  (start: () => Promise<Server>, connecting: Connecting, count: number, events: number): Contender =>
  async () => {
    const server = await start()
    const clients = Clients.start()
    await clients.open({ ...connecting, port: server.port, count })
    return perSecond(async (times) => {
      for (let n = 0; n < times; n++) {
        const came = clients.come(events * count)
        await server.publish(events)
        await came
      }
    }, events * count)
  }

/** The aspect of `held`. */
export const latency = "delivery p99"

/** KiB of this process for each of so many connections, and when 99 % of them have an event, in milliseconds. */
export const held =
  (start: () => Promise<Server>, connecting: Connecting, count: number): Contender =>
  async () => {
    const server = await start()
    const clients = Clients.start()
    await clients.open({ ...connecting, port: server.port, count: 100 })
    const before = resident()
    await clients.open({ ...connecting, port: server.port, count: count - 100 })
    const each = (resident() - before) / (count - 100) / 1024
    return async () => {
      const last: Array<number> = []
      for (let n = 0; n < 5; n++) {
        const came = clients.come(count)
        const at = Clients.now()
        await server.publish(1)
        const times = (await came).map((time) => time - at).toSorted((a, b) => a - b)
        last.push(times[Math.ceil(0.99 * times.length) - 1] ?? Number.NaN)
      }
      return { value: each, also: { [latency]: median(last) } }
    }
  }

const resident = (): number => {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage.rss()
}
